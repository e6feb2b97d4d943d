"""When nothing is sent to a receiver any more, and how it is taken up again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.events.catalogue import WebhookDisabled
from app.events.envelope import instant
from app.events.outbox import record
from app.network.models import Network, Operator
from app.webhooks.models import OPEN, Webhook, WebhookDelivery

TOLD = ("gone", "failing")  # reasons that nobody chose: whoever looks after the receiver has to be told


def disable(session: Session, webhook: Webhook, *, reason: str, now: datetime) -> bool:
    """Send it nothing any more: what was still to be sent is cancelled, and kept for a redelivery.

    `reason` is gone (it answered 410), failing (no success for days), or by_hand. The first two record
    webhook.disabled in the same transaction. False: it was disabled or archived already. Locks the webhook's row.
    """
    session.refresh(webhook, with_for_update={"key_share": True})
    if webhook.state == "disabled" or webhook.archived_at is not None:
        return False
    webhook.state, webhook.disabled_reason, webhook.disabled_at = "disabled", reason, now
    webhook.revision += 1
    cancel_open(session, webhook)
    session.flush()
    if reason in TOLD:
        record(session, webhook, _disabled(session, webhook), at=now)
    return True


def enable(session: Session, webhook: Webhook) -> bool:
    """Take it up again, as if it had never failed; from here on it hears of what happens. False: it is active.

    What was cancelled or given up meanwhile is sent by `log.redeliver_all`, when somebody asks for it.
    """
    session.refresh(webhook, with_for_update={"key_share": True})
    if webhook.state == "active":
        return False
    webhook.state, webhook.disabled_reason, webhook.disabled_at = "active", None, None
    webhook.failing_since = None
    webhook.revision += 1
    session.flush()
    return True


def cancel_open(session: Session, webhook: Webhook) -> None:
    """Give up what is waiting to be sent. What a sender holds at this moment ends by itself: it may be received."""
    waiting = update(WebhookDelivery).where(
        WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.state.in_(set(OPEN) - {"sending"})
    )
    session.execute(waiting.values(state="cancelled").execution_options(synchronize_session=False))


def _disabled(session: Session, webhook: Webhook) -> WebhookDisabled:
    operator = session.get(Operator, webhook.operator_id) if webhook.operator_id else None
    network = session.get(Network, webhook.network_id) if webhook.network_id else None
    return WebhookDisabled(
        webhook_id=str(webhook.uid),
        operator_id=str(operator.uid) if operator else None,
        network_id=str(network.uid) if network else None,
        reason=str(webhook.disabled_reason),
        failing_since=instant(webhook.failing_since) if webhook.failing_since else None,
    )
