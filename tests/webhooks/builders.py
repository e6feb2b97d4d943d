"""Builders of webhooks and deliveries for tests: `a_webhook(session, operator=...)`."""

from __future__ import annotations

import base64
import itertools
import secrets
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.ids import new_id
from app.network.models import Network, Operator
from app.webhooks.models import Webhook, WebhookAttempt, WebhookDelivery, WebhookSecret
from tests.builders import a_member, an_operator, saved

_numbers = itertools.count(1)


def a_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def a_webhook(
    session: Session,
    *,
    operator: Operator | None = None,
    network: Network | None = None,
    secret: str | None = None,
    **values: Any,
) -> Webhook:
    """An active receiver of everything, with one secret; of an operator of its own unless told otherwise."""
    if operator is None and network is None:
        operator = an_operator(session)
    webhook = Webhook(
        **{
            "operator_id": operator.id if operator else None,
            "network_id": network.id if network else None,
            "created_by": a_member(session).id,
            "url": f"https://receiver-{next(_numbers)}.example/hook",
            "event_types": ["*"],
            **values,
        }
    )
    saved(session, webhook)
    saved(session, WebhookSecret(webhook_id=webhook.id, secret=secret or a_secret()))
    return webhook


def a_delivery(session: Session, webhook: Webhook, *, at: datetime, **values: Any) -> WebhookDelivery:
    """A delivery to `webhook` that is due at `at`."""
    return saved(
        session,
        WebhookDelivery(
            **{
                "webhook_id": webhook.id,
                "event_id": new_id(),
                "event_type": "booking.made",
                "body": "{}",
                "next_attempt_at": at,
                "created_at": at,
                **values,
            }
        ),
    )


def an_attempt(session: Session, delivery: WebhookDelivery, *, at: datetime, **values: Any) -> WebhookAttempt:
    """A request that was answered 200."""
    facts = {"attempt": delivery.attempts, "duration_ms": 12, "status": 200, "at": at, **values}
    return saved(session, WebhookAttempt(delivery_id=delivery.id, **facts))
