"""The VAT of a booking where the place of supply follows the customer, and what events tell the books."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from app.booking.catalogue.terms import add_price
from app.errors import Invalid
from app.network.memberships.holding import Customer
from app.network.models import Member
from app.network.parties.models import Party
from tests.booking.house import House, at
from tests.booking.plans import a_business, a_team, signed
from tests.builders import LONG_AGO, a_resource, a_unit

FOLLOWS = {"place_of_supply": "GENERAL_B2B"}
WITH_VAT = {**FOLLOWS, "includes_vat": True, "hour_tiers": [[None, 605]], "day_cents": None}


def told(house: House, made: Any, nth: int = 0) -> dict[str, Any]:
    return house.told(made.row["uid"])[nth][2]


def a_customer(house: House, **party: Any) -> Member:
    """A member who is known as a party of their own."""
    member = house.member()
    with house.building() as session:
        a_business(session, member_id=member.id, **party)
    return member


@pytest.mark.parametrize(
    ("price", "party", "amounts", "category"),
    [
        pytest.param({}, {"country": "FR"}, (1210, 1000, 210), "S", id="by default taxed where the space is"),
        pytest.param(FOLLOWS, {"country": "FR"}, (1000, 1000, 0), "AE", id="a French company owes it in France"),
        pytest.param(WITH_VAT, {"country": "FR"}, (1000, 1000, 0), "AE", id="and pays a price with VAT less it"),
        pytest.param(WITH_VAT, {"country": "BE"}, (1210, 1000, 210), "S", id="a Belgian one pays it"),
        pytest.param(FOLLOWS, {"country": "CH"}, (1000, 1000, 0), "O", id="one outside the Union"),
        pytest.param(FOLLOWS, {"country": "FR", "is_business": False}, (1210, 1000, 210), "S", id="a private person"),
        pytest.param(FOLLOWS, {"country": "FR", "vat_status": "invalid"}, (1210, 1000, 210), "S",
                     id="VIES does not know the number"),
        pytest.param(FOLLOWS, {"country": "FR", "vat_status": "unknown"}, (1210, 1000, 210), "S",
                     id="VIES did not answer"),
    ],
)  # fmt: skip
def test_the_vat_of_a_booking_follows_the_product_and_the_customer(
    house: House, price: dict[str, Any], party: dict[str, Any], amounts: tuple[int, int, int], category: str
) -> None:
    room, member = house.room(price=price), a_customer(house, **party)
    quoted = house.quote(member, room, at(9), at(11))["total"]
    made = house.book(member, room, at(9), at(11))
    fact = told(house, made)
    assert (fact["gross_cents"], fact["net_cents"], fact["vat_cents"]) == amounts
    assert (quoted["amount_cents"], quoted["net_cents"], quoted["vat_cents"]) == amounts
    assert (fact["vat"]["category"], fact["vat"]["includes_vat"]) == (category, price.get("includes_vat", False))
    assert (fact["vat"]["permille"] == 0) == (category != "S")
    assert bool(fact["vat"]["mention"]) == (category != "S")
    assert fact["vat"]["ground"]
    assert (fact["payer_id"], fact["resource_kind"]) == (None, "room")


def test_a_number_that_becomes_invalid_taxes_the_next_booking_not_the_last(house: House) -> None:
    room, member = house.room(price=FOLLOWS), a_customer(house, country="FR")
    before = house.book(member, room, at(9), at(10))
    with house.building() as session:
        session.execute(update(Party).values(vat_status="invalid"))
    after = house.book(member, room, at(10), at(11))
    assert [house.booking(made).vat_cents for made in (before, after)] == [0, 105]
    moved = house.move(before, by=member, start=at(12), end=at(13))
    assert (moved.vat_cents, told(house, before, 1)["vat"]["category"]) == (105, "S")


def test_the_company_that_pays_for_a_team_is_the_customer(house: House) -> None:
    room, member = house.room(price=FOLLOWS), a_customer(house, country="BE")
    with house.building() as session:
        company = a_business(session, country="FR")
        team = a_team(session, house.space, [member], answers=member, party=company)
        signed(session, member, house.space, team=team)
    made = house.book(member, room, at(9), at(11))
    assert (told(house, made)["payer_id"], told(house, made)["vat"]["category"]) == (str(company.uid), "AE")
    house.move(made, by=member, start=at(13), end=at(15))
    assert (told(house, made, 1)["payer_id"], told(house, made, 1)["resource_kind"]) == (str(company.uid), "room")
    with house.building() as session:
        employer = a_business(session, country="BE")
        signed(session, member, house.space, party=employer)
    assert told(house, house.book(member, room, at(9), at(10)))["payer_id"] == str(employer.uid)  # one's own first


def test_equipment_is_taxed_like_the_room_it_comes_with(house: House) -> None:
    room, member = house.room(price=FOLLOWS), a_customer(house, country="FR")
    with house.building() as session:
        projector = a_resource(session, house.space, kind="equipment", units=[a_unit(session, house.space)])
    made = house.book(member, room, at(9), at(11), extras=(projector.uid,))
    assert (made.row["gross_cents"], made.row["vat_cents"]) == (2000, 0)
    alone = house.book(member, projector, at(13), at(15))
    assert alone.row["vat_cents"] == 210


def test_a_price_of_nothing_has_its_vat_decided_too(house: House) -> None:
    room = house.room(price={"hour_tiers": [[None, 0]], "day_cents": None})
    fact = told(house, house.book(house.member(), room, at(9), at(11)))
    assert (fact["gross_cents"], fact["vat"]["category"]) == (0, "S")


def test_a_price_list_says_where_its_vat_is_due(house: House) -> None:
    room = house.room()
    values = {"valid_from": at(0, day=5).date(), "includes_vat": False, "hour_tiers": [(None, 100)]}
    with house.building() as session:
        add_price(session, house.space, room, today=LONG_AGO, **values, place_of_supply="GENERAL_B2B")
    with pytest.raises(Invalid) as refused, house.building() as session:
        add_price(session, house.space, room, today=LONG_AGO, **values, place_of_supply="ELSEWHERE")
    assert refused.value.facts["errors"][0]["field"] == "place_of_supply"
    member = a_customer(house, country="FR")
    assert told(house, house.book(member, room, at(9), at(10)))["vat"]["category"] == "S"
    assert told(house, house.book(member, room, at(9, day=5), at(10, day=5)))["vat"]["category"] == "AE"
    with house.building() as session:
        row = session.scalars(select(Party).where(Party.member_id == member.id)).one()
        assert Customer.of([str(row.uid), row.country, row.is_business, row.vat_status]).is_business
