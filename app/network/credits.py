"""Credits of a plan, drawn and given back as append-only entries.

The balance of a cycle is never stored: it is what the plan version includes plus the sum of the cycle's entries (see
app.network.memberships.pools). Draw under the lock of the memberships (app.booking.occupying.lock_person), which also
covers the balance read; giving back needs none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.network.memberships.models import CreditEntry
from app.network.memberships.pools import CENTS, MINUTES, Balance, Draw

Place = tuple[int, date, int, str, str]


class Drawn(NamedTuple):
    """So many minutes or cents out of one pool in one cycle; `kind` is the pool's."""

    membership_id: int
    cycle: date
    pool: int
    kind: str
    minutes: int = 0
    cents: int = 0

    @classmethod
    def of(cls, draw: Draw) -> Drawn:
        of, pool = draw.balance, draw.balance.pool
        return cls(of.membership_id, of.cycle, pool.number, pool.kind, **{pool.unit: draw.taken})

    @classmethod
    def place_of(cls, balance: Balance) -> Place:
        pool = balance.pool
        return balance.membership_id, balance.cycle, pool.number, pool.kind, pool.unit

    @property
    def place(self) -> Place:
        """The pool and the cycle it comes from."""
        return self.membership_id, self.cycle, self.pool, self.kind, self.unit

    @property
    def unit(self) -> str:
        return MINUTES if self.minutes else CENTS

    @property
    def amount(self) -> int:
        return self.minutes or self.cents


def draw(
    session: Session, drawn: Iterable[Drawn], *, member_id: int, space_id: int, booking_uid: UUID, draw_no: int,
    at: datetime,
) -> None:  # fmt: skip
    """Draw for a booking. The unique key (booking, draw number, reason, and the place) refuses a second time."""
    shared = {"member_id": member_id, "space_id": space_id, "booking_uid": booking_uid, "draw_no": draw_no, "at": at}
    rows = [entry_of(each) | shared for each in drawn]
    if rows:
        session.execute(insert(CreditEntry).values(rows))


def entry_of(drawn: Drawn) -> dict[str, Any]:
    """The columns that say what is drawn from where."""
    return {
        "membership_id": drawn.membership_id,
        "cycle": drawn.cycle,
        "pool": drawn.pool,
        "resource_kind": drawn.kind,
        "minutes": -drawn.minutes,
        "cents": -drawn.cents,
        "reason": "drawn",
    }


def drawn_by(session: Session, *, booking_uid: UUID, draw_no: int) -> list[Drawn]:
    """What that draw took, pool by pool."""
    return [
        Drawn(row.membership_id, row.cycle, row.pool, row.resource_kind, -row.minutes, -row.cents)
        for row in _draws(session, booking_uid, draw_no)
    ]


def keeping(drawn: Iterable[Drawn], before: Iterable[Drawn], *, unit: str, amount: int) -> tuple[Drawn, ...]:
    """`drawn`, and `amount` more out of the pools of `before`, up to what was drawn from each of those."""
    pools = {each.place: each for each in drawn}
    for each in before:
        now_drawn = pools.get(each.place)
        more = min(amount, each.amount - (now_drawn.amount if now_drawn else 0)) if each.unit == unit else 0
        if more > 0:
            base = now_drawn or each._replace(minutes=0, cents=0)
            pools[each.place] = base._replace(**{unit: getattr(base, unit) + more})
            amount -= more
    return tuple(pools.values())


def give_back(session: Session, *, booking_uid: UUID, draw_no: int, at: datetime) -> int:
    """Give back exactly what that draw took, to the pools and the cycle it came from; from how many pools that was."""
    drawn = _draws(session, booking_uid, draw_no)
    if drawn:
        session.execute(insert(CreditEntry).values([_returned(entry, at=at) for entry in drawn]))
    return len(drawn)


def _draws(session: Session, booking_uid: UUID, draw_no: int) -> Sequence[CreditEntry]:
    own = CreditEntry.booking_uid == booking_uid, CreditEntry.draw_no == draw_no, CreditEntry.reason == "drawn"
    return session.scalars(select(CreditEntry).where(*own).order_by(CreditEntry.id)).all()


def _returned(drawn: CreditEntry, *, at: datetime) -> dict[str, Any]:
    kept = ("membership_id", "member_id", "space_id", "cycle", "resource_kind", "pool", "booking_uid", "draw_no")
    back = {"minutes": -drawn.minutes, "cents": -drawn.cents, "reason": "returned", "at": at}
    return {name: getattr(drawn, name) for name in kept} | back
