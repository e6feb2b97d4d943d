"""A calendar on the phone: subscribed to once, right ever after, and silent to whoever should not read it."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import sessionmaker
from werkzeug.test import TestResponse

from app.booking.models import Booking, CalendarFragment, Feed, Resource
from app.db import TenantSession
from app.ids import new_id
from app.network.models import AuditEntry, Member, Operator, RoleGrant, Space
from tests.booking.calendar.told import change, events, tell
from tests.builders import a_booking, a_manager, a_member, a_role, a_room, a_space, a_token
from tests.conftest import Clock
from tests.http.client import Client
from tests.oracles.calendars import by_icalendar, libical_faults

TITLE = "Fusion avec Acme"


class Town:
    """A space with a room, its manager, and a member with a booking tomorrow at nine, which the worker was told of."""

    def __init__(
        self, app: Flask, session: TenantSession, make_session: sessionmaker[TenantSession], clock: Clock
    ) -> None:
        self.app, self.session, self.make_session, self.clock = app, session, make_session, clock
        self.space: Space = a_space(session, name="Coworking Ath")
        self.room: Resource = a_room(session, self.space, name="Salle Dendre")
        self.member: Member = a_member(session, name="Ann Onymous")
        self.manager: Member = a_manager(session, self.space)
        self.api = Client(app, a_token(session, self.member))
        self.desk = Client(app, a_token(session, self.manager))
        self.nine = clock.now + timedelta(days=1)
        self.booking = self.book(start=self.nine, title=TITLE)

    def book(self, *, start: datetime, **values: Any) -> Booking:
        booking = a_booking(
            self.session,
            self.room,
            self.member,
            start=start,
            end=start + timedelta(hours=2),
            **{"changed_at": self.clock.now, **values},
        )
        self.session.commit()
        tell(self.make_session, booking.uid, now=self.clock.now, event="booking.made")
        return booking

    def change(self, booking: Booking, **values: Any) -> None:
        change(self.make_session, booking, now=self.clock.now, **values)
        tell(self.make_session, booking.uid, now=self.clock.now)

    def subscribe(self, api: Client | None = None, **body: Any) -> str:
        """The address of a new feed, from the host's root."""
        answer = (api or self.api).post("/feeds", json={"scope": "me", "name": "Téléphone", **body})
        assert answer.status_code == 201, answer.json
        url: str = answer.json["url"]
        assert url.startswith("http://localhost/f/") and len(url) < 256
        return url.removeprefix("http://localhost")

    def read(self, address: str, method: str = "GET", **headers: str) -> TestResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.app.test_client(use_cookies=False).open(address, method=method, headers=sent)


@pytest.fixture
def town(app: Flask, session: TenantSession, make_session: sessionmaker[TenantSession], clock: Clock) -> Town:
    return Town(app, session, make_session, clock)


def shown(answer: TestResponse) -> list[Any]:
    assert answer.status_code == 200, answer.text
    return events(answer.data)


# --- What a subscriber sees ---


@pytest.mark.parametrize("name", ["", " ", "two\nlines", "a\u2028b", "\u200b", "\u202e\u2066", "\u3164"])
def test_a_feeds_name_is_seen_and_on_one_line(town: Town, name: str) -> None:
    answer = town.api.post("/feeds", json={"scope": "me", "name": name})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "name")


def test_a_booking_made_moved_and_cancelled_is_followed_by_the_phone(town: Town) -> None:
    address = town.subscribe()
    (made,) = shown(town.read(address))
    assert (made["SUMMARY"], made["STATUS"], f"{made['DTSTART'].dt:%H:%M}") == (TITLE, "CONFIRMED", "09:00")

    town.clock.pass_by(minutes=10)
    later = town.nine + timedelta(hours=3)
    town.change(town.booking, starts_at=later, ends_at=later + timedelta(hours=1))
    (moved,) = shown(town.read(address))
    assert f"{moved['DTSTART'].dt:%H:%M}" == "12:00"

    town.clock.pass_by(minutes=10)
    town.change(town.booking, status="cancelled")
    (cancelled,) = shown(town.read(address))
    assert cancelled["STATUS"] == "CANCELLED"

    told = (made, moved, cancelled)
    assert len({event["UID"] for event in told}) == 1
    assert [event["SEQUENCE"] for event in told] == [0, 1, 2]
    for property in ("LAST-MODIFIED", "DTSTAMP"):
        assert len({event[property].dt for event in told}) == 3


