"""Closing a month: nothing enters it any more, and everything in it gets its document.

The month is closed first, in a transaction of its own; then customers are taken by the batch, each batch's documents in
one transaction. So a process may die at any instant, and several may work at once: whoever goes on finds what has no
document yet, and a charge gets one once. A second closing finds nothing to do, and says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session, sessionmaker

from app.billing import months
from app.billing.invoices import reading
from app.billing.invoices.drafting import Drafted, Open, draft, totals
from app.billing.invoices.finalising import Finalised, finalise, settle
from app.billing.invoices.issuers import Issuer, issuer
from app.db import TenantSession, retrying, transaction
from app.tenancy import SYSTEM

CUSTOMERS, CHARGES = 200, 2000  # at most in one transaction; a customer with more has one alone
A_CLOCK_MAY_BE_WRONG = timedelta(minutes=15)

Progress = Callable[[int], None]


@dataclass(slots=True)
class Closed:
    """What a closing did. `before` says that the month was closed already; `waiting` charges stay for a later one."""

    month: date
    before: bool = False
    documents: Counter[str] = field(default_factory=Counter)
    gross_cents: Counter[str] = field(default_factory=Counter)
    charges: int = 0
    settled: int = 0
    waiting: int = 0

    def note(self, kind: str, gross_cents: int, lines: int) -> None:
        self.documents[kind] += 1
        self.gross_cents[kind] += gross_cents
        self.charges += lines

    def add(self, written: list[Finalised], settled: int, waiting: int) -> int:
        """Count what a batch did; returns how many charges it saw."""
        for each in written:
            self.note(each.kind, each.gross_cents, each.lines)
        self.settled += settled
        self.waiting += waiting
        return sum(each.lines for each in written) + settled + waiting

    @property
    def did_nothing(self) -> bool:
        return not self.documents and not self.settled


Outcome = tuple[list[Finalised], int, int]
"""What a batch wrote, and how many charges it settled and left waiting."""


@dataclass(slots=True)
class Batch:
    """One batch: which customers, whether all of those wanted were free, and where the next begins (0: at the end)."""

    customers: list[int]
    missed: bool
    after: int


def close_month(
    make_session: sessionmaker[TenantSession],
    operator_id: int,
    month: date,
    *,
    now: datetime,
    progress: Progress = lambda _charges: None,
) -> Closed:
    """Close an operator's month and finalise its documents; goes on where another left off.

    Raises MonthNotOver until a quarter of an hour after the month's last midnight in the operator's spaces, so that a
    clock ten minutes fast closes nothing early; MonthOutOfOrder.
    """
    closed = Closed(months.month_of(month))
    with transaction(make_session, SYSTEM) as session:
        reading.be_patient(session)
        closed.before = not begin(session, operator_id, closed.month, now=now)
    wait = False
    while True:
        missed = _pass(make_session, operator_id, closed, now=now, wait=wait, progress=progress)
        if not missed:
            return closed
        wait, closed.waiting = True, 0


def begin(session: Session, operator_id: int, month: date, *, now: datetime) -> bool:
    """Close the month to further charges; False when it was. Raises as `close_month`."""
    try:
        changed = months.close(session, operator_id, month, now)
    except months.MonthNotOver as early:
        raise _not_over(session, operator_id, month) from early
    if changed and now < months.end_of(session, operator_id, month) + A_CLOCK_MAY_BE_WRONG:
        raise _not_over(session, operator_id, month)  # and nothing is closed: the transaction is undone
    return changed


def _not_over(session: Session, operator_id: int, month: date) -> months.MonthNotOver:
    ends = months.end_of(session, operator_id, month)
    remedy = (
        f"close it after {(ends + A_CLOCK_MAY_BE_WRONG).isoformat()}; what is owed now can be invoiced at once: "
        "POST /api/v1/operators/{id}/invoices"
    )
    return months.MonthNotOver(month=months.written(month), ends=ends.isoformat(), remedy=remedy)


def _pass(
    make_session: sessionmaker[TenantSession],
    operator_id: int,
    closed: Closed,
    *,
    now: datetime,
    wait: bool,
    progress: Progress,
) -> bool:
    """Once through all customers with open charges; whether some were somebody else's just then."""
    missed, after = False, 0
    while True:
        batch, outcome = retrying(
            lambda after=after: _one(make_session, operator_id, closed.month, after=after, wait=wait, now=now)  # type: ignore[misc]
        )
        missed |= batch.missed
        progress(closed.add(*outcome))
        if not batch.after:
            return missed
        after = batch.after


