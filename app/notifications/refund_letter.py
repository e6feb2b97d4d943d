"""The mail that says that money went back."""

from __future__ import annotations

from app.notifications.letters import Letter, Story


def payment_refunded(story: Story) -> Letter:
    _ = story.words.say
    told, amount = story.more, story.words.money(story.facts["amount_cents"], story.facts["currency"])
    return Letter(
        subject=_("%(amount)s back from %(seller)s", amount=amount, seller=told["seller"]),
        lead=_(
            "%(seller)s has sent you %(amount)s back, to where it came from. It may take your bank a few days to "
            "show it.",
            seller=told["seller"],
            amount=amount,
        ),
        paragraphs=[REASONS[told["reason"]](story)] if told["reason"] in REASONS else [],
    )


REASONS = {
    "too_late": lambda story: story.words.say(
        "Your payment came when the place was no longer held for you, so there is no booking."
    ),
    "too_little": lambda story: story.words.say(
        "Your payment was less than the booking costs by now, so it did not confirm it."
    ),
    "refused": lambda story: story.words.say("The space did not accept the booking."),
    "cancelled": lambda story: story.words.say("The booking was cancelled; this is what it does not cost."),
}
