"""An event on the wire: CloudEvents 1.0, structured JSON.

Extension attributes: `sequence` (per aggregate, from 1), `aggregatetype`, `aggregateid`, `dataversion`; where there is
one, `requestid`, which ties an effect in a worker to the request that caused it; and on an echo (app.events.upcasting)
`supersededby`, the id of the same happening in its newest version.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from app.events.catalogue import DomainEvent

SOURCE = "/passerelle"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A received event. `data` is the payload as it was recorded, whatever its version."""

    event_id: UUID
    type: str
    version: int
    aggregate_type: str
    aggregate_id: UUID
    seq: int
    occurred_at: datetime
    request_id: str | None
    data: dict[str, Any]
    superseded_by: UUID | None = None


def write(
    fact: DomainEvent,
    *,
    event_id: UUID,
    aggregate_id: UUID,
    seq: int,
    at: datetime,
    request_id: str | None,
    superseded_by: UUID | None = None,
) -> str:
    """The JSON text that goes on the bus, byte for byte."""
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(event_id),
        "source": SOURCE,
        "type": fact.type,
        "subject": f"{fact.aggregate_type}/{aggregate_id}",
        "time": instant(at),
        "datacontenttype": "application/json",
        "dataversion": fact.version,
        "aggregatetype": fact.aggregate_type,
        "aggregateid": str(aggregate_id),
        "sequence": seq,
    }
    if request_id:
        attributes["requestid"] = request_id
    if superseded_by:
        attributes["supersededby"] = str(superseded_by)
    kind: Any = type(fact)
    attributes["data"] = {name: getattr(fact, name) for name in _names(kind)}
    return json.dumps(attributes, ensure_ascii=False, separators=(",", ":"))


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def read(text: str | bytes) -> Envelope:
    """Raises ValueError when the text is not one of our events: the consumer puts it aside, it never drops it."""
    try:
        attributes = json.loads(text)
        superseded_by = attributes.get("supersededby")
        return Envelope(
            event_id=UUID(attributes["id"]),
            type=attributes["type"],
            version=int(attributes["dataversion"]),
            aggregate_type=attributes["aggregatetype"],
            aggregate_id=UUID(attributes["aggregateid"]),
            seq=int(attributes["sequence"]),
            occurred_at=datetime.fromisoformat(attributes["time"]),
            request_id=attributes.get("requestid"),
            data=dict(attributes["data"]),
            superseded_by=UUID(superseded_by) if superseded_by else None,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a Passerelle event: {error!r}") from error


def instant(at: datetime) -> str:
    """RFC 3339 in UTC, to the microsecond when there is one, ending in Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
