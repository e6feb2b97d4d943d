from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from app.booking.finding.places import Point, distance_km, folded
from app.booking.models import Booking, Closure, HoursException, Occupancy, Resource, ResourceUnit, WaitlistEntry
from app.network.models import AuditEntry, Member, Space
from tests.builders import (
    a_manager,
    a_member,
    a_network,
    a_pool,
    a_role,
    a_room,
    a_space,
    a_token,
    an_operator,
    saved,
)
from tests.http.client import Client


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [space["name"] for space in answer.json]


def some_spaces(session: Session) -> None:
    for name, town, country, latitude, longitude in (
        ("Coworking GARE!", "Saint-Hubert", "BE", 50.0267, 5.374),
        ("Coworking Ath", "Ath", "BE", 50.63, 3.778),
        ("La Cantine", "Nantes", "FR", 47.2184, -1.5536),
        ("L'Œuvre", "Île-Tudy", "FR", 47.84, -4.17),
    ):
        a_space(session, name=name, town=town, country=country, latitude=latitude, longitude=longitude)
    session.commit()


def test_spaces_come_by_name_and_nearest_first_when_near(app: Flask, session: Session) -> None:
    some_spaces(session)
    api = Client(app)
    assert names(api.get("/spaces")) == ["Coworking Ath", "Coworking GARE!", "L'Œuvre", "La Cantine"]
    near = api.get("/spaces", query={"near": "47.2,-1.5"})
    assert names(near) == ["La Cantine", "L'Œuvre", "Coworking Ath", "Coworking GARE!"]
    assert near.json[0]["distance_km"] == 4.536
    assert names(api.get("/spaces", query={"near": "47.2,-1.5", "within_km": "50"})) == ["La Cantine"]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("gare", ["Coworking GARE!"]),
        ("saint hubert", ["Coworking GARE!"]),
        ("ILE TUDY", ["L'Œuvre"]),
        ("oeuvre", ["L'Œuvre"]),
        ("cantine nantes", ["La Cantine"]),
        ("%", []),
        ("_", []),
        ("-", []),
        (" ? ", []),
        ("\U0001f600", []),
        ("nowhere", []),
    ],
)
def test_names_and_towns_are_found_without_accents(app: Flask, session: Session, q: str, found: list[str]) -> None:
    some_spaces(session)
    assert names(Client(app).get("/spaces", query={"q": q})) == found


def test_spaces_of_a_country_or_network(app: Flask, session: Session) -> None:
    some_spaces(session)
    network = a_network(session, slug="cdw", name="Coworking Digital Wallonia")
    a_space(session, name="In it", operator=an_operator(session, network=network))
    session.commit()
    api = Client(app)
    assert names(api.get("/spaces", query={"country": "FR"})) == ["L'Œuvre", "La Cantine"]
    for key in ("cdw", str(network.uid)):
        (space,) = api.get("/spaces", query={"network": key}).json
        assert space["network"] == {"id": str(network.uid), "slug": "cdw", "name": "Coworking Digital Wallonia"}
    assert api.get("/spaces", query={"network": "none"}).status_code == 404


@pytest.mark.parametrize("near", [{}, {"near": "50.63,3.778"}])
def test_pages_of_spaces_follow_each_other(app: Flask, session: Session, near: dict[str, str]) -> None:
    for number in range(7):
        a_space(session, name="Same name" if number < 4 else f"Space {number}", longitude=3.0 + number % 3)
    session.commit()
    api, seen, query = Client(app), [], {"limit": "3", **near}
    whole = [space["id"] for space in api.get("/spaces", query=near).json]
    while query:
        page = api.get("/spaces", query=query)
        seen += [space["id"] for space in page.json]
        link = page.headers.get("Link", "")
        query = {**query, "cursor": link.split("cursor=")[1].split(">")[0].replace("%3D", "=")} if link else {}
    assert seen == whole
    assert len(set(seen)) == 7


def paged(api: Client, path: str, query: dict[str, str]) -> list[Any]:
    """Everything, page by page as the Link header leads."""
    seen, address = [], f"{path}?{urlencode(query)}"
    while address:
        page = api.get(address)
        assert page.status_code == 200, page.text
        seen.append(page.json)
        link = page.headers.get("Link", "")
        address = link.partition("<")[2].partition(">")[0]
    return seen


