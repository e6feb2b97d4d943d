"""The cash drawer of a space: a float in the morning, what came and went, and a count in the evening.

The ledger's cash is what is in the drawers: a float that is not what was there the evening before was brought from the
bank or taken there, and is posted so; what is counted above or below what should be there is posted as a difference.
A drawer is locked before any payment or invoice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.billing.ledger.posting import Entry, Posting, post
from app.billing.months import hold_books
from app.billing.payments.drawer_models import CashDrawer, CashMovement
from app.billing.payments.tasks import open_task
from app.errors import Invalid, NotFound, Problem, WrongState
from app.ids import new_id
from app.network.models import Operator, Space
from app.network.people import Person


class DrawerCounted(Problem):
    """The drawer of `day` was counted: cash goes into the next day's."""

    code = "drawer_counted"
    status = 409
    title = "The cash of this day has been counted; nothing goes in or out any more."


class Shown(NamedTuple):
    """A drawer, its space, and what came and went."""

    drawer: CashDrawer
    space_uid: UUID
    moved_cents: int

    @property
    def expected_cents(self) -> int:
        return self.drawer.opening_cents + self.moved_cents


def space_at(session: Session, operator: Operator, space_uid: UUID | None) -> Space:
    """The space of an operator that is named, or its only one. Raises NotFound, Invalid where it must be named."""
    query = select(Space).where(Space.operator_id == operator.id)
    spaces = session.scalars(query if space_uid is None else query.where(Space.uid == space_uid)).all()
    if not spaces:
        raise NotFound()
    if len(spaces) > 1:
        raise Invalid.field("space_id", "name the space: the operator has several")
    return spaces[0]


def open_drawer(
    session: Session, operator: Operator, space: Space, *, opening_cents: int, person: Person, now: datetime
) -> CashDrawer:
    """Begin a space's day with a float. Raises WrongState where it has begun with another."""
    drawer, begun = _drawer(session, operator, space, person, now, opening_cents=opening_cents)
    if not begun and drawer.opening_cents != opening_cents:
        raise WrongState(state="open", opening_cents=drawer.opening_cents, remedy="count it in the evening")
    return drawer


def drawer_of_today(session: Session, operator: Operator, space: Space, *, person: Person, now: datetime) -> CashDrawer:
    """Today's drawer, locked; where nobody opened it, it begins with what is left of the one before. Raises
    DrawerCounted."""
    drawer, _ = _drawer(session, operator, space, person, now)
    if drawer.counted_at is not None:
        raise DrawerCounted(day=drawer.day.isoformat(), drawer_id=str(drawer.uid))
    return drawer


def put_in(
    session: Session, drawer: CashDrawer, cents: int, *, payment_id: int | None = None, refund_id: int | None = None,
    now: datetime,
) -> None:  # fmt: skip
    """Cash of a payment goes in (> 0), or of a refund out (< 0). The drawer is locked."""
    session.add(
        CashMovement(
            operator_id=drawer.operator_id, cash_drawer_id=drawer.id, payment_id=payment_id, refund_id=refund_id,
            cents=cents, made_at=now,
        )
    )  # fmt: skip
    session.flush()


def count_drawer(
    session: Session, operator: Operator, drawer_uid: UUID, *, counted_cents: int, note: str, person: Person,
    now: datetime,
) -> CashDrawer:  # fmt: skip
    """Count the cash of a day, for good: a difference is posted, and a person is to find out why.

    The same count once more changes nothing. Raises NotFound, DrawerCounted for another count.
    """
    mine = select(CashDrawer).where(CashDrawer.uid == drawer_uid, CashDrawer.operator_id == operator.id)
    drawer = session.scalars(mine.with_for_update(key_share=True)).one_or_none()
    if drawer is None:
        raise NotFound()
    if drawer.counted_at is not None:
        if drawer.counted_cents != counted_cents:
            raise DrawerCounted(day=drawer.day.isoformat(), drawer_id=str(drawer.uid))
        return drawer
    difference = counted_cents - expected_cents(session, drawer)
    drawer.counted_cents, drawer.difference_cents, drawer.note = counted_cents, difference, note
    drawer.counted_at, drawer.counted_by_id = now, person.member_id
    session.flush()
    if difference:
        _post(session, drawer, "counted", "cash_differences", difference, now)
        open_task(
            session, operator_id=operator.id, kind="drawer_difference", key=f"drawer:{drawer.uid}", now=now,
            cents=difference, currency=drawer.currency, facts={"drawer_id": str(drawer.uid)},
        )  # fmt: skip
    return drawer


