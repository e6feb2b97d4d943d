"""Eight processes finalise one series at once, and die at any instant: no gap, no number twice, an unbroken chain."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from app.billing.charges.models import Charge
from app.billing.invoices.chain import verify_chain
from app.billing.invoices.crediting import credit
from app.billing.invoices.models import Invoice
from app.db import TenantSession, transaction
from app.errors import Problem
from app.network.models import Space
from app.tenancy import SYSTEM
from tests.billing.charges.builders import MARCH
from tests.billing.invoices.house import APRIL_1, an_invoice, closed
from tests.billing.invoices.many import closers, many
from tests.builders import a_member, a_space
from tests.waiting import until

PARTIES, EACH = 240, 2


def finalised(session: Session) -> int:
    session.rollback()
    return session.scalars(select(func.count()).select_from(Invoice)).one()


def check_whole(session: Session, space: Space) -> None:
    session.rollback()
    rows = session.scalars(select(Invoice).order_by(Invoice.sequence)).all()
    assert [row.sequence for row in rows] == list(range(1, PARTIES + 1))
    assert {row.party_id for row in rows} == set(session.scalars(select(Charge.party_id)))
    assert session.scalars(select(Charge.id).where(Charge.invoice_id.is_(None))).all() == []
    assert sum(row.net_cents for row in rows) == session.scalars(select(func.sum(Charge.net_cents))).one()
    assert list(verify_chain(session, space.operator_id)) == []


def test_eight_processes_close_one_month_together(session: Session, database_url: str) -> None:
    space = a_space(session)
    many(session, space, parties=PARTIES, each=EACH, month=MARCH)
    session.commit()
    with closers(database_url, space.operator_id, processes=8, month=MARCH, now=APRIL_1, customers=10) as running:
        assert [process.wait(60) for process in running] == [0] * 8
    check_whole(session, space)


def test_processes_that_are_killed_in_the_middle_leave_nothing_half_done(
    session: Session, make_session: sessionmaker[TenantSession], database_url: str
) -> None:
    space = a_space(session)
    many(session, space, parties=PARTIES, each=EACH, month=MARCH)
    session.commit()
    with closers(database_url, space.operator_id, processes=3, month=MARCH, now=APRIL_1, customers=2):
        until(lambda: finalised(session) >= 20, within=30)
    assert 20 <= finalised(session) < PARTIES
    assert list(verify_chain(session, space.operator_id)) == []
    went_on = closed(make_session, space)
    assert went_on.before and went_on.documents["monthly"] == PARTIES - (
        finalised(session) - went_on.documents["monthly"]
    )
    check_whole(session, space)
    assert closed(make_session, space).did_nothing


def test_of_many_refunds_at_once_one_is_made(session: Session, make_session: sessionmaker[TenantSession]) -> None:
    space = a_space(session)
    invoice = an_invoice(session, space, a_member(session), now=APRIL_1)
    session.commit()

    def refund(_n: int) -> str:
        try:
            with transaction(make_session, SYSTEM) as own:
                return credit(own, own.get_one(Invoice, invoice.id), now=APRIL_1).number
        except Problem as problem:
            return problem.code

    with ThreadPoolExecutor(6) as threads:
        answers = sorted(threads.map(refund, range(6)))
    assert answers == ["ATH-C2026-000001"] + ["wrong_state"] * 5
    session.rollback()
    assert session.scalars(select(func.sum(Charge.gross_cents))).one() == 0
