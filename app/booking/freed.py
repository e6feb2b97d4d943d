"""Units have become free: whoever waits for them is to be looked at, by the timekeeper, in a transaction of its own.

The statement is raw because a member who cancels does not see who waits; it tells them nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from app.db import raw

PROMOTE = "waitlist.promote"

# A unit may belong to several resources: room A alone, and A + B opened into one.
_ANNOUNCE = raw(
    """
    INSERT INTO due (kind, subject_id, at)
    SELECT DISTINCT :kind, w.resource_id, CAST(:now AS timestamptz)
    FROM waitlist_entry w JOIN resource_unit u ON u.resource_id = w.resource_id
    WHERE w.status = 'waiting' AND u.unit_id = ANY(:units) ORDER BY 2
    ON CONFLICT (kind, subject_id) DO UPDATE SET at = excluded.at, attempts = 0, last_error = NULL
    """
)


def announce(session: Session, unit_ids: Iterable[int], *, now: datetime) -> None:
    """Have the waiting list of every resource that takes one of these units looked at."""
    session.execute(_ANNOUNCE, {"kind": PROMOTE, "units": sorted(unit_ids), "now": now})
