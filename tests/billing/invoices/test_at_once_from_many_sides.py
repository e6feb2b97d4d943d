"""Eight processes finalise one series at once, and die at any instant: no gap, no number twice, an unbroken chain."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from app.billing.charges.models import Charge
from app.billing.charges.owing import settle
from app.billing.charges.places import place_of
from app.billing.charges.writing import Source, earn, standing_of
from app.billing.invoices.at_once import invoice_at_once
from app.billing.invoices.chain import verify_chain
from app.billing.invoices.crediting import Part, credit
from app.billing.invoices.models import Invoice
from app.billing.ledger.models import LedgerEntry
from app.billing.months import hold_books
from app.db import TenantSession, raw, transaction
from app.errors import Problem
from app.ids import new_id
from app.network.models import Space
from app.tenancy import SYSTEM
from tests.billing.charges.builders import MARCH, a_charge, a_party
from tests.billing.invoices.house import APRIL_1, an_invoice, closed
from tests.billing.invoices.many import closers, many
from tests.builders import a_member, a_space
from tests.waiting import until

PARTIES, EACH = int(os.environ.get("AT_ONCE_PARTIES") or 240), 2  # 5000: as many as a large operator has in a month


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
        assert [process.wait(120) for process in running] == [0] * 8
    check_whole(session, space)


def test_processes_that_are_killed_in_the_middle_leave_nothing_half_done(
    session: Session, make_session: sessionmaker[TenantSession], database_url: str
) -> None:
    space = a_space(session)
    many(session, space, parties=PARTIES, each=EACH, month=MARCH)
    session.commit()
    with closers(database_url, space.operator_id, processes=8, month=MARCH, now=APRIL_1, customers=2):
        until(lambda: finalised(session) >= PARTIES // 12, within=30)
    assert PARTIES // 12 <= finalised(session) < PARTIES
    assert list(verify_chain(session, space.operator_id)) == []
    went_on = closed(make_session, space)
    assert went_on.before and went_on.documents["monthly"] == PARTIES - (
        finalised(session) - went_on.documents["monthly"]
    )
    check_whole(session, space)
    assert closed(make_session, space).did_nothing


def waits(session: Session) -> bool:
    """Whether somebody waits for a lock in this database."""
    session.rollback()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(session.execute(raw(waiting)).scalar_one())


def a_source(session: Session, space: Space, subject_uid: UUID) -> Source:
    return Source("event:x", place_of(session, space.uid), subject_uid, None, APRIL_1)


def test_what_is_earned_while_its_document_is_written_is_posted_as_documented(
    session: Session, make_session: sessionmaker[TenantSession]
) -> None:
    space, subject_uid = a_space(session), new_id()
    party = a_party(session)
    a_charge(session, operator_id=space.operator_id, party=party, kind="booking", subject_uid=subject_uid)
    session.commit()

    def earned() -> None:
        with transaction(make_session, SYSTEM) as own:
            source = a_source(own, space, subject_uid)
            earn(own, source, hold_books(own, space.operator_id), day=APRIL_1.date())

    with ThreadPoolExecutor(1) as other:
        with transaction(make_session, SYSTEM) as own:
            invoice_at_once(own, space.operator_id, party.uid, now=APRIL_1)
            pending = other.submit(earned)
            until(lambda: waits(session), describe="whoever earns waits for whoever documents")
        pending.result(10)
    session.rollback()
    entries = select(LedgerEntry.account, func.sum(LedgerEntry.cents)).group_by(LedgerEntry.account)
    sums = dict(session.execute(entries).all())
    assert sums == {"receivable": 12100, "vat_due": -2100, "deferred": 0, "revenue_booking": -10000}


def test_an_event_that_takes_back_sees_the_credit_given_by_hand_meanwhile(
    session: Session, make_session: sessionmaker[TenantSession]
) -> None:
    space, subject_uid = a_space(session), new_id()
    party = a_party(session)
    a_charge(session, operator_id=space.operator_id, party=party, kind="booking", subject_uid=subject_uid)
    (made,) = invoice_at_once(session, space.operator_id, party.uid, now=APRIL_1)
    session.commit()

    def cancelled() -> int:
        with transaction(make_session, SYSTEM) as own:
            changes = settle(standing_of(own, subject_uid), None)
            return sum(change.owed.cents.net for change in changes)

    with ThreadPoolExecutor(1) as other:
        with transaction(make_session, SYSTEM) as own:
            credit(own, own.get_one(Invoice, made.id), [Part(1, percent=30)], now=APRIL_1)
            pending = other.submit(cancelled)
            until(lambda: waits(session), describe="whoever takes back waits for whoever credits")
        assert pending.result(10) == -7000


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