def test_a_cancelled_booking_stays_thirty_days_and_then_goes(town: Town) -> None:
    address = town.subscribe()
    town.change(
        town.booking,
        status="cancelled",
        starts_at=town.nine + timedelta(days=60),
        ends_at=town.nine + timedelta(days=61),
    )
    town.clock.pass_by(days=30)
    assert len(shown(town.read(address))) == 1
    town.clock.pass_by(days=1)
    assert shown(town.read(address)) == []


def test_the_window_reaches_thirty_days_back_and_a_year_ahead(town: Town) -> None:
    for days in (-32, -29, 363, 365):
        town.book(start=town.nine + timedelta(days=days), title=f"{days}")
    titles = {str(event["SUMMARY"]) for event in shown(town.read(town.subscribe()))}
    assert titles == {TITLE, "-29", "363"}


def test_other_readers_understand_the_feed(town: Town) -> None:
    octets = town.read(town.subscribe()).data
    assert libical_faults(octets) == []
    (seen,) = by_icalendar(octets, start=town.nine.date(), end=town.nine.date() + timedelta(days=1))
    assert (seen.local_start, seen.start_utc, seen.summary) == ("2026-03-03 09:00", town.nine, TITLE)


def test_a_feed_without_bookings_is_a_calendar_all_the_same(town: Town, session: TenantSession) -> None:
    other = Client(town.app, a_token(session, a_member(session)))
    session.commit()
    answer = town.read(town.subscribe(other))
    assert shown(answer) == []
    assert libical_faults(answer.data) == []


def test_a_hostile_title_adds_no_line(town: Town) -> None:
    town.change(town.booking, title="x\r\nEND:VEVENT\nBEGIN:VEVENT\u2028UID:y\x85ATTENDEE:mailto:z" + "é" * 1_000_000)
    answer = town.read(town.subscribe())
    (event,) = shown(answer)
    assert event["UID"] == f"{town.booking.uid}@passerelle"
    assert b"\nATTENDEE" not in answer.data
    assert len(answer.data) < 10_000


# --- Shared calendars ---


def test_a_space_feed_tells_its_staff_what_is_taken_and_nothing_about_people(town: Town) -> None:
    town.change(town.booking, attendees=["bob@example.org", "eve@example.org"])
    address = town.subscribe(town.desk, scope="space", space_id=str(town.space.uid), name="Ath")
    answer = town.read(address)
    (event,) = shown(answer)
    assert event["SUMMARY"].startswith("Salle Dendre")
    assert "3 pers." in event["SUMMARY"] and "confirmée" in event["SUMMARY"]
    for private in (TITLE, town.member.name, "example.org"):
        assert private not in answer.text


def test_a_door_shows_only_that_the_room_is_taken(town: Town) -> None:
    address = town.subscribe(town.desk, scope="resource", resource_id=str(town.room.uid), name="Porte")
    answer = town.read(address)
    (event,) = shown(answer)
    assert (event["SUMMARY"], event["STATUS"]) == ("Occupé", "CONFIRMED")
    for private in (TITLE, town.member.name, "Salle Dendre", "pers."):
        assert private not in answer.text


