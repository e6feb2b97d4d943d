"""Everything that lines touch, held in the order in which everybody takes it: payments first, then invoices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.bank.matching import Verdict
from app.billing.bank.taking import House
from app.billing.payments import standing
from app.billing.payments.models import Refund
from app.billing.payments.standing import Due
from app.billing.sepa.models import SepaItem


def hold(session: Session, house: House, verdicts: Sequence[Verdict], invoices: Iterable[int]) -> dict[int, Due]:
    """Hold `invoices`, and before them every payment that `verdicts` undo or follow, and credit that takes its place;
    with the invoices those that were paid, or take what came back. Returns them as they stand, first due first."""
    undone = {each.undoes.payment_id for each in verdicts if each.undoes} - {0}
    items = [item.id for each in verdicts for item in (each.item, *each.items) if item and item.kind == "transfer"]
    refunded = _refunded(session, items)
    credit = {
        payment_id
        for party_id in {each.party_id for each in verdicts if each.undoes and each.party_id}
        for payment_id in standing.payments_with_credit(session, operator_id=house.id, party_id=party_id)
    }
    standing.hold_payments(session, undone | refunded | credit)
    paid = {pair.invoice_id for payment_id in undone for pair in standing.given_by(session, payment_id)}
    opened = {
        invoice_id
        for party_id in {each.party_id for each in verdicts if each.rule == "returned_transfer" and each.party_id}
        for invoice_id in standing.open_invoices(session, operator_id=house.id, party_id=party_id)
    }
    return {due.id: due for due in standing.hold_invoices(session, {*invoices, *paid, *opened})}


def _refunded(session: Session, items: Sequence[int]) -> set[int]:
    """Payments that transfers give back."""
    if not items:
        return set()
    given = select(Refund.payment_id).join(SepaItem, SepaItem.refund_id == Refund.id).where(SepaItem.id.in_(items))
    return set(session.scalars(given))
