"""Charges in the database: what stands of a thing, writing further ones, and taking them for income."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app.billing.charges.models import Charge
from app.billing.charges.owing import Cents, Change, Owed, Standing, Supply, Vat, total
from app.billing.charges.places import Place
from app.billing.charges.posting import DEPOSITS, Earned, earned_after_document, earned_before_document
from app.billing.ledger.posting import Posting, post
from app.billing.months import Books
from app.ids import new_id


class Source(NamedTuple):
    """What charges come from: `key` and a number name each, so that none is written twice."""

    key: str
    place: Place
    subject_uid: UUID
    member_id: int
    now: datetime

    @property
    def today(self) -> date:
        return self.place.day_of(self.now)


def standing_of(session: Session, subject_uid: UUID) -> list[Standing]:
    """What stands of a booking or membership, oldest first; nobody puts it on a document before this transaction
    ends."""
    mine = select(Charge).where(Charge.subject_uid == subject_uid).order_by(Charge.id)
    session.scalars(mine.with_for_update(key_share=True)).all()
    # Once more: a row that somebody wrote while this one waited for the lock is not among those it locked.
    rows = session.scalars(mine.execution_options(populate_existing=True)).all()
    roots = [row for row in rows if row.corrects_id is None and row.gross_cents > 0]
    return [_standing(root, [row for row in rows if row.corrects_id == root.id]) for root in roots]


def write(session: Session, source: Source, books: Books, changes: Sequence[Change], *, reason: str) -> None:
    """Write changes as charges; `reason` says on a correction what led to it."""
    rows = [row_of(source, books, change, n, reason) for n, change in enumerate(changes)]
    if rows:
        session.execute(insert(Charge), rows)


def earn(session: Session, source: Source, books: Books, *, day: date) -> None:
    """Take for income, on `day` or the first day after it that the books still take, all of a thing that is not yet."""
    due = Charge.subject_uid == source.subject_uid, Charge.earned_on.is_(None), Charge.kind.not_in(DEPOSITS)
    # Locked first: whether a charge is on a document decides how it is posted, and one may be being written.
    locked = select(Charge).where(*due).order_by(Charge.id).with_for_update(key_share=True)
    charges = session.scalars(locked.execution_options(populate_existing=True)).all()
    earn_charges(session, charges, day=books.posting_day(day, today=source.today), now=source.now)


def earn_charges(session: Session, charges: Sequence[Charge], *, day: date, now: datetime) -> None:
    """Take charges for income on `day`; each is posted once."""
    if not charges:
        return
    ids = [charge.id for charge in charges]
    marked = update(Charge).where(Charge.id.in_(ids)).values(earned_on=day)
    session.execute(marked.execution_options(synchronize_session=False))
    post(session, [posting_of(charge, day=day) for charge in charges], now=now)


def posting_of(charge: Any, *, day: date) -> Posting:
    """How the ledger takes a charge for income: it may be on a document already."""
    facts = {name: getattr(charge, name) for name in Earned._fields if name != "day"}
    earned = Earned(**facts, day=day)
    return earned_before_document(earned) if charge.invoice_id is None else earned_after_document(earned)


def _standing(root: Charge, corrections: Iterable[Charge]) -> Standing:
    vat = Vat(root.vat_permille, root.vat_category, root.vat_ground, root.vat_mention, root.includes_vat)
    supply = Supply(root.service_from, root.service_until, root.facts, root.quantity_milli, root.unit)
    whole = _cents(root)
    return Standing(
        charge_id=root.id,
        month=root.month,
        documented=root.invoice_id is not None,
        whole=whole,
        left=total([whole, *map(_cents, corrections)]),
        owed=Owed(root.kind, root.party_id, root.currency, whole, vat, supply),
    )


def _cents(charge: Charge) -> Cents:
    return Cents(charge.gross_cents, charge.net_cents, charge.vat_cents)


def row_of(source: Source, books: Books, change: Change, n: int, reason: str) -> dict[str, Any]:
    owed, supply, root = change.owed, change.owed.supply, change.corrects
    month, late = books.month_for(_day_of(change, source.today))
    return {
        "uid": new_id(),
        "operator_id": source.place.operator_id,
        "space_id": source.place.space_id,
        "party_id": owed.party_id,
        "member_id": source.member_id,
        "kind": owed.kind,
        "subject_uid": source.subject_uid,
        "source": f"{source.key}:{n}",
        "service_from": supply.service_from,
        "service_until": supply.service_until,
        "facts": {**supply.facts, "reason": reason} if root else supply.facts,
        "quantity_milli": supply.quantity_milli,
        "unit": supply.unit,
        "currency": owed.currency,
        "net_cents": owed.cents.net,
        "vat_cents": owed.cents.vat,
        "gross_cents": owed.cents.gross,
        "vat_permille": owed.vat.permille,
        "vat_category": owed.vat.category,
        "vat_ground": owed.vat.ground,
        "vat_mention": owed.vat.mention,
        "includes_vat": owed.vat.includes_vat,
        "corrects_id": root.charge_id if root else None,
        "month": month,
        "late": late,
        "created_at": source.now,
    }


def _day_of(change: Change, today: date) -> date:
    """The day by which a charge has its month. What is taken back of something comes with it where that is still to
    be invoiced, else as soon as it is known."""
    first = change.owed.supply.service_from
    return first if change.corrects is None else max(change.corrects.month, min(first, today))
