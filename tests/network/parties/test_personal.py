"""A party and the person it stands for: exported, and forgotten once nothing is left to be invoiced."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.network.models import Member
from app.network.parties.models import Party
from tests.billing.charges.builders import a_charge, an_invoice
from tests.builders import a_member, a_token, an_operator, saved
from tests.conftest import Clock
from tests.http.client import Client


@pytest.fixture
def ana(session: Session) -> Member:
    return a_member(session, name="Ana")


def a_party_of(session: Session, member: Member) -> Party:
    address = {"street": "Rue Haute 1", "postcode": "7800", "town": "Ath", "email": "a@example.org"}
    numbers = {"company_number": "0200000043", "vat_number": "BE0200000043", "vat_status": "valid"}
    facts = {"name": "Ana Dupont", "country": "BE", "is_business": True, "purchase_order": "PO"}
    return saved(session, Party(member_id=member.id, **facts, **address, **numbers))


def test_an_export_has_the_billing_details(app: Flask, session: Session, ana: Member) -> None:
    api = Client(app, a_token(session, ana))
    session.commit()
    assert api.get("/me/export").json["other"]["billing_details"] is None
    a_party_of(session, ana)
    session.commit()
    exported = api.get("/me/export").json["other"]["billing_details"]
    assert (exported["name"], exported["vat_number"], exported["treated_as"]) == (
        "Ana Dupont",
        "BE0200000043",
        "business",
    )


def test_erasure_blanks_the_party_and_leaves_its_row(app: Flask, session: Session, ana: Member) -> None:
    party = a_party_of(session, ana)
    charge = a_charge(session, operator_id=an_operator(session).id, party=party)
    charge.invoice_id = an_invoice(session, operator_id=charge.operator_id, party_id=party.id).id
    api = Client(app, a_token(session, ana))
    session.commit()
    assert api.delete("/me", etag="*").status_code == 204
    session.expire_all()
    left = session.scalars(select(Party)).one()
    personal = ("name", "street", "postcode", "town", "company_number", "vat_number", "email", "purchase_order")
    assert not any(getattr(left, field) for field in personal)
    assert left.vat_status == "unchecked"


def test_what_is_still_to_be_invoiced_keeps_the_name_until_it_is(
    app: Flask, session: Session, ana: Member, clock: Clock
) -> None:
    party = a_party_of(session, ana)
    charge = a_charge(session, operator_id=an_operator(session).id, party=party)
    api = Client(app, a_token(session, ana))
    session.commit()
    refused = api.delete("/me", etag="*")
    assert (refused.status_code, refused.json["code"]) == (409, "erasure_refused")
    assert refused.json["obstacles"] == [{"kind": "not_invoiced", "id": str(party.uid), "charges": 1}]
    session.expire_all()
    assert session.get_one(Party, party.id).name == "Ana Dupont"
    charge.settled_at = clock.now
    session.commit()
    assert api.delete("/me", etag="*").status_code == 204
