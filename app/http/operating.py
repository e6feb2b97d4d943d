"""For whoever operates it: is the process alive, is it ready, what does it count."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from app.db import raw, schema_fault
from app.http.problems import Unavailable, answer
from app.http.services import services

blueprint = Blueprint("operating", __name__)

_FIGURES = raw(
    """
    SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS unpublished,
      (SELECT extract(epoch FROM clock_timestamp() - recorded_at) FROM outbox
       WHERE published_at IS NULL ORDER BY id LIMIT 1) AS lag,
      (SELECT count(*) FROM due WHERE at < :now) AS overdue
    """
)
_WAITING = raw(
    """
    SELECT consumer, state, count(*) AS deliveries FROM delivery
    WHERE state IN ('parked', 'failed', 'dead') GROUP BY consumer, state ORDER BY consumer, state
    """
)
# Counted up to a bound: whether a hundred thousand wait or more, the same has to be done.
_BACKLOG = raw(
    """
    SELECT s.consumer, count(o.event_id) AS events,
      coalesce(extract(epoch FROM clock_timestamp() - min(o.recorded_at)), 0) AS oldest
    FROM (SELECT DISTINCT consumer FROM subscription) AS s
    LEFT JOIN LATERAL (
        SELECT o.event_id, o.recorded_at
        FROM (SELECT * FROM outbox WHERE settled_at IS NULL ORDER BY id LIMIT 100000) AS o
        JOIN subscription u ON u.consumer = s.consumer AND u.aggregate_type = o.aggregate_type
          AND (u.after IS NULL OR o.recorded_at > u.after)
        WHERE NOT EXISTS (SELECT FROM delivery d WHERE d.consumer = s.consumer AND d.event_id = o.event_id)
    ) AS o ON true
    GROUP BY s.consumer ORDER BY s.consumer
    """
)
_KEPT = raw(
    """
    SELECT (SELECT coalesce(extract(epoch FROM clock_timestamp() - recorded_at), 0)
            FROM outbox ORDER BY id LIMIT 1) AS oldest,
      (SELECT count(*) FROM event_archive) AS files,
      (SELECT extract(epoch FROM clock_timestamp() - at) FROM figure WHERE name = 'archive_went_well') AS archive_age,
      (SELECT extract(epoch FROM clock_timestamp() - at) FROM figure WHERE name = 'archive_failing') AS archive_failing,
      (SELECT value FROM figure WHERE name = 'dead_letters') AS dead_letters,
      (SELECT value FROM figure WHERE name = 'worker_starts') AS starts
    """
)
_OUTSIDE = raw(
    """
    SELECT 'mails' AS what, state, count(*) AS found FROM notification
    WHERE state IN ('pending', 'sending') GROUP BY state
    UNION ALL SELECT 'mails', state, count(*) FROM notification WHERE state IN ('failed', 'bounced') GROUP BY state
    UNION ALL SELECT 'webhook_deliveries', state, count(*) FROM webhook_delivery
    WHERE state IN ('pending', 'sending', 'failed') GROUP BY state
    UNION ALL SELECT 'webhooks', CASE state WHEN 'disabled' THEN 'disabled' ELSE 'failing' END, count(*) FROM webhook
    WHERE archived_at IS NULL AND (state = 'disabled' OR failing_since IS NOT NULL) GROUP BY 2
    ORDER BY what, state
    """
)
_STATES = {
    "mails": ("Mails not sent", ("pending", "sending", "failed", "bounced")),
    "webhook_deliveries": ("Messages to webhooks not delivered", ("pending", "sending", "failed")),
    "webhooks": ("Webhooks in trouble", ("failing", "disabled")),
}


@blueprint.get("/healthz")
def alive() -> Response:
    """The process answers. Nothing else is asked, so that a database that is away does not get it restarted."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
