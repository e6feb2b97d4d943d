"""Money, credit notes and refunds for the same invoices at one instant: nothing is given twice, nobody deadlocks."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from app.billing.invoices.crediting import Part, credit
from app.billing.invoices.models import Invoice
from app.billing.payments.allocating import after_credit_note, use_credit
from app.billing.payments.models import Allocation, Payment
from app.billing.payments.refunding import request_refund
from app.db import TenantSession, transaction
from app.doctor.paid import PAID_CHECKS
from app.ids import new_id
from app.tenancy import SYSTEM
from tests.billing.charges.builders import a_party
from tests.billing.payments.counter import an_invoice_of, left_of, money_of
from tests.builders import a_space

NOW = datetime(2026, 3, 20, 10, tzinfo=UTC)
RACERS = 8


def test_many_that_pay_credit_and_give_back_at_once_never_pass_what_is_owed(
    session: Session, make_session: sessionmaker[TenantSession]
) -> None:
    space, party = a_space(session), a_party(session)
    invoices = [an_invoice_of(session, space, party, gross=1000, now=NOW) for _ in range(3)]
    payments = [money_of(session, space, party, 700, aims={invoices[0]: 700}, now=NOW) for _ in range(2)]
    session.commit()
    barrier = threading.Barrier(RACERS)

    def pay(own: TenantSession) -> None:
        money_of(own, space, party, 900, aims=dict.fromkeys(invoices, 600), now=NOW)

    def pay_anything(own: TenantSession) -> None:
        money_of(own, space, party, 450, now=NOW)

    def take_back(own: TenantSession) -> None:
        invoice = own.get_one(Invoice, invoices[1].id)
        credit(own, invoice, [Part(1, cents=100)], again=True, now=NOW)

    def follow(own: TenantSession) -> None:
        after_credit_note(own, invoices[1].id, now=NOW)

    def give_back(own: TenantSession) -> None:
        payment = own.get_one(Payment, payments[0].id)
        request_refund(own, payment, cents=100, reason="x", source=f"refund:{new_id()}", now=NOW)

    def use(own: TenantSession) -> None:
        use_credit(own, invoices[2].id, now=NOW)

    def race(*acts: Callable[[TenantSession], None]) -> None:
        barrier.wait(30)
        for _ in range(3):
            for act in acts:  # what follows from a credit note or a refund has a transaction of its own
                with transaction(make_session, SYSTEM) as own:
                    act(own)

    acts = [(pay,), (pay_anything,), (take_back, follow), (give_back, use)] * (RACERS // 4)
    random.Random(5).shuffle(acts)
    with ThreadPoolExecutor(RACERS) as pool:
        for ended in [pool.submit(race, *each) for each in acts]:
            ended.result(60)
    for invoice in invoices:
        after_credit_note(session, invoice.id, now=NOW)
        use_credit(session, invoice.id, now=NOW)
    assert [left_of(session, invoice) for invoice in invoices] == [0, 0, 0]
    assert session.scalars(select(func.sum(Allocation.cents))).one() == 3000 - 600
    session.commit()
    assert len([check(session.connection()) for _, check in PAID_CHECKS]) == 2
