"""Whoever does not pay may not book for a while: rows that an operator's dunning writes, and bookings look at."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.ids import new_id
from app.network.models import BookingSuspension


def suspend(session: Session, *, operator_id: int, members: Collection[int], source: str, now: datetime) -> int:
    """Suspend the right of members to book with an operator, for a reason named by `source`; returns for how many it
    is new, or had ended. What they have booked stays booked."""
    rows = [
        {"uid": new_id(), "operator_id": operator_id, "member_id": member_id, "source": f"{source}:{member_id}",
         "since": now}
        for member_id in sorted(members)
    ]  # fmt: skip
    if not rows:
        return 0
    written = insert(BookingSuspension).values(rows)
    again = written.on_conflict_do_update(
        index_elements=["source"],
        set_={"since": now, "lifted_at": None},
        where=BookingSuspension.lifted_at.is_not(None),
    )
    return len(session.scalars(again.returning(BookingSuspension.id)).all())


def lift(session: Session, *, operator_id: int, sources: Collection[str], now: datetime) -> int:
    """End the suspensions that any of `sources` led to; returns how many stood."""
    if not sources:
        return 0
    standing = select(BookingSuspension.id, BookingSuspension.source).where(
        BookingSuspension.operator_id == operator_id, BookingSuspension.lifted_at.is_(None)
    )
    ended = [row.id for row in session.execute(standing) if row.source.rpartition(":")[0] in sources]
    session.execute(update(BookingSuspension).where(BookingSuspension.id.in_(ended)).values(lifted_at=now))
    return len(ended)
