"""Files over HTTP: handed over by who may write, taken afterwards, and what the bank refused of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from flask import Flask
from sqlalchemy.orm import Session

from app.network.models import Operator
from tests.billing.bank.house import NOW
from tests.billing.sepa.house import DUE, a_debtor
from tests.builders import a_manager, a_member, a_role, a_token
from tests.conftest import Clock
from tests.http.client import Client


def test_a_file_is_handed_over_taken_and_an_item_of_it_rejected(
    app: Flask, session: Session, clock: Clock, tmp_path: Path
) -> None:
    clock.now = NOW + timedelta(hours=1)
    debtor = a_debtor(session)
    operator = session.get_one(Operator, debtor.space.operator_id)
    manager, desk = a_manager(session, debtor.space), a_member(session)
    a_role(session, desk, "front_desk", debtor.space)
    api, front = Client(app, a_token(session, manager)), Client(app, a_token(session, desk))
    reader = Client(app, a_token(session, manager, scopes=("read",)))
    session.commit()
    asked = {"kind": "debit", "execution_on": DUE.isoformat()}
    [file] = api.post(f"/operators/{operator.uid}/sepa-files", json=asked).json
    path = f"/sepa-files/{file['id']}"
    for before in (reader, api):
        refused = before.get(path)
        assert (refused.status_code, refused.json["code"], refused.json["state"]) == (409, "wrong_state", "sealed")
    assert reader.post(f"{path}/hand-over").status_code == 403
    assert front.post(f"{path}/hand-over").status_code == 404
    [item] = reader.get(f"{path}/items").json
    assert (item["state"], item["amount_cents"]) == ("in_file", debtor.invoice.gross_cents)
    rejection = f"/sepa-items/{item['id']}/rejection"
    assert api.post(rejection, json={"reason": "AC01"}).json["state"] == "sealed"
    assert {api.post(f"{path}/hand-over").json["state"] for _ in range(2)} == {"handed_over"}
    taken = reader.get(path)
    assert taken.status_code == 200 and item["end_to_end_id"].encode() in taken.data
    assert api.post(f"{path}/cancellation", json={"reason": "late"}).status_code == 409
    assert front.post(rejection, json={"reason": "AC01"}).status_code == 404
    for _ in range(2):
        told = api.post(rejection, json={"reason": "AC01"})
        assert (told.status_code, told.json["state"], told.json["return_reason"]) == (200, "returned", "AC01")
