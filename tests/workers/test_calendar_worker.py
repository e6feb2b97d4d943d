"""The calendar worker writes what calendars show of a booking, whatever order its events come in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
import pytest
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app.booking.calendar.fragments import UnknownBooking, refresh
from app.booking.models import Booking, CalendarFragment, CalendarStamp, Resource
from app.db import TenantSession, transaction
from app.ids import new_id
from app.network.models import Member, Space
from app.tenancy import SYSTEM
from tests.booking.calendar.told import change, tell
from tests.builders import a_booking, a_member, a_pool, a_room, a_space
from tests.conftest import Clock
from workers.calendar import CALENDAR

NINE = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)  # 09:00 in Brussels
MADE = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Place:
    """A space in Ath, its room, and somebody with a booking there."""

    def __init__(self, session: TenantSession, **booking: Any) -> None:
        self.space: Space = a_space(session, name="Coworking Ath", street="Rue du Moulin 1")
        self.room: Resource = a_room(session, self.space, name="Salle Dendre")
        self.member: Member = a_member(session, locale="nl", name="Ann Onymous")
        self.booking: Booking = a_booking(
            session,
            self.room,
            self.member,
            start=NINE,
            end=NINE + timedelta(hours=2),
            **{"title": "Fusie met Acme", "attendees": ["x@example.org"], "changed_at": MADE, **booking},
        )
        session.commit()


@pytest.fixture
def place(session: TenantSession) -> Place:
    return Place(session)


def fragment(session: TenantSession, place: Place) -> CalendarFragment:
    session.rollback()
    return session.get_one(CalendarFragment, place.booking.id, populate_existing=True)


def stamps(session: TenantSession) -> dict[tuple[str, int], int]:
    session.rollback()
    rows = session.scalars(select(CalendarStamp).execution_options(populate_existing=True))
    return {(stamp.scope, stamp.scope_id): stamp.version for stamp in rows}


def read(text: str) -> Any:
    return icalendar.Event.from_ical(text.encode())


def test_every_booking_event_refreshes_the_calendar() -> None:
    assert set(CALENDAR.handlers) == set(CALENDAR.event_types)


def test_a_new_booking_is_shown_to_each_as_much_as_they_may_know(
    session: TenantSession, make_session: sessionmaker[TenantSession], place: Place, clock: Clock
) -> None:
    tell(make_session, place.booking.uid, now=clock.now, event="booking.made")
    written = fragment(session, place)
    own, space, busy = (read(text) for text in (written.own_text, written.space_text, written.busy_text))
    assert own["SUMMARY"] == "Fusie met Acme"
    assert own["LOCATION"] == "Coworking Ath, Rue du Moulin 1, 7800 Ath"
    assert own["DESCRIPTION"].endswith("Reservering bevestigd")
    assert f"{own['DTSTART'].dt:%H:%M}" == "09:00"
    assert own["DTSTART"].params["TZID"] == "Europe/Brussels"
    assert space["SUMMARY"].startswith("Salle Dendre") and "2 pers." in space["SUMMARY"]
    assert space["SUMMARY"].endswith("confirmée")
    assert busy["SUMMARY"] == "Occupé"
    assert "DESCRIPTION" not in busy and "LOCATION" not in busy
    assert {event["UID"] for event in (own, space, busy)} == {f"{place.booking.uid}@passerelle"}


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("held", "TENTATIVE"),
        ("pending", "TENTATIVE"),
        ("confirmed", "CONFIRMED"),
        ("checked_in", "CONFIRMED"),
        ("completed", "CONFIRMED"),
        ("cancelled", "CANCELLED"),
        ("refused", "CANCELLED"),
        ("no_show", "CANCELLED"),
    ],
)
def test_a_status_is_shown_as_calendars_know_it(
    session: TenantSession, make_session: sessionmaker[TenantSession], clock: Clock, status: str, shown: str
) -> None:
    place = Place(session, status=status)
    tell(make_session, place.booking.uid, now=clock.now)
    written = fragment(session, place)
    assert read(written.own_text)["STATUS"] == read(written.busy_text)["STATUS"] == shown
    assert (written.cancelled_at is not None) == (shown == "CANCELLED")


def test_each_change_advances_sequence_last_modified_and_dtstamp(
    session: TenantSession, make_session: sessionmaker[TenantSession], place: Place, clock: Clock
) -> None:
    tell(make_session, place.booking.uid, now=clock.now, event="booking.made")
    first = read(fragment(session, place).own_text)
    clock.pass_by(minutes=5)
    change(make_session, place.booking, now=clock.now, starts_at=NINE + timedelta(hours=1))
    tell(make_session, place.booking.uid, now=clock.now, seq=2)
    second = read(fragment(session, place).own_text)
    assert second["SEQUENCE"] == first["SEQUENCE"] + 1
    assert second["LAST-MODIFIED"].dt > first["LAST-MODIFIED"].dt
    assert second["DTSTAMP"].dt > first["DTSTAMP"].dt
    assert second["UID"] == first["UID"]


def test_the_calendars_of_the_member_the_space_and_the_resource_are_stamped(
    session: TenantSession, make_session: sessionmaker[TenantSession], place: Place, clock: Clock
) -> None:
    tell(make_session, place.booking.uid, now=clock.now)
    theirs = {("me", place.member.id), ("space", place.space.id), ("resource", place.room.id)}
    assert stamps(session) == dict.fromkeys(theirs, 1)


def test_events_that_come_again_or_late_change_nothing(
    session: TenantSession, make_session: sessionmaker[TenantSession], place: Place, clock: Clock
) -> None:
    change(make_session, place.booking, now=clock.now, status="cancelled")
    tell(make_session, place.booking.uid, now=clock.now, event="booking.cancelled", seq=2)
    before, versions = fragment(session, place).own_text, stamps(session)
    clock.pass_by(hours=1)
    tell(make_session, place.booking.uid, now=clock.now, event="booking.made", seq=1)
    tell(make_session, place.booking.uid, now=clock.now, event="booking.cancelled", seq=2)
    assert fragment(session, place).own_text == before
    assert stamps(session) == versions


def test_an_older_revision_never_overwrites_a_newer_one(
    session: TenantSession, make_session: sessionmaker[TenantSession], place: Place, clock: Clock
) -> None:
    change(make_session, place.booking, now=clock.now, title="Nieuw")
    tell(make_session, place.booking.uid, now=clock.now)
    newer = fragment(session, place).own_text
    with transaction(make_session, SYSTEM) as stale:  # as if it had been read before the change
        row = stale.get_one(Booking, place.booking.id)
        row.revision, row.title = row.revision - 1, "Oud"
    tell(make_session, place.booking.uid, now=clock.now)
    assert fragment(session, place).own_text == newer


def test_a_move_to_another_resource_stamps_the_one_it_left(
    session: TenantSession, make_session: sessionmaker[TenantSession], place: Place, clock: Clock
) -> None:
    other = a_pool(session, place.space, name="Bureaux")
    session.commit()
    tell(make_session, place.booking.uid, now=clock.now)
    change(make_session, place.booking, now=clock.now, resource_id=other.id)
    tell(make_session, place.booking.uid, now=clock.now)
    versions = stamps(session)
    assert versions["resource", place.room.id] == 2
    assert versions["resource", other.id] == 1
    assert fragment(session, place).resource_id == other.id


def test_what_changes_after_a_cancellation_does_not_make_it_stay_longer(
    session: TenantSession, make_session: sessionmaker[TenantSession], place: Place, clock: Clock
) -> None:
    cancelled_at = clock.now
    change(make_session, place.booking, now=clock.now, status="cancelled")
    tell(make_session, place.booking.uid, now=clock.now)
    clock.pass_by(days=3)
    change(make_session, place.booking, now=clock.now, fee_cents=500)
    tell(make_session, place.booking.uid, now=clock.now)
    assert fragment(session, place).cancelled_at == cancelled_at


def test_an_event_about_no_booking_is_an_error_that_somebody_sees(make_session: sessionmaker[TenantSession]) -> None:
    with pytest.raises(UnknownBooking), transaction(make_session, SYSTEM) as session:
        refresh(session, booking_uid=new_id(), public_url="", now=NINE)


def test_a_hostile_megabyte_of_title_stays_one_short_summary(
    session: TenantSession, make_session: sessionmaker[TenantSession], clock: Clock
) -> None:
    hostile = "A\r\nEND:VEVENT\r\nBEGIN:VALARM\u2028X:1\x0b" + "é" * 1_000_000
    place = Place(session, title=hostile)
    tell(make_session, place.booking.uid, now=clock.now)
    text = fragment(session, place).own_text
    assert len(text) < 3_000
    assert [line for line in text.split("\r\n") if line.startswith(("END:", "BEGIN:"))] == [
        "BEGIN:VEVENT",
        "END:VEVENT",
    ]
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75
