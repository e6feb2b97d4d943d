"""An operator's customers, and VAT numbers confirmed by hand."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.network.models import AuditEntry, Operator
from app.network.parties.models import Party, VatNumberCheck
from tests.billing.charges.builders import a_charge
from tests.builders import a_manager, a_member, a_role, a_space, a_token, saved
from tests.http.client import Client

NUMBER = "BE0200000043"


@dataclass
class House:
    """An operator with two customers, who keeps its books, and another operator."""

    operator: Operator
    other: Operator
    manager: Client
    desk: Client
    stranger: Client
    business: Party
    person: Party
    path: str


@pytest.fixture
def house(app: Flask, session: Session) -> House:
    space, elsewhere = a_space(session), a_space(session)
    operator, other = (session.get_one(Operator, each.operator_id) for each in (space, elsewhere))
    desk = a_member(session)
    a_role(session, desk, "front_desk", space)
    people = (a_manager(session, space), desk, a_manager(session, elsewhere))
    manager, at_the_desk, stranger = (Client(app, a_token(session, each)) for each in people)
    business = saved(session, Party(name="Atelier", country="BE", is_business=True, vat_number=NUMBER))
    person = saved(session, Party(name="Ana", country="BE", member_id=a_member(session).id))
    for party in (business, person, business):
        a_charge(session, operator_id=operator.id, party=party)
    foreign = saved(session, Party(name="Elsewhere", country="BE"))
    a_charge(session, operator_id=other.id, party=foreign)
    session.commit()
    path = f"/operators/{operator.uid}/customers"
    return House(operator, other, manager, at_the_desk, stranger, business, person, path)


def test_who_keeps_the_books_sees_whom_the_operator_has_charged_and_leaves_a_trace(
    house: House, session: Session
) -> None:
    assert [each["name"] for each in house.manager.get(house.path).json] == ["Atelier", "Ana"]
    first = house.manager.get(house.path, query={"limit": 1})
    assert [each["name"] for each in first.json] == ["Atelier"]
    assert 'rel="next"' in first.headers["Link"]
    entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(entry.action, entry.subject) for entry in entries] == [("customers.viewed", str(house.operator.uid))] * 2


def test_nobody_else_does(house: House) -> None:
    assert house.desk.get(house.path).status_code == 403
    assert house.stranger.get(house.path).status_code == 404


def confirm(house: House, party: Party, **body: str):
    said = {"vat_number": NUMBER, "answer": "yes", "consultation": "WAPI1", **body}
    return house.manager.post(f"{house.path}/{party.uid}/vat-confirmations", json=said)


def test_a_number_confirmed_by_hand_makes_a_business_with_evidence_and_a_trace(house: House, session: Session) -> None:
    answer = confirm(house, house.business)
    assert answer.status_code == 200, answer.json
    assert answer.json["vat"]["treated_as"] == "business"
    assert answer.json["vat"]["consultation"] == "WAPI1"
    evidence = session.scalars(select(VatNumberCheck)).one()
    assert evidence.detail.startswith("by hand: ")
    assert session.scalars(select(AuditEntry.action)).all() == ["customer.vat_confirmed"]
    denied = confirm(house, house.business, answer="no", consultation="WAPI2")
    assert denied.json["vat"]["reason"] == "vat_number_invalid"


def test_an_answer_about_another_number_than_the_customers_is_refused(house: House, session: Session) -> None:
    for party, number in ((house.business, "BE0200000142"), (house.person, NUMBER)):
        answer = confirm(house, party, vat_number=number)
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "vat_number")
    assert session.scalars(select(VatNumberCheck)).all() == []


def test_another_operators_customer_is_unknown(house: House, session: Session) -> None:
    foreign = session.scalars(select(Party).where(Party.name == "Elsewhere")).one()
    assert confirm(house, foreign).status_code == 404
