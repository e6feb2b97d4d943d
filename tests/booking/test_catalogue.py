from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from app.booking.catalogue.pricing import quote_price
from app.booking.catalogue.remembering import cached_offer, load_offer, load_offers, offer_of, refresh
from app.booking.models import Booking, BookingRule, Resource, Unit
from app.booking.rules import Rules
from app.errors import NotFound, Refused
from app.network.models import Space
from tests.builders import (
    a_manager,
    a_member,
    a_pool,
    a_resource,
    a_role,
    a_room,
    a_space,
    a_token,
    a_unit,
    saved,
)
from tests.http.client import Client

NINE = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)  # 09:00 in Brussels
ELEVEN = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


def test_an_offer_holds_what_a_booking_needs(session: Session) -> None:
    space = a_space(session)
    pool = a_pool(session, space, desks=3, rules={"lead_minutes": 60, "cancellation": [[24, 0], [0, 50]]})
    offer = load_offer(session, pool.uid)
    assert (offer.space_uid, offer.kind, offer.takes, len(offer.unit_ids)) == (space.uid, "desk_pool", "any", 3)
    assert sorted(unit.name for unit in offer.units.values()) == ["Desk 1", "Desk 2", "Desk 3"]
    assert offer.rules == Rules(lead_minutes=60, horizon_days=365, min_minutes=30, max_minutes=1440, step_minutes=15)
    assert [(step.hours_before, step.percent) for step in offer.cancellation.steps] == [(24, 0), (0, 50)]
    assert offer.hours.is_open(NINE, ELEVEN)


def test_a_belgian_price_adds_21_percent(session: Session) -> None:
    offer = load_offer(session, a_pool(session, a_space(session)).uid)
    price = quote_price(offer, start=NINE, end=ELEVEN, audience="anyone")
    assert (price.net_cents, price.vat_cents, price.gross_cents, price.rate_permille) == (1000, 210, 1210, 210)


def test_a_small_business_charges_no_vat(session: Session) -> None:
    offer = load_offer(session, a_pool(session, a_space(session, country="FR", regime="small_business")).uid)
    assert quote_price(offer, start=NINE, end=ELEVEN, audience="anyone").gross_cents == 1000


def test_a_list_that_includes_vat_keeps_its_gross(session: Session) -> None:
    offer = load_offer(session, a_room(session, a_space(session, country="FR"), price={"includes_vat": True}).uid)
    price = quote_price(offer, start=NINE, end=ELEVEN, audience="anyone")
    assert (price.gross_cents, price.net_cents) == (1000, 833)


def test_a_list_for_members_only_is_no_gift_to_strangers(session: Session) -> None:
    offer = load_offer(session, a_pool(session, a_space(session), price={"audience": "members"}).uid)
    assert quote_price(offer, start=NINE, end=ELEVEN, audience="members").net_cents == 1000
    with pytest.raises(Refused) as refusal:
        quote_price(offer, start=NINE, end=ELEVEN, audience="anyone")
    assert refusal.value.rule == "price"


def test_a_day_before_the_first_list_has_no_price(session: Session) -> None:
    offer = load_offer(session, a_pool(session, a_space(session), price={"valid_from": date(2026, 4, 1)}).uid)
    with pytest.raises(Refused):
        quote_price(offer, start=NINE, end=ELEVEN, audience="anyone")


def test_an_unknown_or_archived_resource_is_not_found(session: Session) -> None:
    pool = a_pool(session, a_space(session))
    pool.archived_at = NINE
    session.flush()
    for uid in (uuid4(), pool.uid):
        for load in (load_offer, offer_of):
            with pytest.raises(NotFound):
                load(session, uid)


def test_archived_units_are_not_offered(session: Session) -> None:
    space = a_space(session)
    units = [a_unit(session, space) for _ in range(2)]
    pool = a_resource(session, space, kind="desk_pool", units=units)
    session.execute(update(Unit).where(Unit.id == units[0].id).values(archived_at=NINE))
    assert load_offer(session, pool.uid).unit_ids == (units[1].id,)


