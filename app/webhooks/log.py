"""What was sent to a receiver, what it answered, sending it again, and forgetting it after 30 days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db import raw
from app.errors import NotFound, WrongState
from app.ids import new_id
from app.timekeeper import due, schedule
from app.webhooks.event_types import TEST
from app.webhooks.messages import ping_body
from app.webhooks.models import OPEN, Webhook, WebhookAttempt, WebhookDelivery

KEEP = timedelta(days=30)
MOST_SHOWN = 20  # attempts of one delivery, the latest
KIND = "webhook.forget"
EVERY = timedelta(hours=6)
BATCH = 1000
ENDED = ("given_up", "cancelled")

# The oldest of one receiver, as they were written; also those that are open that long after, left by a fan-out that met
# a receiver just being disabled. What a sender holds is let alone.
_FORGET = raw(f"""
    WITH oldest AS (
        SELECT id FROM webhook_delivery WHERE webhook_id = :webhook_id ORDER BY id LIMIT {BATCH}
    ), old AS (
        SELECT d.id FROM webhook_delivery d
        WHERE d.id IN (SELECT id FROM oldest) AND d.created_at < :before
          AND NOT (d.state = 'sending' AND coalesce(d.claimed_until, :now) >= :now)
        FOR UPDATE SKIP LOCKED
    ), answers AS (DELETE FROM webhook_attempt WHERE delivery_id IN (SELECT id FROM old))
    DELETE FROM webhook_delivery WHERE id IN (SELECT id FROM old)
""")
_FORGET_SECRETS = raw("DELETE FROM webhook_secret WHERE webhook_id = :webhook_id AND expires_at < :before")


def deliveries(
    session: Session,
    webhook: Webhook,
    *,
    state: str | None = None,
    event_type: str | None = None,
    before: int | None = None,
    limit: int,
) -> Sequence[WebhookDelivery]:
    """The log of one receiver, newest first; those older than `before`, an internal id."""
    rows = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id)
    for column, value in ((WebhookDelivery.state, state), (WebhookDelivery.event_type, event_type)):
        rows = rows if value is None else rows.where(column == value)
    if before is not None:
        rows = rows.where(WebhookDelivery.id < before)
    return session.scalars(rows.order_by(WebhookDelivery.id.desc()).limit(limit)).all()


def attempts_of(session: Session, shown: Sequence[WebhookDelivery]) -> dict[int, list[WebhookAttempt]]:
    """The latest attempts of each delivery, oldest first, by its internal id."""
    rows = select(WebhookAttempt).where(WebhookAttempt.delivery_id.in_([each.id for each in shown]))
    found: dict[int, list[WebhookAttempt]] = {each.id: [] for each in shown}
    for attempt in session.scalars(rows.order_by(WebhookAttempt.id)):
        found[attempt.delivery_id].append(attempt)
    return {delivery_id: attempts[-MOST_SHOWN:] for delivery_id, attempts in found.items()}


def find_delivery(session: Session, webhook: Webhook, delivery_id: UUID, *, lock: bool = False) -> WebhookDelivery:
    """One delivery of this receiver. Raises NotFound."""
    wanted = select(WebhookDelivery).where(WebhookDelivery.uid == delivery_id, WebhookDelivery.webhook_id == webhook.id)
    delivery = session.scalars(wanted.with_for_update(key_share=True) if lock else wanted).one_or_none()
    if delivery is None:
        raise NotFound()
    return delivery


def redeliver(webhook: Webhook, delivery: WebhookDelivery, *, now: datetime) -> None:
    """Send it again at once, under the same message id, whatever became of it. One that had ended begins the schedule
    anew; for one that waits its next attempt comes now. One that a sender holds is being sent already.

    Both rows must be locked. Raises WrongState while the receiver is disabled.
    """
    require_active(webhook)
    if delivery.state == "sending":
        return
    if delivery.state not in OPEN:
        delivery.spent, delivery.delivered_at = delivery.attempts, None
        delivery.state = "pending"
    delivery.next_attempt_at, delivery.claimed_until = now, None


def redeliver_all(session: Session, webhook: Webhook, *, since: datetime, now: datetime) -> int:
    """Send again everything of `since` or later that was given up or cancelled; returns how many.

    For a receiver that was down and is back. Raises WrongState while it is disabled.
    """
    require_active(webhook)
    again = (
        update(WebhookDelivery)
        .where(
            WebhookDelivery.webhook_id == webhook.id,
            WebhookDelivery.state.in_(ENDED),
            WebhookDelivery.created_at >= since,
        )
        .values(state="pending", spent=WebhookDelivery.attempts, next_attempt_at=now, claimed_until=None)
        .returning(WebhookDelivery.id)
    )
    return len(session.execute(again.execution_options(synchronize_session=False)).all())


def ping(session: Session, webhook: Webhook, *, now: datetime) -> WebhookDelivery:
    """A signed message of type webhook.test on the way of all others. Raises WrongState while disabled."""
    require_active(webhook)
    ping_id = new_id()
    delivery = WebhookDelivery(
        webhook_id=webhook.id,
        event_id=ping_id,
        event_type=TEST,
        body=ping_body(webhook_uid=webhook.uid, ping_id=ping_id, at=now),
        next_attempt_at=now,
        created_at=now,
    )
    session.add(delivery)
    session.flush()
    return delivery


def require_active(webhook: Webhook) -> None:
    if webhook.state != "active":
        raise WrongState(state=webhook.state, remedy="PATCH it with state active first")


@due(KIND)
def forget(session: Session, webhook_id: int, *, now: datetime) -> None:
    """Remove deliveries, attempts and expired secrets 30 days old, in batches: again in some hours, or at once when a
    batch was full. A receiver that is archived and forgotten whole is not looked at again."""
    facts: dict[str, Any] = {"webhook_id": webhook_id, "before": now - KEEP, "now": now}
    removed: Any = session.execute(_FORGET, facts)
    session.execute(_FORGET_SECRETS, facts)
    if removed.rowcount == BATCH:
        schedule(session, KIND, webhook_id, now + timedelta(seconds=1))
    elif _is_of_use(session, webhook_id):
        schedule(session, KIND, webhook_id, now + EVERY)


def begin_forgetting(session: Session, webhook: Webhook, *, now: datetime) -> None:
    """Have the log of a new receiver looked through from now on."""
    schedule(session, KIND, webhook.id, now + EVERY)


def _is_of_use(session: Session, webhook_id: int) -> bool:
    live = select(Webhook.id).where(Webhook.id == webhook_id, Webhook.archived_at.is_(None))
    left = select(WebhookDelivery.id).where(WebhookDelivery.webhook_id == webhook_id).limit(1)
    return bool(session.scalars(live).all() or session.scalars(left).all())
