"""What the provider tells by itself: stored once under its own id, answered at once, processed as an event.

It may come twice, late, in another order, or never: so it is not believed. It only makes us look, now.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.billing.payments.models import Payment, PaymentMethod, ProviderNotice
from app.billing.payments.port import Notice
from app.events.outbox import insert_event
from app.events.payment_facts import ProviderNotified
from app.ids import new_id

log = structlog.get_logger(__name__)


def store(session: Session, provider: str, notice: Notice, *, now: datetime) -> bool:
    """Keep a notice; False when it came before."""
    uid = new_id()
    values = {
        "uid": uid, "provider": provider, "notice_id": notice.notice_id, "type": notice.type,
        "object_ref": notice.object_ref, "account": notice.account, "received_at": now,
        "payload": {
            "names": list(notice.names), "payment": str(notice.payment) if notice.payment else None,
            "told": notice.payload,
        },
    }  # fmt: skip
    kept = insert(ProviderNotice).values(values).on_conflict_do_nothing(index_elements=["provider", "notice_id"])
    if session.scalar(kept.returning(ProviderNotice.id)) is None:
        return False
    fact = ProviderNotified(notice_id=str(uid), provider=provider, topic=notice.type)
    insert_event(session, fact, aggregate_id=uid, seq=1, at=now)
    return True


def look_now(session: Session, notice_uid: UUID, *, now: datetime) -> None:
    """Have whatever a notice is about looked up at once. One about nothing that we know is kept as ignored."""
    notice = session.scalars(select(ProviderNotice).where(ProviderNotice.uid == notice_uid)).one()
    woken = _wake(session, notice.provider, notice.payload, now)
    notice.state, notice.done_at = "done" if woken else "ignored", now
    if not woken:
        log.info("notice_ignored", notice_id=notice.notice_id, type=notice.type)


def _wake(session: Session, provider: str, payload: dict[str, Any], now: datetime) -> int:
    """Who talks to the provider about it just now finds at the end that it was woken meanwhile, and looks again."""
    names, own = payload["names"], payload["payment"]
    named = Payment.provider_ref.in_(names)
    payments = update(Payment).where(
        Payment.provider == provider, or_(named, Payment.uid == UUID(own)) if own else named
    )
    methods = update(PaymentMethod).where(
        PaymentMethod.provider == provider, PaymentMethod.provider_setup.in_(names), PaymentMethod.state == "pending"
    )
    return sum(
        len(session.execute(_due(kind, wanted, now)).all())
        for kind, wanted in ((Payment, payments), (PaymentMethod, methods))
    )


def _due(kind: Any, wanted: Any, now: datetime) -> Any:
    due = wanted.values(next_look_at=func.least(kind.next_look_at, now)).returning(kind.id)
    return due.execution_options(synchronize_session=False)