def test_a_remembered_offer_is_read_again_after_any_change_of_the_space(
    session: Session, make_session: sessionmaker
) -> None:
    pool = a_pool(session, a_space(session))
    session.commit()
    first = offer_of(session, pool.uid)
    assert offer_of(session, pool.uid) is first
    session.execute(update(BookingRule).where(BookingRule.resource_id == pool.id).values(lead_minutes=90))
    session.commit()
    again = offer_of(session, pool.uid)
    assert (again.rules.lead_minutes, again.space_revision) == (90, first.space_revision + 1)
    assert refresh(session, pool.uid, again.space_revision) is again
    assert cached_offer(pool.uid) is again


def test_what_a_transaction_has_not_committed_is_not_remembered(session: Session) -> None:
    pool = a_pool(session, a_space(session))
    session.commit()
    before = offer_of(session, pool.uid)
    with session.begin_nested():
        session.execute(update(Resource).where(Resource.id == pool.id).values(name="Never to be"))
        assert offer_of(session, pool.uid).name == "Never to be"
    session.rollback()
    session.execute(update(Resource).where(Resource.id == pool.id).values(name="To be"))
    session.commit()
    assert cached_offer(pool.uid) is before
    assert offer_of(session, pool.uid).name == "To be"


def test_desks_with_the_same_rules_and_hours_share_them(session: Session) -> None:
    spaces = [a_space(session), a_space(session)]
    pools = [a_pool(session, space) for space in spaces]
    one, other = load_offers(session, [pool.id for pool in pools]).values()
    assert one.rules is other.rules
    assert one.hours is other.hours
    assert one.tariffs is other.tariffs


def test_loading_many_offers_takes_seven_statements(session: Session) -> None:
    from sqlalchemy import event

    pools = [a_pool(session, a_space(session)) for _ in range(3)]
    statements: list[str] = []
    connection = session.connection()
    event.listen(connection, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert len(load_offers(session, [pool.id for pool in pools])) == 3
    assert len(statements) == 7


def test_a_new_room_raises_the_revision_of_its_space(session: Session) -> None:
    space = a_space(session)
    before = session.get_one(Space, space.id, populate_existing=True).revision
    a_room(session, space)
    assert session.get_one(Space, space.id, populate_existing=True).revision > before


# --- managers, over HTTP ---------------------------------------------------------------------------------------------


@pytest.fixture
def space(session: Session) -> Space:
    space = a_space(session, slug="ath")
    session.commit()
    return space


@pytest.fixture
def manager(app: Flask, session: Session, space: Space) -> Client:
    token = a_token(session, a_manager(session, space))
    session.commit()
    return Client(app, token)


def created(manager: Client, space: Space, **values: Any) -> dict[str, Any]:
    body = {"kind": "desk_pool", "name": "Open space", "units": 3, **values}
    answer = manager.post(f"/spaces/{space.uid}/resources", json=body)
    assert answer.status_code == 201, answer.text
    resource: dict[str, Any] = answer.json
    return resource


def etag_of(api: Client, address: str) -> str:
    return api.get(address).headers["ETag"]


def wrong_field(answer: Any) -> str:
    assert answer.status_code == 422, answer.text
    field: str = answer.json["errors"][0]["field"]
    return field


def test_a_manager_offers_a_pool_and_a_combination_of_two_rooms(manager: Client, space: Space) -> None:
    pool = created(manager, space)
    assert (pool["capacity"], [unit["name"] for unit in pool["units"]]) == (
        3, ["Open space 1", "Open space 2", "Open space 3"],
    )  # fmt: skip
    rooms = [created(manager, space, kind="room", name=name, units=1, capacity=8) for name in ("A", "B")]
    both = [room["units"][0]["id"] for room in rooms]
    combined = created(manager, space, kind="room", name="A + B", units=None, unit_ids=both, takes="all", capacity=20)
    assert ([unit["id"] for unit in combined["units"]], combined["takes"], combined["prices"]) == (both, "all", [])
    listed = manager.get("/spaces/ath/resources").json
    assert sorted(resource["name"] for resource in listed) == ["A", "A + B", "B", "Open space"]


def test_what_does_not_fit_together_is_named(manager: Client, space: Space, session: Session) -> None:
    foreign = a_unit(session, a_space(session))
    session.commit()
    address = f"/spaces/{space.uid}/resources"
    body: dict[str, Any] = {"kind": "room", "name": "Room", "units": 1}
    for change, field in (
        ({"units": None}, "units"),
        ({"unit_ids": [str(foreign.uid)]}, "units"),
        ({"units": None, "unit_ids": [str(foreign.uid)]}, "unit_ids.0"),
        ({"units": 0}, "units"),
        ({"units": True}, "units"),
        ({"units": 10_000}, "units"),
        ({"kind": "castle"}, "kind"),
        ({"kind": "desk_pool", "capacity": 7}, "capacity"),
        ({"name": " "}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "\u200b\u202e"}, "name"),
        ({"colour": "blue"}, "colour"),
    ):
        assert wrong_field(manager.post(address, json={**body, **change})) == field
    created(manager, space, kind="room", name="Room", units=1)
    assert wrong_field(manager.post(address, json=body)) == "name"  # its unit is named so already


