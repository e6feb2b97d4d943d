"""What was done, and what is stopped, for who keeps the books."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.dunning.models import DunningAct, DunningStop
from app.billing.invoices.models import Invoice
from app.network.models import Operator
from app.network.parties.models import Party


def acts(
    session: Session, operator: Operator, *, invoice_uid: UUID | None, before: int | None, limit: int
) -> Sequence[Any]:
    """Steps that were taken, newest first, each with its invoice."""
    wanted = select(DunningAct, Invoice).join(Invoice, Invoice.id == DunningAct.invoice_id)
    wanted = wanted.where(DunningAct.operator_id == operator.id)
    if invoice_uid is not None:
        wanted = wanted.where(Invoice.uid == invoice_uid)
    if before is not None:
        wanted = wanted.where(DunningAct.id < before)
    return session.execute(wanted.order_by(DunningAct.id.desc()).limit(limit)).all()


def stops(session: Session, operator: Operator, *, before: int | None, limit: int) -> Sequence[Any]:
    """Stops, newest first: (stop, the party's public id, the invoice's)."""
    wanted = (
        select(DunningStop, Party.uid, Invoice.uid)
        .outerjoin(Party, Party.id == DunningStop.party_id)
        .outerjoin(Invoice, Invoice.id == DunningStop.invoice_id)
        .where(DunningStop.operator_id == operator.id)
    )
    if before is not None:
        wanted = wanted.where(DunningStop.id < before)
    return session.execute(wanted.order_by(DunningStop.id.desc()).limit(limit)).all()
