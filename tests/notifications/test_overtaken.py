"""A mail that its booking has overtaken is not sent: another tells what is so now, and nobody is left untold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.booking.making import Made
from app.booking.recurrence import Recurrence
from app.network.models import Member
from app.notifications import composing
from app.notifications.kinds import KINDS
from app.notifications.sources import SOURCES
from app.notifications.standing import ONLY_WHILE
from tests.booking.house import at
from tests.notifications.mailbox import Mailbox, Told
from tests.notifications.telling import Teller


@pytest.fixture
def mailbox(teller: Teller, tmp_path: Path) -> Mailbox:
    return Mailbox(teller.make_session, tmp_path, lambda: teller.now)


@pytest.fixture
def ana(teller: Teller) -> Member:
    return teller.member(locale="en")


def told(teller: Teller, mailbox: Mailbox) -> list[Told]:
    teller.tell()
    return mailbox.new()


def begins(mails: list[Told]) -> list[str]:
    return [mail.subject.partition(":")[0] for mail in mails]


def states(teller: Teller) -> list[tuple[str, str, str | None]]:
    return [(row.kind, row.state, row.reason) for row in teller.notifications()]


Step = Callable[[Teller, Made, Member], Any]


def moved(hour: float) -> Step:
    return lambda house, made, ana: house.move(made, by=ana, start=at(hour), end=at(hour + 2))


def longer(house: Teller, made: Made, ana: Member) -> Any:
    return house.move(made, by=ana, end=at(13))


def elsewhere(house: Teller, made: Made, ana: Member) -> Any:
    return house.move(made, by=ana, resource_id=house.room(name="Elsewhere").uid)


def cancelled(house: Teller, made: Made, ana: Member) -> Any:
    return house.cancel(made, by=ana)


def approved(house: Teller, made: Made, _ana: Member) -> Any:
    return house.approve(made, by=house.manager)


def refused(house: Teller, made: Made, _ana: Member) -> Any:
    return house.refuse(made, by=house.manager)


def unanswered(house: Teller, _made: Made, _ana: Member) -> Any:
    house.time_passes(at(10))


@pytest.mark.parametrize(
    ("approval", "steps", "sent", "methods"),
    [
        (False, [cancelled], ["Cancelled"], ["CANCEL"]),
        (False, [moved(13)], ["Moved"], ["PUBLISH"]),
        (False, [longer], ["Moved"], ["PUBLISH"]),
        (False, [elsewhere], ["Moved"], ["PUBLISH"]),
        (False, [moved(13), moved(15)], ["Moved"], ["PUBLISH"]),
        (False, [moved(13), cancelled], ["Cancelled"], ["CANCEL"]),
        (True, [approved], ["Booked"], ["PUBLISH"]),
        (True, [refused], ["Not possible this time"], []),
        (True, [cancelled], ["Cancelled"], ["CANCEL"]),
        (True, [unanswered], ["No longer kept"], []),
        (True, [moved(13)], ["Moved"], ["PUBLISH"]),
        (True, [moved(13), approved], ["Moved", "Booked"], ["PUBLISH", "PUBLISH"]),
        (True, [approved, cancelled], ["Cancelled"], ["CANCEL"]),
        (True, [approved, moved(13)], ["Moved"], ["PUBLISH"]),
    ],
)
def test_what_is_overtaken_before_it_is_sent_leaves_the_newest_word(
    teller: Teller, mailbox: Mailbox, ana: Member, approval: bool, steps: list[Step], sent: list[str],
    methods: list[str],
) -> None:  # fmt: skip
    made = teller.book(ana, teller.room(rules={"approval": approval}), at(10), at(12))
    for step in steps:
        teller.tell()
        step(teller, made, ana)
    mails = told(teller, mailbox)
    assert begins(mails) == sent
    assert [method for mail in mails for method in mail.methods] == methods
    unsent = [reason for _, state, reason in states(teller) if state != "sent"]
    assert set(unsent) <= {"overtaken", "too_late"} and len(unsent) + len(sent) == len(states(teller))


def test_who_moved_a_request_is_told_that_it_still_waits_as_long_as_it_does(
    teller: Teller, mailbox: Mailbox, ana: Member
) -> None:
    room = teller.room(rules={"approval": True})
    waits, answered = (teller.book(ana, room, at(hour), at(hour + 1)) for hour in (9, 11))
    for made in (waits, answered):
        teller.move(made, by=ana, start=at(13 if made is waits else 15))
    teller.approve(answered, by=teller.manager)
    first, second, booked = told(teller, mailbox)
    assert begins([first, second, booked]) == ["Moved", "Moved", "Booked"]
    assert "will answer it" in first.text and "will answer it" in first.html
    assert "will answer it" not in second.text


def test_who_has_come_already_is_still_told_what_was_booked(teller: Teller, mailbox: Mailbox, ana: Member) -> None:
    made = teller.book(ana, teller.room(), at(9), at(11))
    teller.tell()
    teller.now = at(9)
    teller.check_in(made, by=ana)
    (mail,) = told(teller, mailbox)
    assert begins([mail]) == ["Booked"] and mail.methods == ["PUBLISH"]


def test_nobody_is_welcomed_to_what_they_have_missed_but_is_told_that_it_was_moved(
    teller: Teller, mailbox: Mailbox, ana: Member
) -> None:
    room = teller.room(rules={"no_show_after_minutes": 15})
    missed, moved_there = (teller.book(ana, room, at(hour), at(hour + 2)) for hour in (9, 14))
    teller.move(moved_there, by=teller.manager, start=at(11), end=at(13))
    teller.tell()
    teller.time_passes(at(9.5))
    teller.time_passes(at(11.5))
    assert {teller.booking(made).status for made in (missed, moved_there)} == {"no_show"}
    (mail,) = told(teller, mailbox)
    assert begins([mail]) == ["Moved"] and mail.methods == []


@pytest.mark.parametrize("ends", [refused, lambda house, made, ana: house.time_passes(at(14))], ids=["no", "silence"])
def test_who_moved_too_late_is_told_what_is_due_though_the_request_came_to_nothing(
    teller: Teller, mailbox: Mailbox, ana: Member, ends: Step
) -> None:
    made = teller.book(ana, teller.room(rules={"approval": True, "cancellation": [[0, 100]]}), at(10), at(12))
    teller.approve(made, by=teller.manager)
    teller.move(made, by=ana, start=at(14))
    ends(teller, made, ana)
    (mail,) = told(teller, mailbox)
    assert "12.10" in mail.text and "are due" in mail.text and "nothing to pay" not in mail.text


def test_only_mails_of_a_cancellation_cancel_whatever_happens_meanwhile(
    teller: Teller, mailbox: Mailbox, ana: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The booking may end between the look at it and the making of its file."""
    made = teller.book(ana, teller.room(), at(10), at(12))
    teller.tell()
    look = composing.as_it_stands

    def and_then_it_ends(*args: Any) -> Any:
        found = look(*args)
        teller.cancel(made, by=ana)
        return found

    monkeypatch.setattr(composing, "as_it_stands", and_then_it_ends)
    (mail,) = mailbox.new()
    assert begins([mail]) == ["Booked"] and mail.methods == []


