"""The return over HTTP: what was issued in the period, for who keeps the books."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.network.models import Operator
from app.network.parties.models import Party
from tests.builders import a_manager, a_member, a_space, a_token, saved
from tests.conftest import Clock
from tests.http.client import Client

PERIOD = {"from": "2026-01-01", "to": "2026-03-31"}


def a_document(session: Session, operator_id: int, number: int, *, issued_on: date, **tax: Any) -> Invoice:
    """A row as finalising writes it; its content is the taxes alone."""
    party = saved(session, Party(name="Somebody", country="BE"))
    net, vat = tax["net_cents"], tax["vat_cents"]
    snapshot = json.dumps({"taxes": [{"mention": None, "ground": "law", **tax}]})
    return saved(
        session,
        Invoice(
            operator_id=operator_id, party_id=party.id, kind="now", series="I", sequence=number, number=f"T-{number}",
            issued_on=issued_on, due_on=issued_on, currency="EUR", net_cents=net, vat_cents=vat, gross_cents=net + vat,
            communication="", snapshot=snapshot, hash=f"{number:064}", previous_hash=f"{number - 1:064}",
            run_key=f"{operator_id}:{number}", finalised_at=Clock().now,
        ),
    )  # fmt: skip


@pytest.mark.parametrize(("country", "permille", "base", "tax"), [("BE", 210, "03", "54"), ("FR", 200, "08", "08-T")])
def test_who_keeps_the_books_sees_the_boxes_of_what_was_issued_in_the_period(
    app: Flask, session: Session, country: str, permille: int, base: str, tax: str
) -> None:
    space = a_space(session, country=country)
    manager = a_manager(session, space)
    token = a_token(session, manager)
    for number, day in enumerate((date(2026, 1, 1), date(2026, 3, 31), date(2026, 4, 1)), start=1):
        a_document(
            session, space.operator_id, number, issued_on=day, category="S", permille=permille,
            net_cents=1_000 * number, vat_cents=permille * number,
        )  # fmt: skip
    uid = session.get_one(Operator, space.operator_id).uid
    session.commit()
    answer = Client(app, token).get(f"/operators/{uid}/vat-return", query=PERIOD)
    assert answer.status_code == 200
    boxes = {each["box"]: each["amount_cents"] for each in answer.json["boxes"]}
    assert (boxes[base], boxes[tax]) == (3_000, 3 * permille)
    stranger = a_token(session, a_member(session))
    session.commit()
    assert Client(app, stranger).get(f"/operators/{uid}/vat-return", query=PERIOD).status_code == 404
    backwards = {"from": PERIOD["to"], "to": PERIOD["from"]}
    refused = Client(app, token).get(f"/operators/{uid}/vat-return", query=backwards)
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "to")
