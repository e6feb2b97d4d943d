"""What each kind of mail says: short, warm, and with everything a person needs to act on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from app.booking.cover import credit_minutes, credit_money, money_cents
from app.notifications.digest_letter import digest, digest_weekly
from app.notifications.document_letter import credit_note, invoice
from app.notifications.letters import Letter, Story, Words
from app.notifications.refund_letter import payment_refunded
from app.notifications.reminder_letter import bookings_suspended, invoice_formal_notice, invoice_reminder

Rows = list[tuple[str, str]]


def _confirmed(story: Story) -> Letter:
    _ = story.words.say
    if "dates" in story.facts:
        return _series(story, _("Booked: %(what)s, %(dates)s", what=story.resource(), dates=_count(story)))
    return Letter(
        subject=_("Booked: %(what)s, %(when)s", what=story.resource(), when=_when(story)),
        lead=_("Your booking at %(space)s is confirmed. We look forward to seeing you!", space=story.space),
        rows=_rows(story),
        action=_own_page(story),
    )


def _requested(story: Story) -> Letter:
    _ = story.words.say
    lead = _waits(story)
    if "dates" in story.facts:
        subject = _("Requested: %(what)s, %(dates)s", what=story.resource(), dates=_count(story))
        return _series(story, subject, lead=lead)
    return Letter(
        subject=_("Requested: %(what)s, %(when)s", what=story.resource(), when=_when(story)),
        lead=lead,
        rows=_rows(story),
        action=_own_page(story),
    )


def _waits(story: Story) -> str:
    _ = story.words.say
    return _(
        "%(space)s has received your request and will answer it. Until then the place is kept for you.",
        space=story.space,
    )


def _series(story: Story, subject: str, *, lead: str = "") -> Letter:
    _ = story.words.say
    dates = [story.words.period(*map(datetime.fromisoformat, date)) for date in story.facts["dates"]]
    said = lead or _("All your dates at %(space)s are confirmed. We look forward to seeing you!", space=story.space)
    rows = [(_("What"), story.resource()), *_where(story), *_price(story)]
    return Letter(subject, said, rows, lists=[(_("Your dates"), dates)], action=_own_page(story))


def _count(story: Story) -> str:
    return story.words.ngettext("%(num)s date", "%(num)s dates", len(story.facts["dates"]))


def _moved(story: Story) -> Letter:
    _ = story.words.say
    before = story.words.period(story.at("previous_start"), story.at("previous_end"))
    if story.facts["previous_resource_id"] != story.facts["resource_id"]:
        before = f"{story.resource('previous_resource_id')}, {before}"
    return Letter(
        subject=_("Moved: %(what)s, now %(when)s", what=story.resource(), when=_when(story)),
        lead=_("Your booking at %(space)s has been moved. This is how it stands now.", space=story.space),
        rows=[*_rows(story), (_("Before"), before)],
        paragraphs=[_waits(story)] if story.status == "pending" else [],
        action=_own_page(story),
    )


def _cancelled(story: Story) -> Letter:
    _ = story.words.say
    by_member = story.facts["reason"] == "member"
    if by_member:
        lead = _("Your booking at %(space)s is cancelled, as you asked.", space=story.space)
    else:
        lead = _("%(space)s had to cancel your booking. We are sorry about that.", space=story.space)
    return Letter(
        subject=_("Cancelled: %(what)s, %(when)s", what=story.resource(), when=_when(story)),
        lead=lead,
        rows=_what_and_when(story),
        paragraphs=_settled(story),
        action=_other_places(story),
    )


def _refused(story: Story) -> Letter:
    _ = story.words.say
    return Letter(
        subject=_("Not possible this time: %(what)s, %(when)s", what=story.resource(), when=_when(story)),
        lead=_("%(space)s could not accept your request. We are sorry about that.", space=story.space),
        rows=_what_and_when(story),
        paragraphs=_settled(story),
        action=_other_places(story),
    )


def _expired(story: Story) -> Letter:
    _ = story.words.say
    if story.facts["expired"] == "offer":
        lead = _("The place we kept for you was not taken up in time. It is free for others again.")
    else:
        lead = _("%(space)s did not answer your request in time, so it has lapsed. We are sorry.", space=story.space)
    return Letter(
        subject=_("No longer kept: %(what)s, %(when)s", what=story.resource(), when=_when(story)),
        lead=lead,
        rows=_what_and_when(story),
        paragraphs=_settled(story),
        action=_other_places(story),
    )


def _displaced(story: Story) -> Letter:
    _ = story.words.say
    words = story.words
    instead = [
        f"{story.names[each['resource_id']]}: "
        f"{words.period(datetime.fromisoformat(each['start']), datetime.fromisoformat(each['end']))}"
        for each in story.facts["alternatives"]
        if each["resource_id"] in story.names
    ]
    return Letter(
        subject=_("Closed at that time: %(what)s, %(when)s", what=story.resource(), when=_when(story)),
        lead=_(
            "%(space)s has to close at that time, so your booking is cancelled. We are sorry about that.",
            space=story.space,
        ),
        rows=_what_and_when(story),
        paragraphs=_settled(story),
        lists=[(_("Still free, when this mail was written"), instead)] if instead else [],
        action=_other_places(story),
    )


def _offered(story: Story) -> Letter:
    _ = story.words.say
    until = story.at("expires_at")
    held = {"time": story.words.time(until), "what": story.resource(), "when": _when(story)}
    return Letter(
        subject=_("Free for you until %(time)s: %(what)s, %(when)s", **held),
        lead=_(
            "Good news: the place you were waiting for is free. It is kept for you until %(until)s.",
            until=story.words.moment(until),
        ),
        rows=_rows(story),
        paragraphs=[_("After that it is offered to whoever is next.")],
        action=(_("Take it, or let it go"), _page(story)),
    )


def _reminder(story: Story) -> Letter:
    _ = story.words.say
    return Letter(
        subject=_("Reminder: %(what)s, %(when)s", what=story.resource(), when=_when(story)),
        lead=_("See you soon at %(space)s!", space=story.space),
        rows=_rows(story),
        action=_own_page(story),
    )


def _webhook_disabled(story: Story) -> Letter:
    _ = story.words.say
    since = story.facts.get("failing_since")
    if story.facts["reason"] == "gone":
        lead = _("One of your webhooks answered that it is gone for good (410). Nothing more is sent to it.")
    elif since:
        day = story.words.day(datetime.fromisoformat(since))
        lead = _("One of your webhooks has taken nothing since %(day)s. Nothing more is sent to it.", day=day)
    else:
        lead = _("One of your webhooks has taken nothing for days. Nothing more is sent to it.")
    return Letter(
        subject=_("A webhook was switched off"),
        lead=lead,
        rows=[(_("Webhook"), story.facts["webhook_id"])],
        paragraphs=[
            _("Once its receiver works again, switch it on, and send again what it has missed."),
        ],
    )


# One row for each kind of mail.
LETTERS: dict[str, Callable[[Story], Letter]] = {
    "booking_confirmed": _confirmed,
    "booking_requested": _requested,
    "booking_moved": _moved,
    "booking_cancelled": _cancelled,
    "booking_refused": _refused,
    "booking_expired": _expired,
    "displaced": _displaced,
    "waitlist_offered": _offered,
    "reminder": _reminder,
    "webhook_disabled": _webhook_disabled,
    "invoice": invoice,
    "credit_note": credit_note,
    "invoice_reminder": invoice_reminder,
    "invoice_formal_notice": invoice_formal_notice,
    "bookings_suspended": bookings_suspended,
    "payment_refunded": payment_refunded,
    "digest": digest,
    "digest_weekly": digest_weekly,
}


def _when(story: Story) -> str:
    return story.words.brief(story.at("start"))


def _what_and_when(story: Story) -> Rows:
    _ = story.words.say
    units = ", ".join(unit for unit in story.units if unit != story.resource())
    what = f"{story.resource()} · {units}" if units else story.resource()
    return [(_("What"), what), (_("When"), story.words.period(story.at("start"), story.at("end")))]


def _rows(story: Story) -> Rows:
    return [*_what_and_when(story), *_where(story), *_price(story), *_terms(story)]


def _where(story: Story) -> Rows:
    return [(story.words.say("Where"), f"{story.space}, {story.address}")]


def _price(story: Story) -> Rows:
    _ = story.words.say
    facts, words = story.facts, story.words
    price, vat = (words.money(facts[name], facts["currency"]) for name in ("gross_cents", "vat_cents"))
    shown = _("%(price)s, of which VAT %(vat)s", price=price, vat=vat) if facts["vat_cents"] else price
    rows = [(_("Price"), shown)]
    if credit := _credit(words, facts["cover"]):
        rows.append((_("From your plan"), credit))
        rows.append((_("To pay"), words.money(money_cents(facts["cover"]), facts["currency"])))
    return rows


def _terms(story: Story) -> Rows:
    """What cancelling costs, by the instants at which that changes; what is past already is left out."""
    _ = story.words.say
    steps = story.facts["terms"]
    if not steps:
        return []
    ahead = [(_until(story, step), step["percent"]) for step in steps[:-1]]
    parts = [_step(story.words, until, percent) for until, percent in ahead if until > story.created_at]
    last = steps[-1]["percent"]
    parts.append(_("then %(percent)s %% of the price", percent=last) if parts else _always(story.words, last))
    return [(_("Cancelling"), "; ".join(parts))]


def _until(story: Story, step: dict[str, Any]) -> datetime:
    return story.at("start") - timedelta(hours=step["hours_before"])


def _step(words: Words, until: datetime, percent: int) -> str:
    _ = words.say
    if percent == 0:
        return _("free until %(until)s", until=words.moment(until))
    return _("%(percent)s %% of the price until %(until)s", percent=percent, until=words.moment(until))


def _always(words: Words, percent: int) -> str:
    _ = words.say
    return _("free") if percent == 0 else _("%(percent)s %% of the price", percent=percent)


def _settled(story: Story) -> list[str]:
    """What is owed after all, and what came back."""
    _ = story.words.say
    facts, words = story.facts, story.words
    fee = facts.get("fee_cents") or 0
    if fee:
        owed = _(
            "It came too late to be free: %(fee)s are due, under the terms of your booking.",
            fee=words.money(fee, facts["currency"]),
        )
    else:
        owed = _("There is nothing to pay.")
    returned, drawn = _credit(words, facts.get("returned") or []), _credit(words, facts["cover"])
    if returned:
        return [owed, _("%(time)s are back on your plan.", time=returned)]
    if drawn and facts.get("reason") in ("member", "expired"):
        return [owed, _("It came too late for %(time)s to go back on your plan.", time=drawn)]
    return [owed]


def _credit(words: Words, cover: Sequence[Mapping[str, Any]]) -> str:
    """The credit of a plan in a cover: time, money, or both; empty without any."""
    minutes, (cents, currency) = credit_minutes(cover), credit_money(cover)
    said = [words.duration(minutes)] if minutes else []
    return " + ".join([*said, words.money(cents, currency)] if cents else said)


def _page(story: Story) -> str:
    return f"{story.base_url}/bookings#{story.facts['booking_id']}"


def _own_page(story: Story) -> tuple[str, str]:
    return (story.words.say("See, move or cancel it"), _page(story))


def _other_places(story: Story) -> tuple[str, str]:
    return (story.words.say("Find another time or place"), f"{story.base_url}/")
