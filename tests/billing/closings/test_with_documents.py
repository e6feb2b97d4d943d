"""Closings and archives over what the product itself finalises: invoices, deposits, credit notes, prices with VAT."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from app.billing.charges.models import Charge
from app.billing.closings.archive.verifying import verify
from app.config import Config
from app.db import TenantSession
from app.doctor.billing import BILLING_CHECKS, sealed_archives_check
from app.network.models import Operator
from tests.billing.charges.builders import APRIL, a_charge, a_party
from tests.billing.closings.books import archive_of, closings, pass_time, said
from tests.billing.invoices.house import APRIL_1, MAY_1, a_correction, a_house, closed, documents
from tests.conftest import Clock


def test_what_the_product_finalises_is_closed_archived_and_verified(
    session: Session, make_session: sessionmaker[TenantSession], engine: Engine, clock: Clock, home: Path
) -> None:
    space = a_house(session, charges=[[10000, 2550], [333], [1]])
    party = a_party(session)
    with_vat = {"includes_vat": True, "net_cents": 826, "vat_cents": 174, "gross_cents": 1000, "space_id": space.id}
    for _ in range(3):
        a_charge(session, operator_id=space.operator_id, party=party, net=826, **with_vat)
    session.commit()
    clock.now = APRIL_1
    pass_time(make_session, clock)
    closed(make_session, space)
    first = session.scalars(select(Charge).order_by(Charge.id)).first()
    assert first
    a_correction(session, first, -4000, month=APRIL)
    session.commit()
    closed(make_session, space, APRIL, now=MAY_1)
    kinds = {document.kind for document in documents(make_session, space.operator_id)}
    assert kinds == {"monthly", "credit_note"}
    clock.now = datetime(2026, 6, 2, tzinfo=UTC)
    pass_time(make_session, clock)
    operator = session.get_one(Operator, space.operator_id)
    [april, may] = closings(make_session, operator, "month")
    assert sum(row["count"] for row in said(april)["totals"]["documents"]) == 4
    assert [(row["kind"], row["gross_cents"]) for row in said(may)["totals"]["documents"]] == [("credit_note", 4840)]
    for month in ("2026-04", "2026-05"):
        assert verify(archive_of(home, operator, month)).faults == []
    with engine.connect() as connection:
        for _, check in BILLING_CHECKS:
            check(connection)
        sealed_archives_check(Config(home=home), connection)