WHEN = {"start": "2026-03-03T10:00:00+01:00", "end": "2026-03-03T12:00:00+01:00"}
ORDERS: list[dict[str, str]] = [{}, {"near": "50.63,3.778"}, {"order": "cheapest"}, {"space": "ath"}]


@pytest.mark.parametrize("order", ORDERS)
def test_pages_of_free_places_follow_each_other(app: Flask, session: Session, order: dict[str, str]) -> None:
    spaces = [a_space(session, slug="ath"), a_space(session, name="Ярмарка " * 12, longitude=3.0), a_space(session)]
    for number in range(9):
        a_room(session, spaces[number % 3], name=f"Room {number}", price={"hour_tiers": [[None, number % 2 * 100]]})
    session.commit()
    api = Client(app)
    whole = [place["resource"]["id"] for place in api.get("/availability", query={**WHEN, **order}).json]
    assert len(set(whole)) == (3 if "space" in order else 9)
    pages = paged(api, "/availability", {**WHEN, **order, "limit": "2"})
    assert [len(page) for page in pages][:-1] == [2] * (len(pages) - 1)
    assert [place["resource"]["id"] for page in pages for place in page] == whole


def cursor_of(answer: Any) -> str:
    return parse_qs(urlsplit(answer.headers["Link"].partition("<")[2].partition(">")[0]).query)["cursor"][0]


def test_a_cursor_of_another_order_is_refused(app: Flask, session: Session) -> None:
    for _ in range(3):
        a_room(session, a_space(session))
    session.commit()
    api = Client(app)
    lists: list[tuple[str, list[dict[str, str]]]] = [
        ("/spaces", [{}, {"near": "50.63,3.778"}]),
        ("/availability", [{**WHEN, **order} for order in ORDERS[:3]]),
    ]
    for path, orders in lists:
        for order in orders:
            cursor = cursor_of(api.get(path, query={**order, "limit": "1"}))
            for other in orders:
                answer = api.get(path, query={**other, "cursor": cursor})
                assert answer.status_code == (200 if other == order else 422)
                assert other == order or answer.json["errors"][0]["field"] == "cursor"


def test_pages_of_resources_tokens_and_waits_follow_each_other(app: Flask, session: Session) -> None:
    space, member = a_space(session, slug="ath"), a_member(session)
    for number in range(5):
        a_room(session, space, name=f"Room {number}", position=5 - number)
    token = [a_token(session, member) for _ in range(5)][-1]
    (room, *_) = session.scalars(select(Resource)).all()
    for hour in range(5):
        start = NINE + timedelta(hours=hour)
        wait = {"space_id": space.id, "resource_id": room.id, "member_id": member.id}
        saved(session, WaitlistEntry(**wait, starts_at=start, ends_at=start + timedelta(hours=1)))
    session.commit()
    api = Client(app, token)
    for path in ("/spaces/ath/resources", "/tokens", "/waitlist"):
        whole = api.get(path)
        assert (len(whole.json), "Link" in whole.headers) == (5, False)
        pages = paged(api, path, {"limit": "2"})
        assert [len(page) for page in pages] == [2, 2, 1], path
        assert [each for page in pages for each in page] == whole.json
        assert api.get(path, query={"cursor": "abc"}).json["errors"][0]["field"] == "cursor"
    cursor = cursor_of(api.get("/spaces/ath/resources?limit=2"))
    last = session.scalars(select(Resource).where(Resource.name == "Room 3")).one()
    last.archived_at = NINE
    session.commit()
    assert api.get(f"/spaces/ath/resources?cursor={cursor}").status_code == 422


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"near": "50.63"}, "near"),
        ({"within_km": "5"}, "near"),
        ({"country": "Belgium"}, "country"),
        ({"limit": "0"}, "limit"),
        ({"cursor": "abc"}, "cursor"),
        ({"cursor": "WzEsMiwzXQ"}, "cursor"),  # [1,2,3]: well-formed, but not ours
    ],
)
def test_a_wrong_filter_is_named(app: Flask, query: dict[str, str], field: str) -> None:
    answer = Client(app).get("/spaces", query=query)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)


