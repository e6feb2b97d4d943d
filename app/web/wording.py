"""Every refusal and error in words: a table from codes and rules to sentences, the limit told in human measures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.errors import Problem
from app.web.languages import _, clock, days, duration

Sentence = Callable[[Any, ZoneInfo], str]


def _opening_hours(limit: Any, zone: ZoneInfo) -> str:
    openings = [
        " – ".join(clock(datetime.fromisoformat(instant).astimezone(zone)) for instant in period) for period in limit
    ]
    if not openings:
        return _("The space is closed that day.")
    return _("The space is not open all that time. That day it opens %(hours)s.", hours=", ".join(openings))


_AUDIENCES: dict[str, Callable[[], str]] = {
    "network": lambda: _("Only members of this network can book it."),
    "members": lambda: _("Only members on a plan of this space can book it."),
    "staff": lambda: _("Only the staff of the space can book it."),
}


def _audience(limit: Any, _zone: ZoneInfo) -> str:
    return _AUDIENCES[limit]()


def _measured(sentence: Callable[[str], str], measure: Callable[[int], str]) -> Sentence:
    return lambda limit, _zone: sentence(measure(limit))


def _plain(sentence: Callable[[], str]) -> Sentence:
    return lambda _limit, _zone: sentence()


# What a rule says when it refuses; %(limit)s is its limit.
RULES: dict[str, Sentence] = {
    "opening_hours": _opening_hours,
    "audience": _audience,
    "access_hours": _plain(lambda: _("Your plan does not hold at that hour.")),
    "suspended": _plain(lambda: _("An invoice of yours is overdue: once it is paid you can book again.")),
    "pay_first": _plain(lambda: _("It is paid first, one booking at a time.")),
    "in_the_past": _plain(lambda: _("That time has already begun.")),
    "lead_time": _measured(lambda limit: _("Book it at least %(limit)s in advance.", limit=limit), duration),
    "horizon": _measured(lambda limit: _("It can be booked at most %(limit)s ahead.", limit=limit), days),
    "min_duration": _measured(lambda limit: _("Book it for at least %(limit)s.", limit=limit), duration),
    "max_duration": _measured(lambda limit: _("Book it for at most %(limit)s.", limit=limit), duration),
    "step": _measured(lambda limit: _("Choose times and a length in steps of %(limit)s.", limit=limit), duration),
    "quota_day": _measured(
        lambda limit: _("One person can book it for at most %(limit)s a day.", limit=limit), duration
    ),
    "quota_week": _measured(
        lambda limit: _("One person can book it for at most %(limit)s a week.", limit=limit), duration
    ),
    "quota_month": _measured(
        lambda limit: _("One person can book it for at most %(limit)s a month.", limit=limit), duration
    ),
    "capacity": _measured(lambda limit: _("There is room for %(limit)s people.", limit=limit), str),
    "cover": _measured(lambda limit: _("Your plan has only %(limit)s left for it.", limit=limit), duration),
    "price": _plain(lambda: _("There is no price for that day.")),
    "quote_changed": _plain(lambda: _("The credit of your plan has been used since the price was shown. Look again.")),
    "waitlist": _measured(lambda limit: _("You already wait for %(limit)s places.", limit=limit), str),
    "hold_expired": _plain(lambda: _("The time to accept this place is over.")),
    "check_in_window": _plain(lambda: _("It is too early or too late to check in.")),
    "nonexistent_local_time": _plain(lambda: _("The clock jumps over that time.")),
}

# What else can go wrong on a page.
CODES: dict[str, Callable[[], str]] = {
    "slot_taken": lambda: _("That place is taken at that time."),
    "invalid": lambda: _("Something in the form is missing or wrong. Check the times."),
    "not_found": lambda: _("There is no such thing here."),
    "unauthenticated": lambda: _("Please sign in."),
    "not_allowed": lambda: _("Your role does not allow that."),
    "wrong_state": lambda: _("That is no longer possible: it has changed in the meantime."),
    "bad_credentials": lambda: _("The e-mail address or the password is wrong."),
    "too_many_requests": lambda: _("Too many attempts. Wait a few minutes and try again."),
    "link_unknown": lambda: _("This address leads nowhere. Use the whole address of the newest mail."),
    "too_many_feeds": lambda: _("Revoke a calendar address that you no longer use first."),
    "request_in_flight": lambda: _("Your first click is still being worked on. Look at your bookings in a moment."),
    "idempotency_key_reused": lambda: _("This form was already sent. Look at your bookings, then start anew."),
    "form_expired": lambda: _form_expired(),
    "idempotency_key_missing": lambda: _form_expired(),
    "idempotency_key_invalid": lambda: _form_expired(),
    "unavailable": lambda: _("The database does not answer just now. Nothing was done. Try again in a moment."),
    "internal": lambda: _("Something went wrong on our side. Nothing was done."),
}


def _form_expired() -> str:
    return _("This form is too old or does not come from this site. Go back, reload and try again.")


def sentence(problem: Problem, zone: ZoneInfo) -> str:
    """What went wrong, in the visitor's language; times of the space in `zone`."""
    return words(problem.code, problem.facts.get("rule"), problem.facts.get("limit"), zone)


