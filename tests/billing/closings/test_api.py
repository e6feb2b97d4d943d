"""Who keeps an operator's books reads its closings; others do not learn that there are any."""

from __future__ import annotations

import hashlib
import json

import pytest
from flask import Flask
from sqlalchemy.orm import Session, sessionmaker

from app.db import TenantSession
from tests.billing.closings.books import a_customer, pass_time, record
from tests.builders import a_manager, a_member, a_role, a_space, a_token, an_operator
from tests.conftest import Clock
from tests.http.client import Client

pytestmark = pytest.mark.usefixtures("home")


def test_closings_are_read_by_kind_newest_first_page_by_page(
    app: Flask, session: Session, make_session: sessionmaker[TenantSession], clock: Clock
) -> None:
    operator = an_operator(session)
    space = a_space(session, operator=operator)
    manager, desk, stranger = a_manager(session, space), a_member(session), a_member(session)
    a_role(session, desk, "front_desk", operator)
    record(session, operator, a_customer(session), net=10_000, at=clock.now)
    tokens = {who: a_token(session, member) for who, member in
              (("manager", manager), ("desk", desk), ("stranger", stranger))}  # fmt: skip
    session.commit()
    pass_time(make_session, clock)
    clock.pass_by(days=31)
    pass_time(make_session, clock)
    url = f"/api/v1/operators/{operator.uid}/closings"
    client = Client(app, tokens["manager"])
    first = client.get(f"{url}?limit=20")
    assert [closing["number"] for closing in first.json] == list(range(31, 11, -1))
    rest = client.get(first.headers["Link"].partition("<")[2].partition(">")[0])
    assert [closing["number"] for closing in rest.json] == list(range(11, 0, -1))
    [month] = client.get(f"{url}?kind=month").json
    assert [month[totals]["documents"][0]["gross_cents"] for totals in ("totals", "grand_totals")] == [12_100] * 2
    assert (month["first_day"], month["last_day"]) == ("2026-03-02", "2026-03-31")
    assert hashlib.sha256(month["snapshot"].encode()).hexdigest() == month["hash"]
    assert json.loads(month["snapshot"])["totals"] == month["totals"]
    assert client.get(f"{url}?kind=week").status_code == 422
    assert Client(app, tokens["desk"]).get(url).status_code == 403
    assert Client(app, tokens["stranger"]).get(url).status_code == 404