def test_a_booking_that_moved_to_another_room_leaves_the_door_of_the_first(town: Town) -> None:
    other = a_room(town.session, town.space)
    town.session.commit()
    doors = [
        town.subscribe(town.desk, scope="resource", resource_id=str(room.uid), name="Porte")
        for room in (town.room, other)
    ]
    assert [len(shown(town.read(door))) for door in doors] == [1, 0]
    town.change(town.booking, resource_id=other.id, unit_ids=[])
    assert [len(shown(town.read(door))) for door in doors] == [0, 1]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scope": "space"}, "space_id"),
        ({"scope": "resource"}, "resource_id"),
        ({"scope": "me", "space_id": "01890000-0000-7000-8000-000000000000"}, "space_id"),
        ({"scope": "everyone"}, "scope"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_feed_that_makes_no_sense_is_refused_by_field(town: Town, body: dict[str, Any], field: str) -> None:
    answer = town.api.post("/feeds", json={"scope": "me", "name": "x", **body})
    assert answer.status_code == 422
    assert [error["field"].partition(".")[0] for error in answer.json["errors"]] == [field]


def test_spaces_and_resources_of_others_are_not_there(town: Town) -> None:
    stranger = town.api
    for body in (
        {"scope": "space", "space_id": str(town.space.uid)},
        {"scope": "resource", "resource_id": str(town.room.uid)},
        {"scope": "space", "space_id": str(new_id())},
        {"scope": "resource", "resource_id": str(new_id())},
    ):
        assert stranger.post("/feeds", json={**body, "name": "x"}).status_code == 404


def test_an_accountant_reads_the_space_but_opens_no_door(town: Town, session: TenantSession) -> None:
    accountant = a_member(session)
    a_role(session, accountant, "accountant", town.space)
    api = Client(town.app, a_token(session, accountant))
    session.commit()
    town.subscribe(api, scope="space", space_id=str(town.space.uid))
    door = {"scope": "resource", "resource_id": str(town.room.uid), "name": "x"}
    assert api.post("/feeds", json=door).status_code == 404


@pytest.mark.parametrize("reach", ["space", "operator", "platform"])
def test_a_space_feed_ends_with_the_role_that_opened_it(town: Town, session: TenantSession, reach: str) -> None:
    on = {"space": town.space, "operator": session.get_one(Operator, town.space.operator_id), "platform": None}[reach]
    person = a_member(session)
    role = a_role(session, person, "admin" if reach == "platform" else "manager", on)
    api = Client(town.app, a_token(session, person))
    session.commit()
    addresses = [
        town.subscribe(api, scope="space", space_id=str(town.space.uid)),
        town.subscribe(api, scope="resource", resource_id=str(town.room.uid)),
    ]
    assert [len(shown(town.read(address))) for address in addresses] == [1, 1]
    session.delete(session.get_one(RoleGrant, role.id))
    session.commit()
    assert [town.read(address).status_code for address in addresses] == [410, 410]


def test_a_role_elsewhere_does_not_keep_a_feed_open(town: Town, session: TenantSession) -> None:
    address = town.subscribe(town.desk, scope="space", space_id=str(town.space.uid))
    grant = session.scalars(select(RoleGrant).filter_by(member_id=town.manager.id)).one()
    grant.scope_id = a_space(session).id
    session.commit()
    assert town.read(address).status_code == 410


# --- Opening, listing, revoking ---


def test_the_secret_is_shown_once_and_only_its_hash_is_kept(town: Town, session: TenantSession) -> None:
    address = town.subscribe()
    secret = address.removeprefix("/f/").removesuffix(".ics")
    feed = session.scalars(select(Feed)).one()
    assert feed.token_hash == hashlib.sha256(secret.encode()).digest()
    listed = town.api.get("/feeds")
    assert [set(row) for row in listed.json] == [{"id", "scope", "name", "created_at", "revoked_at"}]
    assert secret not in listed.text


def test_a_revoked_feed_is_gone_and_stays_listed(town: Town) -> None:
    address = town.subscribe()
    assert town.read(address).status_code == 200
    (feed,) = town.api.get("/feeds").json
    assert [town.api.delete(f"/feeds/{feed['id']}").status_code for _ in range(2)] == [204, 204]
    answer = town.read(address)
    assert (answer.status_code, answer.json["code"]) == (410, "feed_revoked")
    (listed,) = town.api.get("/feeds").json
    assert listed["revoked_at"] == "2026-03-02T08:00:00Z"


def test_nobody_sees_or_revokes_the_feeds_of_another(town: Town, session: TenantSession) -> None:
    address = town.subscribe()
    (feed,) = town.api.get("/feeds").json
    admin = a_member(session)
    a_role(session, admin, "admin")
    others = [town.desk, Client(town.app, a_token(session, admin))]
    session.commit()
    for api in others:
        assert api.get("/feeds").json == []
        assert api.delete(f"/feeds/{feed['id']}").status_code == 404
    assert town.read(address).status_code == 200


def test_a_person_has_at_most_twenty_live_feeds(town: Town) -> None:
    for _ in range(20):
        town.subscribe()
    answer = town.api.post("/feeds", json={"scope": "me", "name": "one more"})
    assert (answer.status_code, answer.json["code"], answer.json["limit"]) == (409, "too_many_feeds", 20)
    first = town.api.get("/feeds", query={"limit": 1}).json[0]
    town.api.delete(f"/feeds/{first['id']}")
    town.subscribe()


def test_feeds_are_paged(town: Town) -> None:
    for n in range(3):
        town.subscribe(name=f"feed {n}")
    first = town.api.get("/feeds", query={"limit": 2})
    assert [feed["name"] for feed in first.json] == ["feed 0", "feed 1"]
    following = first.headers["Link"].partition(">")[0].lstrip("<")
    assert [feed["name"] for feed in town.api.get(following).json] == ["feed 2"]


def test_an_erased_members_feed_is_gone(town: Town, session: TenantSession) -> None:
    address = town.subscribe()
    session.get_one(Member, town.member.id).erased_at = town.clock.now
    session.commit()
    assert town.read(address).status_code == 410


@pytest.mark.parametrize("secret", ["x", "A" * 43, "%00" * 43, "é" * 43, "A" * 10_000, "..%2f..%2fetc"])
def test_an_unknown_address_is_not_there(town: Town, secret: str) -> None:
    assert town.read(f"/f/{secret}.ics").status_code == 404


# --- Asking again ---


def test_who_has_the_newest_calendar_is_sent_nothing(town: Town) -> None:
    address = town.subscribe()
    etag = town.read(address).headers["ETag"]
    assert etag.startswith('"')
    for given in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = town.read(address, If_None_Match=given)
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", etag)
    assert town.read(address, If_None_Match='"other"').status_code == 200


def test_a_change_gives_another_etag(town: Town) -> None:
    address = town.subscribe()
    before = town.read(address).headers["ETag"]
    town.change(town.booking, title="Autre")
    answer = town.read(address, If_None_Match=before)
    assert answer.status_code == 200
    assert answer.headers["ETag"] != before
    assert TITLE not in answer.text


def test_another_members_booking_does_not_change_my_calendar(town: Town, session: TenantSession) -> None:
    address = town.subscribe()
    etag = town.read(address).headers["ETag"]
    neighbour = a_member(session)
    town.book(start=town.nine + timedelta(days=1), member_id=neighbour.id, title="Neighbour")
    assert town.read(address, If_None_Match=etag).status_code == 304


def test_last_modified_serves_who_knows_no_etags(town: Town) -> None:
    address = town.subscribe()
    town.clock.pass_by(hours=1)
    date = town.read(address).headers["Last-Modified"]
    assert parsedate_to_datetime(date) == town.clock.now - timedelta(hours=1)
    assert town.read(address, If_Modified_Since=date).status_code == 304
    assert town.read(address, If_Modified_Since=date, If_None_Match='"other"').status_code == 200
    assert town.read(address, If_Modified_Since="yesterday").status_code == 200
    town.change(town.booking, title="Autre")
    assert town.read(address, If_Modified_Since=date).status_code == 200


def test_two_changes_in_one_second_are_both_seen_by_date(town: Town) -> None:
    address = town.subscribe()
    town.change(town.booking, title="First")
    date = town.read(address).headers["Last-Modified"]
    town.clock.pass_by(milliseconds=400)
    town.change(town.booking, title="Second")
    town.clock.pass_by(hours=1)
    answer = town.read(address, If_Modified_Since=date)
    assert [event["SUMMARY"] for event in shown(answer)] == ["Second"]


def test_the_turn_of_the_day_moves_the_window_and_the_date(town: Town) -> None:
    address = town.subscribe()
    town.clock.pass_by(days=1)
    midnight = town.clock.now.replace(hour=0)
    assert town.read(address).headers["Last-Modified"] == format_datetime(midnight.astimezone(UTC), usegmt=True)


def test_gzip_is_another_representation_of_the_same_calendar(town: Town) -> None:
    address = town.subscribe()
    plain, zipped = town.read(address), town.read(address, Accept_Encoding="br, gzip;q=0.8")
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.data) == plain.data
    assert zipped.headers["ETag"] != plain.headers["ETag"]
    assert "Accept-Encoding" in zipped.headers["Vary"] and "Accept-Encoding" in plain.headers["Vary"]
    assert "Content-Encoding" not in town.read(address, Accept_Encoding="gzip;q=0").headers
    again = town.read(address, If_None_Match=zipped.headers["ETag"])  # the same calendar, asked for plainly
    assert (again.status_code, again.headers["ETag"]) == (304, zipped.headers["ETag"])


