from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session, sessionmaker

from app.booking.finding.availability import Place, Search, find_places, taken_units
from app.booking.finding.places import Point
from app.booking.models import Booking, Closure, HoursException, Occupancy, Resource, Unit
from app.db import raw
from app.errors import Invalid, NotFound
from app.network.people import find_person
from app.tenancy import ANONYMOUS
from tests.builders import (
    a_member,
    a_membership,
    a_network,
    a_pool,
    a_resource,
    a_room,
    a_space,
    a_token,
    a_unit,
    an_operator,
    saved,
)
from tests.http.client import Client

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
DAY = datetime(2026, 3, 3, tzinfo=UTC)  # Brussels is an hour ahead: open 07:00 to 17:00


def at(hour: float, day: datetime = DAY) -> datetime:
    return day + timedelta(hours=hour)


def find(session: Session, start: float = 9, end: float = 11, **wishes: Any) -> list[Place]:
    person = wishes.pop("person", None)
    search = Search(**{"start": at(start), "end": at(end), **wishes})
    return find_places(session, search, person=person, now=NOW)


def names(places: list[Place]) -> list[tuple[str, int]]:
    return [(place.offer.name, place.free_units) for place in places]


def occupy(session: Session, unit: Unit | int, start: float, end: float) -> None:
    unit_id = unit if isinstance(unit, int) else unit.id
    space_id = session.get_one(Unit, unit_id).space_id
    closure = Closure(space_id=space_id, kind="maintenance", starts_at=at(start), ends_at=at(end), unit_ids=[unit_id])
    saved(session, closure)
    period = Range(at(start), at(end))
    saved(session, Occupancy(unit_id=unit_id, period=period, kind="maintenance", closure_id=closure.id))


def test_a_pool_counts_its_free_desks(session: Session) -> None:
    space = a_space(session)
    desks = [a_unit(session, space) for _ in range(3)]
    a_resource(session, space, kind="desk_pool", units=desks, name="Open space")
    occupy(session, desks[0], 8, 10)
    occupy(session, desks[0], 10, 12)
    assert names(find(session)) == [("Open space", 2)]
    assert names(find(session, 12, 14)) == [("Open space", 3)]


def test_back_to_back_is_free(session: Session) -> None:
    room = a_unit(session, space := a_space(session))
    a_room(session, space, unit=room, name="Room")
    occupy(session, room, 8, 9)
    occupy(session, room, 11, 12)
    assert names(find(session, 9, 11)) == [("Room", 1)]
    assert find(session, 9, 11.25) == []


def test_two_rooms_opened_into_one_are_free_when_both_are(session: Session) -> None:
    space = a_space(session)
    rooms = [a_unit(session, space) for _ in range(2)]
    for room in rooms:
        a_room(session, space, unit=room, name="One")
    a_resource(session, space, kind="room", units=rooms, takes="all", name="Both", capacity=16)
    assert names(find(session, people=12)) == [("Both", 2)]
    occupy(session, rooms[0], 10, 10.5)
    assert find(session, people=12) == []
    assert names(find(session)) == [("One", 1)]


def test_every_person_needs_a_desk_but_a_room_holds_many(session: Session) -> None:
    space = a_space(session)
    a_pool(session, space, desks=3, name="Pool")
    a_room(session, space, name="Room", capacity=8)
    assert names(find(session, people=3)) == [("Pool", 3), ("Room", 1)]
    assert names(find(session, people=4)) == [("Room", 1)]
    assert find(session, people=9) == []


def test_buffers_keep_their_distance(session: Session) -> None:
    space = a_space(session)
    unit, other = a_unit(session, space), a_unit(session, space)
    a_room(session, space, unit=unit, name="Aired", rules={"buffer_before_minutes": 30})
    a_room(session, space, unit=other, name="Not aired")
    for each in (unit, other):
        occupy(session, each, 8, 9)
    assert names(find(session, 9, 11)) == [("Not aired", 1)]
    assert names(find(session, 9.5, 11)) == [("Aired", 1), ("Not aired", 1)]