def expected_cents(session: Session, drawer: CashDrawer) -> int:
    """What should be in a drawer."""
    return drawer.opening_cents + _moved(session, [drawer]).get(drawer.id, 0)


def of_operator(session: Session, operator: Operator, *, before: int | None, limit: int) -> Sequence[CashDrawer]:
    """Drawers of an operator, newest first. After `kept_operator`."""
    wanted = select(CashDrawer).where(CashDrawer.operator_id == operator.id)
    if before is not None:
        wanted = wanted.where(CashDrawer.id < before)
    return session.scalars(wanted.order_by(CashDrawer.id.desc()).limit(limit)).all()


def shown(session: Session, drawers: Sequence[CashDrawer]) -> list[Shown]:
    spaces = {drawer.space_id for drawer in drawers}
    uids = {row.id: row.uid for row in session.execute(select(Space.id, Space.uid).where(Space.id.in_(spaces)))}
    moved = _moved(session, drawers)
    return [Shown(drawer, uids[drawer.space_id], moved.get(drawer.id, 0)) for drawer in drawers]


def _drawer(
    session: Session, operator: Operator, space: Space, person: Person, now: datetime, *,
    opening_cents: int | None = None,
) -> tuple[CashDrawer, bool]:  # fmt: skip
    """Today's drawer of a space, locked, and whether it begins here."""
    day = now.astimezone(ZoneInfo(space.timezone)).date()
    before = _left_before(session, space, day)
    row = {
        "uid": new_id(), "operator_id": operator.id, "space_id": space.id, "day": day, "currency": operator.currency,
        "opening_cents": max(0, before) if opening_cents is None else opening_cents, "opened_at": now,
        "opened_by_id": person.member_id,
    }  # fmt: skip
    made = insert(CashDrawer).values(row).on_conflict_do_nothing(index_elements=["space_id", "day"])
    begun = session.scalars(made.returning(CashDrawer.id)).one_or_none() is not None
    today = select(CashDrawer).where(CashDrawer.space_id == space.id, CashDrawer.day == day)
    drawer = session.scalars(today.with_for_update(key_share=True).execution_options(populate_existing=True)).one()
    if begun:
        _post(session, drawer, "opened", "payments_in_transit", drawer.opening_cents - before, now)
    return drawer, begun


def _left_before(session: Session, space: Space, day: date) -> int:
    """What the space's last drawer before `day` was left with: counted, or as it should be."""
    earlier = select(CashDrawer).where(CashDrawer.space_id == space.id, CashDrawer.day < day)
    last = session.scalars(earlier.order_by(CashDrawer.day.desc()).limit(1)).one_or_none()
    if last is None:
        return 0
    return expected_cents(session, last) if last.counted_cents is None else last.counted_cents


def _moved(session: Session, drawers: Sequence[CashDrawer]) -> dict[int, int]:
    session.flush()
    of = CashMovement.cash_drawer_id
    sums = select(of, func.sum(CashMovement.cents)).where(of.in_([drawer.id for drawer in drawers])).group_by(of)
    return {key: int(cents) for key, cents in session.execute(sums)}


def _post(session: Session, drawer: CashDrawer, what: str, against: str, cents: int, now: datetime) -> None:
    """Cash is `cents` more (less: < 0) than the ledger knows; posted on the drawer's day, if the books take it."""
    books = hold_books(session, drawer.operator_id)
    posting = Posting(
        operator_id=drawer.operator_id,
        day=books.posting_day(drawer.day, today=now.date()),
        currency=drawer.currency,
        kind="drawer",
        key=f"drawer:{drawer.uid}:{what}",
        entries=(Entry("cash", cents), Entry(against, -cents)),
        facts={"drawer_id": str(drawer.uid)},
    )
    post(session, [posting], now=now)
