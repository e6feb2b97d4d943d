"""Every kind of mail there is: a table from which preferences, wording and the unsubscribe address are read.

A kind that may be switched off is something a person can do without; the others tell what has become of their booking
without their doing, or bring a document, and are owed to them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """`default` is whether it is sent to who never said anything; `optional` whether it may be switched off; `to` is
    the role it concerns: `member` for everybody, `manager` for whoever manages a space; `calendar` whether the booking
    comes with it as a file."""

    name: str
    about: str
    default: bool = True
    optional: bool = True
    to: str = "member"
    calendar: bool = False


ROWS = (
    Kind("booking_confirmed", "A booking was made, or the space approved it; with the calendar file.", calendar=True),
    Kind("booking_requested", "A booking was asked for, and waits for the space's approval."),
    Kind("booking_moved", "A booking has another time or place.", optional=False, calendar=True),
    Kind("booking_cancelled", "A booking was cancelled, and what that costs.", optional=False, calendar=True),
    Kind("booking_expired", "Nobody settled a hold or a request in time.", optional=False),
    Kind("booking_refused", "The space did not accept a booking.", optional=False),
    Kind(
        "displaced", "A closure of the space took a booking's place; with alternatives.", optional=False, calendar=True
    ),
    # Whoever waits has asked for this one mail, and it is only good for half an hour.
    Kind("waitlist_offered", "A place that was waited for is free, and held for a while.", optional=False),
    Kind("reminder", "A booking is coming up."),
    Kind("invoice", "An invoice was issued to you; with its PDF.", optional=False),
    Kind("credit_note", "A credit note was issued to you; with its PDF.", optional=False),
    Kind("invoice_reminder", "An invoice to you is overdue; with its PDF.", optional=False),
    Kind("invoice_formal_notice", "A formal notice about an overdue invoice; with its PDF.", optional=False),
    Kind("bookings_suspended", "You cannot book until an overdue invoice is paid.", optional=False),
    Kind("payment_refunded", "Money that you paid went back.", optional=False),
    Kind("digest", "Each open morning: the day of the space.", to="manager"),
    Kind("digest_weekly", "The first open morning of a week: the week of the space.", default=False, to="manager"),
    Kind("webhook_disabled", "A receiver of events was switched off.", optional=False, to="manager"),
)
KINDS = {kind.name: kind for kind in ROWS}