def test_what_the_rules_refuse_is_left_out(session: Session) -> None:
    space = a_space(session)
    refusals: list[dict[str, Any]] = [
        {"max_minutes": 60},
        {"min_minutes": 180},
        {"step_minutes": 25},
        {"lead_minutes": 60 * 24 * 3},
        {"horizon_days": 0},
        {"audience": "members"},
        {"audience": "staff"},
    ]
    for rules in refusals:
        a_room(session, space, rules=rules)
    a_room(session, space, name="Fine")
    assert names(find(session)) == [("Fine", 1)]
    assert find(session, 5, 8) == []  # before opening


def test_archived_resources_and_units_are_not_found(session: Session) -> None:
    space = a_space(session)
    units = [a_unit(session, space) for _ in range(2)]
    a_resource(session, space, kind="desk_pool", units=units, name="Pool")
    a_room(session, space, name="Gone", archived_at=NOW)
    units[0].archived_at = NOW
    occupy(session, units[0], 8, 12)
    assert names(find(session)) == [("Pool", 1)]


def test_a_member_finds_what_members_may_book_at_their_price(session: Session) -> None:
    space = a_space(session)
    a_room(session, space, name="For members", rules={"audience": "members"}, price={"hour_tiers": [[None, 300]]})
    member = a_member(session)
    a_membership(session, member, space, ends_on=date(2026, 3, 3))
    person = find_person(session, a_token(session, member), now=NOW)
    assert find(session) == []
    (place,) = find(session, person=person)
    assert place.price.net_cents == 600
    assert find(session, 9 + 24, 11 + 24, person=person) == []  # the day after the last


def test_a_used_up_quota_hides_the_resource_from_that_person_only(session: Session) -> None:
    space = a_space(session)
    room = a_room(session, space, rules={"quota_day_minutes": 180})
    member = a_member(session)
    person = find_person(session, a_token(session, member), now=NOW)
    booked = Booking(
        space_id=space.id, resource_id=room.id, member_id=member.id, status="completed", starts_at=at(14),
        ends_at=at(16), unit_ids=[], currency="EUR", gross_cents=0, net_cents=0, vat_cents=0, vat_permille=0,
    )  # fmt: skip
    saved(session, booked)
    assert len(find(session)) == 1
    assert find(session, person=person) == []
    assert len(find(session, 9, 10, person=person)) == 1


def test_nearest_first_and_within_reach(session: Session) -> None:
    for town, longitude in (("Far", 5.0), ("Near", 3.9), ("Nearest", 3.78)):
        a_room(session, a_space(session, longitude=longitude), name=town)
    found = find(session, near=Point(50.63, 3.778))
    assert [place.offer.name for place in found] == ["Nearest", "Near", "Far"]
    assert [round(place.distance_km or 0, 1) for place in found] == [0.1, 8.6, 86.2]
    assert len(find(session, near=Point(50.63, 3.778), within_km=10.0)) == 2


def test_cheapest_first(session: Session) -> None:
    space = a_space(session)
    for cents in (900, 300, 600):
        a_room(session, space, name=str(cents), price={"hour_tiers": [[None, cents]]})
    assert [place.offer.name for place in find(session, order="cheapest", limit=2)] == ["300", "600"]


def test_one_network_one_space_one_kind(session: Session) -> None:
    operator = an_operator(session, network=a_network(session, slug="ours"))
    ours, other = a_space(session, operator=operator, slug="ours-1"), a_space(session)
    a_room(session, ours, name="Our room")
    a_pool(session, ours, name="Our pool")
    a_room(session, other, name="Other room")
    assert len(find(session)) == 3
    assert len(find(session, network="ours")) == 2
    assert names(find(session, kind="room", space="ours-1")) == [("Our room", 1)]
    assert names(find(session, kind="room", space=str(other.uid))) == [("Other room", 1)]
    for unknown in ({"space": "nowhere"}, {"space": str(uuid4())}, {"network": "none"}):
        with pytest.raises(NotFound):
            find(session, **unknown)


