"""Closing a month in a request: it is closed at once, and the timekeeper has its documents made, a batch at a time."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.charges.models import BillingMonth
from app.billing.invoices import reading
from app.billing.invoices.closing import begin, claim, finalise_customers
from app.billing.invoices.issuers import issuer
from app.timekeeper import due, schedule

KIND = "billing.finalise"
AT_ONCE = timedelta(milliseconds=1)  # later than now: a row that is due anew has another instant


def close_here(session: Session, operator_id: int, month: date, *, now: datetime) -> bool:
    """Close a month, and have its documents made; False when it was closed before. Raises as `closing.begin`.

    The documents are not made in this transaction: it holds the operator's months alone, and whoever charges holds
    charges and waits for those.
    """
    changed = begin(session, operator_id, month, now=now)
    schedule(session, KIND, operator_id, now)
    return changed


@due(KIND)
def finalise_rest(session: Session, operator_id: int, *, now: datetime) -> None:
    """Document a batch of customers of an operator's closed months; due again until none is left."""
    month = session.scalar(select(BillingMonth.closed).where(BillingMonth.operator_id == operator_id))
    if month is None:
        return
    reading.be_patient(session)
    own, after = issuer(session, operator_id, now=now), 0
    while True:
        batch = claim(session, operator_id, month, after=after, wait=True)
        written, _, _ = finalise_customers(session, own, batch.customers, month, now=now)
        if not batch.after:
            return
        if written:
            schedule(session, KIND, operator_id, now + AT_ONCE)
            return
        after = batch.after
