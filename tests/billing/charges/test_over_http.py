"""Charges as bookkeepers and members meet them: lists, what staff add, what is on no document yet."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.billing import months
from app.billing.charges.models import Charge
from app.commands.billing import unbilled
from app.network.models import AuditEntry, Operator, VatRegime
from app.network.parties.models import Party
from tests.billing.charges.builders import APRIL, MARCH, a_charge, a_party, an_invoice
from tests.billing.charges.till import Till, Told
from tests.builders import a_booking, a_manager, a_member, a_pool, a_role, a_space, a_token
from tests.conftest import Clock
from tests.http.client import Client


class Office:
    """A space with a manager and a guest, and the operator's charges."""

    def __init__(self, session: Session, app: Flask, clock: Clock, **space: Any) -> None:
        self.session, self.clock = session, clock
        self.space = a_space(session, **space)
        self.operator = session.get_one(Operator, self.space.operator_id)
        self.manager, self.guest = a_manager(session, self.space), a_member(session)
        pool = a_pool(session, self.space)
        a_booking(session, pool, self.guest, start=clock.now, end=clock.now.replace(hour=12))
        self.address = f"/operators/{self.operator.uid}"
        self.books = Client(app, a_token(session, self.manager))
        self.mine = Client(app, a_token(session, self.guest))
        session.commit()

    def coffee(self, **values: Any) -> dict[str, Any]:
        """Coffee for twenty on 1 March 2026, which is yesterday: EUR 50 and VAT."""
        return {
            "member_id": str(self.guest.uid), "description": "Café", "quantity_milli": 20000, "unit_price_cents": 250,
            "service_from": "2026-03-01", **values,
        }  # fmt: skip

    def add(self, **values: Any) -> Any:
        return self.books.post(f"{self.address}/charges", json=self.coffee(**values))


@pytest.fixture
def office(session: Session, app: Flask, clock: Clock) -> Office:
    return Office(session, app, clock)


def test_what_staff_add_is_priced_with_its_vat_posted_and_seen_by_who_owes_it(office: Office) -> None:
    added = office.add().json
    assert added["price"] == {"amount_cents": 6050, "currency": "EUR", "net_cents": 5000, "vat_cents": 1050}
    assert added["vat"]["permille"] == 210 and added["vat"]["category"] == "S"
    assert (added["kind"], added["month"], added["earned_on"]) == ("manual", "2026-03", "2026-03-01")
    assert added["facts"] == {"text": "Café", "unit_price_cents": 250}
    assert added["member_id"] == str(office.guest.uid)
    assert office.mine.get("/me/charges").json == [{**added, "member_id": str(office.guest.uid)}]
    assert office.books.get(f"{office.address}/charges").json == [added]
    assert office.books.get("/me/charges").json == []
    again = office.add(member_id=None, party_id=added["party_id"])
    assert again.status_code == 201, "by now it is a customer"
    actions = office.session.scalars(select(AuditEntry.action)).all()
    assert sorted(actions) == ["charge.added", "charge.added", "charges.viewed"]


def test_a_repeated_request_charges_once(office: Office) -> None:
    send = {"json": office.coffee(), "key": "one"}
    first, second = (office.books.post(f"{office.address}/charges", **send) for _ in range(2))
    assert first.json == second.json
    assert len(office.session.scalars(select(Charge)).all()) == 1


@pytest.mark.parametrize(
    ("regime", "values", "amounts", "category"),
    [
        ("standard", {"includes_vat": True}, (5000, 4132, 868), "S"),
        ("standard", {"quantity_milli": 500, "unit_price_cents": 1001}, (606, 501, 105), "S"),
        ("small_business", {}, (5000, 5000, 0), "E"),
        ("association", {}, (5000, 5000, 0), "O"),
    ],
)
def test_vat_follows_the_operators_regime_and_rounds_half_up_once(
    office: Office, regime: str, values: dict[str, Any], amounts: tuple[int, int, int], category: str
) -> None:
    office.session.execute(update(VatRegime).values(regime=regime))
    office.session.commit()
    added = office.add(**values).json
    assert (added["price"]["amount_cents"], added["price"]["net_cents"], added["price"]["vat_cents"]) == amounts
    assert added["vat"]["category"] == category


