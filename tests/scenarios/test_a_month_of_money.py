"""March in Ath: Ana signs a plan, books, cancels late; the month closes; what she is asked for is right to the cent.

Plan: 100.00 a month without VAT, two hours of room in it. Room: 15.00 an hour without VAT. VAT 21 %.
"""

from __future__ import annotations

from typing import Any

from app.network.models import Operator
from tests.builders import a_manager, a_member, a_room
from tests.scenarios.conftest import Town

HALF_KEPT = [[24, 0], [0, 50]]


def lines(document: dict[str, Any]) -> list[tuple[str, str, int]]:
    """As the stored content has them."""
    return [(line["kind"], line["service_from"][5:], line["net_cents"]) for line in document["document"]["lines"]]


def test_a_month_is_signed_used_closed_asked_for_and_partly_taken_back(town: Town) -> None:
    room = a_room(
        town.session,
        town.space,
        rules={"cancellation": HALF_KEPT},
        price={"hour_tiers": [[None, 1500]], "day_cents": None},
    )
    ana, manager = town.as_(a_member(town.session)), town.as_(a_manager(town.session, town.space))
    operator = town.session.get_one(Operator, town.space.operator_id).uid
    terms = {"valid_from": "2026-03-02", "price_cents": 10_000, "includes_vat": False}
    credits = [{"kind": "room", "unit": "minutes", "amount": 120}]
    offered = manager.post(
        f"/operators/{operator}/plans",
        json={"name": "Mi-temps", "space_id": str(town.space.uid), **terms, "credits": credits},
    ).json
    wish = {"space_id": str(town.space.uid), "plan_version_id": offered["versions"][0]["id"], "starts_on": "2026-03-02"}
    assert ana.post("/memberships", json=wish).status_code == 201

    def book(start: str, end: str, days: int) -> dict[str, Any]:
        body = {"resource_id": str(room.uid), **town.period(start, end, days=days)}
        answer = ana.post("/bookings", json=body)
        assert answer.status_code == 201, answer.json
        return dict(answer.json)

    by_credit, by_money = book("10:00", "12:00", 1), book("12:00", "14:00", 1)
    assert [part["source"] for part in by_credit["cover"]] == ["credit"]
    assert [(part["source"], part["amount"]["amount_cents"]) for part in by_money["cover"]] == [("money", 3_630)]
    late = book("10:00", "12:00", 9)
    town.time_passes(days=8, hours=12)
    assert ana.delete(f"/bookings/{late['id']}", etag="*").json["fee"]["amount_cents"] == 1_815
    in_april = book("10:00", "12:00", 27)  # 6 April: that month's credits
    also_in_april = book("12:00", "13:00", 27)
    town.everyone_is_told()

    early = manager.post(f"/operators/{operator}/closed-months", json={"month": "2026-03"})
    assert (early.status_code, early.json["code"]) == (409, "month_not_over")
    town.time_passes(days=22)
    town.everyone_is_told()
    assert manager.post(f"/operators/{operator}/closed-months", json={"month": "2026-03"}).status_code == 202
    town.time_passes(minutes=1)
    [asked] = ana.get("/invoices").json
    document = ana.get(f"/invoices/{asked['id']}").json
    # 30 of 31 days, two hours of room, half of two hours: 96.77 + 30.00 + 15.00 = 141.77; 21 % is 29.7717.
    assert lines(document) == [
        ("membership", "03-02", 9_677),
        ("booking", "03-03", 3_000),
        ("booking", "03-11", 3_000),
        ("booking", "03-11", -1_500),
    ]
    assert document["document"]["totals"] == {
        "net_cents": 14_177, "vat_cents": 2_977, "gross_cents": 17_154, "due_cents": 17_154,
    }  # fmt: skip
    again = manager.post(f"/operators/{operator}/closed-months", json={"month": "2026-03"}).json
    assert (again["closed_before"], len(ana.get("/invoices").json)) == (True, 1)

    # April's fee and the hour of room on 6 April are asked for at once; then she calls the room off in time.
    party = document["document"]["buyer"]["id"]
    [prepaid] = manager.post(f"/operators/{operator}/invoices", json={"party_id": party}).json
    assert prepaid["total"]["amount_cents"] == 12_100 + 1_815
    for booking in (in_april, also_in_april):
        assert ana.delete(f"/bookings/{booking['id']}", etag="*").json["fee"]["amount_cents"] == 0
    town.everyone_is_told()
    town.time_passes(days=31)
    assert manager.post(f"/operators/{operator}/closed-months", json={"month": "2026-04"}).status_code == 202
    town.time_passes(minutes=1)
    [taken_back] = [each for each in ana.get("/invoices").json if each["kind"] == "credit_note"]
    assert taken_back["total"] == {"amount_cents": 1_815, "currency": "EUR", "net_cents": 1_500, "vat_cents": 315}

    returned = manager.get(f"/operators/{operator}/vat-return", query={"from": "2026-01-01", "to": "2026-12-31"}).json
    boxes = {each["box"]: each["amount_cents"] for each in returned["boxes"] if each["amount_cents"]}
    assert boxes == {"03": 14_177 + 11_500, "54": 2_977 + 2_415, "49": 1_500, "64": 315}
