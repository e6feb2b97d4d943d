"""March, with offices to let: who books or signs one is quoted, charged and invoiced the VAT of the law's own rows.

Each expectation was worked out by hand from the law that app/vat/lettings.py names. A booked office costs 10.00 an hour
without VAT, for two hours; one of a plan 310.00 a month, of which 30 days of 31 are 300.00.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from app.network.models import Operator
from app.vat.mentions import mention_text
from tests.booking.plans import a_business
from tests.builders import a_manager, a_member, a_space, be_company_number, siren
from tests.scenarios.conftest import Town

BARE, CENTRE = {"equipped": False}, {"equipped": True}
BY_CHOICE = {"equipped": False, "option_from": "2026-03-04"}
NOT_BE, NOT_FR = "be_letting_exempt_44", "fr_letting_exempt_261d"
NUMBERS = {"BE": be_company_number, "FR": siren}


class Let(NamedTuple):
    """How an office is let, to a business or not, on which day of March; and the VAT: permille, mention, ground."""

    letting: dict[str, Any] | None
    business: bool
    day: int
    permille: int
    mention: str | None
    ground: str


class Signed(NamedTuple):
    """The same of a plan signed on 2 March, with its last day, if one is agreed."""

    letting: dict[str, Any] | None
    business: bool
    ends_on: str | None
    permille: int
    mention: str | None
    ground: str


BOOKED = {
    "BE": [
        Let(None, False, 3, 210, None, "Arrêté royal n° 20"),  # a service, as it always was
        Let(BARE, True, 3, 210, None, "septième tiret"),  # two hours to a business: a short letting
        Let(BARE, False, 3, 0, NOT_BE, "art. 44, § 3, 2°"),  # to a private person: exempt, however short
        Let(CENTRE, False, 3, 210, None, "n° 39/2005"),  # a business centre serves: taxed, whoever comes
    ],
    "FR": [
        Let(None, False, 3, 200, None, "CGI, art. 278"),
        Let(BARE, True, 3, 0, NOT_FR, "art. 261 D, 2°"),  # bare walls: exempt, also for two hours to a business
        Let(CENTRE, True, 3, 200, None, "art. 256"),
        Let(BY_CHOICE, False, 3, 0, NOT_FR, "art. 261 D, 2°"),  # the day before the option takes effect
        Let(BY_CHOICE, False, 4, 200, None, "art. 260, 2°"),  # and the day on which it does
    ],
}
SIGNED = {
    "BE": [
        Signed(None, False, None, 210, None, "Arrêté royal n° 20"),
        Signed(BARE, True, None, 0, NOT_BE, "art. 44, § 3, 2°"),  # without an end: long
        Signed(BARE, True, "2026-09-01", 210, None, "septième tiret"),  # six months to the day
        Signed(BARE, True, "2026-09-02", 0, NOT_BE, "art. 44, § 3, 2°"),  # and a day
        Signed({**BY_CHOICE, "option_from": "2026-03-01"}, True, None, 210, None, "art. 44, § 3, 2°, d)"),
        Signed(CENTRE, False, None, 210, None, "n° 39/2005"),
    ],
    "FR": [
        Signed(BARE, True, "2026-05-31", 0, NOT_FR, "art. 261 D, 2°"),  # French law knows no short lettings
        Signed({**BY_CHOICE, "option_from": "2026-03-01"}, False, None, 200, None, "art. 260, 2°"),
        Signed(CENTRE, True, None, 200, None, "art. 256"),
    ],
}


@pytest.mark.parametrize("country", ["BE", "FR"])
def test_the_vat_of_an_office_is_the_same_from_the_quote_to_the_document(town: Town, country: str) -> None:
    town.space = a_space(town.session, country=country, postcode="7800" if country == "BE" else "44000")
    manager = town.as_(a_manager(town.session, town.space))
    operator = town.session.get_one(Operator, town.space.operator_id).uid
    told = [(case, *_booked(town, manager, case, n, country)) for n, case in enumerate(BOOKED[country])]
    told += [(case, *_signed(town, manager, operator, case, n, country)) for n, case in enumerate(SIGNED[country])]
    town.time_passes(days=6)
    town.everyone_is_told()
    town.time_passes(days=24)
    town.everyone_is_told()
    assert manager.post(f"/operators/{operator}/closed-months", json={"month": "2026-03"}).status_code == 202
    town.time_passes(minutes=1)
    for case, api, net in told:
        _is_on_the_document(api, case, net, net * case.permille // 1000)


def _customer(town: Town, case: Let | Signed, n: int, country: str) -> Any:
    member = a_member(town.session)
    if case.business:
        number = NUMBERS[country](700 + n)
        a_business(town.session, member_id=member.id, country=country, company_number=number)
    return town.as_(member)


def _booked(town: Town, manager: Any, case: Let, n: int, country: str) -> tuple[Any, int]:
    """Quoted, booked: the same price, and the same words about it."""
    office = {"kind": "office", "name": f"Office {n}", "units": 1, "letting": case.letting}
    made = manager.post(f"/spaces/{town.space.uid}/resources", json=office)
    assert made.status_code == 201, made.json
    price = {"valid_from": "2026-03-02", "includes_vat": False,
             "hour_tiers": [{"up_to_minutes": None, "cents_per_hour": 1000}]}  # fmt: skip
    assert manager.post(f"/resources/{made.json['id']}/prices", json=price).status_code == 201
    api = _customer(town, case, n, country)
    wish = {"resource_id": made.json["id"], **town.period("10:00", "12:00", days=case.day - 2)}
    quoted = api.post("/quotes", json=wish).json
    booked = api.post("/bookings", json={**wish, "quote_id": quoted["id"]})
    assert booked.status_code == 201, booked.json
    assert booked.json["price"] == quoted["total"]
    assert booked.json["letting"] == quoted["letting"] == api.get(f"/bookings/{booked.json['id']}").json["letting"]
    assert quoted["total"]["vat_cents"] == 2000 * case.permille // 1000
    if case.letting is None:
        assert quoted["letting"] is None
    else:
        _says(quoted["letting"]["vat"], case)
    return api, 2000


def _signed(town: Town, manager: Any, operator: Any, case: Signed, n: int, country: str) -> tuple[Any, int]:
    terms = {"valid_from": "2026-03-02", "price_cents": 31_000, "includes_vat": False, "letting": case.letting}
    plan = {"name": f"Office {n}", "space_id": str(town.space.uid), **terms}
    offered = manager.post(f"/operators/{operator}/plans", json=plan)
    assert offered.status_code == 201, offered.json
    [version] = offered.json["versions"]
    kept = {"option_from": None, "option_until": None, **case.letting} if case.letting else None
    assert version["letting"] == kept
    api = _customer(town, case, 100 + n, country)
    wish = {"space_id": str(town.space.uid), "plan_version_id": version["id"], "starts_on": "2026-03-02"}
    signed = api.post("/memberships", json={**wish, "ends_on": case.ends_on})
    assert signed.status_code == 201, signed.json
    return api, 30_000


def _is_on_the_document(api: Any, case: Let | Signed, net: int, vat: int) -> None:
    charge = min(api.get("/me/charges").json, key=lambda each: each["service_from"])
    assert (charge["price"]["net_cents"], charge["price"]["vat_cents"]) == (net, vat), case
    _says(charge["vat"], case)
    issued = min(api.get("/invoices").json, key=lambda each: each["number"])
    document = api.get(f"/invoices/{issued['id']}").json["document"]
    [tax] = document["taxes"]
    assert (tax["net_cents"], tax["vat_cents"]) == (net, vat), case
    _says(tax, case)
    if case.mention:
        assert mention_text(case.mention, "fr") in str(document["mentions"])


def _says(vat: dict[str, Any], case: Let | Signed) -> None:
    assert (vat["permille"], vat["mention"]) == (case.permille, case.mention), case
    assert vat["category"] == ("S" if case.permille else "E")
    assert case.ground in vat["ground"], (case, vat["ground"])
