"""Documents over HTTP: whose they are, what they are written in, and who may issue, correct and close."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.orm import Session, sessionmaker

from app.billing.papers.press import Press
from app.db import TenantSession
from app.network.models import Operator
from app.network.parties.models import Party
from tests.billing.charges.builders import a_charge
from tests.billing.invoices.house import an_invoice
from tests.builders import a_manager, a_member, a_space, a_token
from tests.conftest import Clock
from tests.http.client import Client

PDF = "application/pdf"


class House:
    """A space whose member owes EUR 100 and has an invoice of as much; its manager; another space's manager."""

    def __init__(self, app: Flask, session: Session, clock: Clock) -> None:
        self.space = a_space(session)
        self.member = a_member(session)
        self.invoice = an_invoice(session, self.space, self.member, now=clock.now)
        self.party = session.get_one(Party, self.invoice.party_id)
        self.charge = a_charge(session, operator_id=self.space.operator_id, party=self.party, space_id=self.space.id)
        self.operator = session.get_one(Operator, self.space.operator_id)
        self.api = {
            "member": Client(app, a_token(session, self.member)),
            "manager": Client(app, a_token(session, a_manager(session, self.space))),
            "stranger": Client(app, a_token(session, a_manager(session, a_space(session)))),
        }
        session.commit()


@pytest.fixture
def house(app: Flask, session: Session, clock: Clock) -> House:
    return House(app, session, clock)


def test_a_member_sees_their_own_documents_and_who_keeps_the_books_all(house: House) -> None:
    (mine,) = house.api["member"].get("/invoices").json
    assert (mine["number"], mine["status"], mine["open_cents"]) == ("ATH-2026-000001", "finalised", 12100)
    assert mine["total"] == {"amount_cents": 12100, "currency": "EUR", "net_cents": 10000, "vat_cents": 2100}
    books = {"operator_id": str(house.operator.uid)}
    assert [each["id"] for each in house.api["manager"].get("/invoices", query=books).json] == [mine["id"]]
    assert house.api["manager"].get("/invoices").json == []
    assert house.api["member"].get("/invoices", query=books).status_code == 404
    assert house.api["stranger"].get("/invoices", query=books).status_code == 404
    assert house.api["stranger"].get(f"/invoices/{mine['id']}").status_code == 404


def test_lists_come_in_pages(house: House, session: Session, clock: Clock) -> None:
    for _ in range(2):
        an_invoice(session, house.space, house.member, now=clock.now)
    session.commit()
    first = house.api["member"].get("/invoices", query={"limit": 2})
    following = first.headers["Link"].split(";")[0].strip("<>")
    rest = house.api["member"].get(following)
    numbers = [each["number"][-1] for each in [*first.json, *rest.json]]
    assert numbers == ["3", "2", "1"] and "Link" not in rest.headers


def test_a_document_is_what_was_finalised_with_where_it_stands(house: House, clock: Clock) -> None:
    path = f"/invoices/{house.invoice.uid}"
    found = house.api["member"].get(path).json
    assert found["document"]["format"] == "passerelle.document/1"
    assert found["document"]["totals"]["gross_cents"] == found["total"]["amount_cents"]
    assert found["hash"] == house.invoice.hash
    clock.now = datetime(2026, 4, 1, 22, 1, tzinfo=UTC)  # due on the 1st; past midnight in Brussels
    assert house.api["member"].get(path).json["status"] == "overdue"


def test_what_it_is_written_in_is_for_accept_to_say(
    house: House, make_session: sessionmaker[TenantSession], app: Flask, clock: Clock
) -> None:
    path = f"/invoices/{house.invoice.uid}"
    refused = house.api["member"].get(path, headers={"Accept": "text/html"})
    assert (refused.status_code, refused.json["code"]) == (406, "not_acceptable")
    assert "application/pdf" in refused.json["remedy"]
    waiting = house.api["member"].get(path, headers={"Accept": PDF})
    assert (waiting.status_code, waiting.headers["Retry-After"]) == (503, "3")
    home = Path(app.extensions["passerelle"].config.home)
    Press(make_session, home, clock=clock).draw_due()
    found = house.api["member"].get(path, headers={"Accept": PDF})
    assert (found.mimetype, found.data[:5]) == (PDF, b"%PDF-")
    assert house.api["member"].get(path, headers={"Accept": f"{PDF};q=0.1, */*"}).mimetype == "application/json"