def test_every_kind_about_a_booking_that_can_be_overtaken_says_while_what(teller: Teller) -> None:
    final = {"booking_cancelled", "displaced", "booking_expired", "booking_refused"}
    others = {"webhook_disabled", *SOURCES}  # who reads for itself sees for itself
    assert set(ONLY_WHILE) == set(KINDS) - final - others


# --- recurrences


def weekly(teller: Teller, ana: Member, count: int = 4, **rules: Any) -> list[Made]:
    room = teller.room(rules=rules)
    return teller.repeat(ana, room, at(10), at(12), recurrence=Recurrence(freq="weekly", count=count))


def test_of_a_recurrence_the_dates_that_stand_are_told_and_what_they_cost(
    teller: Teller, mailbox: Mailbox, ana: Member
) -> None:
    made = weekly(teller, ana)
    teller.tell()
    teller.cancel(made[0], by=ana)
    teller.move(made[2], by=ana, start=at(13, day=15))
    booked, *others = told(teller, mailbox)
    assert begins([booked, *others]) == ["Booked", "Cancelled", "Moved"]
    assert booked.subject.endswith("2 dates") and "€24.20" in booked.text
    assert booked.text.count("10:00 – 12:00") == 2 and "13:00" not in booked.text
    assert booked.methods == ["PUBLISH"]


def test_a_recurrence_without_a_date_left_is_told_by_what_ended_each(
    teller: Teller, mailbox: Mailbox, ana: Member
) -> None:
    made = weekly(teller, ana, 2)
    teller.tell()
    for each in made:
        teller.cancel(each, by=ana)
    assert begins(told(teller, mailbox)) == ["Cancelled", "Cancelled"]
    assert states(teller)[0] == ("booking_confirmed", "suppressed", "overtaken")


def test_a_requested_recurrence_is_told_of_the_dates_that_wait(teller: Teller, mailbox: Mailbox, ana: Member) -> None:
    made = weekly(teller, ana, 3, approval=True)
    teller.tell()
    teller.approve(made[1], by=teller.manager)
    requested, booked = told(teller, mailbox)
    assert begins([requested, booked]) == ["Requested", "Booked"]
    assert requested.subject.endswith("2 dates")


def test_a_recurrence_that_stands_is_told_as_it_was_frozen(teller: Teller, mailbox: Mailbox, ana: Member) -> None:
    made = weekly(teller, ana, 2)
    teller.tell()
    teller.change(teller.booking(made[0]), gross_cents=9999, net_cents=9999 - 525, vat_cents=525)
    (booked,) = told(teller, mailbox)
    assert "€24.20" in booked.text
