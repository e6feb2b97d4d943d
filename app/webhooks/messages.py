"""The body of a message, frozen as text when the event is fanned out: the shape that Standard Webhooks recommends.

`type`, `timestamp` and `data` are what programs that receive webhooks look for; beside them stands what our envelope
knows. It is not the CloudEvents envelope of the bus: one message would then carry two ids, times and types of two
standards, and every receiver's library reads this one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from app.events.envelope import Envelope, instant
from app.webhooks.event_types import TEST


def body_of(event: Envelope, data: Mapping[str, Any]) -> str:
    """The message about an event, with as much of its data as this receiver is told.

    `id` is the event's, the same for every receiver; `sequence` counts the events of one aggregate from 1. A message in
    an older version of its type names in `superseded_by` the event that tells the same in the newest.
    """
    echo = {} if event.superseded_by is None else {"superseded_by": event.superseded_by}
    return _text(
        type=event.type,
        timestamp=instant(event.occurred_at),
        data=data,
        id=event.event_id,
        version=event.version,
        aggregate_type=event.aggregate_type,
        aggregate_id=event.aggregate_id,
        sequence=event.seq,
        **echo,
    )


def ping_body(*, webhook_uid: UUID, ping_id: UUID, at: datetime) -> str:
    """The ping that a person asks for, in the same shape. It is of no aggregate's sequence: number 0 of the webhook."""
    return _text(
        type=TEST,
        timestamp=instant(at),
        data={"webhook_id": str(webhook_uid)},
        id=ping_id,
        version=1,
        aggregate_type="webhook",
        aggregate_id=webhook_uid,
        sequence=0,
    )


def _text(**members: Any) -> str:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"), default=str)
