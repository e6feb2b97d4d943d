"""What lines mean for money that went, or goes back: our transfers and debits by their items, and payments undone.

These are few in a file, so each is done by the services that do it for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.billing.bank.models import BankLine
from app.billing.bank.taking import House
from app.billing.payments import refunding, states
from app.billing.payments.allocating import release, use_credit
from app.billing.payments.models import Refund
from app.billing.payments.standing import given_by
from app.billing.payments.tasks import open_task
from app.billing.sepa import shown

if TYPE_CHECKING:
    from app.billing.bank.settling import Decided


def follow(
    session: Session, house: House, decided: Sequence[Decided], payments: Mapping[int, int], *, now: datetime
) -> None:
    """Do what follows from lines that are written: `payments` are those that they became, by line."""
    for each in decided:
        verdict = each.verdict
        if verdict is None:
            continue
        if verdict.undoes is not None:
            payment_id = verdict.undoes.payment_id or payments[verdict.undoes.line_id]
            if not _undo(session, house, each, payment_id, now):
                continue
        if verdict.item is not None:
            reason = each.line.return_reason or ("returned" if verdict.rule.startswith("returned") else None)
            shown.on_statement(session, verdict.item.id, line_id=each.id, return_reason=reason, now=now)
        for item in verdict.items:
            shown.on_statement(session, item.id, line_id=each.id, return_reason=None, now=now)


def _undo(session: Session, house: House, each: Decided, payment_id: int, now: datetime) -> bool:
    """The payment goes back, whole: what it paid is open again, and takes what credit the party has; a person is told
    why. False where more goes back than is left of it."""
    payment = refunding.held(session, payment_id)
    cents = -each.line.cents
    is_left = cents <= refunding.left_cents(session, payment)
    if not is_left:
        _leave_open(session, each)
    else:
        paid = [pair.invoice_id for pair in given_by(session, payment.id)]
        source = f"returned:{each.uid}"
        release(session, payment, cents, source=source, now=now)
        refund = Refund(
            payment_id=payment.id, operator_id=house.id, source=source, amount_cents=cents, currency=payment.currency,
            reason=f"returned {each.line.return_reason or ''}".strip(), requested_at=now, state="requested", looks=0,
            claims=0,
        )  # fmt: skip
        session.add(refund)
        session.flush()
        refunding.follow(session, payment, refund, states.SETTLED, None, books=house.books, now=now)
        session.execute(update(BankLine).where(BankLine.id == each.id).values(payment_id=payment.id))
        for invoice_id in paid:
            use_credit(session, invoice_id, now=now)
    open_task(
        session, operator_id=house.id, kind="returned", key=f"returned:line:{each.uid}", cents=cents,
        currency=house.currency, party_id=payment.party_id, payment_id=payment.id,
        facts={"bank_line_id": str(each.uid), "reason": each.line.return_reason or ""}, now=now,
    )  # fmt: skip
    return is_left


def _leave_open(session: Session, each: Decided) -> None:
    """More goes back than is left of the payment: some of it was given back already."""
    each.verdict = None
    values = {"state": "open", "rule": "", "reasons": ["given_back_before"], "party_id": None, "decided_at": None}
    session.execute(update(BankLine).where(BankLine.id == each.id).values(**values))