def test_a_day_with_a_clock_change_is_open_in_local_time(session: Session) -> None:
    """On 29 March 2026 the clock jumps from 2 to 3: 08:00 local is 06:00 UTC, not 07:00 as the day before."""
    a_room(session, a_space(session, closes="00:00", opens="00:00"), name="All night")
    a_room(session, a_space(session), name="By day")
    sunday = datetime(2026, 3, 29, tzinfo=UTC)
    by_day = {"start": at(6, sunday), "end": at(8, sunday)}
    assert names(find_places(session, Search(**by_day), person=None, now=NOW)) == [("All night", 1), ("By day", 1)]
    before = {"start": at(6, sunday - timedelta(days=1)), "end": at(8, sunday - timedelta(days=1))}
    assert names(find_places(session, Search(**before), person=None, now=NOW)) == [("All night", 1)]
    whole_day = Search(start=at(-1, sunday), end=at(22, sunday))  # 23 hours, midnight to midnight
    (place,) = find_places(session, whole_day, person=None, now=NOW)
    assert place.price.net_cents == 2500


def test_contradictory_wishes_name_their_field(session: Session) -> None:
    for wishes, field in (
        ({"end": at(9)}, "end"),
        ({"within_km": 5.0}, "near"),
        ({"order": "nearest"}, "near"),
    ):
        with pytest.raises(Invalid) as refused:
            find_places(session, Search(**{"start": at(9), "end": at(10), **wishes}), person=None, now=NOW)
        assert refused.value.facts["errors"][0]["field"] == field


