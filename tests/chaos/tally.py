"""The tests' own consumer: one plain effect per event, a line in a ledger that nothing keeps from being written twice.

What else happens twice may be hidden by effects that come out the same; a second line here is a second effect.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.db import Statement
from app.events.catalogue import CATALOGUE
from app.events.envelope import Envelope
from workers.registry import Consumer

TABLE = """
    CREATE TABLE chaos_tally (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id uuid NOT NULL,
        aggregate_type text NOT NULL, aggregate_id uuid NOT NULL, seq bigint NOT NULL
    )
"""
_WRITE = Statement("""
    INSERT INTO chaos_tally (event_id, aggregate_type, aggregate_id, seq)
    VALUES (:event_id, :aggregate_type, :aggregate_id, :seq)
""")


def tally(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Write a line. The cursor's lock keeps those of one aggregate in order."""
    facts: dict[str, Any] = {
        "event_id": envelope.event_id,
        "aggregate_type": envelope.aggregate_type,
        "aggregate_id": envelope.aggregate_id,
        "seq": envelope.seq,
    }
    _WRITE.run(session, facts)


TALLY = Consumer(
    name="tally",
    aggregate_types=tuple(sorted({fact.aggregate_type for fact in CATALOGUE.values()})),
    handlers={name: tally for name, _ in CATALOGUE},
)