def words(code: str, rule: str | None, limit: Any, zone: ZoneInfo) -> str:
    if rule in RULES:
        return RULES[rule](limit, zone)
    return CODES.get(code, CODES["internal"])()


def kind_name(kind: str) -> str:
    return _KINDS[kind]()


_KINDS: dict[str, Callable[[], str]] = {
    "desk_pool": lambda: _("Desks"),
    "desk": lambda: _("Named desks"),
    "room": lambda: _("Rooms"),
    "office": lambda: _("Offices"),
    "equipment": lambda: _("Equipment"),
}


def status_name(status: str) -> str:
    return _STATUSES[status]()


_STATUSES: dict[str, Callable[[], str]] = {
    "held": lambda: _("held for you"),
    "pending": lambda: _("waits for the space's approval"),
    "confirmed": lambda: _("confirmed"),
    "checked_in": lambda: _("checked in"),
    "completed": lambda: _("over"),
    "cancelled": lambda: _("cancelled"),
    "refused": lambda: _("refused by the space"),
    "no_show": lambda: _("not used"),
}


def mail_kind_name(kind: str) -> str:
    return _MAIL_KINDS[kind]()


_MAIL_KINDS: dict[str, Callable[[], str]] = {
    "booking_confirmed": lambda: _("a booking that was made or approved, with its calendar file"),
    "booking_requested": lambda: _("a booking that waits for the space's approval"),
    "booking_moved": lambda: _("a booking that was moved"),
    "booking_cancelled": lambda: _("a booking that was cancelled"),
    "booking_expired": lambda: _("a booking that nobody confirmed in time"),
    "booking_refused": lambda: _("a booking that the space did not accept"),
    "displaced": lambda: _("a booking whose place is closed, with what you could have instead"),
    "waitlist_offered": lambda: _("a place that you wait for, once it is free"),
    "reminder": lambda: _("a booking that is coming up"),
    "invoice": lambda: _("an invoice to you, with its PDF"),
    "credit_note": lambda: _("a credit note to you, with its PDF"),
    "invoice_reminder": lambda: _("an invoice to you that is overdue"),
    "invoice_formal_notice": lambda: _("a formal notice about an invoice that is overdue"),
    "bookings_suspended": lambda: _("that you cannot book until an overdue invoice is paid"),
    "payment_refunded": lambda: _("that money you paid went back"),
    "digest": lambda: _("the day of your space, every open morning"),
    "digest_weekly": lambda: _("the week of your space, every week"),
    "webhook_disabled": lambda: _("a receiver of events that was switched off"),
}


def document_kind_name(kind: str) -> str:
    return _DOCUMENT_KINDS[kind]()


_DOCUMENT_KINDS: dict[str, Callable[[], str]] = {
    "monthly": lambda: _("Monthly invoice"),
    "now": lambda: _("Invoice"),
    "deposit": lambda: _("Deposit request"),
    "credit_note": lambda: _("Credit note"),
}


def document_status_name(status: str) -> str:
    return _DOCUMENT_STATUSES[status]()


_DOCUMENT_STATUSES: dict[str, Callable[[], str]] = {
    "finalised": lambda: _("issued"),
    "sent": lambda: _("sent"),
    "overdue": lambda: _("overdue"),
    "paid": lambda: _("paid"),
}
