"""Money at the desk over HTTP: it pays, it is shown, it is counted, and it is closed with the day."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.billing.payments.models import Payment, PaymentAccount
from app.network.models import Operator
from app.network.parties.models import Party
from tests.billing.invoices.house import an_invoice
from tests.billing.payments.counter import on_account
from tests.builders import a_manager, a_member, a_space, a_token
from tests.conftest import Clock
from tests.http.client import Client


class House:
    """A space whose member has an invoice of EUR 121; its manager; another space's manager."""

    def __init__(self, app: Flask, session: Session, clock: Clock) -> None:
        self.session = session
        self.space = a_space(session)
        self.member = a_member(session)
        self.invoice = an_invoice(session, self.space, self.member, now=clock.now)
        self.party = session.get_one(Party, self.invoice.party_id)
        self.operator = session.get_one(Operator, self.space.operator_id)
        self.member_api = Client(app, a_token(session, self.member))
        self.manager = Client(app, a_token(session, a_manager(session, self.space)))
        self.stranger = Client(app, a_token(session, a_manager(session, a_space(session))))
        session.commit()

    @property
    def path(self) -> str:
        return f"/operators/{self.operator.uid}"

    def take(self, cents: int, *invoices: Invoice, kind: str = "cash", **body: Any) -> Any:
        named = {"invoice_ids": [str(invoice.uid) for invoice in invoices]}
        return self.manager.post(f"{self.path}/receipts", json={"kind": kind, "amount_cents": cents, **named, **body})

    def invoice_now(self) -> Any:
        return self.member_api.get(f"/invoices/{self.invoice.uid}").json

    def account(self, name: str) -> int:
        found = on_account(self.session, self.space, name)
        self.session.rollback()
        return found


@pytest.fixture
def house(app: Flask, session: Session, clock: Clock) -> House:
    return House(app, session, clock)


def test_cash_at_the_desk_pays_an_invoice(house: House) -> None:
    taken = house.take(12100, house.invoice)
    assert (taken.status_code, taken.json["state"], taken.json["settled_cents"]) == (201, "settled", 12100)
    assert [(paid["number"], paid["amount_cents"]) for paid in taken.json["pays"]] == [(house.invoice.number, 12100)]
    shown = house.invoice_now()
    assert (shown["status"], shown["open_cents"], shown["paid_cents"]) == ("paid", 0, 12100)
    assert [(paid["payment_id"], paid["kind"], paid["amount_cents"]) for paid in shown["payments"]] == [
        (taken.json["id"], "cash", 12100)
    ]
    assert (house.account("cash"), house.account("receivable")) == (12100, 0)
    assert house.take(12100, house.invoice).json["code"] == "wrong_state"


def test_what_is_left_over_is_credit_that_a_person_sees_and_closes_once(house: House) -> None:
    taken = house.take(15000, house.invoice, kind="terminal").json
    assert (taken["credit_cents"], house.account("payments_in_transit")) == (2900, 15000)
    (task,) = house.manager.get(f"{house.path}/money-tasks").json
    assert (task["kind"], task["amount_cents"], task["payment_id"]) == ("overpaid", 2900, taken["id"])
    path = f"{house.path}/money-tasks/{task['id']}"
    assert house.manager.get(path).json == task
    closed = house.manager.post(f"{path}/closing", json={"note": "Gardé pour la prochaine"})
    assert (closed.status_code, closed.json["note"]) == (200, "Gardé pour la prochaine")
    assert house.manager.post(f"{path}/closing", json={"note": "Gardé pour la prochaine"}).json == closed.json
    assert house.manager.post(f"{path}/closing", json={"note": "Autre chose"}).json["code"] == "wrong_state"
    assert house.manager.get(f"{house.path}/money-tasks").json == []
    assert [each["id"] for each in house.manager.get(f"{house.path}/money-tasks", query={"state": "closed"}).json] == [
        task["id"]
    ]


def test_nobody_takes_money_for_others_or_looks_at_it(house: House) -> None:
    taken = house.take(100, house.invoice).json
    receipt = {"kind": "cash", "amount_cents": 100, "invoice_ids": [str(house.invoice.uid)]}
    for api in (house.member_api, house.stranger):
        assert api.post(f"{house.path}/receipts", json=receipt).status_code == 404
        assert api.get(f"{house.path}/money-tasks").status_code == 404
        assert api.get("/payments", query={"operator_id": str(house.operator.uid)}).status_code == 404
        assert api.post(f"/payments/{taken['id']}/refunds", json={"reason": "x"}).status_code == 404
    assert house.stranger.get(f"/payments/{taken['id']}").status_code == 404
    assert house.stranger.get("/payments").json == []
    assert [each["id"] for each in house.member_api.get("/payments").json] == [taken["id"]]
    assert house.manager.get("/payments").json == []
    found = house.manager.get("/payments", query={"operator_id": str(house.operator.uid), "kind": "cash"}).json
    assert [each["id"] for each in found] == [taken["id"]]


