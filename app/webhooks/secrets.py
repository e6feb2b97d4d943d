"""Signing secrets: made here, shown once, rotated without a gap: two may be live while the receiver changes over."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime, timedelta
from secrets import token_bytes
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.errors import NotFound, Problem
from app.events.envelope import instant
from app.webhooks.models import Webhook, WebhookSecret

PREFIX = "whsec_"
OCTETS = 32  # Standard Webhooks asks for 24 to 64
MOST_LIVE = 2
CHANGE_OVER = timedelta(hours=24)  # how long the old one stays beside a new one, unless told otherwise


class TooManySecrets(Problem):
    """`expires_at` says when the older one ends by itself."""

    code = "too_many_secrets"
    status = 409
    title = "Two secrets are live: end the older one before making another."


class LastSecret(Problem):
    code = "last_secret"
    status = 409
    title = "Messages are signed with this secret; make another first."


def new_secret(session: Session, webhook: Webhook, *, now: datetime) -> WebhookSecret:
    """Another secret, from now on used beside any that is live."""
    text = PREFIX + base64.b64encode(token_bytes(OCTETS)).decode()
    secret = WebhookSecret(webhook_id=webhook.id, secret=text, created_at=now)
    session.add(secret)
    session.flush()
    return secret


def live_secrets(session: Session, webhook_ids: Iterable[int], *, now: datetime) -> dict[int, list[WebhookSecret]]:
    """What messages of each webhook are signed with at `now`, the newest first, by its internal id."""
    live: dict[int, list[WebhookSecret]] = {webhook_id: [] for webhook_id in webhook_ids}
    alive = or_(WebhookSecret.expires_at.is_(None), WebhookSecret.expires_at > now)
    rows = select(WebhookSecret).where(WebhookSecret.webhook_id.in_(live), alive)
    for secret in session.scalars(rows.order_by(WebhookSecret.id.desc())):
        live[secret.webhook_id].append(secret)
    return live


def rotate(session: Session, webhook: Webhook, *, now: datetime, keep_old: timedelta = CHANGE_OVER) -> WebhookSecret:
    """A new secret; the one before it ends after `keep_old`, and with nothing of that all before it end at once. The
    webhook's row must be locked.

    Raises TooManySecrets while two are live and one of them is to be kept.
    """
    live = live_secrets(session, [webhook.id], now=now)[webhook.id]
    if keep_old and len(live) >= MOST_LIVE:
        ends = [secret.expires_at for secret in live if secret.expires_at]
        raise TooManySecrets(limit=MOST_LIVE, expires_at=instant(min(ends)))
    for secret in live:
        secret.expires_at = now + keep_old
    return new_secret(session, webhook, now=now)


def end_secret(session: Session, webhook: Webhook, secret_uid: UUID, *, now: datetime) -> None:
    """End the older of two at once; again is harmless. Raises NotFound, LastSecret for the one that stays."""
    mine = select(WebhookSecret).where(WebhookSecret.webhook_id == webhook.id, WebhookSecret.uid == secret_uid)
    secret = session.scalars(mine).one_or_none()
    if secret is None:
        raise NotFound()
    if secret.expires_at is None:
        raise LastSecret()
    secret.expires_at = min(secret.expires_at, now)