def test_others_cannot_change_a_catalogue(app: Flask, session: Session, manager: Client, space: Space) -> None:
    pool = created(manager, space)
    desk = a_member(session)
    a_role(session, desk, "front_desk", space)
    people = {404: [a_member(session), a_manager(session, a_space(session))], 403: [desk]}
    tokens = [(status, a_token(session, who)) for status, members in people.items() for who in members]
    session.commit()
    unit = pool["units"][0]["id"]
    for status, token in tokens:
        api = Client(app, token)
        for method, address, body in (
            ("POST", f"/spaces/{space.uid}/resources", {"kind": "room", "name": "Mine", "units": 1}),
            ("POST", f"/spaces/{space.uid}/units", {"names": ["Mine"]}),
            ("PATCH", f"/resources/{pool['id']}", {"name": "Mine"}),
            ("DELETE", f"/resources/{pool['id']}", None),
            ("PUT", f"/resources/{pool['id']}/rules", {}),
            ("POST", f"/resources/{pool['id']}/prices", {"valid_from": "2026-04-01", "includes_vat": False}),
            ("PATCH", f"/units/{unit}", {"name": "Mine"}),
            ("DELETE", f"/units/{unit}", None),
            ("PUT", f"/spaces/{space.uid}/opening-hours", {"openings": [], "closed_on_holidays": False}),
            ("POST", f"/spaces/{space.uid}/hours-exceptions", {"day": "2026-04-01"}),
            ("DELETE", f"/spaces/{space.uid}/hours-exceptions/2026-04-01", None),
        ):
            answer = api.call(method, address, json=body, etag="*")
            assert answer.status_code == status, (method, address)
    assert manager.get(f"/resources/{pool['id']}").json == pool


def test_nobody_overwrites_what_a_colleague_changed(manager: Client, space: Space) -> None:
    pool = created(manager, space)
    address = f"/resources/{pool['id']}"
    read = etag_of(manager, address)
    changed = manager.patch(address, json={"name": "Quiet room", "amenities": ["screen"]}, etag=read)
    assert (changed.status_code, changed.json["name"], changed.json["amenities"]) == (200, "Quiet room", ["screen"])
    assert manager.patch(address, json={"name": "Loud room"}, etag=read).status_code == 412
    assert manager.patch(address, json={"name": "Loud room"}).status_code == 428
    assert changed.headers["ETag"] == etag_of(manager, address) != read
    assert manager.get(address).json["name"] == "Quiet room"


def test_a_pool_is_given_other_desks(manager: Client, space: Space) -> None:
    pool = created(manager, space)
    (extra,) = manager.post(f"/spaces/{space.uid}/units", json={"names": ["By the window"]}).json
    units = [pool["units"][0]["id"], extra["id"]]
    changed = manager.patch(f"/resources/{pool['id']}", json={"unit_ids": units}, etag="*").json
    assert ([unit["id"] for unit in changed["units"]], changed["capacity"]) == (units, 2)
    renamed = manager.patch(f"/units/{extra['id']}", json={"name": "By the door"}, etag="*")
    assert renamed.json == {"id": extra["id"], "name": "By the door"}
    taken = manager.patch(f"/units/{extra['id']}", json={"name": "Open space 1"}, etag="*")
    assert wrong_field(taken) == "name"