def test_a_space_is_shown_by_id_or_slug(app: Flask, session: Session) -> None:
    space = a_space(session, slug="ath")
    pool = a_pool(session, space, desks=2)
    session.commit()
    api = Client(app)
    for key in ("ath", str(space.uid)):
        shown = api.get(f"/spaces/{key}")
        assert (shown.json["slug"], bool(shown.headers["ETag"])) == ("ath", True)
        (resource,) = api.get(f"/spaces/{key}/resources").json
        assert (resource["id"], resource["kind"], resource["capacity"]) == (str(pool.uid), "desk_pool", 2)
        assert len(resource["units"]) == 2
    for unknown in ("nowhere", str(uuid4())):
        for rest in ("", "/resources", "/hours?from=2026-03-02&to=2026-03-02", "/occupancy?day=2026-03-02"):
            assert api.get(f"/spaces/{unknown}{rest}").status_code == 404


def test_opening_periods_of_days_with_exceptions_and_a_clock_change(app: Flask, session: Session) -> None:
    space = a_space(session, slug="ath", closed_on_holidays=True)
    session.add(HoursException(space_id=space.id, day=datetime(2026, 3, 28).date()))  # noqa: DTZ001
    session.commit()
    api = Client(app)
    days = api.get("/spaces/ath/hours", query={"from": "2026-03-27", "to": "2026-03-29"}).json
    assert [day["day"] for day in days] == ["2026-03-27", "2026-03-28", "2026-03-29"]
    assert [[period["start"][11:16] for period in day["open"]] for day in days] == [["07:00"], [], ["06:00"]]
    (new_year,) = api.get("/spaces/ath/hours", query={"from": "2026-01-01", "to": "2026-01-01"}).json
    assert new_year["open"] == []
    for query, field in (
        ({"from": "2026-03-27", "to": "2026-03-26"}, "to"),
        ({"from": "2026-01-01", "to": "2026-12-31"}, "to"),
        ({"from": "27/03/2026", "to": "2026-03-26"}, "from"),
        ({"from": "2026-02-30", "to": "2026-03-26"}, "from"),
    ):
        answer = api.get("/spaces/ath/hours", query=query)
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)


# --- a day, a week ---------------------------------------------------------------------------------------------------

NINE = datetime(2026, 3, 3, 8, tzinfo=UTC)


def booked(session: Session, space: Space, resource: Resource, member: Member, start: datetime = NINE) -> Booking:
    unit_id = session.scalars(
        select(ResourceUnit.unit_id).where(ResourceUnit.resource_id == resource.id).order_by(ResourceUnit.unit_id)
    ).first()
    booking = Booking(
        space_id=space.id, resource_id=resource.id, member_id=member.id, status="confirmed", starts_at=start,
        ends_at=start + timedelta(hours=2), unit_ids=[unit_id], title="A secret meeting", currency="EUR",
        gross_cents=0, net_cents=0, vat_cents=0, vat_permille=0,
    )  # fmt: skip
    saved(session, booking)
    period = Range(booking.starts_at, booking.ends_at)
    saved(session, Occupancy(unit_id=unit_id, period=period, kind="booking", booking_id=booking.id))
    return booking


