"""A bank may book a whole file in one sum: every item of it is settled, and each may still come back by itself."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.billing.bank import matching
from app.billing.bank.models import BankLine
from app.billing.bank.movements import Movement
from app.billing.bank.owing import Facts, Item, Owed, Register
from app.billing.invoices.models import Invoice
from app.billing.invoices.standing import settled_cents
from app.billing.payments.models import Payment
from app.billing.sepa.models import SepaItem
from app.config import Config
from app.doctor.bank import bank_check
from app.network.parties.models import Party
from tests.billing.bank.house import imported, statement
from tests.billing.sepa.house import (
    OWED,
    TODAY,
    UNPAID,
    Debtor,
    a_debtor,
    a_refund,
    in_one_sum,
    items,
    made,
    pay,
    signed,
)
from tests.oracles.bank.debts import debts
from tests.oracles.bank.writing import Entry, Transaction


def several(session: Session) -> Debtor:
    debtor = a_debtor(session, OWED)
    others = select(Party).where(Party.id.in_(select(Invoice.party_id)), Party.id != debtor.party.id)
    for n, party in enumerate(session.scalars(others).all()[:2]):
        signed(session, debtor.space, party, f"ATH-9{n}")
    return debtor


def back(item: SepaItem) -> Entry:
    return Entry(TODAY, (Transaction(-item.cents, "BACK", end_to_end=item.end_to_end_id, returned="AM04"),), UNPAID)


@pytest.mark.parametrize(("tag", "behind"), [("MsgId", ""), ("PmtInfId", "-1")])
@pytest.mark.parametrize("same", [True, False], ids=["in the same statement", "later"])
def test_the_booking_of_a_file_of_debits_settles_all_of_them_and_one_may_come_back(
    session: Session, engine: Engine, tmp_path: Path, tag: str, behind: str, same: bool
) -> None:
    debtor = several(session)
    [file] = made(session, debtor.space, tmp_path)
    found = items(session)
    assert len(found) == file.items >= 3
    lump = in_one_sum(file.cents, file.uid.hex + behind, tag=tag, then=[back(found[1])] if same else [])
    imported(session, debtor.space, lump)
    imported(session, debtor.space, lump)
    if not same:
        assert {item.state for item in items(session)} == {"settled"}
        imported(session, debtor.space, statement(back(found[1]), reference="S2"))
    states = [item.state for item in items(session)]
    assert states == ["settled", "returned", *["settled"] * (len(found) - 2)]
    paid = session.scalars(select(Payment).order_by(Payment.id)).all()
    assert [each.settled_cents for each in paid] == [item.cents for item in found]
    assert {each.kind for each in paid} == {"debit"}
    invoices = {item.invoice_id: session.get_one(Invoice, item.invoice_id) for item in found}
    settled = settled_cents(session, invoices.values())
    left = [invoices[item.invoice_id].gross_cents - settled[item.invoice_id or 0] for item in found]
    assert left == [0, found[1].cents, *[0] * (len(found) - 2)]
    rules = session.scalars(select(BankLine.rule).order_by(BankLine.id)).all()
    assert list(rules) == ["own_file", "returned"]
    with engine.connect() as connection:
        assert "as sealed" in bank_check(Config(home=tmp_path), connection)


def test_the_booking_of_a_file_of_transfers_gives_its_refunds(session: Session, tmp_path: Path) -> None:
    space, refund = a_refund(session)
    [file] = made(session, space, tmp_path, "transfer", TODAY)
    imported(session, space, in_one_sum(-file.cents, file.uid.hex, reference="S2"))
    [item] = items(session)
    assert (item.state, refund.state) == ("settled", "settled")


def test_a_debit_whose_invoice_was_paid_meanwhile_is_money_all_the_same(session: Session, tmp_path: Path) -> None:
    debtor = a_debtor(session, debts(random.Random(4), count=1, prefix="ATH"))
    [file] = made(session, debtor.space, tmp_path)
    pay(session, debtor, debtor.invoice.gross_cents)
    imported(session, debtor.space, in_one_sum(file.cents, file.uid.hex))
    assert [item.state for item in items(session)] == ["settled"]
    assert len(session.scalars(select(Payment)).all()) == 2


MESSAGE = "0123456789abcdef" * 2
CASES = {
    "another sum": ([("FRST", 500), ("RCUR", 700)], 1201, None),
    "all of it": ([("FRST", 500), ("RCUR", 700)], 1200, {1, 2}),
    "the recurrent ones": ([("FRST", 500), ("RCUR", 700)], 700, {2}),
    "which of two is unknown": ([("FRST", 500), ("RCUR", 500)], 500, None),
}


@pytest.mark.parametrize("case", CASES)
def test_only_what_is_certain_is_taken_for_a_file_and_once(case: str) -> None:
    parts, booked, expected = CASES[case]
    live = [Item(n, "debit", "in_file", cents, 1, n, f"E{n}", name) for n, (name, cents) in enumerate(parts, start=1)]
    register = Register.of([Owed(each.id, 1, f"N{each.id}", "", each.cents) for each in live], frozenset())
    facts = Facts(register, batches={MESSAGE: live})
    line = Movement(1, TODAY, booked, "EUR", batch=f"{MESSAGE.upper()}-2")
    verdict = matching.own_file(line, facts)
    assert (verdict and {item.id for item in verdict.items}) == expected
    assert expected is None or matching.own_file(line, facts) is None
