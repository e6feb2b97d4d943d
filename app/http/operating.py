"""For whoever operates it: is the process alive, is it ready, what does it count."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
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
        yield _gauge("passerelle_outbox_unpublished", "Events recorded and not yet on the bus.", figures.unpublished)
        yield _gauge("passerelle_outbox_lag_seconds", "Age of the oldest of them.", figures.lag or 0)
        yield _gauge("passerelle_due_overdue", "What is due and has not been done yet.", figures.overdue)
        deliveries = GaugeMetricFamily(
            "passerelle_deliveries_waiting",
            "Events not handled yet: parked (an earlier one is missing), failed (tried again later), dead (given up).",
            labels=["consumer", "state"],
        )
        for row in waiting:
            deliveries.add_metric([row.consumer, row.state], row.deliveries)
        yield deliveries


def _gauge(name: str, doc: str, value: float) -> Metric:
    return GaugeMetricFamily(name, doc, value=float(value))
