"""Statements over HTTP: imported, looked at and decided by who keeps the books, and by nobody else."""

from __future__ import annotations

import io
import random
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.network.models import Operator
from tests.billing.bank.house import NOW, an_owed_operator, credited, statement
from tests.builders import a_manager, a_member, a_role, a_token
from tests.conftest import Clock
from tests.http.client import Client, check, operation_at
from tests.oracles.bank.debts import debts

OWED = debts(random.Random(3), count=6, prefix="ATH")


def upload(api: Client, path: str, octets: bytes) -> Any:
    headers = {"Authorization": f"Bearer {api.token}"}
    data = {"file": (io.BytesIO(octets), "statement.xml")}
    answer = api.flask.post(path, data=data, headers=headers, content_type="multipart/form-data")
    described = operation_at(api.app, "POST", path)
    assert described
    check(described, answer)
    return answer


def test_a_statement_is_imported_looked_at_and_decided(app: Flask, session: Session, clock: Clock) -> None:
    clock.now = NOW + timedelta(hours=1)
    space = an_owed_operator(session, OWED)
    operator = session.get_one(Operator, space.operator_id)
    manager, desk = a_manager(session, space), a_member(session)
    a_role(session, desk, "front_desk", space)
    api, front = Client(app, a_token(session, manager)), Client(app, a_token(session, desk))
    session.commit()
    path = f"/api/v1/operators/{operator.uid}/bank-statements"
    silent, mistyped = OWED[1], OWED[2]
    lines = [
        credited(OWED[0].cents, servicer="A", structured=OWED[0].communication),
        credited(silent.cents, servicer="B", name=silent.payer.name, account=silent.payer.account),
        credited(
            mistyped.cents, servicer="C", free=(f"{int(mistyped.communication[0]) - 1}{mistyped.communication[1:]}",)
        ),
        credited(-777, servicer="D", name="Bailleur"),
        credited(OWED[3].cents + OWED[4].cents, servicer="E", free=("tout",)),
    ]
    octets = statement(*lines) + b" " * 300_000  # above what a body may be elsewhere
    assert upload(front, path, octets).status_code == 403
    done = upload(api, path, octets).json
    assert {name: done[name] for name in ("matched", "proposed", "open", "ignored")} == {
        "matched": 1, "proposed": 2, "open": 2, "ignored": 0,
    }  # fmt: skip
    assert upload(api, path, octets).json == {**done, "matched": 0, "proposed": 0, "open": 0, "ignored": 5}
    assert upload(api, path, b"no").status_code == 422
    assert api.post(path, json={}).status_code == 415

    told = api.get(f"/operators/{operator.uid}/bank-lines", query={"state": "proposed"}).json
    by_name = {line["counterparty_name"]: line for line in told}
    [proposal] = by_name[silent.payer.name]["proposals"]
    assert proposal["reasons"] == ["name", "amount"] and proposal["certainty"] == 75
    accepted = api.post(f"/bank-lines/{by_name[silent.payer.name]['id']}/match", json={"proposal_id": proposal["id"]})
    assert accepted.json["state"] == "matched" and accepted.json["payment_id"]
    again = api.post(f"/bank-lines/{accepted.json['id']}/match", json={"proposal_id": proposal["id"]})
    assert (again.status_code, again.json["code"]) == (409, "wrong_state")

    opened = api.get(f"/operators/{operator.uid}/bank-lines", query={"state": "open"}).json
    went, came = sorted(opened, key=lambda line: line["amount_cents"])
    assert front.post(f"/bank-lines/{went['id']}/dismissal", json={"reason": "Loyer"}).status_code == 404
    dismissed = api.post(f"/bank-lines/{went['id']}/dismissal", json={"reason": "Loyer"}).json
    assert (dismissed["state"], dismissed["note"]) == ("dismissed", "Loyer")
    assert by_hand(api, session, came, {OWED[3].number: came["amount_cents"] + 1}).status_code == 422
    matched = by_hand(api, session, came, {OWED[3].number: OWED[3].cents})
    assert (matched.json["state"], matched.json["rule"]) == ("matched", "by_hand")
    shown = api.get(f"/bank-statements/{done['statements'][0]}").json
    assert {state: found["lines"] for state, found in shown["states"].items()} == {
        "matched": 3, "proposed": 1, "dismissed": 1,
    }  # fmt: skip
    assert sum(found["amount_cents"] for found in shown["states"].values()) == sum(line.cents for line in lines)


def by_hand(api: Client, session: Session, line: dict[str, Any], wanted: dict[str, int]) -> Any:
    rows = session.execute(select(Invoice.number, Invoice.uid).where(Invoice.number.in_(wanted))).all()
    aims = [{"invoice_id": str(row.uid), "amount_cents": wanted[row.number]} for row in rows]
    return api.post(f"/bank-lines/{line['id']}/match", json={"invoices": aims})