@pytest.mark.parametrize(
    "body, field",
    [
        ({"kind": "card", "amount_cents": 5}, "kind"),
        ({"kind": "cash", "amount_cents": 0}, "amount_cents"),
        ({"kind": "cash", "amount_cents": 5}, "party_id"),
    ],
)
def test_a_receipt_that_cannot_be_names_the_field(house: House, body: dict[str, Any], field: str) -> None:
    refused = house.manager.post(f"{house.path}/receipts", json=body)
    assert (refused.status_code, [error["field"] for error in refused.json["errors"]]) == (422, [field])
    assert house.account("cash") == 0


def test_a_drawer_has_a_float_what_came_and_a_count(house: House, clock: Clock) -> None:
    opened = house.manager.post(f"{house.path}/cash-drawers", json={"opening_cents": 5000}).json
    house.take(12100, house.invoice)
    assert house.account("cash") == 17100
    path = f"{house.path}/cash-drawers/{opened['id']}/count"
    counted = house.manager.post(path, json={"counted_cents": 17000, "note": "Un billet manque"}).json
    assert (counted["expected_cents"], counted["difference_cents"]) == (17100, -100)
    assert (house.account("cash"), house.account("cash_differences")) == (17000, 100)
    assert [task["kind"] for task in house.manager.get(f"{house.path}/money-tasks").json] == ["drawer_difference"]
    assert house.manager.post(path, json={"counted_cents": 17000}).status_code == 200
    assert house.manager.post(path, json={"counted_cents": 17001}).json["code"] == "drawer_counted"
    assert house.take(1, party_id=str(house.party.uid)).json["code"] == "drawer_counted"
    clock.now += timedelta(days=1)
    assert house.take(1, party_id=str(house.party.uid)).status_code == 201
    today, _ = house.manager.get(f"{house.path}/cash-drawers").json
    assert (today["opening_cents"], today["moved_cents"], house.account("cash")) == (17000, 1, 17001)


def test_cash_is_given_back_out_of_the_drawer_when_a_person_says_so(house: House) -> None:
    taken = house.take(15000, house.invoice).json
    path = f"/payments/{taken['id']}/refunds"
    refund = house.manager.post(path, json={"amount_cents": 2900, "reason": "Trop perçu"}).json
    assert (refund["state"], house.invoice_now()["status"]) == ("requested", "paid")
    tasks = {task["kind"]: task for task in house.manager.get(f"{house.path}/money-tasks").json}
    given = f"{house.path}/money-tasks/{tasks['refund_by_hand']['id']}/closing"
    assert house.manager.post(given, json={"note": "Rendu"}).status_code == 200
    (drawer,) = house.manager.get(f"{house.path}/cash-drawers").json
    assert (drawer["expected_cents"], house.account("cash")) == (12100, 12100)
    shown = house.manager.get(f"/payments/{taken['id']}").json
    assert (shown["refunded_cents"], shown["credit_cents"], shown["refunds"][0]["state"]) == (2900, 0, "settled")
    refused = house.manager.post(path, json={"amount_cents": 12101, "reason": "Trop"})
    assert (refused.json["code"], refused.json["left_cents"]) == ("refund_too_high", 12100)
    assert house.manager.post(path, json={"reason": "Tout"}).json["amount_cents"] == 12100
    assert house.invoice_now()["open_cents"] == 12100


def test_what_was_not_given_back_after_all_is_credit_again(house: House) -> None:
    taken = house.take(15000, house.invoice).json
    house.manager.post(f"/payments/{taken['id']}/refunds", json={"amount_cents": 2900, "reason": "Trop perçu"})
    tasks = {task["kind"]: task for task in house.manager.get(f"{house.path}/money-tasks").json}
    path = f"{house.path}/money-tasks/{tasks['refund_by_hand']['id']}/closing"
    assert house.manager.post(path, json={"note": "Il préfère le garder", "done": False}).status_code == 200
    shown = house.manager.get(f"/payments/{taken['id']}").json
    assert (shown["credit_cents"], shown["refunds"][0]["state"], house.account("cash")) == (2900, "failed", 15000)


def test_without_a_provider_a_payer_is_told_how_to_transfer(house: House) -> None:
    asked = {"invoice_ids": [str(house.invoice.uid)], "mode": "hosted", "return_url": "https://ath.example/paid"}
    refused = house.member_api.post("/payments", json=asked)
    assert (refused.status_code, refused.json["code"]) == (409, "pay_by_transfer")
    (transfer,) = refused.json["transfers"]
    assert (transfer["amount_cents"], transfer["communication"]) == (12100, house.invoice.communication)
    assert (transfer["iban"], transfer["holder"]) == (house.operator.iban, house.operator.name)
    assert house.stranger.post("/payments", json=asked).status_code == 404
    assert house.manager.post("/payments", json=asked).json["code"] == "not_allowed"
    assert house.member_api.post("/payments", json={"mode": "hosted"}).status_code == 422


