"""The months of an operator's billing: open until closed, closed in order, and closed for good.

Whoever charges holds the operator's row in share until commit; a closing takes it alone. So once a month is closed,
nothing is on its way into it any more: what comes later goes to the first open month, marked late.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.billing.charges.models import BillingMonth
from app.errors import Problem
from app.network.models import Space

HOME_ZONE = "Europe/Brussels"  # of an operator without a space


class MonthNotOver(Problem):
    """`month` runs until `ends`: what happens in it is not known yet."""

    code = "month_not_over"
    status = 409
    title = "This month is not over yet."


class MonthOutOfOrder(Problem):
    """Months are closed one after the other: `next` is the one whose turn it is."""

    code = "month_out_of_order"
    status = 409
    title = "Months are closed in order; another one comes first."


class MonthClosed(Problem):
    """Nothing is added to a month that is closed; `open` is the first that is not."""

    code = "month_closed"
    status = 409
    title = "That month is closed."


def month_of(day: date) -> date:
    """A month is known by its first day."""
    return day.replace(day=1)


def month_after(month: date) -> date:
    return month_of(month.replace(day=28) + timedelta(days=4))


class Books(NamedTuple):
    """How far an operator's months are closed, while its row is held: see BillingMonth."""

    begins: date | None = None
    closed: date | None = None

    @property
    def first_open(self) -> date | None:
        """The first month that is open for certain; None: all are."""
        return month_after(self.closed) if self.closed else None

    def is_ours(self, day: date) -> bool:
        """Whether what began on `day` is billed here; what began earlier was billed elsewhere."""
        return _is_ours(self.begins, day)

    def is_closed(self, day: date) -> bool:
        return self.closed is not None and month_of(day) <= self.closed

    def month_for(self, day: date) -> tuple[date, bool]:
        """The month that something of `day` is invoiced with, and whether that is later than its own."""
        if self.closed is not None and self.is_closed(day):
            return month_after(self.closed), True
        return month_of(day), False

    def posting_day(self, day: date, *, today: date) -> date:
        """The day on which the ledger takes something of `day`: that day, or today once its month is closed."""
        return max(today, self.first_open or today) if self.is_closed(day) else day


def is_ours(session: Session, operator_id: int, day: date) -> bool:
    """Whether what began on `day` is billed here, which does not change: nothing is held for it."""
    begins = select(BillingMonth.begins).where(BillingMonth.operator_id == operator_id)
    return _is_ours(session.scalar(begins), day)


def _is_ours(begins: date | None, day: date) -> bool:
    return begins is None or day >= begins


def hold_books(session: Session, operator_id: int) -> Books:
    """The operator's months, which nobody closes before this transaction ends."""
    held = _locked(session, operator_id, alone=False)
    return Books(held.begins, held.closed)


def open_month(session: Session, operator_id: int, day: date) -> tuple[date, bool]:
    """The month in which something supplied on `day` is invoiced, and whether its own was closed already (late).

    The month stays open until this transaction ends.
    """
    return hold_books(session, operator_id).month_for(day)


def close(session: Session, operator_id: int, month: date, now: datetime) -> bool:
    """Close `month` (any day of it will do); False when it is closed already, and nothing changes.

    Waits for whoever is charging. Raises MonthNotOver until it is over in all of the operator's spaces, and
    MonthOutOfOrder for one that does not follow the last closed; the first closed may be any since billing began.
    """
    month = month_of(month)
    held = _locked(session, operator_id, alone=True)
    if held.closed is not None and month <= held.closed:
        return False
    due = month_after(held.closed) if held.closed else max(month, held.begins or month)
    if month != due:
        raise MonthOutOfOrder(month=written(month), next=written(due))
    if now < (ends := end_of(session, operator_id, month)):
        raise MonthNotOver(month=written(month), ends=ends.isoformat())
    held.closed, held.closed_at = month, now
    session.flush()
    return True


def end_of(session: Session, operator_id: int, month: date) -> datetime:
    """When a month is over in the last of the operator's spaces, in UTC."""
    zones = session.scalars(select(Space.timezone).where(Space.operator_id == operator_id).distinct()).all()
    midnight = datetime.combine(month_after(month), time())
    return max(midnight.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for zone in zones or [HOME_ZONE])


def written(month: date) -> str:
    """As people write it: 2026-11."""
    return f"{month:%Y-%m}"


def _locked(session: Session, operator_id: int, *, alone: bool) -> BillingMonth:
    """The operator's row, made when first it is needed, locked in share or alone."""
    query = (
        select(BillingMonth)
        .where(BillingMonth.operator_id == operator_id)
        .with_for_update(read=not alone, key_share=alone)
        .execution_options(populate_existing=True)
    )
    if (found := session.scalars(query).one_or_none()) is not None:
        return found
    session.execute(insert(BillingMonth).values(operator_id=operator_id).on_conflict_do_nothing())
    return session.scalars(query).one()