def test_nothing_with_bookings_to_come_is_archived(manager: Client, space: Space, session: Session) -> None:
    pool = created(manager, space)
    offer = load_offer(session, UUID(pool["id"]))
    booking = Booking(
        space_id=space.id, resource_id=offer.resource_id, member_id=a_member(session).id, status="confirmed",
        starts_at=NINE, ends_at=ELEVEN, unit_ids=[offer.unit_ids[0]], currency="EUR", gross_cents=0, net_cents=0,
        vat_cents=0, vat_permille=0,
    )  # fmt: skip
    saved(session, booking)
    session.commit()
    first, second, third = (f"/units/{unit['id']}" for unit in pool["units"])
    for address in (f"/resources/{pool['id']}", first):
        refused = manager.delete(address, etag="*")
        assert (refused.status_code, refused.json["code"], refused.json["upcoming"]) == (409, "in_use", 1)
    assert manager.delete(second, etag="*").status_code == 204
    assert manager.get(f"/resources/{pool['id']}").json["capacity"] == 2
    booking.status = "cancelled"
    session.commit()
    assert manager.delete(first, etag="*").status_code == 204
    assert manager.delete(third, etag="*").json["code"] == "in_use"  # the last one of the pool
    assert manager.delete(f"/resources/{pool['id']}", etag="*").status_code == 204
    assert manager.delete(third, etag="*").status_code == 204
    assert manager.get(f"/resources/{pool['id']}").status_code == 404
    assert manager.get("/spaces/ath/resources").json == []


def test_rules_are_replaced_whole(manager: Client, space: Space) -> None:
    address = f"/resources/{created(manager, space)['id']}"
    steps = [{"hours_before": 24, "percent": 0}, {"hours_before": 0, "percent": 100}]
    rules = {"lead_minutes": 60, "audience": "network", "quota_day_minutes": 480, "cancellation": steps}
    changed = manager.put(f"{address}/rules", json=rules, etag=etag_of(manager, address))
    assert changed.status_code == 200, changed.text
    assert {name: changed.json["rules"][name] for name in rules} == rules
    back = manager.put(f"{address}/rules", json={}, etag="*").json["rules"]
    assert (back["lead_minutes"], back["audience"], back["quota_day_minutes"]) == (0, "anyone", None)
    for wrong, field in (
        ({"min_minutes": 90, "max_minutes": 60}, "min_minutes"),
        ({"step_minutes": 0}, "step_minutes"),
        ({"lead_minutes": -1}, "lead_minutes"),
        ({"audience": "friends"}, "audience"),
        ({"approval": "yes"}, "approval"),
        ({"cancellation": []}, "cancellation"),
        ({"cancellation": [{"hours_before": 1, "percent": 10}]}, "cancellation"),
    ):
        assert wrong_field(manager.put(f"{address}/rules", json=wrong, etag="*")) == field


def test_a_new_price_ends_the_one_before_and_never_overlaps(manager: Client, space: Space, session: Session) -> None:
    resource = created(manager, space)
    address = f"/resources/{resource['id']}/prices"

    def price(valid_from: str, cents: int, **values: Any) -> Any:
        tiers = [{"up_to_minutes": None, "cents_per_hour": cents}]
        body = {"valid_from": valid_from, "includes_vat": False, "hour_tiers": tiers, **values}
        return manager.post(address, json=body)

    assert price("2026-03-02", 500).status_code == 201
    both = price("2026-04-01", 600).json["prices"]
    assert [(each["valid_from"], each["valid_until"]) for each in both] == [
        ("2026-03-02", "2026-04-01"), ("2026-04-01", None),
    ]  # fmt: skip
    assert price("2026-03-02", 400, audience="members").status_code == 201
    for valid_from, values, field in (
        ("2026-04-01", {}, "valid_from"),
        ("2026-03-20", {}, "valid_from"),
        ("2026-03-20", {"valid_until": "2026-03-25"}, "valid_from"),
        ("2026-03-01", {}, "valid_from"),  # yesterday
        ("2027-03-01", {"valid_until": "2027-03-01"}, "valid_until"),
        ("2027-03-01", {"day_cents": -1}, "day_cents"),
        ("2027-03-01", {"day_cents": 100, "minimum_cents": 200}, "minimum_cents"),
        ("2027-03-01", {"hour_tiers": []}, "hour_tiers"),
        ("2027-03-01", {"currency": "USD"}, "currency"),
    ):
        assert wrong_field(price(valid_from, 700, **values)) == field, (valid_from, values)
    offer = load_offer(session, UUID(resource["id"]))
    assert quote_price(offer, start=NINE, end=ELEVEN, audience="anyone").net_cents == 1000
    assert quote_price(offer, start=NINE, end=ELEVEN, audience="members").net_cents == 800