def test_a_foreign_business_owes_the_vat_itself_where_the_product_says_so(office: Office) -> None:
    known = {"is_business": True, "vat_number": "FR16800000011", "vat_status": "valid", "country": "FR"}
    party = a_party(office.session, **known)
    a_charge(office.session, operator_id=office.operator.id, party=party)
    office.session.commit()
    named = {"member_id": None, "party_id": str(party.uid)}
    assert office.add(**named).json["vat"]["permille"] == 210, "where the space is, unless told otherwise"
    reverse = office.add(**named, place_of_supply="GENERAL_B2B").json
    assert (reverse["vat"]["category"], reverse["vat"]["mention"]) == ("AE", "reverse_charge")
    assert reverse["price"]["vat_cents"] == 0


@pytest.mark.parametrize(
    ("values", "status", "code", "field"),
    [
        ({"quantity_milli": 0}, 422, "invalid", "quantity_milli"),
        ({"quantity_milli": -1000}, 422, "invalid", "quantity_milli"),
        ({"quantity_milli": 10**12}, 422, "invalid", "quantity_milli"),
        ({"quantity_milli": 1.5}, 422, "invalid", "quantity_milli"),
        ({"unit_price_cents": -250}, 422, "invalid", "unit_price_cents"),
        ({"unit_price_cents": 0}, 422, "invalid", "quantity_milli"),
        ({"quantity_milli": 10_000_000, "unit_price_cents": 100_000}, 422, "invalid", "quantity_milli"),
        ({"description": " "}, 422, "invalid", "description"),
        ({"service_from": "2026-03-03"}, 422, "invalid", "service_until"),
        ({"service_until": "2026-02-28"}, 422, "invalid", "service_until"),
        ({"service_from": "2026-02-30"}, 422, "invalid", "service_from"),
        ({"currency": "CHF"}, 422, "currency_mismatch", None),
        ({"member_id": None}, 422, "invalid", "party_id"),
        ({"party_id": "01890a5d-ac96-774b-bcce-b302099a8057"}, 422, "invalid", "party_id"),
        ({"member_id": "01890a5d-ac96-774b-bcce-b302099a8057"}, 404, "not_found", None),
        ({"space_id": "01890a5d-ac96-774b-bcce-b302099a8057"}, 404, "not_found", None),
        ({"place_of_supply": "MOON"}, 422, "invalid", "place_of_supply"),
    ],
)
def test_what_cannot_be_is_refused_and_says_why(
    office: Office, values: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    answer = office.add(**values)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    if field:
        assert [error["field"] for error in answer.json["errors"]] == [field]
    assert office.session.scalars(select(Charge)).all() == []


def test_nothing_is_added_to_a_closed_month_nor_before_billing_began(office: Office) -> None:
    office.clock.now = datetime(2026, 4, 2, 9, tzinfo=UTC)
    months.close(office.session, office.operator.id, MARCH, office.clock.now)
    office.session.commit()
    refused = office.add()
    assert (refused.status_code, refused.json["code"]) == (409, "month_closed")
    assert (refused.json["month"], refused.json["open"]) == ("2026-03", "2026-04")
    assert office.add(service_from="2026-04-01").status_code == 201


def test_a_stranger_another_operators_manager_and_the_front_desk_add_and_see_nothing(
    office: Office, app: Flask
) -> None:
    office.add()
    desk, rival = a_member(office.session), a_manager(office.session, a_space(office.session))
    a_role(office.session, desk, "front_desk", office.space)
    office.session.commit()
    for member, status in ((a_member(office.session), 404), (rival, 404), (desk, 403)):
        office.session.commit()
        client = Client(app, a_token(office.session, member))
        office.session.commit()
        for path in ("charges", "unbilled"):
            assert client.get(f"{office.address}/{path}").status_code == status
        assert client.post(f"{office.address}/charges", json=office.coffee()).status_code == status
        assert client.get("/me/charges").json == []


def test_a_guest_of_elsewhere_is_not_charged_here(office: Office) -> None:
    stranger = a_member(office.session)
    office.session.commit()
    assert office.add(member_id=str(stranger.uid)).status_code == 404


def test_lists_are_filtered_and_come_in_pages(office: Office) -> None:
    one, other = a_party(office.session), a_party(office.session)
    for party, month in ((one, MARCH), (one, APRIL), (other, MARCH)):
        a_charge(office.session, operator_id=office.operator.id, party=party, month=month)
    document = an_invoice(office.session, operator_id=office.operator.id, party_id=other.id)
    office.session.execute(update(Charge).where(Charge.party_id == other.id).values(invoice_id=document.id))
    office.session.commit()

    def found(**query: Any) -> list[tuple[str, str]]:
        answer = office.books.get(f"{office.address}/charges", query=query)
        return [(each["party_id"], each["month"]) for each in answer.json]

    first, second = str(one.uid), str(other.uid)
    assert found() == [(second, "2026-03"), (first, "2026-04"), (first, "2026-03")]
    assert found(month="2026-04") == [(first, "2026-04")]
    assert found(party_id=second) == found(invoiced="true") == [(second, "2026-03")]
    assert found(invoiced="false", month="2026-03") == [(first, "2026-03")]
    page = office.books.get(f"{office.address}/charges", query={"limit": 2})
    following = page.headers["Link"].partition("<")[2].partition(">")[0]
    assert [each["month"] for each in office.books.get(following).json] == ["2026-03"]
    assert office.books.get(f"{office.address}/charges", query={"month": "2026-13"}).status_code == 422


def test_what_is_on_no_document_yet_is_summed_by_month_party_and_kind(
    office: Office, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    party = a_party(office.session, name="Atelier")
    owed = {"operator_id": office.operator.id, "party": party}
    for values in ({}, {"net": -2000}, {"kind": "booking"}, {"month": APRIL, "net": -100}):
        a_charge(office.session, **owed, **values)
    document = an_invoice(office.session, operator_id=office.operator.id, party_id=party.id)
    for done in ({"invoice_id": document.id}, {"settled_at": office.clock.now}):
        a_charge(office.session, **owed, **done)
    office.session.commit()
    report = office.books.get(f"{office.address}/unbilled").json
    assert [(each["month"], each["party"], each["kind"], each["charges"]) for each in report["lines"]] == [
        ("2026-03", "Atelier", "booking", 1),
        ("2026-03", "Atelier", "manual", 2),
        ("2026-04", "Atelier", "manual", 1),
    ]
    assert report["totals"] == [{"amount_cents": 21659, "currency": "EUR", "net_cents": 17900, "vat_cents": 3759}]
    march = office.books.get(f"{office.address}/unbilled", query={"until": "2026-03"}).json
    assert march["totals"][0]["amount_cents"] == 21780
    monkeypatch.setenv("DATABASE_URL", database_url)
    said = CliRunner().invoke(unbilled, ["--operator", str(office.operator.uid)])
    assert said.exit_code == 0
    assert said.stdout.splitlines()[-1].split("\t")[1:] == [
        "2026-04", "Atelier", "manual", "1", "-1.00", "-0.21", "-1.21", "EUR",
    ]  # fmt: skip
    assert f"{office.operator.name}: 4 charges of 216.59 on no document yet" in said.stderr


def test_a_members_own_bookings_are_on_their_account_before_any_invoice(session: Session, app: Flask) -> None:
    till = Till(session)
    booking = Told(till).made()
    Told(till).made(payer_id=str(a_party(session).uid))
    token = a_token(session, till.member)
    session.commit()
    (mine,) = Client(app, token).get("/me/charges").json
    assert (mine["kind"], mine["subject_id"], mine["price"]["amount_cents"]) == ("booking", str(booking.uid), 3025)
    assert session.scalars(select(Party.member_id).where(Party.member_id.is_not(None))).all() == [till.member.id]
    assert mine["service_from"] == date(2026, 3, 10).isoformat()
