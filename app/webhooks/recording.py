"""What became of the messages sent: the state of each delivery, an attempt in the log, and how its receiver does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from app.db import raw
from app.webhooks.claiming import Message
from app.webhooks.disabling import disable
from app.webhooks.models import Webhook
from app.webhooks.schedule import GONE, Next, is_failing_too_long

KEPT_BODY = 2048  # bytes of an answer
KEPT_HEADERS, KEPT_VALUE = 50, 500  # headers of an answer, and characters of each

# Whoever changes a receiver or what waits for it has its row locked; in the order of ids, nobody waits in a circle.
_LOCK = raw("""
    SELECT id, url, failing_since, state = 'active' AND archived_at IS NULL AS is_active FROM webhook
    WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE
""")
# Only who still holds the claim says what comes next. But what was received has been received, whoever holds it now;
# and what failed is not tried again once its receiver is disabled.
_DELIVERIES = raw("""
    UPDATE webhook_delivery d SET
        state = CASE WHEN r.state = 'failed' AND NOT r.is_active THEN 'cancelled' ELSE r.state END,
        attempts = d.attempts + 1, claimed_until = NULL,
        next_attempt_at = coalesce(r.next_at, d.next_attempt_at),
        delivered_at = CASE WHEN r.state = 'delivered' THEN r.ended END
    FROM unnest(CAST(:ids AS bigint[]), CAST(:claims AS timestamptz[]), CAST(:states AS text[]),
                CAST(:nexts AS timestamptz[]), CAST(:ends AS timestamptz[]), CAST(:actives AS boolean[]))
         AS r (id, claimed_until, state, next_at, ended, is_active)
    WHERE d.id = r.id AND (
        (d.state = 'sending' AND d.claimed_until = r.claimed_until)
        OR (r.state = 'delivered' AND d.state IN ('pending', 'failed', 'sending')))
""")
# Once, also when a commit was not heard and all this comes again.
_ATTEMPTS = raw("""
    INSERT INTO webhook_attempt
        (delivery_id, attempt, at, url, duration_ms, status, error, request_headers, response_headers, response_body)
    SELECT d.id, r.attempt, r.at, r.url, r.duration_ms, r.status, r.error, CAST(r.request_headers AS jsonb),
           CAST(r.response_headers AS jsonb), r.response_body
    FROM unnest(CAST(:ids AS bigint[]), CAST(:numbers AS integer[]), CAST(:begins AS timestamptz[]),
                CAST(:urls AS text[]), CAST(:durations AS integer[]), CAST(:statuses AS integer[]),
                CAST(:errors AS text[]), CAST(:request_headers AS text[]), CAST(:response_headers AS text[]),
                CAST(:response_bodies AS text[]))
         WITH ORDINALITY AS r (id, attempt, at, url, duration_ms, status, error, request_headers, response_headers,
                               response_body, place)
    JOIN webhook_delivery d ON d.id = r.id
    WHERE NOT EXISTS (SELECT FROM webhook_attempt a WHERE a.delivery_id = r.id AND a.at = r.at)
    ORDER BY r.place
""")
_FAILING_SINCE = raw("UPDATE webhook SET failing_since = :since WHERE id = :id")


@dataclass(frozen=True, slots=True)
class Result:
    """One request and what came of it. `error` says why it is no success; the signature is not among the headers."""

    message: Message
    at: datetime
    ended: datetime
    duration_ms: int
    next: Next
    status: int | None = None
    error: str | None = None
    request_headers: dict[str, str] = field(default_factory=dict)
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: bytes = b""


def record_results(session: Session, results: Sequence[Result]) -> dict[int, str]:
    """Write down what became of these messages, in the order they ended.

    Returns the receivers to be disabled with the reason for each: the caller does so in a transaction of its own.
    """
    receivers = session.execute(_LOCK, {"ids": [each.message.webhook_id for each in results]}).all()
    session.execute(_DELIVERIES, _columns_of_deliveries(results, {row.id for row in receivers if row.is_active}))
    session.execute(_ATTEMPTS, _columns_of_attempts(results))
    over = {}
    for row in receivers:
        mine = [each for each in results if each.message.webhook_id == row.id]
        since = _failing_since(row.failing_since, mine)
        if since != row.failing_since:
            session.execute(_FAILING_SINCE, {"id": row.id, "since": since})
        if any(each.status == GONE and each.message.url == row.url for each in mine):  # it may have another by now
            over[row.id] = "gone"
        elif is_failing_too_long(since, now=mine[-1].ended):
            over[row.id] = "failing"
    return over


def disable_receiver(session: Session, webhook_id: int, *, reason: str, now: datetime) -> bool:
    """Disable it, and have whoever looks after it told; False when it was already."""
    webhook = session.get(Webhook, webhook_id)
    return webhook is not None and disable(session, webhook, reason=reason, now=now)


def _failing_since(since: datetime | None, results: Sequence[Result]) -> datetime | None:
    """The first failure after the last success."""
    for each in results:
        since = None if each.next.state == "delivered" else since or each.at
    return since


def _columns_of_deliveries(results: Sequence[Result], active: set[int]) -> dict[str, list]:
    return {
        "ids": [each.message.delivery_id for each in results],
        "claims": [each.message.claimed_until for each in results],
        "states": [each.next.state for each in results],
        "nexts": [each.next.at for each in results],
        "ends": [each.ended for each in results],
        "actives": [each.message.webhook_id in active for each in results],
    }


def _columns_of_attempts(results: Sequence[Result]) -> dict[str, list]:
    return {
        "ids": [each.message.delivery_id for each in results],
        "numbers": [each.message.number for each in results],
        "begins": [each.at for each in results],
        "urls": [each.message.url for each in results],
        "durations": [each.duration_ms for each in results],
        "statuses": [each.status for each in results],
        "errors": [_storable(each.error) if each.error else None for each in results],
        "request_headers": [json.dumps(each.request_headers) for each in results],
        "response_headers": [json.dumps(_kept(each.response_headers)) for each in results],
        "response_bodies": [_storable(each.response_body[:KEPT_BODY].decode(errors="replace")) for each in results],
    }


def _kept(headers: dict[str, str]) -> dict[str, str]:
    return {
        _storable(name)[:100]: _storable(value)[:KEPT_VALUE] for name, value in list(headers.items())[:KEPT_HEADERS]
    }


def _storable(text: str) -> str:
    """PostgreSQL keeps no NUL."""
    return text.replace("\x00", "\ufffd")
