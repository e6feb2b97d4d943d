"""An office let by a membership: its VAT follows what was agreed to, not what became of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.billing.charges.models import Charge
from app.billing.charges.recording import charge_membership
from app.events.envelope import read
from app.events.models import OutboxRow
from app.network.memberships.changing import NOW, change_plan
from app.network.memberships.ending import end_membership
from app.network.memberships.extending import extend_membership
from app.network.memberships.lettings import agreed_ends, agreed_on
from app.network.models import Operator
from app.network.parties.models import Party
from tests.booking.plans import a_business
from tests.builders import a_manager, a_space, a_token
from tests.http.client import Client
from tests.network.memberships.signing import House, a_house, a_plan, at, d

LET = {"letting_equipped": False}
TERMS = {"valid_from": "2026-03-02", "price_cents": 10_000, "includes_vat": False}


@pytest.mark.parametrize(
    ("agreed", "ends_on", "becomes", "expected", "why"),
    [
        (None, None, "2026-06-30", [["2026-01-01", None]], "notice: what was agreed was without an end"),
        (None, "2026-12-31", "2026-06-30", [["2026-01-01", "2026-12-31"]], "notice of what was agreed for a year"),
        (None, "2026-03-31", "2026-06-30", [["2026-01-01", "2026-03-31"], ["2026-04-01", "2026-06-30"]], "longer"),
        (None, "2026-03-31", None, [["2026-01-01", "2026-03-31"], ["2026-04-01", None]], "until further notice"),
        ([["2026-01-01", None]], "2026-03-31", "2026-04-30", [["2026-01-01", None], ["2026-04-01", None]], "once long"),
        ([["2026-01-01", "2026-12-31"]], "2026-03-31", "2026-04-30",
         [["2026-01-01", "2026-12-31"], ["2026-04-01", "2026-12-31"]], "never short again"),
    ],
)  # fmt: skip
def test_what_was_agreed_to_is_remembered(
    agreed: Any, ends_on: str | None, becomes: str | None, expected: Any, why: str
) -> None:
    last = d(ends_on) if ends_on else None
    membership: Any = SimpleNamespace(starts_on=d("2026-01-01"), ends_on=last, agreed_ends=agreed)
    assert agreed_ends(membership, d(becomes) if becomes else None) == expected, why
    membership.agreed_ends = expected
    assert agreed_on(membership, d("2026-02-01")) == (d(expected[0][1]) if expected[0][1] else None)


def categories(house: House, membership: Any) -> list[tuple[str, str, str]]:
    return [(line["kind"], line["from_day"][5:], line["vat"]["category"]) for line in house.lines(membership)]


def a_let_office(session: Session, **terms: Any) -> House:
    house = a_house(session, terms={**LET, **terms})
    a_business(session, member_id=house.member.id, country="BE")
    return house


def test_a_short_letting_that_goes_on_is_exempt_from_then(session: Session) -> None:
    house = a_let_office(session)
    signed = house.sign("2026-01-01", ends_on="2026-03-31")
    extend_membership(session, house.lock(signed), until=d("2026-09-30"), now=at("2026-01-20"))
    for month in ("2026-02-01", "2026-03-01", "2026-04-01"):
        house.tick(signed, month)
    assert [category for _, _, category in categories(house, signed)] == ["S", "S", "S", "E"]


def test_a_long_letting_given_up_early_is_no_short_one_and_is_owed_back_as_it_was_asked(session: Session) -> None:
    house = a_let_office(session)
    signed = house.sign("2026-01-01")
    end_membership(session, house.lock(signed), last_day=d("2026-01-15"), by_staff=True, now=at("2026-01-10"))
    assert categories(house, signed) == [("cycle", "01-01", "E"), ("adjustment", "01-16", "E")]


def test_a_number_that_turns_invalid_leaves_the_vat_that_was_charged_on_what_is_owed_back(session: Session) -> None:
    house = a_let_office(session)
    signed = house.sign("2026-01-01", ends_on="2026-03-31")
    session.execute(update(Party).values(vat_status="invalid"))
    end_membership(session, house.lock(signed), last_day=d("2026-01-15"), by_staff=True, now=at("2026-01-10"))
    assert categories(house, signed) == [("cycle", "01-01", "S"), ("adjustment", "01-16", "E")]
    told = select(OutboxRow.envelope).where(OutboxRow.type == "membership.charged").order_by(OutboxRow.seq)
    for envelope in session.scalars(told).all():
        charge_membership(session, read(envelope), now=at("2026-01-10"))
    fee, back = session.scalars(select(Charge).order_by(Charge.id)).all()
    assert (back.corrects_id, back.vat_permille, back.net_cents) == (fee.id, 210, -5161)  # 16 of 31 days of 10,000
    assert fee.vat_cents + back.vat_cents == 1016, "21 % of 48.39"


def test_a_letting_begins_when_its_plan_is_followed(session: Session) -> None:
    house = a_house(session)
    a_business(session, member_id=house.member.id, country="BE")
    signed = house.sign("2026-01-01", ends_on="2026-12-31")  # a desk: a service
    office = a_plan(session, house.space, **LET)
    change_plan(session, house.lock(signed), version=office, when=NOW, now=at("2026-07-01"))
    lines = house.lines(signed)
    assert {line["from_day"]: line["vat"]["category"] for line in lines if line["net_cents"] > 0}["2026-07-01"] == "S"
    assert house.lock(signed).timeline.version_on(d("2026-07-01")) == office.id


def test_where_a_country_has_more_than_one_rate_the_space_s_own_is_charged(session: Session) -> None:
    house = a_house(session, country="FR", postcode="97400", terms={"letting_equipped": True})
    [fee] = house.lines(house.sign("2026-01-01"))
    assert (fee["net_cents"], fee["vat_cents"], fee["vat"]["permille"]) == (10_000, 850, 85)  # CGI, art. 296, 1°, b


def test_terms_of_letting_that_nobody_could_tax_are_refused_by_name(app: Flask, session: Session) -> None:
    space, elsewhere = a_space(session), a_space(session, country="LU", timezone="Europe/Luxembourg")
    managers = {each.id: Client(app, a_token(session, a_manager(session, each))) for each in (space, elsewhere)}
    operators = {each.id: session.get_one(Operator, each.operator_id).uid for each in (space, elsewhere)}
    session.commit()
    for there, letting, saying in (
        (space, {"equipped": True, "option_from": "2026-01-01"}, "taxed anyway"),
        (space, {"equipped": False, "option_until": "2026-01-01"}, "give option_from"),
        (space, {"equipped": False, "option_from": "2026-02-01", "option_until": "2026-02-01"}, "must be after"),
        (elsewhere, {"equipped": False}, "known for BE, FR only"),
    ):
        manager = managers[there.id]
        plan = {"name": "Office", "space_id": str(there.uid), **TERMS, "letting": letting}
        office = {"kind": "office", "name": "Office", "units": 1, "letting": letting}
        for answer in (
            manager.post(f"/operators/{operators[there.id]}/plans", json=plan),
            manager.post(f"/spaces/{there.uid}/resources", json=office),
        ):
            assert answer.status_code == 422, (letting, answer.json)
            [error] = answer.json["errors"]
            assert (error["field"], saying in error["message"]) == ("letting", True), error
    manager, resources = managers[space.id], f"/spaces/{space.uid}/resources"
    refused = manager.post(resources, json={"kind": "room", "name": "Room", "units": 1, "letting": {"equipped": True}})
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "letting")
    made = manager.post(resources, json={"kind": "office", "name": "Office", "units": 1})
    assert made.json["letting"] is None, "a service, unless it is said to be let"
    path, let = f"/resources/{made.json['id']}", {"equipped": False, "option_from": "2026-05-01", "option_until": None}
    assert manager.patch(path, json={"letting": let}, etag="*").json["letting"] == let
    assert manager.patch(path, json={"name": "Bureau"}, etag="*").json["letting"] == let
    assert manager.patch(path, json={"letting": None}, etag="*").json["letting"] is None
