"""Shapes of webhooks, their secrets, deliveries and attempts on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.events.envelope import instant
from app.http.schemas import PageQuery, Strict, one_line
from app.webhooks.event_types import MOST
from app.webhooks.models import (
    DELIVERY_STATES,
    REASONS,
    STATES,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
    WebhookSecret,
)

LONGEST_URL = 2000
LONGEST_KEPT_HOURS = 7 * 24  # of an old secret beside the new one
LONGEST_DAYS = 30  # as long as deliveries are kept


def url(**kwargs: Any) -> fields.String:
    doc = {"description": "https, on port 443 or 8443, of a public host; no name, password or fragment in it."}
    return fields.String(validate=validate.Length(1, LONGEST_URL), metadata=doc, **kwargs)


def event_types(**kwargs: Any) -> fields.List:
    doc = {"description": "Exact types (`booking.made`), families (`booking.*`), or `*` for all."}
    entry = fields.String(validate=validate.Length(1, 100))
    return fields.List(entry, validate=validate.Length(1, MOST), metadata=doc, **kwargs)


def description(**kwargs: Any) -> fields.String:
    return fields.String(validate=[validate.Length(max=200), one_line], **kwargs)


class NewWebhook(Strict):
    """Of an operator's events, or of a network's: give one of the two ids."""

    url = url(required=True)
    event_types = event_types(required=True)
    operator_id = fields.UUID(load_default=None, allow_none=True)
    network_id = fields.UUID(load_default=None, allow_none=True)
    description = description(load_default="")


class WebhookChange(Strict):
    """What to change. `state` active takes a disabled one up again."""

    url = url()
    event_types = event_types()
    description = description()
    state = fields.String(validate=validate.OneOf(STATES))

    @validates_schema
    def something(self, values: dict[str, Any], **_: Any) -> None:
        if not values:
            raise ValidationError("give at least one of url, event_types, description, state")


class SecretShape(Schema):
    """A live secret, by its id; `expires_at` is when it ends, null for the one that stays."""

    id = fields.UUID(required=True)
    created_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True, allow_none=True)


class SecretGiven(SecretShape):
    secret = fields.String(required=True, metadata={"description": "Shown this once: `whsec_` and base64."})


class WebhookShape(Schema):
    """`failing_since` is the first failure after the last success; `disabled_reason` says why nothing is sent."""

    id = fields.UUID(required=True)
    url = fields.String(required=True)
    description = fields.String(required=True)
    event_types = fields.List(fields.String(), required=True)
    operator_id = fields.UUID(required=True, allow_none=True)
    network_id = fields.UUID(required=True, allow_none=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    disabled_reason = fields.String(required=True, allow_none=True, validate=validate.OneOf((*REASONS, None)))
    disabled_at = fields.AwareDateTime(required=True, allow_none=True)
    failing_since = fields.AwareDateTime(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)
    secrets = fields.List(fields.Nested(SecretShape), required=True)


class WebhookMade(WebhookShape):
    secret = fields.String(required=True, metadata={"description": "Shown this once: `whsec_` and base64."})


class Rotation(Strict):
    """How long the old secret stays live beside the new one."""

    old_expires_in_hours = fields.Integer(strict=True, load_default=24, validate=validate.Range(0, LONGEST_KEPT_HOURS))


class DeliveriesQuery(PageQuery):
    state = fields.String(validate=validate.OneOf(DELIVERY_STATES), load_default=None)
    event_type = fields.String(validate=validate.Length(1, 100), load_default=None)


class AttemptShape(Schema):
    """One request and what came back; the request's body is the delivery's `body`."""

    at = fields.AwareDateTime(required=True)
    url = fields.String(required=True)
    status = fields.Integer(required=True, allow_none=True)
    error = fields.String(required=True, allow_none=True)
    duration_ms = fields.Integer(required=True)
    request_headers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    response_headers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    response_body = fields.String(required=True, metadata={"description": "The first 2 KB."})


class DeliveryShape(Schema):
    """One event for this receiver. `message_id` is the `webhook-id` of every attempt; `attempts` are the latest 20."""

    id = fields.UUID(required=True)
    message_id = fields.String(required=True)
    event_id = fields.UUID(required=True)
    event_type = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(DELIVERY_STATES))
    created_at = fields.AwareDateTime(required=True)
    delivered_at = fields.AwareDateTime(required=True, allow_none=True)
    next_attempt_at = fields.AwareDateTime(required=True, allow_none=True)
    attempt_count = fields.Integer(required=True)
    body = fields.String(required=True, metadata={"description": "JSON, byte for byte as it is sent and signed."})
    attempts = fields.List(fields.Nested(AttemptShape), required=True)


class Redelivery(Strict):
    """How far back: what was made in the last so many days and was given up or cancelled."""

    days = fields.Integer(strict=True, load_default=7, validate=validate.Range(1, LONGEST_DAYS))


class Redelivered(Schema):
    redelivered = fields.Integer(required=True)


def describe_webhook(
    webhook: Webhook, *, holder: UUID, live: Sequence[WebhookSecret], secret: str | None = None
) -> dict[str, Any]:
    """`holder` is the public id of its operator or network; a new `secret` is shown this once."""
    shown = {
        "id": str(webhook.uid),
        "url": webhook.url,
        "description": webhook.description,
        "event_types": webhook.event_types,
        "operator_id": str(holder) if webhook.operator_id else None,
        "network_id": str(holder) if webhook.network_id else None,
        "state": webhook.state,
        "disabled_reason": webhook.disabled_reason,
        "disabled_at": _instant(webhook.disabled_at),
        "failing_since": _instant(webhook.failing_since),
        "created_at": instant(webhook.created_at),
        "secrets": [describe_secret(each) for each in live],
    }
    return shown if secret is None else {**shown, "secret": secret}


def describe_secret(secret: WebhookSecret) -> dict[str, Any]:
    return {
        "id": str(secret.uid),
        "created_at": instant(secret.created_at),
        "expires_at": _instant(secret.expires_at),
    }


def describe_delivery(delivery: WebhookDelivery, attempts: Sequence[WebhookAttempt]) -> dict[str, Any]:
    return {
        "id": str(delivery.uid),
        "message_id": delivery.message_id,
        "event_id": str(delivery.event_id),
        "event_type": delivery.event_type,
        "state": delivery.state,
        "created_at": instant(delivery.created_at),
        "delivered_at": _instant(delivery.delivered_at),
        "next_attempt_at": instant(delivery.next_attempt_at) if delivery.state in ("pending", "failed") else None,
        "attempt_count": delivery.attempts,
        "body": delivery.body,
        "attempts": [_describe_attempt(attempt) for attempt in attempts],
    }


def _describe_attempt(attempt: WebhookAttempt) -> dict[str, Any]:
    return {
        "at": instant(attempt.at),
        "url": attempt.url,
        "status": attempt.status,
        "error": attempt.error,
        "duration_ms": attempt.duration_ms,
        "request_headers": attempt.request_headers,
        "response_headers": attempt.response_headers,
        "response_body": attempt.response_body,
    }


def _instant(at: datetime | None) -> str | None:
    return instant(at) if at else None