def busy_in(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    lines = [unit for resource in answer.json["resources"] for unit in resource["units"]]
    return [busy for unit in lines for busy in unit["busy"]]


def test_everybody_sees_when_but_only_staff_and_the_member_see_what(app: Flask, session: Session) -> None:
    space = a_space(session, slug="ath")
    room = a_room(session, space)
    guest, stranger, manager = a_member(session, name="Guest"), a_member(session), a_manager(session, space)
    foreign = a_manager(session, a_space(session))
    booking = booked(session, space, room, guest)
    tokens = {who: a_token(session, who) for who in (guest, stranger, manager, foreign)}
    session.commit()
    address = "/spaces/ath/occupancy?day=2026-03-03"
    when = {"start": "2026-03-03T08:00:00Z", "end": "2026-03-03T10:00:00Z"}
    for who in (None, stranger, foreign):
        (busy,) = busy_in(Client(app, tokens.get(who)).get(address))
        assert busy == when
    for who in (guest, manager):
        (busy,) = busy_in(Client(app, tokens[who]).get(address))
        assert busy["booking"]["id"] == str(booking.uid)
        assert busy["booking"]["member"] == {"id": str(guest.uid), "name": "Guest"}
        assert busy["booking"]["status"] == "confirmed"


def test_a_look_of_staff_at_others_bookings_is_written_down_once(app: Flask, session: Session) -> None:
    space = a_space(session, slug="ath")
    room, manager = a_room(session, space), a_member(session)
    a_role(session, manager, "front_desk", space)
    token = a_token(session, manager)
    session.commit()
    api = Client(app, token)
    api.get("/spaces/ath/occupancy?day=2026-03-03")
    booked(session, space, room, manager)
    session.commit()
    api.get("/spaces/ath/occupancy?day=2026-03-03")
    assert session.scalars(select(AuditEntry)).all() == []  # nobody's, then their own
    booked(session, space, room, a_member(session), NINE + timedelta(hours=4))
    booked(session, space, room, a_member(session), NINE + timedelta(hours=6))
    session.commit()
    api.get("/spaces/ath/occupancy?day=2026-03-03")
    (entry,) = session.scalars(select(AuditEntry)).all()
    assert (entry.actor_id, entry.action, entry.subject) == (
        manager.id, "occupancy.viewed", f"{space.uid}/2026-03-03",
    )  # fmt: skip


def test_a_week_is_seven_local_days_and_cuts_what_reaches_over(app: Flask, session: Session) -> None:
    space = a_space(session, slug="ath")
    room = a_room(session, space)
    closure = Closure(
        space_id=space.id, kind="closure", starts_at=NINE - timedelta(days=10), ends_at=NINE, unit_ids=[]
    )  # fmt: skip
    saved(session, closure)
    unit_id = session.scalars(select(ResourceUnit.unit_id).where(ResourceUnit.resource_id == room.id)).one()
    period = Range(closure.starts_at, closure.ends_at)
    saved(session, Occupancy(unit_id=unit_id, period=period, kind="closure", closure_id=closure.id))
    session.commit()
    answer = Client(app).get("/spaces/ath/occupancy?week=2026-W10")
    assert [day["day"] for day in answer.json["days"]] == [f"2026-03-0{n}" for n in range(2, 9)]
    assert busy_in(answer) == [{"start": "2026-03-01T23:00:00Z", "end": "2026-03-03T08:00:00Z"}]
    short_day = Client(app).get("/spaces/ath/occupancy?day=2026-03-29").json["days"][0]
    assert short_day["open"] == [{"start": "2026-03-29T06:00:00Z", "end": "2026-03-29T16:00:00Z"}]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "day"),
        ("day=2026-03-03&week=2026-W10", "day"),
        ("day=2026-02-30", "day"),
        ("day=20260303", "day"),
        ("day=0001-01-01", "day"),
        ("day=9999-12-31", "day"),
        ("week=2026-W54", "week"),
        ("week=2026-10", "week"),
        ("week=9999-W52", "week"),
    ],
)
def test_a_wrong_day_is_named(app: Flask, session: Session, query: str, field: str) -> None:
    a_space(session, slug="ath")
    session.commit()
    answer = Client(app).get(f"/spaces/ath/occupancy?{query}")
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)


# --- places ----------------------------------------------------------------------------------------------------------


def test_a_quarter_of_the_globe() -> None:
    assert distance_km(Point(0, 0), Point(0, 90)) == pytest.approx(10_007.557, abs=0.001)
    assert distance_km(Point(50, 4), Point(50, 4)) == 0
    assert distance_km(Point(0, 179.5), Point(0, -179.5)) == pytest.approx(111.195, abs=0.001)
    assert distance_km(Point(90, 0), Point(-90, 123)) == pytest.approx(20_015.115, abs=0.001)


def test_folding_makes_spellings_equal() -> None:
    assert folded("  Île-d’Yeu ") == folded("ILE D'YEU") == "ile d yeu"
    assert folded("Besançon – Planoise") == "besancon planoise"