def _one(
    make_session: sessionmaker[TenantSession], operator_id: int, month: date, *, after: int, wait: bool, now: datetime
) -> tuple[Batch, Outcome]:
    with transaction(make_session, SYSTEM) as session:
        reading.be_patient(session)
        batch = claim(session, operator_id, month, after=after, wait=wait)
        if not batch.customers:
            return batch, ([], 0, 0)
        return batch, finalise_customers(
            session, issuer(session, operator_id, now=now), batch.customers, month, now=now
        )


def claim(session: Session, operator_id: int, month: date, *, after: int = 0, wait: bool = False) -> Batch:
    """The next customers with open charges, claimed until commit: about as many as make a good transaction."""
    found = reading.parties(session, operator_id, month=month, after=after, limit=CUSTOMERS)
    wanted = _about(found)
    mine = reading.claim(session, operator_id, wanted, wait=wait)
    ended = len(found) < CUSTOMERS and len(wanted) == len(found)
    return Batch(mine, len(mine) < len(wanted), 0 if ended else wanted[-1])


def _about(found: list[tuple[int, int]]) -> list[int]:
    """The first customers, as many as have CHARGES together; one at least."""
    wanted: list[int] = []
    room = CHARGES
    for party_id, charges in found:
        if wanted and charges > room:
            break
        wanted.append(party_id)
        room -= charges
    return wanted


def finalise_customers(
    session: Session, issuer: Issuer, customers: list[int], month: date, *, now: datetime
) -> Outcome:
    """All documents of claimed customers, in the order of customers: what was written, settled, left waiting."""
    drafted = [
        draft(charges, purpose="monthly")
        for charges in by_customer(reading.open_charges(session, issuer.operator_id, customers, month=month))
    ]
    written = finalise(session, issuer, [each for some in drafted for each in some.documents], now=now)
    settled = [charge for some in drafted for charge in some.settled]
    settle(session, settled, now=now)
    return written, len(settled), sum(len(some.waiting) for some in drafted)


def by_customer(charges: list[Open]) -> list[list[Open]]:
    """Charges apart by customer, customers in their order."""
    found: dict[int, list[Open]] = {}
    for charge in charges:
        found.setdefault(charge.party_id, []).append(charge)
    return [found[party_id] for party_id in sorted(found)]


def preview(
    session: Session, operator_id: int, month: date, *, now: datetime, progress: Progress = lambda _charges: None
) -> Closed:
    """What closing would do, and nothing of it: looks at charges by the batch, without locks. Raises as it would."""
    closed, after = Closed(months.month_of(month)), 0
    with session.begin_nested() as attempt:
        closed.before = not begin(session, operator_id, closed.month, now=now)
        attempt.rollback()
    while found := reading.parties(session, operator_id, month=closed.month, after=after, limit=CUSTOMERS):
        wanted = _about(found)
        charges = reading.open_charges(session, operator_id, wanted, month=closed.month, lock=False)
        for own in by_customer(charges):
            _foresee(session, closed, draft(own, purpose="monthly"))
        progress(len(charges))
        after = wanted[-1]
    return closed


def _foresee(session: Session, closed: Closed, drafted: Drafted) -> None:
    standing = reading.standing(session, [each.corrects_id for each in drafted.documents if each.corrects_id])
    for each in drafted.documents:
        closed.note(each.kind, totals(each, standing.get(each.corrects_id or 0, ())).gross_cents, len(each.lines))
    closed.settled += len(drafted.settled)
    closed.waiting += len(drafted.waiting)


def open_count(session: Session, operator_id: int, month: date) -> int:
    """How many charges of a month or before have no document: for a progress bar."""
    return sum(charges for charges in _counts(session, operator_id, month))


def _counts(session: Session, operator_id: int, month: date) -> Iterator[int]:
    after = 0
    while found := reading.parties(session, operator_id, month=month, after=after, limit=CUSTOMERS):
        yield from (charges for _, charges in found)
        after = found[-1][0]
