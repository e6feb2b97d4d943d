"""Which consumer takes which kind of aggregate, since when: what the reconciler holds the receipts against."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from sqlalchemy.orm import Session, sessionmaker

from app.db import TenantSession, raw, transaction
from app.events.retention import SETTLING
from app.tenancy import SYSTEM
from workers.registry import Consumer

log = structlog.get_logger(__name__)

_SUBSCRIBE = raw("""
    INSERT INTO subscription (consumer, aggregate_type, after)
    VALUES (:consumer, :aggregate_type, CASE WHEN :begins_now THEN clock_timestamp() END)
    ON CONFLICT DO NOTHING RETURNING consumer
""")
_UNSETTLE = raw("UPDATE outbox SET settled_at = NULL WHERE aggregate_type = :aggregate_type AND settled_at IS NOT NULL")

_LOCK = raw(f"SELECT pg_advisory_xact_lock({SETTLING})")


def subscribe(make_session: sessionmaker[TenantSession], consumers: Iterable[Consumer]) -> None:
    """Enter consumers that are new, or new to an aggregate type; the past is unsettled for those that want it."""
    for consumer in consumers:
        for aggregate_type in consumer.aggregate_types:
            with transaction(make_session, SYSTEM) as session:
                _subscribe(session, consumer, aggregate_type)


def _subscribe(session: Session, consumer: Consumer, aggregate_type: str) -> None:
    facts = {"consumer": consumer.name, "aggregate_type": aggregate_type, "begins_now": consumer.from_ == "now"}
    session.execute(_LOCK)
    is_new = session.execute(_SUBSCRIBE, facts).one_or_none() is not None
    if not is_new:
        return
    log.info("subscribed", consumer=consumer.name, aggregate_type=aggregate_type, begins=consumer.from_)
    if consumer.from_ == "beginning":
        session.execute(raw("SET LOCAL statement_timeout = 0"))
        session.execute(_UNSETTLE, facts)