def test_no_unit_is_asked_for_what_the_rules_refuse(session: Session) -> None:
    """A search over a century touches no occupancy: no rule lets anybody book that long."""
    a_room(session, a_space(session))
    statements: list[str] = []
    event.listen(session.connection(), "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert find_places(session, Search(start=NOW, end=NOW + timedelta(days=36_500)), person=None, now=NOW) == []
    assert not any("occupancy" in statement for statement in statements)


def test_a_change_of_the_catalogue_is_found_at_once(session: Session) -> None:
    room = a_room(session, a_space(session), name="Old name")
    session.commit()
    assert names(find(session)) == [("Old name", 1)]
    room.name = "New name"
    session.commit()
    assert names(find(session)) == [("New name", 1)]


def test_a_search_takes_two_statements_once_the_spaces_are_known(make_session: sessionmaker, session: Session) -> None:
    for _ in range(3):
        a_room(session, a_space(session), rules={"buffer_after_minutes": 10})
        a_pool(session, a_space(session))
    session.commit()
    assert len(find(session)) == 6
    statements: list[str] = []
    event.listen(session.connection(), "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert len(find(session)) == 6
    assert len(statements) == 2


# --- against a naive model -------------------------------------------------------------------------------------------

HOURS = st.integers(0, 23)
PERIODS = st.tuples(HOURS, st.integers(1, 6)).map(lambda p: (p[0] / 1.0, p[0] + p[1] * 1.0))


@st.composite
def small_networks(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Resources over the six units of one space, which they may share."""
    resource = st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["desk_pool", "room"]),
            "takes": st.sampled_from(["any", "all"]),
            "units": st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True),
            "capacity": st.integers(1, 6),
            "before": st.sampled_from([0, 60]),
            "after": st.sampled_from([0, 120]),
        }
    )
    return draw(st.lists(resource, min_size=1, max_size=5))


@pytest.fixture
def rolled_back(engine: Engine, make_session: sessionmaker) -> Iterator[Session]:
    with make_session() as session:
        from app.tenancy import SYSTEM

        session.info["scope"] = SYSTEM
        yield session
        session.rollback()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    resources=small_networks(),
    bookings=st.lists(st.tuples(st.integers(0, 5), PERIODS), max_size=8),
    asked=PERIODS,
    people=st.integers(1, 4),
)
def test_availability_agrees_with_a_naive_model(
    rolled_back: Session,
    resources: list[dict[str, Any]],
    bookings: list[tuple[int, tuple[float, float]]],
    asked: tuple[float, float],
    people: int,
) -> None:
    session = rolled_back
    space = a_space(session, opens="00:00", closes="00:00")
    units = [a_unit(session, space) for _ in range(6)]
    taken: list[tuple[int, float, float]] = []
    for unit, (start, end) in bookings:
        if all(other != unit or end <= begun or ended <= start for other, begun, ended in taken):
            taken.append((unit, start, end))
            occupy(session, units[unit], start, end)
    expected = []
    for number, each in enumerate(resources):
        a_resource(
            session, space, kind=each["kind"], takes=each["takes"], units=[units[n] for n in each["units"]],
            capacity=each["capacity"], name=f"{number}", position=number,
            rules={"buffer_before_minutes": each["before"], "buffer_after_minutes": each["after"]},
        )  # fmt: skip
        free = free_of(each, taken, asked)
        if each["capacity"] >= people and enough(each, free, people):
            expected.append((f"{number}", free))
    assert names(find(session, *asked, people=people, space=space.slug)) == expected


def free_of(resource: dict[str, Any], taken: list[tuple[int, float, float]], asked: tuple[float, float]) -> int:
    begins, ends = asked[0] - resource["before"] / 60, asked[1] + resource["after"] / 60
    free = 0
    for unit in resource["units"]:
        clashes = [1 for other, start, end in taken if other == unit and start < ends and begins < end]
        free += not clashes
    return free


def enough(resource: dict[str, Any], free: int, people: int) -> bool:
    if resource["takes"] == "all":
        return free == len(resource["units"])
    if resource["kind"] == "desk_pool":
        return free >= people
    return free >= 1


# --- the plan --------------------------------------------------------------------------------------------------------


PREPARED = (
    "PREPARE free (tstzrange) AS SELECT 1 AS mask, array_agg(unit_id) FROM occupancy WHERE period && $1 GROUP BY 1",
    "PREPARE several (tstzrange, tstzrange, tstzrange, tstzrange) AS SELECT CASE WHEN period && $2 THEN 3 ELSE "
    "(period && $3)::int * 1 + (period && $4)::int * 2 END AS mask, array_agg(unit_id) FROM occupancy "
    "WHERE period && $1 GROUP BY 1",
)


@pytest.mark.fresh_database
def test_the_period_index_answers_however_often_it_is_asked(session: Session) -> None:
    """Both with the values known and with the plan that PostgreSQL keeps once a statement was prepared."""
    space = a_space(session)
    units = [a_unit(session, space) for _ in range(40)]
    # VACUUM calls no page all-visible, which this plan needs, while the commit that filled it is not on disk yet.
    session.execute(raw("SET LOCAL synchronous_commit = on"))
    session.execute(
        raw(
            """
            INSERT INTO occupancy (unit_id, period, kind)
            SELECT u, tstzrange(start, start + interval '6 hours'), 'external'
            FROM unnest(CAST(:units AS bigint[])) u,
                 generate_series(timestamptz '2025-03-01 08:00+00', '2026-09-01', '1 day') AS start
            """
        ),
        {"units": [unit.id for unit in units]},
    )
    session.commit()
    with session.get_bind().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:  # type: ignore[union-attr]
        for statement in ("VACUUM (ANALYZE) occupancy", *PREPARED):
            connection.execute(text(statement))
        for mode in ("auto", "force_custom_plan", "force_generic_plan"):
            connection.execute(text(f"SET plan_cache_mode = {mode}"))
            for day in range(11):
                asked = f"'[{at(9 + 24 * day)}, {at(11 + 24 * day)})'"
                for call in (f"free ({asked})", f"several ({asked}, {asked}, {asked}, {asked})"):
                    plan = connection.scalars(text(f"EXPLAIN EXECUTE {call}")).all()
                    assert any("Index Only Scan using ix_occupancy_period" in line for line in plan), (mode, plan)


def test_the_statements_of_those_plans_are_those_that_are_sent(session: Session) -> None:
    statements: list[str] = []
    event.listen(session.connection(), "before_cursor_execute", lambda *args: statements.append(args[2]))
    asked, wider = (at(9), at(11)), (at(8), at(11))
    taken_units(session, asked, [asked])
    taken_units(session, asked, [wider, asked])
    for prepared, sent in zip(PREPARED, statements[-2:], strict=True):
        for number, name in enumerate(("widest", "core", "asked_0", "asked_1"), start=1):
            sent = sent.replace(f"%({name})s::TSTZRANGE", f"${number}")
        assert prepared.split(" AS ", 1)[1] == sent


def test_a_unit_taken_by_one_of_many_widths_only(session: Session) -> None:
    """More widths than bits of a mask, each a minute wider than the one before; the unit is taken ten minutes after."""
    unit = a_unit(session, a_space(session))
    occupy(session, unit, 11 + 10 / 60, 12)
    core = at(9), at(11)
    widths = [(at(9), at(11) + timedelta(minutes=n)) for n in range(70)]
    taken = taken_units(session, core, widths)
    assert [width for width in widths if unit.id in taken[width]] == widths[11:]
    long = at(9), at(9 + 24 * 40)
    assert taken_units(session, long, [long]) == {long: {unit.id}}


# --- over HTTP -------------------------------------------------------------------------------------------------------


def test_availability_over_http(app: Flask, session: Session) -> None:
    space = a_space(session, slug="ath", name="Coworking Ath")
    pool = a_pool(session, space, desks=2, name="Open space")
    member = a_member(session)
    a_membership(session, member, space)
    token = a_token(session, member)
    session.commit()
    query = {"kind": "desk_pool", "start": "2026-03-03T10:00:00+01:00", "end": "2026-03-03T12:00:00+01:00"}
    for client in (Client(app), Client(app, token)):
        (found,) = client.get("/availability", query={**query, "space": "ath"}).json
        assert found["resource"]["id"] == str(pool.uid)
        assert found["space"]["slug"] == "ath"
        assert found["free_units"] == 2
        assert found["price"] == {"amount_cents": 1210, "currency": "EUR", "net_cents": 1000, "vat_cents": 210}
        assert found["distance_km"] is None
    near = Client(app).get("/availability", query={**query, "near": "50.63,3.778", "within_km": "5"}).json
    assert near[0]["distance_km"] == 0.0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"start": "2026-03-03T10:00:00"}, "start"),
        ({"start": "2026-02-30T10:00:00Z"}, "start"),
        ({"end": "yesterday"}, "end"),
        ({"end": "2026-03-03T09:00:00Z"}, "end"),
        ({"end": "2026-03-03T08:00:00Z"}, "end"),
        ({"kind": "castle"}, "kind"),
        ({"people": "0"}, "people"),
        ({"people": "many"}, "people"),
        ({"near": "here"}, "near"),
        ({"near": "91,0"}, "near"),
        ({"near": "nan,0"}, "near"),
        ({"within_km": "inf", "near": "50,4"}, "within_km"),
        ({"limit": "100000"}, "limit"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_wrong_wish_is_named(app: Flask, wrong: dict[str, str], field: str) -> None:
    query = {"start": "2026-03-03T09:00:00Z", "end": "2026-03-03T11:00:00Z", **wrong}
    answer = Client(app).get("/availability", query=query)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_an_unknown_space_is_not_found(app: Flask) -> None:
    query = {"start": "2026-03-03T09:00:00Z", "end": "2026-03-03T11:00:00Z"}
    for place in ({"space": "nowhere"}, {"space": str(uuid4())}, {"network": "nobody"}):
        assert Client(app).get("/availability", query={**query, **place}).status_code == 404


def test_a_closed_day_offers_nothing(session: Session) -> None:
    space = a_space(session)
    a_room(session, space)
    session.add(HoursException(space_id=space.id, day=DAY.date()))
    session.flush()
    assert find(session) == []
    session.info["scope"] = ANONYMOUS
    assert len(find(session, 9 + 24, 11 + 24)) == 1
    assert session.get(Resource, 0) is None
