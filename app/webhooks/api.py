"""Webhooks over HTTP: for managers of a whole operator, and for a network's coordinators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint

from app.http import rate_limits
from app.http.operation import Call, Reply, operation
from app.http.paging import Paged, cut, page_of
from app.http.preconditions import etag
from app.http.schemas import PageQuery
from app.outside import address
from app.webhooks import log, schemas, secrets, subscribing
from app.webhooks.event_types import TEST
from app.webhooks.models import Webhook, WebhookDelivery

blueprint = Blueprint("webhooks", __name__)

DELIVERIES = 20  # on a page unless told: each carries its attempts


@operation(
    blueprint, "POST", "/webhooks", body=schemas.NewWebhook, returns=schemas.WebhookMade, status=201, idempotent=True,
    problems=(403, 404, 409), etag=True, located=True,
)  # fmt: skip
def create_webhook(call: Call, body: dict[str, Any]) -> Reply:
    """Have an address of yours told of events: of an operator (its manager, of all of its spaces) or of a network (its
    coordinators, who are told what, where and when, but neither who nor for how much). The `secret` that messages are
    signed with is shown this once. At most 20 of one operator or network."""
    webhook, secret = subscribing.create_webhook(
        call.session, person=call.person, check_url=lambda url: _check_url(call, url), now=call.now, **body
    )
    return _webhook(call, webhook, secret=secret.secret)


@operation(blueprint, "GET", "/webhooks", query=PageQuery, returns=schemas.WebhookShape, many=True, paged=True)
def list_webhooks(call: Call, query: dict[str, Any]) -> Paged:
    """The webhooks you look after, oldest first."""
    page = page_of(query["limit"], query["cursor"], key=(int,))
    after = page.after[0] if page.after else None
    found = subscribing.list_webhooks(call.session, person=call.person, after=after, limit=page.limit + 1)
    shown, last = cut(found, page, lambda webhook: [webhook.id])
    return Paged(_described(call, shown), last)


@operation(blueprint, "GET", "/webhooks/<webhook_id>", returns=schemas.WebhookShape, problems=(403,), etag=True)
def show_webhook(call: Call, webhook_id: UUID) -> Reply:
    """One webhook: its state, and which secrets are live."""
    return _webhook(call, _found(call, webhook_id))


@operation(
    blueprint, "PATCH", "/webhooks/<webhook_id>", body=schemas.WebhookChange, returns=schemas.WebhookShape,
    if_match=True, problems=(403,), etag=True,
)  # fmt: skip
def change_webhook(call: Call, webhook_id: UUID, body: dict[str, Any]) -> Reply:
    """Change what is given. `state` disabled stops it, and what waits is cancelled; `state` active takes it up again:
    it hears of what happens from then on, and `POST /webhooks/{id}/redeliveries` sends what it missed."""
    webhook = _found(call, webhook_id, lock=True)
    call.check_match(_version(webhook))
    subscribing.change_webhook(
        call.session, webhook, body, person=call.person, check_url=lambda url: _check_url(call, url), now=call.now
    )
    return _webhook(call, webhook)


@operation(blueprint, "DELETE", "/webhooks/<webhook_id>", status=204, if_match=True, problems=(403,))
def archive_webhook(call: Call, webhook_id: UUID) -> None:
    """Nothing is sent to it any more, what waits is cancelled, and it is shown no longer. Repeating it succeeds."""
    webhook = subscribing.find_webhook(
        call.session, person=call.person, webhook_id=webhook_id, lock=True, archived=True
    )
    if webhook.archived_at is None:
        call.check_match(_version(webhook))
        subscribing.archive_webhook(call.session, webhook, person=call.person, now=call.now)


@operation(
    blueprint, "POST", "/webhooks/<webhook_id>/secrets", body=schemas.Rotation, returns=schemas.SecretGiven,
    status=201, idempotent=True, problems=(403, 409),
)  # fmt: skip
def rotate_secret(call: Call, webhook_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """A new secret, shown this once. Until the old one ends (after 24 hours, or as told; 0 ends it at once) messages
    carry a signature by each. At most two are live: otherwise 409 `too_many_secrets`."""
    webhook = _found(call, webhook_id, lock=True)
    keep = timedelta(hours=body["old_expires_in_hours"])
    secret = secrets.rotate(call.session, webhook, now=call.now, keep_old=keep)
    subscribing.note(call.session, call.person, webhook, "webhook.secret_rotated", now=call.now)
    return {**schemas.describe_secret(secret), "secret": secret.secret}


@operation(blueprint, "DELETE", "/webhooks/<webhook_id>/secrets/<secret_id>", status=204, problems=(403, 409))
def end_secret(call: Call, webhook_id: UUID, secret_id: UUID) -> None:
    """End the older of two secrets before its time. It has no versions, so no If-Match; again succeeds. The one that
    stays cannot be ended (409 `last_secret`): make another first."""
    webhook = _found(call, webhook_id, lock=True)
    secrets.end_secret(call.session, webhook, secret_id, now=call.now)
    subscribing.note(call.session, call.person, webhook, "webhook.secret_ended", now=call.now)


@operation(
    blueprint, "GET", "/webhooks/<webhook_id>/deliveries", query=schemas.DeliveriesQuery,
    returns=schemas.DeliveryShape, many=True, paged=True, problems=(403,),
)  # fmt: skip
def list_deliveries(call: Call, webhook_id: UUID, query: dict[str, Any]) -> Paged:
    """What was sent, newest first, with every attempt: request, answer, how long it took. Kept 30 days; 20 on a page
    unless told otherwise."""
    webhook = _found(call, webhook_id)
    page = page_of(query["limit"], query["cursor"], key=(int,), default=DELIVERIES)
    found = log.deliveries(
        call.session,
        webhook,
        state=query["state"],
        event_type=query["event_type"],
        before=page.after[0] if page.after else None,
        limit=page.limit + 1,
    )
    shown, last = cut(found, page, lambda delivery: [delivery.id])
    _note_view(call, webhook, shown)
    return Paged(_with_attempts(call, shown), last)


@operation(
    blueprint, "GET", "/webhooks/<webhook_id>/deliveries/<delivery_id>", returns=schemas.DeliveryShape, problems=(403,)
)
def show_delivery(call: Call, webhook_id: UUID, delivery_id: UUID) -> dict[str, Any]:
    """One delivery with its attempts."""
    webhook = _found(call, webhook_id)
    delivery = log.find_delivery(call.session, webhook, delivery_id)
    _note_view(call, webhook, [delivery])
    return _with_attempts(call, [delivery])[0]


@operation(
    blueprint, "POST", "/webhooks/<webhook_id>/deliveries/<delivery_id>/attempts", returns=schemas.DeliveryShape,
    status=202, idempotent=True, problems=(403, 409, 429),
)  # fmt: skip
def redeliver(call: Call, webhook_id: UUID, delivery_id: UUID) -> dict[str, Any]:
    """Send it again, whatever became of it: the same bytes under the same message id. A disabled webhook is taken up
    first (409 `wrong_state`)."""
    webhook = _found(call, webhook_id, lock=True)
    delivery = log.find_delivery(call.session, webhook, delivery_id, lock=True)
    log.require_active(webhook)
    rate_limits.take(rate_limits.WEBHOOK_TRIES, str(webhook_id))
    log.redeliver(webhook, delivery, now=call.now)
    subscribing.note(call.session, call.person, webhook, "webhook.redelivered", now=call.now)
    return _with_attempts(call, [delivery])[0]


@operation(
    blueprint, "POST", "/webhooks/<webhook_id>/redeliveries", body=schemas.Redelivery, returns=schemas.Redelivered,
    status=202, idempotent=True, problems=(403, 409, 429),
)  # fmt: skip
def redeliver_missed(call: Call, webhook_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Send again all that was given up or cancelled in the last `days`: for a receiver that was down and is back."""
    webhook = _found(call, webhook_id, lock=True)
    log.require_active(webhook)
    rate_limits.take(rate_limits.WEBHOOK_TRIES, str(webhook_id))
    since = call.now - timedelta(days=body["days"])
    count = log.redeliver_all(call.session, webhook, since=since, now=call.now)
    subscribing.note(call.session, call.person, webhook, "webhook.redelivered", now=call.now)
    return {"redelivered": count}


