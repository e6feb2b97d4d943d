"""Which fact is told to whom, and that it is told once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.booking.models import Booking
from app.booking.recurrence import Recurrence
from app.events.catalogue import CATALOGUE
from app.events.envelope import Envelope
from app.events.models import Due
from app.ids import new_id
from app.network.models import Network, Operator, Space
from app.notifications import deciding, reminding
from app.notifications.deciding import kind_for
from app.notifications.kinds import KINDS
from tests.booking.house import at
from tests.builders import a_manager, a_member, a_role, a_space
from tests.notifications.telling import Teller


@pytest.mark.parametrize(
    ("event", "said", "kind"),
    [
        ("booking.made", {"status": "confirmed"}, "booking_confirmed"),
        ("booking.made", {"status": "pending"}, "booking_requested"),
        ("booking.made", {"status": "held"}, None),
        ("booking.approved", {}, "booking_confirmed"),
        ("booking.accepted", {deciding.THEN: "confirmed"}, "booking_confirmed"),
        ("booking.accepted", {deciding.THEN: "pending"}, "booking_requested"),
        ("booking.moved", {}, "booking_moved"),
        ("booking.cancelled", {"reason": "member"}, "booking_cancelled"),
        ("booking.cancelled", {"reason": "staff"}, "booking_cancelled"),
        ("booking.cancelled", {"reason": "closure"}, "displaced"),
        ("booking.cancelled", {"reason": "expired"}, "booking_expired"),
        ("booking.refused", {}, "booking_refused"),
        ("booking.edited", {}, None),
        ("booking.checked_in", {}, None),
        ("booking.no_show", {}, None),
        ("booking.completed", {}, None),
        ("waitlist.offered", {}, "waitlist_offered"),
        ("webhook.disabled", {"reason": "gone"}, "webhook_disabled"),
    ],
)
def test_an_event_leads_to_its_kind_of_mail(event: str, said: dict[str, Any], kind: str | None) -> None:
    assert kind_for(event, said) == kind


def test_every_event_told_is_catalogued_and_handled_and_every_kind_known(teller: Teller) -> None:
    assert set(deciding.TOLD) <= {name for name, _ in CATALOGUE}
    ours = (deciding.tell_member, deciding.tell_staff)  # what is said of documents is decided where they are known
    assert set(deciding.TOLD) == {name for name, handler in teller.consumer.handlers.items() if handler in ours}
    assert {row.kind for row in deciding.ROWS} <= set(KINDS)


def test_an_event_that_comes_again_is_told_once_even_when_its_receipt_is_gone(teller: Teller) -> None:
    ana = teller.member()
    made = teller.book(ana, teller.room(), at(10), at(12))
    teller.move(made, by=ana, start=at(13))
    teller.cancel(made, by=ana)
    first = teller.tell()
    assert [each.kind for each in first] == ["booking_confirmed", "booking_moved", "booking_cancelled"]
    teller.tell()
    teller.forget_receipts()
    teller.now += timedelta(days=1)
    assert [each.uid for each in teller.tell()] == [each.uid for each in first]


def test_a_key_names_the_kind_the_event_and_the_person(teller: Teller) -> None:
    ana = teller.member()
    teller.book(ana, teller.room(), at(10), at(12))
    (told,) = teller.tell()
    assert told.key == f"booking_confirmed:{told.event_id}:{ana.uid}"
    assert (told.member_id, told.space_id, told.state, told.attempts) == (ana.id, teller.space.id, "pending", 0)


def test_the_language_is_that_of_the_hour_of_the_event(teller: Teller) -> None:
    ana = teller.member(locale="nl-BE")
    made = teller.book(ana, teller.room(), at(10), at(12))
    teller.tell()
    teller.change(ana, locale="de")
    teller.cancel(made, by=ana)
    assert [told.locale for told in teller.tell()] == ["nl", "de"]


def test_facts_are_frozen_and_name_nobody(teller: Teller) -> None:
    ana = teller.member(name="Ana Secret", email="ana.secret@members.example")
    room = teller.room(name="Secret room")
    made = teller.book(ana, room, at(10), at(12), title="Secret plan")
    (told,) = teller.tell()
    teller.change(Booking(id=made.id), gross_cents=9999, net_cents=9999 - 525, vat_cents=525)
    (again,) = teller.tell()
    assert again.facts == told.facts and told.facts["gross_cents"] == 1210
    assert "ecret" not in json.dumps(told.facts)


def test_what_the_event_says_goes_before_what_the_booking_has_become_meanwhile(teller: Teller) -> None:
    ana = teller.member()
    made = teller.book(ana, teller.room(), at(10), at(12))
    teller.move(made, by=ana, start=at(13))
    booked, moved = teller.tell()
    assert booked.facts["start"] == at(10).isoformat().replace("+00:00", "Z")
    assert booked.facts["unit_ids"] == [], "which unit it was then, nobody knows any more"
    assert moved.facts["start"] == at(13).isoformat().replace("+00:00", "Z")
    assert moved.facts["previous_start"] == booked.facts["start"]


def test_who_has_left_is_told_nothing(teller: Teller) -> None:
    ana = teller.member()
    teller.book(ana, teller.room(), at(10), at(12))
    teller.change(ana, erased_at=teller.now, email=None)
    assert teller.tell() == []


def test_an_event_about_no_booking_is_an_error_that_somebody_sees(teller: Teller) -> None:
    with teller.building() as session, pytest.raises(deciding.UnknownBooking):
        deciding.tell_member(session, _about_nothing(), now=teller.now)


def _about_nothing() -> Any:
    uid = new_id()
    return Envelope(new_id(), "booking.made", 1, "booking", uid, 1, datetime.now(UTC), None, {"booking_id": str(uid)})


# --- recurrences


def test_the_dates_of_a_recurrence_are_told_together_and_moved_ones_alone(teller: Teller) -> None:
    ana = teller.member()
    made = teller.repeat(ana, teller.room(), at(10), at(12), recurrence=Recurrence(freq="weekly", count=5))
    (told,) = teller.tell()
    assert len(told.facts["dates"]) == 5 and told.facts["gross_cents"] == 5 * 1210
    teller.move(made[2], by=ana, start=at(13, day=15))
    assert teller.kinds() == ["booking_confirmed", "booking_moved"]


# --- reminders


def due_at(teller: Teller) -> list[datetime]:
    with teller.building() as session:
        return list(session.scalars(select(Due.at).where(Due.kind == reminding.REMIND).order_by(Due.at)))


@pytest.mark.parametrize(
    ("start", "zone", "expected"),
    [
        ("2026-03-04T09:00:00Z", "Europe/Brussels", "2026-03-03T09:00:00Z"),
        ("2026-03-29T08:00:00Z", "Europe/Brussels", "2026-03-28T09:00:00Z"),  # 10:00, 23 hours before
        ("2026-10-25T09:00:00Z", "Europe/Brussels", "2026-10-24T08:00:00Z"),  # 10:00, 25 hours before
        ("2026-03-30T00:30:00Z", "Europe/Brussels", "2026-03-29T01:00:00Z"),  # 02:30 is jumped over: the jump's end
        ("2026-03-29T10:00:00Z", "America/Cayenne", "2026-03-28T10:00:00Z"),
    ],
)
def test_a_reminder_comes_at_the_same_time_on_the_wall_the_day_before(start: str, zone: str, expected: str) -> None:
    instant = datetime.fromisoformat(start)
    assert reminding.remind_at(instant, zone) == datetime.fromisoformat(expected)


def test_a_reminder_moves_with_its_booking_and_goes_with_it(teller: Teller) -> None:
    ana = teller.member()
    made = teller.book(ana, teller.room(), at(10, day=3), at(12, day=3))
    teller.tell()
    assert due_at(teller) == [at(10, day=2)]
    teller.move(made, by=ana, start=at(14, day=5))
    teller.tell()
    assert due_at(teller) == [at(14, day=4)]
    teller.cancel(made, by=ana)
    teller.tell()
    assert due_at(teller) == []


def test_who_books_for_tomorrow_or_moves_there_needs_no_reminder(teller: Teller) -> None:
    ana = teller.member()
    teller.now = at(11, day=0)
    teller.book(ana, teller.room(), at(10), at(12))
    other = teller.book(ana, teller.room(), at(10, day=3), at(12, day=3))
    teller.tell()
    assert due_at(teller) == [at(10, day=2)]
    teller.move(other, by=ana, start=at(10, day=1))
    teller.tell()
    assert due_at(teller) == []


def test_a_request_is_reminded_of_once_it_is_approved(teller: Teller) -> None:
    ana = teller.member()
    made = teller.book(ana, teller.room(rules={"approval": True}), at(10, day=3), at(12, day=3))
    teller.tell()
    assert due_at(teller) == []
    teller.approve(made, by=teller.manager)
    teller.tell()
    assert due_at(teller) == [at(10, day=2)]


def test_a_reminder_asks_the_booking_when_its_time_has_come(teller: Teller) -> None:
    """Events come late, too: what the list says may be wrong by then."""
    ana, room = teller.member(), teller.room()
    stays, moves, ends = (teller.book(ana, room, at(hour, day=3), at(hour + 1, day=3)) for hour in (9, 10, 11))
    teller.tell()
    teller.move(moves, by=ana, start=at(10, day=6))
    teller.cancel(ends, by=ana)
    teller.now = at(12, day=2)
    teller.time_passes()
    reminders = [told for told in teller.notifications() if told.kind == "reminder"]
    assert [told.booking_id for told in reminders] == [stays.id]
    assert due_at(teller) == [at(10, day=5)]
    with teller.building() as session:
        reminding.remind(session, stays.id, now=teller.now)  # as after a crash of the timekeeper
    assert len([told for told in teller.notifications() if told.kind == "reminder"]) == 1


def test_a_reminder_that_comes_after_the_beginning_is_none(teller: Teller) -> None:
    ana = teller.member()
    teller.book(ana, teller.room(), at(10, day=3), at(12, day=3))
    teller.tell()
    teller.now = at(10, day=3)
    teller.time_passes()
    assert [told.kind for told in teller.notifications()] == ["booking_confirmed"]


# --- those who manage


def test_who_manages_a_receiver_is_told_when_it_is_switched_off(teller: Teller) -> None:
    with teller.building() as session:
        operator = session.get_one(Operator, session.get_one(Space, teller.space.id).operator_id)
        boss, gone = a_member(session, locale="de"), a_member(session, erased_at=teller.now, email=None)
        for member in (boss, gone):
            a_role(session, member, "manager", operator)
        a_role(session, a_member(session), "accountant", operator)
        a_manager(session, a_space(session))
        said = {"webhook_id": "w", "operator_id": str(operator.uid), "network_id": None, "reason": "gone"}
    teller.handle("webhook.disabled", "webhook", said)
    told = teller.notifications()
    assert {each.member_id for each in told} == {teller.manager.id, boss.id}
    assert {each.kind for each in told} == {"webhook_disabled"}


def test_who_coordinates_a_network_is_told_of_its_receivers(teller: Teller) -> None:
    with teller.building() as session:
        network = session.get_one(Network, session.get_one(Space, teller.space.id).network_id)
        coordinator = a_member(session)
        a_role(session, coordinator, "coordinator", network)
        said = {"webhook_id": "w", "operator_id": None, "network_id": str(network.uid), "reason": "failing"}
    teller.handle("webhook.disabled", "webhook", said)
    assert [each.member_id for each in teller.notifications()] == [coordinator.id]