def test_who_keeps_the_books_says_how_the_operator_is_paid(house: House) -> None:
    path = f"{house.path}/payment-account"
    assert house.manager.get(path).json["provider_mode"] == "none"
    wanted = {"holder": "Ath SRL", "bic": "GKCCBEBB", "creditor_identifier": "BE69ZZZ0123456789"}
    refused = house.manager.put(path, json=wanted)
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "creditor_identifier")
    chosen = house.manager.put(path, json={**wanted, "creditor_identifier": None})
    assert (chosen.status_code, chosen.json["bic"], chosen.json["iban"]) == (200, "GKCCBEBB", house.operator.iban)
    assert house.manager.get(path).json == chosen.json
    refused = house.manager.put(path, json={**wanted, "creditor_identifier": None, "provider_mode": "own"})
    assert (refused.status_code, refused.json["code"]) == (403, "not_allowed")
    assert house.stranger.get(path).status_code == 404


@pytest.fixture
def online(app: Flask, house: House) -> House:
    """The house, whose payments a provider takes; nobody asks it here."""
    own = app.extensions["passerelle"]
    app.extensions["passerelle"] = replace(own, config=replace(own.config, stripe_api_key="sk_test_nobody"))
    house.session.add(PaymentAccount(operator_id=house.operator.id, provider_mode="own"))
    house.session.commit()
    return house


def test_a_payer_who_asks_twice_goes_on_with_what_was_begun(online: House) -> None:
    asked = {"invoice_ids": [str(online.invoice.uid)], "mode": "present"}
    begun = online.member_api.post("/payments", json=asked)
    assert (begun.status_code, begun.json["state"], begun.json["amount_cents"]) == (201, "requested", 12100)
    assert online.member_api.post("/payments", json=asked).json["id"] == begun.json["id"]
    other = online.member_api.post("/payments", json={**asked, "kind": "bancontact"})
    assert (other.json["code"], other.json["payment_id"]) == ("payment_running", begun.json["id"])
    early = online.member_api.get(f"/payments/{begun.json['id']}/next-step")
    assert (early.status_code, early.json["code"]) == (409, "wrong_state")
    assert online.manager.get(f"/payments/{begun.json['id']}/next-step").status_code == 404
    payment = online.session.scalars(select(Payment)).one()
    payment.state, payment.failed_at = "failed", payment.requested_at
    online.session.commit()
    again = online.member_api.post("/payments", json={**asked, "kind": "bancontact"})
    assert (again.status_code, again.json["kind"]) == (201, "bancontact")
    online.take(12100, online.invoice)
    assert online.member_api.post("/payments", json=asked).json["code"] == "wrong_state"


def test_an_advance_is_for_an_operator_and_a_hosted_page_comes_back_somewhere(online: House) -> None:
    asked = {"operator_id": str(online.operator.uid), "amount_cents": 5000, "mode": "hosted"}
    refused = online.member_api.post("/payments", json=asked)
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "return_url")
    for wrong in ("http://ath.example/paid", "javascript:alert(1)"):
        assert online.member_api.post("/payments", json={**asked, "return_url": wrong}).status_code == 422
    taken = online.member_api.post("/payments", json={**asked, "return_url": "https://ath.example/paid"})
    assert (taken.status_code, taken.json["amount_cents"], taken.json["pays"]) == (201, 5000, [])


def test_a_means_of_payment_is_saved_listed_and_revoked_by_whose_it_is(online: House) -> None:
    wanted = {"operator_id": str(online.operator.uid), "kind": "sepa_debit", "mode": "present", "automatic": True}
    saved = online.member_api.post("/payment-methods", json=wanted)
    assert (saved.status_code, saved.json["state"], saved.json["automatic"]) == (201, "pending", True)
    assert [each["id"] for each in online.member_api.get("/payment-methods").json] == [saved.json["id"]]
    path = f"/payment-methods/{saved.json['id']}"
    for api in (online.manager, online.stranger):
        assert api.get("/payment-methods").json == [] and api.delete(path).status_code == 404
    assert online.member_api.get(f"{path}/next-step").json["code"] == "wrong_state"
    for _ in range(2):
        assert online.member_api.delete(path).status_code == 204
    assert online.member_api.get("/payment-methods").json == []


def test_without_a_provider_nothing_is_saved(house: House) -> None:
    wanted = {"operator_id": str(house.operator.uid), "kind": "card", "mode": "present"}
    assert house.member_api.post("/payment-methods", json=wanted).json["code"] == "provider_not_set"