def test_a_credit_note_over_http_once_for_a_key(house: House) -> None:
    path, body = f"/invoices/{house.invoice.uid}/credit-notes", {"lines": [{"no": 1, "percent": 25}], "reason": "Froid"}
    made = house.api["manager"].post(path, json=body, key="one")
    assert (made.status_code, made.json["kind"], made.json["total"]["net_cents"]) == (201, "credit_note", 2500)
    assert made.json["corrects_id"] == str(house.invoice.uid)
    assert house.api["manager"].post(path, json=body, key="one").json == made.json
    assert house.api["manager"].post(path, json=body, key="two").json["code"] == "credited_already"
    assert house.api["manager"].post(path, json={"lines": [{"no": 1, "amount_cents": 7501}]}).json["left_cents"] == 7500
    for wrong in ({"no": 1}, {"no": 1, "percent": 5, "amount_cents": 5}, {"no": 0, "percent": 5}):
        assert house.api["manager"].post(path, json={"lines": [wrong]}).status_code == 422
    assert house.api["member"].post(path, json=body).status_code == 404
    assert house.api["manager"].post(path, json={}).status_code == 201
    assert house.api["member"].get(f"/invoices/{house.invoice.uid}").json["status"] == "paid"


def test_an_invoice_at_once_over_http(house: House) -> None:
    path, body = f"/operators/{house.operator.uid}/invoices", {"party_id": str(house.party.uid), "terms_days": 8}
    assert house.api["member"].post(path, json=body).status_code == 404
    (made,) = house.api["manager"].post(path, json=body).json
    assert (made["kind"], made["total"]["net_cents"]) == ("now", 10000)
    assert house.api["manager"].post(path, json=body).json["code"] == "nothing_to_invoice"


def test_a_month_is_closed_over_http(house: House, clock: Clock) -> None:
    path, body = f"/operators/{house.operator.uid}/closed-months", {"month": "2026-03"}
    early = house.api["manager"].post(path, json=body)
    assert (early.status_code, early.json["code"]) == (409, "month_not_over")
    assert "after 2026-03-31T22:15:00+00:00" in early.json["remedy"]
    clock.now = datetime(2026, 4, 2, tzinfo=UTC)
    closed = house.api["manager"].post(path, json=body)
    assert (closed.status_code, closed.json) == (202, {"month": "2026-03", "closed_before": False, "open_charges": 1})
    assert house.api["manager"].post(path, json=body).json["closed_before"]
    assert house.api["manager"].post(path, json={"month": "2026-13"}).status_code == 422
    assert house.api["member"].post(path, json=body).status_code == 404


def test_whose_books_one_keeps_and_what_documents_say(house: House) -> None:
    (kept,) = house.api["manager"].get("/operators").json
    assert (kept["id"], [space["id"] for space in kept["spaces"]]) == (str(house.operator.uid), [str(house.space.uid)])
    assert house.api["member"].get("/operators").json == []
    path = f"/operators/{house.operator.uid}/letterhead"
    assert house.api["manager"].get(path).json["prefix"] == "ATH"
    chosen = {"prefix": "CWA", "street": "Rue Haute 1", "postcode": "7800", "town": "Ath", "terms_days": 14}
    assert house.api["manager"].put(path, json=chosen).json == {**chosen, "by_mail": True}
    by_hand = {**chosen, "by_mail": False}
    assert house.api["manager"].put(path, json=by_hand).json == by_hand
    assert house.api["manager"].get(path).json == by_hand
    assert house.api["stranger"].put(path, json=chosen).status_code == 404
    assert house.api["manager"].put(path, json={**chosen, "prefix": "a-b"}).status_code == 422