def test_head_says_what_get_would(town: Town) -> None:
    address = town.subscribe()
    got, head = town.read(address), town.read(address, method="HEAD")
    assert head.data == b""
    assert dict(head.headers) == dict(got.headers)
    assert town.read(address, method="POST").status_code == 405


def test_a_calendar_says_what_it_is_and_hides_from_search(town: Town) -> None:
    headers = town.read(town.subscribe()).headers
    assert headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert headers["X-Robots-Tag"] == "noindex"
    assert headers["Cache-Control"].startswith("private")
    assert b"\r\nMETHOD" not in town.read(town.subscribe()).data


# --- What a request costs ---


def counted(engine: Engine, work: Callable[[], Any]) -> int:
    """How many statements SQLAlchemy sends meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return len(sent)


def test_a_calendar_is_put_together_once(town: Town) -> None:
    address = town.subscribe()
    engine = town.app.extensions["passerelle"].engine
    assert counted(engine, lambda: town.read(address)) == 1  # the fragments; the look-up goes to libpq itself
    assert counted(engine, lambda: town.read(address)) == 0
    assert counted(engine, lambda: town.read(address, Accept_Encoding="gzip")) == 0


def test_reading_a_feed_leaves_the_pools_connections_as_they_were(town: Town) -> None:
    address = town.subscribe()
    town.read(address)
    engine = town.app.extensions["passerelle"].engine
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
        assert not connection.connection.driver_connection.autocommit


def test_a_feed_answers_again_after_the_database_dropped_its_connections(town: Town, engine: Engine) -> None:
    address = town.subscribe()
    assert town.read(address).status_code == 200
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'passerelle-web' AND datname = current_database()"
        )
    answers = [town.read(address).status_code for _ in range(3)]
    assert set(answers) <= {200, 503}
    assert answers[-1] == 200


# --- One booking as a file ---


def test_a_booking_is_downloaded_as_a_file(town: Town) -> None:
    answer = town.api.get(f"/bookings/{town.booking.uid}/calendar.ics")
    (event,) = shown(answer)
    assert event["SUMMARY"] == TITLE
    assert event["URL"] == "http://localhost/bookings"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="booking-{town.booking.uid}.ics"'
    assert libical_faults(answer.data) == []


def test_staff_download_a_booking_without_its_title_and_the_trail_says_so(town: Town, session: TenantSession) -> None:
    answer = town.desk.get(f"/bookings/{town.booking.uid}/calendar.ics")
    assert "Salle Dendre" in answer.text and TITLE not in answer.text
    entry = session.scalars(select(AuditEntry)).one()
    assert (entry.actor_id, entry.action, entry.subject) == (
        town.manager.id,
        "booking.viewed",
        str(town.booking.uid),
    )


def test_a_strangers_booking_is_not_there_to_download(town: Town, session: TenantSession) -> None:
    stranger = Client(town.app, a_token(session, a_member(session)))
    session.commit()
    assert stranger.get(f"/bookings/{town.booking.uid}/calendar.ics").status_code == 404
    assert town.api.get(f"/bookings/{new_id()}/calendar.ics").status_code == 404


def test_a_download_works_before_the_worker_has_heard(town: Town, session: TenantSession) -> None:
    session.delete(session.get_one(CalendarFragment, town.booking.id))
    session.commit()
    assert town.api.get(f"/bookings/{town.booking.uid}/calendar.ics").status_code == 200