def test_opening_hours_and_the_days_that_differ(manager: Client, space: Space, session: Session) -> None:
    address = f"/spaces/{space.uid}/opening-hours"
    openings = [
        {"weekday": 1, "opens": "08:30", "closes": "12:00"},
        {"weekday": 1, "opens": "13:00", "closes": "00:00"},
    ]
    body: dict[str, Any] = {"openings": openings, "closed_on_holidays": True}
    assert manager.put(address, json=body).status_code == 428
    changed = manager.put(address, json=body, etag=etag_of(manager, address))
    assert changed.json == {**body, "exceptions": []}
    assert changed.headers["ETag"] == etag_of(manager, "/spaces/ath")
    exceptions = f"/spaces/{space.uid}/hours-exceptions"
    short = {"day": "2026-03-03", "openings": [{"opens": "10:00", "closes": "11:00"}], "reason": "Inventory"}
    assert manager.post(exceptions, json={"day": "2026-03-03", "reason": "Closed"}).status_code == 201
    assert manager.post(exceptions, json=short).json == short  # instead of what was said before
    assert manager.get(address).json["exceptions"] == [short]
    (day,) = manager.get("/spaces/ath/hours?from=2026-03-03&to=2026-03-03").json
    assert day["open"] == [{"start": "2026-03-03T09:00:00Z", "end": "2026-03-03T10:00:00Z"}]
    assert manager.delete(f"{exceptions}/2026-03-03", etag="*").status_code == 204
    assert manager.delete(f"{exceptions}/2026-03-03", etag="*").status_code == 404
    (day,) = manager.get("/spaces/ath/hours?from=2026-03-03&to=2026-03-03").json
    assert [period["end"] for period in day["open"]] == ["2026-03-03T11:00:00Z", "2026-03-03T23:00:00Z"]


def test_impossible_hours_are_named(manager: Client, space: Space) -> None:
    def row(opens: str, closes: str, **values: Any) -> dict[str, Any]:
        return {"weekday": 0, "opens": opens, "closes": closes, **values}

    for openings, field in (
        ([row("12:00", "08:00")], "openings.0.closes"),
        ([row("08:00", "12:00"), row("14:00", "13:00")], "openings.1.closes"),
        ([row("08:00", "12:00"), row("11:00", "13:00")], "openings"),
        ([row("08:00", "00:00"), row("22:00", "23:00")], "openings"),
        ([row("08:00", "25:00")], "openings.0.closes"),
        ([row("08:00", "12:00", weekday=7)], "openings.0.weekday"),
    ):
        body = {"openings": openings, "closed_on_holidays": True}
        assert wrong_field(manager.put(f"/spaces/{space.uid}/opening-hours", json=body, etag="*")) == field


def test_unknown_ids_are_not_found(manager: Client) -> None:
    for method, address, body in (
        ("GET", f"/resources/{uuid4()}", None),
        ("PATCH", f"/resources/{uuid4()}", {"name": "X"}),
        ("DELETE", f"/units/{uuid4()}", None),
        ("GET", f"/spaces/{uuid4()}/opening-hours", None),
        ("POST", f"/spaces/{uuid4()}/resources", {"kind": "room", "name": "X", "units": 1}),
    ):
        assert manager.call(method, address, json=body, etag="*").status_code == 404
