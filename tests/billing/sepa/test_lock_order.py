"""An import takes payments before invoices, like everybody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.billing.bank.importing import import_file
from app.billing.payments.models import Payment
from app.billing.payments.standing import hold_invoices, hold_payments
from app.db import TenantSession, raw, transaction
from app.network.models import Operator
from app.tenancy import SYSTEM
from tests.billing.bank.house import NOW, credited, imported, statement
from tests.billing.sepa.house import DEBITED, OWED, TODAY, UNPAID, a_debtor, items, made, waits
from tests.oracles.bank.writing import Entry, Transaction
from tests.waiting import until


def test_an_import_that_undoes_a_payment_holds_it_before_any_invoice(
    session: Session, make_session: sessionmaker[TenantSession], tmp_path: Path
) -> None:
    debtor = a_debtor(session, OWED)
    made(session, debtor.space, tmp_path)
    item = items(session)[0]
    came = Transaction(item.cents, "IN", end_to_end=item.end_to_end_id)
    imported(session, debtor.space, statement(Entry(TODAY, (came,), DEBITED)))
    payment_id, other = session.scalars(select(Payment.id)).one(), OWED[-1]
    back = Transaction(-item.cents, "BACK", end_to_end=item.end_to_end_id, returned="AM04")
    octets = statement(
        credited(other.cents, servicer="X", structured=other.communication), Entry(TODAY, (back,), UNPAID),
        reference="S2",
    )  # fmt: skip
    named = session.execute(raw("SELECT id FROM invoice WHERE number = :number"), {"number": other.number}).scalar_one()
    session.commit()

    def imports() -> int:
        with transaction(make_session, SYSTEM) as own:
            return import_file(own, own.get_one(Operator, debtor.space.operator_id), octets, now=NOW).matched

    with ThreadPoolExecutor(1) as thread:
        with transaction(make_session, SYSTEM) as own:
            hold_payments(own, [payment_id])
            pending = thread.submit(imports)
            until(lambda: waits(session), describe="the import waits for the payment")
            assert [due.id for due in hold_invoices(own, [named])] == [named]
        assert pending.result(10) == 2
