"""Mails that bring a document: what it is, how much, by when and how to pay it; of a credit note, what it corrects.

What they are told comes with the document (billing's `told`): amounts in cents, days as ISO 8601, and the words that
the law of its country has for it.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from app.notifications.letters import Letter, Story, Words

Rows = list[tuple[str, str]]


def invoice(story: Story) -> Letter:
    _ = story.words.say
    told = story.more
    if told["open_cents"]:
        lead = _(
            "%(seller)s has sent you the document attached. Please pay it by %(day)s.",
            seller=told["seller"],
            day=day(story.words, told["due_on"]),
        )
    else:
        lead = _("%(seller)s has sent you the document attached. Nothing is left to pay.", seller=told["seller"])
    return Letter(
        subject=subject(story),
        lead=lead,
        rows=[*_what(story), *_left(story), *how_to_pay(story)],
        action=own_page(story),
    )


def credit_note(story: Story) -> Letter:
    _ = story.words.say
    told = story.more
    corrected = told["corrects"]
    lead = _(
        "%(seller)s has sent you the document attached. It is in your favour, and corrects %(title)s %(number)s "
        "of %(day)s.",
        seller=told["seller"],
        title=corrected["title"],
        number=corrected["number"],
        day=day(story.words, corrected["issued_on"]),
    )
    left = corrected["open_cents"]
    said = _("There is nothing to pay.")
    if left:
        amount = story.words.money(left, told["currency"])
        said = _("What is left to pay of %(number)s is %(amount)s.", number=corrected["number"], amount=amount)
    return Letter(subject=subject(story), lead=lead, rows=_what(story), paragraphs=[said], action=own_page(story))


def subject(story: Story) -> str:
    told = story.more
    return story.words.say(
        "%(title)s %(number)s from %(seller)s: %(amount)s",
        title=told["title"],
        number=told["number"],
        seller=told["seller"],
        amount=story.words.money(told["gross_cents"], told["currency"]),
    )


def how_to_pay(story: Story) -> Rows:
    """By transfer; nothing where nothing is left to pay."""
    _ = story.words.say
    told = story.more
    if not told["open_cents"]:
        return []
    rows = [
        (_("Pay by"), day(story.words, told["due_on"])),
        (_("Beneficiary"), told["seller"]),
        ("IBAN", told["iban"]),
        (_("Reference of the transfer"), told["communication"]),
    ]
    return [row for row in rows if row[1]]


def own_page(story: Story) -> tuple[str, str]:
    return (story.words.say("See it on its page"), f"{story.base_url}/invoices/{story.more['id']}")


def day(words: Words, iso: Any) -> str:
    return words.on(date.fromisoformat(iso))


def _what(story: Story) -> Rows:
    told = story.more
    amount = story.words.money(told["gross_cents"], told["currency"])
    return [(told["title"], told["number"]), (story.words.say("Amount"), amount)]


def _left(story: Story) -> Rows:
    """Where some of it is settled already, how much, and what is left."""
    _ = story.words.say
    told = story.more
    if told["open_cents"] in (0, told["gross_cents"]):
        return []
    settled = told["gross_cents"] - told["open_cents"]
    return [
        (_("Settled already"), story.words.money(settled, told["currency"])),
        (_("Left to pay"), story.words.money(told["open_cents"], told["currency"])),
    ]
