"""Counters for Prometheus, shared by all web processes through PROMETHEUS_MULTIPROC_DIR."""

from __future__ import annotations

from prometheus_client import Counter

REQUESTS = Counter("passerelle_requests", "Answered requests.", ["operation", "status"])
BOOKINGS = Counter("passerelle_bookings", "Bookings made.", ["status"])
REFUSALS = Counter("passerelle_refusals", "Bookings refused, by rule.", ["rule"])


def answered(operation: str, status: int) -> None:
    REQUESTS.labels(operation, str(status)).inc()
