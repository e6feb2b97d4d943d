"""Mails about an invoice that is overdue: a reminder, a formal notice, and that bookings are suspended.

A reminder says what the law of Belgium asks of the first one (Code de droit économique, art. XIX.2, § 3), to everybody:
the creditor and its number, what is owed for what and since when, until when it may be paid without more, and what may
be claimed after that.
"""

from __future__ import annotations

from app.notifications.document_letter import day, how_to_pay, own_page
from app.notifications.letters import Letter, Story

Rows = list[tuple[str, str]]


def invoice_reminder(story: Story) -> Letter:
    _ = story.words.say
    lead = _(
        "We have not received the payment of the document attached yet. Perhaps it has slipped your mind: please pay "
        "it by %(day)s. If you have paid it meanwhile, there is nothing you need do.",
        day=day(story.words, story.facts["pay_by"]),
    )
    paragraphs = [_warning(story)] if story.facts["then_cents"] else []
    return _letter(story, _("Reminder: %(title)s %(number)s", **_named(story)), lead, paragraphs)


def invoice_formal_notice(story: Story) -> Letter:
    _ = story.words.say
    lead = _(
        "In spite of our reminder the document attached is not paid. This is a formal notice: pay it by %(day)s.",
        day=day(story.words, story.facts["pay_by"]),
    )
    claimed = story.facts["interest_cents"] + story.facts["compensation_cents"]
    paragraphs = [_claimed(story, claimed)] if claimed else []
    return _letter(story, _("Formal notice: %(title)s %(number)s", **_named(story)), lead, paragraphs)


def bookings_suspended(story: Story) -> Letter:
    _ = story.words.say
    lead = _(
        "The document attached is still not paid. Until it is, nothing can be booked at %(seller)s on your account; "
        "what is booked already stays booked. Once it is paid you can book again at once.",
        seller=story.more["seller"],
    )
    return _letter(story, _("No bookings until paid: %(title)s %(number)s", **_named(story)), lead, [])


def _letter(story: Story, subject: str, lead: str, paragraphs: list[str]) -> Letter:
    return Letter(
        subject=subject,
        lead=lead,
        rows=[*_what(story), *how_to_pay(story)],
        paragraphs=paragraphs,
        action=own_page(story),
    )


def _named(story: Story) -> dict[str, str]:
    return {"title": story.more["title"], "number": story.more["number"]}


def _what(story: Story) -> Rows:
    _ = story.words.say
    told = story.more
    return [
        (told["title"], f"{told['number']}, {day(story.words, told['issued_on'])}"),
        (_("Issued by"), f"{told['seller']}, {told['company_number']}"),
        (_("Was to be paid by"), day(story.words, told["due_on"])),
        (_("Left to pay"), story.words.money(told["open_cents"], told["currency"])),
    ]


def _warning(story: Story) -> str:
    amount = story.words.money(story.facts["then_cents"], story.more["currency"])
    return story.words.say(
        "This reminder is free. After that day the law allows us to claim interest and compensation on top, at "
        "present %(amount)s.",
        amount=amount,
    )


def _claimed(story: Story, cents: int) -> str:
    amount = story.words.money(cents, story.more["currency"])
    return story.words.say(
        "Interest and compensation for late payment come on top: %(amount)s, for which you receive an invoice of "
        "their own.",
        amount=amount,
    )
