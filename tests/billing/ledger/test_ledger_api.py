"""The ledger over HTTP: for who keeps an operator's books, page by page, as a file; for nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.ledger.posting import post
from app.network.models import AuditEntry, Operator, Space
from tests.billing.ledger.books import DAY, a_party, a_posting
from tests.billing.ledger.fec_reader import read_fec
from tests.builders import a_manager, a_member, a_role, a_space, a_token
from tests.conftest import Clock
from tests.http.client import Client


@pytest.fixture
def space(session: Session) -> Space:
    return a_space(session, country="FR")


@pytest.fixture
def operator(session: Session, space: Space) -> Operator:
    return session.get_one(Operator, space.operator_id)


def test_the_trial_balance_and_the_statement_of_an_account(
    app: Flask, session: Session, clock: Clock, space: Space, operator: Operator
) -> None:
    api = Client(app, a_token(session, a_manager(session, space, locale="de")))
    one, other = a_party(session), a_party(session)
    for n, party in enumerate((one, other, one)):
        lines = (("receivable", 100 * (n + 1), party.id), ("revenue_booking", -100 * (n + 1)))
        post(session, [a_posting(operator, *lines, day=DAY + timedelta(days=n), key=f"k{n}")], now=clock.now)
    session.commit()
    path = f"/operators/{operator.uid}"
    told = api.get(f"{path}/trial-balance", query={"from": "2026-03-03", "to": "2026-03-03"}).json
    assert (told["operator_id"], told["currency"], told["from"], told["to"]) == (
        str(operator.uid), "EUR", "2026-03-03", "2026-03-03",
    )  # fmt: skip
    assert told["accounts"][0] == {
        "account": "receivable", "number": "411000", "label": "Kunden", "opening_cents": 100, "debit_cents": 200,
        "credit_cents": 0, "closing_cents": 300,
    }  # fmt: skip
    today = api.get(f"{path}/trial-balance").json
    assert (today["from"], today["to"], today["accounts"][0]["closing_cents"]) == ("2026-01-01", "2026-03-02", 100)
    first = api.get(f"{path}/accounts/receivable/statement", query={"to": "2026-12-31", "limit": 2})
    assert [(line["cents"], line["balance_cents"], line["reference"]) for line in first.json] == [
        (100, 100, "k0"), (200, 300, "k1"),
    ]  # fmt: skip
    (rest,) = api.get(first.headers["Link"].split(">")[0][1:]).json
    assert (rest["balance_cents"], rest["party_id"], rest["day"]) == (600, str(one.uid), "2026-03-04")
    assert api.get(f"{path}/accounts/receivables/statement").status_code == 404
    wrong = api.get(f"{path}/accounts/cash/statement", query={"cursor": "WyIyMDI2LTAyLTMwIiwxLDFd"})
    assert (wrong.status_code, wrong.json["errors"][0]["field"]) == (422, "cursor")
    backwards = api.get(f"{path}/trial-balance", query={"from": "2026-03-03", "to": "2026-03-02"})
    assert (backwards.status_code, backwards.json["errors"][0]["field"]) == (422, "to")


def test_a_party_that_nobody_here_charged_has_no_statement(
    app: Flask, session: Session, space: Space, operator: Operator
) -> None:
    api = Client(app, a_token(session, a_manager(session, space)))
    stranger = a_party(session)
    session.commit()
    query = {"party": str(stranger.uid)}
    assert api.get(f"/operators/{operator.uid}/accounts/receivable/statement", query=query).status_code == 404


def test_the_books_come_as_a_file_and_the_trail_says_who_took_it(
    app: Flask, session: Session, clock: Clock, space: Space, operator: Operator
) -> None:
    manager = a_manager(session, space)
    api = Client(app, a_token(session, manager))
    session.commit()
    nobody = api.get(f"/operators/{operator.uid}/ledger-export")
    assert (nobody.status_code, nobody.text.count("\n")) == (200, 1)
    lines = (("receivable", 100, a_party(session).id), ("revenue_other", -80), ("vat_due", -20))
    post(session, [a_posting(operator, *lines)], now=clock.now)
    session.commit()
    path, year = f"/operators/{operator.uid}/ledger-export", {"from": "2026-01-01", "to": "2026-12-31"}
    answer = api.get(path, query={**year, "format": "fec"})
    assert answer.headers["Content-Type"] == "text/plain; charset=iso8859-15"
    name = answer.headers["Content-Disposition"].split('"')[1]
    assert len(read_fec(name, answer.data).records) == 3
    as_csv = api.get(path, query={**year, "locale": "en"})
    assert "utf-8" in as_csv.headers["Content-Type"] and "General" not in as_csv.text and ";Customers;" in as_csv.text
    noted = session.execute(select(AuditEntry.action, AuditEntry.actor_id, AuditEntry.subject)).all()
    assert [tuple(entry) for entry in noted] == [("ledger.exported", manager.id, str(operator.uid))] * 2


def test_a_belgian_operator_has_no_fec(app: Flask, session: Session) -> None:
    space = a_space(session)
    operator = session.get_one(Operator, space.operator_id)
    api = Client(app, a_token(session, a_manager(session, space)))
    session.commit()
    answer = api.get(f"/operators/{operator.uid}/ledger-export", query={"format": "fec"})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "format")


def test_only_who_keeps_the_books_reads_them(app: Flask, session: Session, space: Space, operator: Operator) -> None:
    accountant, desk, member, elsewhere = (a_member(session) for _ in range(4))
    a_role(session, accountant, "accountant", operator)
    a_role(session, desk, "front_desk", space)
    a_role(session, elsewhere, "manager", a_space(session))
    expected = {accountant: 200, desk: 403, member: 404, elsewhere: 404}
    tokens = {who: a_token(session, who) for who in expected}
    session.commit()
    for path in ("trial-balance", "accounts/cash/statement", "ledger-export"):
        for who, status in expected.items():
            assert Client(app, tokens[who]).get(f"/operators/{operator.uid}/{path}").status_code == status, path