def ready() -> Response:
    """The database answers and its schema is the one this code was written for."""
    with services().engine.connect() as connection:
        fault = schema_fault(connection)
    if fault:
        response = answer(Unavailable(detail=fault, remedy="run `passerelle migrate`"))
        response.headers["Retry-After"] = "5"
        return response
    return Response("ready\n", mimetype="text/plain")


@blueprint.get("/metrics")
def metrics() -> Response:
    """Counters of all web processes, and figures read from the database now."""
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)
    else:
        registry.register(_ThisProcess())
    own = services()
    registry.register(Figures(own.engine, own.clock()))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _ThisProcess(Collector):
    """What this process counts, when it is the only one."""

    def collect(self) -> Iterable[Metric]:
        return REGISTRY.collect()


class Figures(Collector):
    """How far effects are behind facts, and what waits for a person. Ages are in seconds."""

    def __init__(self, engine: Engine, now: datetime) -> None:
        self.engine = engine
        self.now = now

    def collect(self) -> Iterable[Metric]:
        with self.engine.connect() as connection:
            figures = connection.execute(_FIGURES, {"now": self.now}).one()
            waiting = connection.execute(_WAITING).all()
            backlog = connection.execute(_BACKLOG).all()
            kept = connection.execute(_KEPT).one()
            outside = connection.execute(_OUTSIDE).all()
        yield _gauge("passerelle_outbox_unpublished", "Events recorded and not yet on the bus.", figures.unpublished)
        yield _gauge("passerelle_outbox_lag_seconds", "Age of the oldest of them.", figures.lag or 0)
        yield _gauge("passerelle_due_overdue", "What is due and has not been done yet.", figures.overdue)
        yield _labelled(
            "passerelle_deliveries_waiting",
            "Events not handled yet: parked (an earlier one is missing), failed (tried again later), dead (given up).",
            ["consumer", "state"],
            [([row.consumer, row.state], row.deliveries) for row in waiting],
        )
        yield from _consumers(backlog)
        yield from _archive(kept)
        yield _gauge(
            "passerelle_dead_letters", "Messages on the bus that no consumer could read.", kept.dead_letters or 0
        )
        yield CounterMetricFamily(
            "passerelle_worker_starts", "How often a process of workers has begun.", value=kept.starts or 0
        )
        yield from _leaving(outside)


def _consumers(backlog: Sequence[Any]) -> Iterator[Metric]:
    yield _labelled(
        "passerelle_consumer_backlog", "Events that a consumer has not received yet, at most 100000.", ["consumer"],
        [([row.consumer], row.events) for row in backlog],
    )  # fmt: skip
    yield _labelled(
        "passerelle_consumer_oldest_seconds", "Age of the oldest of them.", ["consumer"],
        [([row.consumer], row.oldest) for row in backlog],
    )  # fmt: skip


def _archive(kept: Any) -> Iterator[Metric]:
    yield _gauge("passerelle_outbox_oldest_seconds", "Age of the oldest event in the database.", kept.oldest or 0)
    yield _gauge("passerelle_archive_files", "Files of archived events.", kept.files)
    yield _gauge("passerelle_archive_age_seconds", "Since the archivist last had all done.", kept.archive_age or 0)
    yield _gauge("passerelle_archive_failing_seconds", "For how long it has been failing.", kept.archive_failing or 0)


def _leaving(found: Sequence[Any]) -> Iterator[Metric]:
    """What leaves the house; each state has its line, also when there is nothing in it."""
    counted = {(row.what, row.state): row.found for row in found}
    for what, (doc, states) in _STATES.items():
        samples = [([state], counted.get((what, state), 0)) for state in states]
        yield _labelled(f"passerelle_{what}", f"{doc}, by state.", ["state"], samples)


def _labelled(name: str, doc: str, labels: list[str], samples: Iterable[tuple[list[str], float]]) -> Metric:
    family = GaugeMetricFamily(name, doc, labels=labels)
    for values, value in samples:
        family.add_metric(values, float(value))
    return family


def _gauge(name: str, doc: str, value: float) -> Metric:
    return GaugeMetricFamily(name, doc, value=float(value))