@operation(
    blueprint, "POST", "/webhooks/<webhook_id>/tests", returns=schemas.DeliveryShape, status=202, idempotent=True,
    problems=(403, 409, 429),
)  # fmt: skip
def send_test(call: Call, webhook_id: UUID) -> dict[str, Any]:
    """Send a signed message of type `webhook.test` on the way that all others go; see in the log what came back."""
    webhook = _found(call, webhook_id, lock=True)
    log.require_active(webhook)
    rate_limits.take(rate_limits.WEBHOOK_TRIES, str(webhook_id))
    return _with_attempts(call, [log.ping(call.session, webhook, now=call.now)])[0]


def _found(call: Call, webhook_id: UUID, *, lock: bool = False) -> Webhook:
    return subscribing.find_webhook(call.session, person=call.person, webhook_id=webhook_id, lock=lock)


def _version(webhook: Webhook) -> str:
    return etag(webhook.uid, webhook.revision)


def _check_url(call: Call, url: str) -> None:
    address.check_url(url, policy=address.Policy.of(call.services.config))


def _webhook(call: Call, webhook: Webhook, *, secret: str | None = None) -> Reply:
    location = f"/api/v1/webhooks/{webhook.uid}" if secret else None
    return Reply(_described(call, [webhook], secret=secret)[0], etag=_version(webhook), location=location)


def _described(call: Call, shown: Sequence[Webhook], *, secret: str | None = None) -> list[dict[str, Any]]:
    live = secrets.live_secrets(call.session, [each.id for each in shown], now=call.now)
    holders = subscribing.holders_of(call.session, shown)
    return [
        schemas.describe_webhook(each, holder=holders[each.id], live=live[each.id], secret=secret) for each in shown
    ]


def _with_attempts(call: Call, shown: Sequence[WebhookDelivery]) -> list[dict[str, Any]]:
    attempts = log.attempts_of(call.session, shown)
    return [schemas.describe_delivery(each, attempts[each.id]) for each in shown]


def _note_view(call: Call, webhook: Webhook, shown: Sequence[WebhookDelivery]) -> None:
    """An operator's messages tell of members; pings and a network's tell of nobody, and looking at those is nobody's
    business."""
    if webhook.operator_id is not None and any(each.event_type != TEST for each in shown):
        subscribing.note(call.session, call.person, webhook, "webhook.log_viewed", now=call.now)
