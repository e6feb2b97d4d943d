"""A file is imported once, whole or not at all, and what becomes of its lines adds up to the cent."""

from __future__ import annotations

import random
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.billing.bank.importing import import_file
from app.billing.bank.models import BankLine
from app.billing.bank.movements import StatementRefused
from app.billing.ledger.models import LedgerEntry
from app.billing.payments.models import Allocation, MoneyTask, Payment, PaymentAim
from app.billing.payments.receiving import receive
from app.events.models import OutboxRow
from tests.billing.bank.house import NOW, an_owed_operator, credited, imported, operator_of, statement
from tests.http.operations import fingerprint
from tests.oracles.bank.debts import account_of, debts
from tests.oracles.bank.mess import mess
from tests.oracles.bank.writing import Account, Sheet, file_of

OWED = debts(random.Random(2), count=12, prefix="ATH")


def test_the_same_file_overlapping_statements_and_other_octets_import_each_entry_once(session: Session) -> None:
    space = an_owed_operator(session, OWED)
    entries = [credited(debt.cents, servicer=f"R{n}", structured=debt.communication) for n, debt in enumerate(OWED[:6])]
    first = statement(*entries[:4], reference="A")
    assert imported(session, space, first).matched == 4
    before = fingerprint(session)
    for again in (first, first.replace(b"<Stmt>", b"<Stmt> ")):
        done = imported(session, space, again)
        assert (done.matched, done.ignored) == (0, 4)
    assert fingerprint(session) == before
    overlapping = imported(session, space, statement(*entries[2:], reference="B"))
    assert (overlapping.matched, overlapping.ignored) == (2, 2)
    assert session.scalar(select(func.count()).select_from(Payment)) == 6


def test_two_entries_that_are_alike_are_two(session: Session) -> None:
    space = an_owed_operator(session, OWED)
    alike = credited(500, name="Inconnu", free=("don",))
    done = imported(session, space, statement(alike, alike))
    assert done.open + done.proposed == 2


def test_anothers_account_another_currency_and_a_wrong_sum_leave_nothing_behind(session: Session) -> None:
    space = an_owed_operator(session, OWED)
    good = credited(OWED[0].cents, structured=OWED[0].communication)
    before = fingerprint(session)
    dollars = file_of(Account(account_of(7), currency="USD"), Sheet("S", 0, []))
    second_wrong = file_of(Account(account_of(7)), Sheet("A", 0, [good]), Sheet("B", 0, [good], closing=1))
    for octets in (statement(good, own=8), dollars, second_wrong):
        with pytest.raises(StatementRefused) as refused:
            import_file(session, operator_of(session, space), octets, now=NOW)
        assert account_of(8) not in str(refused.value) and account_of(7) not in str(refused.value)
        session.rollback()
    assert fingerprint(session) == before


def test_a_line_becomes_exactly_what_receiving_makes_of_it(session: Session) -> None:
    """Of two operators that are owed the same, one imports and the other receives one by one."""
    left, right = an_owed_operator(session, OWED, own=7), an_owed_operator(session, OWED, own=8)
    paid = [(OWED[0], 0), (OWED[1], -1), (OWED[2], 250), (OWED[2], 0)]
    lines = [
        credited(debt.cents + more, servicer=f"R{n}", structured=debt.communication)
        for n, (debt, more) in enumerate(paid)
    ]
    imported(session, left, statement(*lines))
    for n, (debt, more) in enumerate(paid):
        invoice, party = _invoice(session, right.operator_id, debt.number)
        cents = debt.cents + more
        aimed = cents if n == 3 else debt.cents
        receive(
            session, operator_id=right.operator_id, party_id=party, kind="transfer", provider="bank", cents=cents,
            currency="EUR", aims={invoice: aimed}, source=f"bank:{n}", day=lines[n].day, now=NOW,
        )  # fmt: skip
    session.commit()
    assert _made(session, left.operator_id) == _made(session, right.operator_id)


def test_matched_proposed_open_and_dismissed_are_all_that_came_to_the_cent(session: Session) -> None:
    owed = debts(random.Random(9), count=150, prefix="ATH")
    space = an_owed_operator(session, owed)
    made = mess(9, owed, entries=80)
    octets = file_of(Account(account_of(7)), Sheet("S", 0, made.entries))
    done = imported(session, space, octets)
    came = sum(entry.cents for entry in made.entries if entry.status == "BOOK" and entry.currency == "EUR")
    assert done.matched_cents + done.proposed_cents + done.open_cents == came
    sums = dict(session.execute(select(BankLine.state, func.sum(BankLine.cents)).group_by(BankLine.state)).all())
    assert sum(sums.values()) == came
    bank = select(func.sum(LedgerEntry.cents)).where(LedgerEntry.account == "bank")
    assert session.scalar(bank) == sums["matched"]


def _invoice(session: Session, operator_id: int, number: str) -> tuple[int, int]:
    from app.billing.invoices.models import Invoice

    found = session.scalars(select(Invoice).where(Invoice.operator_id == operator_id, Invoice.number == number)).one()
    return found.id, found.party_id


def _made(session: Session, operator_id: int) -> dict[str, list[Any]]:
    """Every row about an operator's payments, without what is by chance."""
    payment = select(Payment).where(Payment.operator_id == operator_id).order_by(Payment.id)
    ids = [each.id for each in session.scalars(payment)]
    uids = [each.uid for each in session.scalars(payment)]
    numbered = {key: n for n, key in enumerate(ids)}
    but = {"id", "uid", "source", "operator_id", "party_id"}
    rows = [
        {column.name: getattr(each, column.name) for column in Payment.__table__.columns if column.name not in but}
        for each in session.scalars(payment)
    ]
    given = session.scalars(select(Allocation).where(Allocation.payment_id.in_(ids)).order_by(Allocation.id))
    aims = session.scalars(select(PaymentAim).where(PaymentAim.payment_id.in_(ids)).order_by(PaymentAim.payment_id))
    tasks = session.scalars(select(MoneyTask).where(MoneyTask.payment_id.in_(ids)).order_by(MoneyTask.payment_id))
    events = session.scalars(select(OutboxRow).where(OutboxRow.aggregate_id.in_(uids)).order_by(OutboxRow.id))
    entries = session.scalars(
        select(LedgerEntry)
        .where(LedgerEntry.operator_id == operator_id)
        .order_by(LedgerEntry.posting_id, LedgerEntry.no)
    )
    return {
        "payments": rows,
        "given": [(numbered[each.payment_id], each.cents, each.source.count(":")) for each in given],
        "aims": [(numbered[each.payment_id], each.cents) for each in aims],
        "tasks": [
            (numbered[each.payment_id or 0], each.kind, each.cents, each.key.partition(":")[0]) for each in tasks
        ],
        "events": [(each.type, each.version, each.seq) for each in events],
        "ledger": sorted((each.account, each.cents, each.day) for each in entries),
    }
