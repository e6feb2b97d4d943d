"""Billing details over HTTP: what documents will say of a member or an employer."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.network.models import Employer, Member
from app.network.parties.models import Party
from app.network.parties.services import ensure_for_member
from tests.builders import a_member, a_role, a_token, saved
from tests.conftest import Clock
from tests.http.client import Client

MINE = "/me/billing-details"
PERSON = {"name": "Ana Dupont", "country": "BE", "is_business": False}
BUSINESS = {
    "name": "Atelier", "street": "Rue Haute 1", "postcode": "7800", "town": "Ath", "country": "BE",
    "is_business": True, "vat_number": "be 0200.000.043",
}  # fmt: skip


@pytest.fixture
def api(app: Flask, session: Session) -> Client:
    client = Client(app, a_token(session, a_member(session, name="Ana", email="ana@example.org", locale="nl")))
    session.commit()
    return client


def put(api: Client, path: str = MINE, **body: Any) -> TestResponse:
    return api.put(path, json=body, etag=api.get(path).headers["ETag"])


def wrong_fields(answer: TestResponse) -> set[str]:
    assert answer.status_code == 422, answer.json
    return {error["field"] for error in answer.json["errors"]}


def test_before_anything_is_said_the_account_speaks_and_nothing_is_kept(api: Client, session: Session) -> None:
    found = api.get(MINE).json
    assert (found["id"], found["name"], found["email"], found["country"]) == (None, "Ana", "ana@example.org", None)
    assert found["vat"]["treated_as"] == "private_person"
    assert session.scalars(select(Party)).all() == []


def test_a_member_becomes_a_business_and_its_number_is_kept_in_one_spelling(api: Client, session: Session) -> None:
    answer = put(api, **BUSINESS, purchase_order="PO-1", locale="fr")
    assert answer.status_code == 200, answer.json
    found = api.get(MINE).json
    assert found == answer.json
    assert (found["vat_number"], found["company_number"]) == ("BE0200000043", "0200000043")
    assert found["vat"] == {
        "status": "unchecked", "checked_at": None, "consultation": None,
        "treated_as": "private_person", "reason": "vat_number_unconfirmed",
    }  # fmt: skip
    assert session.scalars(select(Party)).one().purchase_order == "PO-1"


def test_details_replace_what_a_first_charge_has_made(api: Client, session: Session, clock: Clock) -> None:
    before = api.get(MINE).headers["ETag"]
    member = session.scalars(select(Member)).one()
    made = ensure_for_member(session, member.id, country="BE", now=clock.now)
    session.commit()
    assert api.put(MINE, json=PERSON, etag=before).status_code == 412
    assert put(api, **BUSINESS).json["id"] == str(made.uid)


def test_a_change_that_another_has_not_seen_is_refused(api: Client) -> None:
    read = api.get(MINE).headers["ETag"]
    assert api.put(MINE, json=PERSON).status_code == 428
    assert api.put(MINE, json=PERSON, etag=read).status_code == 200
    assert api.put(MINE, json=BUSINESS, etag=read).status_code == 412


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"vat_number": "BE0200000044"}, {"vat_number"}),
        ({"vat_number": "FR46800000010"}, {"vat_number"}),
        ({"company_number": "0200000142"}, {"vat_number"}),
        ({"company_number": "12"}, {"company_number"}),
        ({"country": "XX"}, {"country"}),
        ({"country": "be"}, {"country"}),
        ({"street": " ", "town": ""}, {"street", "town"}),
        ({"name": " "}, {"name"}),
        ({"is_business": False}, {"vat_number"}),
        ({"is_business": "yes"}, {"is_business"}),
        ({"email": "nobody"}, {"email"}),
        ({"purchase_order": "a\nb"}, {"purchase_order"}),
    ],
)
def test_what_is_wrong_is_named(api: Client, changed: dict[str, Any], fields: set[str]) -> None:
    assert wrong_fields(put(api, **{**BUSINESS, **changed})) == fields
    assert api.get(MINE).json["id"] is None


def test_a_new_number_or_country_is_not_known_to_be_valid_because_the_old_one_was(
    api: Client, session: Session, clock: Clock
) -> None:
    put(api, **BUSINESS)
    party = session.scalars(select(Party)).one()

    def known_valid() -> None:
        party.vat_status, party.vat_checked_at = "valid", clock.now
        session.commit()

    known_valid()
    assert put(api, **{**BUSINESS, "town": "Mons"}).json["vat"]["treated_as"] == "business"
    assert put(api, **{**BUSINESS, "vat_number": "BE0200000142"}).json["vat"]["status"] == "unchecked"
    known_valid()
    other = {**BUSINESS, "country": "FR", "vat_number": "FR46800000010"}
    assert put(api, **other).json["vat"]["status"] == "unchecked"
    session.refresh(party)
    assert party.vat_checked_at is None


def test_an_employer_has_its_administrators_say_what_documents_say(app: Flask, session: Session) -> None:
    employer = saved(session, Employer(name="Employer", country="BE", vat_number="BE0200000043"))
    administrator, stranger = a_member(session), a_member(session)
    a_role(session, administrator, "employer_admin", employer)
    api, other = Client(app, a_token(session, administrator)), Client(app, a_token(session, stranger))
    session.commit()
    path = f"/employers/{employer.uid}/billing-details"
    drafted = api.get(path).json
    assert (drafted["name"], drafted["is_business"], drafted["vat_number"]) == ("Employer", True, "BE0200000043")
    assert put(api, path, **BUSINESS).status_code == 200
    assert session.scalars(select(Party)).one().employer_id == employer.id
    assert api.get(MINE).json["id"] is None
    assert other.get(path).status_code == 404
    assert other.put(path, json=BUSINESS, etag="*").status_code == 404
