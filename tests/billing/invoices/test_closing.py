"""Closing a month: what it documents, twice, in order, and not too early."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session, sessionmaker

from app.billing.invoices.chain import verify_chain
from app.db import TenantSession
from tests.billing.invoices.house import a_house, closed, content, documents


def test_a_month_becomes_an_invoice_for_each_customer(
    session: Session, make_session: sessionmaker[TenantSession]
) -> None:
    space = a_house(session, charges=[[10000, 2550], [333]])
    done = closed(make_session, space)
    assert (dict(done.documents), done.charges, done.waiting) == ({"monthly": 2}, 3, 0)
    first, second = documents(make_session, space.operator_id)
    assert (first.number, second.number) == ("ATH-2026-000001", "ATH-2026-000002")
    assert (first.net_cents, first.vat_cents, first.gross_cents) == (12550, 2636, 15186)
    assert (first.issued_on, first.due_on) == (date(2026, 4, 1), date(2026, 5, 1))
    assert second.previous_hash == first.hash
    assert content(first)["payment"]["communication"] == first.communication == "+++261/0000/00149+++"
    assert list(verify_chain(session, space.operator_id)) == []
