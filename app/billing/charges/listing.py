"""Looking at charges: an operator's, one's own, and what is on no document yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.billing.charges.models import Charge
from app.billing.invoices.models import Invoice
from app.network.models import Member, Operator, Space
from app.network.parties.models import Party

NAMED = {
    "operator_id": Operator,
    "space_id": Space,
    "party_id": Party,
    "member_id": Member,
    "corrects_id": Charge,
    "invoice_id": Invoice,
}
OPEN = (Charge.invoice_id.is_(None), Charge.settled_at.is_(None))


class Shown(NamedTuple):
    """A charge with the public ids of what it names; those that one may not see are None."""

    charge: Charge
    uids: dict[str, UUID | None]


class Unbilled(NamedTuple):
    """What a party has on no document yet, of one month and kind. Cents are sums; negative is owed back."""

    month: date
    party_id: UUID
    party: str
    kind: str
    currency: str
    charges: int
    net_cents: int
    vat_cents: int
    gross_cents: int


def of_operator(
    session: Session, operator: Operator, *, before: int | None, limit: int,
    month: date | None = None, party: UUID | None = None, invoiced: bool | None = None,
) -> list[Charge]:  # fmt: skip
    """Newest first. The caller keeps the operator's books."""
    wanted = select(Charge).where(Charge.operator_id == operator.id)
    if month is not None:
        wanted = wanted.where(Charge.month == month)
    if party is not None:
        wanted = wanted.where(Charge.party_id.in_(select(Party.id).where(Party.uid == party)))
    if invoiced is not None:
        wanted = wanted.where(Charge.invoice_id.is_not(None) if invoiced else Charge.invoice_id.is_(None))
    return _page(session, wanted, before=before, limit=limit)


def of_member(session: Session, member_id: int, *, before: int | None, limit: int) -> list[Charge]:
    """On the member's own account, newest first."""
    own = select(Party.id).where(Party.member_id == member_id)
    return _page(session, select(Charge).where(Charge.party_id.in_(own)), before=before, limit=limit)


def shown(session: Session, charges: Sequence[Charge]) -> list[Shown]:
    known = {name: _uids(session, entity, (getattr(each, name) for each in charges)) for name, entity in NAMED.items()}
    return [Shown(each, {name: known[name].get(getattr(each, name)) for name in NAMED}) for each in charges]


def unbilled(session: Session, operator: Operator, *, until: date | None = None) -> list[Unbilled]:
    """What is on no document yet, of months up to `until`: the oldest month first, by party and kind.

    The caller keeps the operator's books.
    """
    keys = (Charge.month, Party.uid, Party.name, Charge.kind, Charge.currency)
    sums = (func.sum(column) for column in (Charge.net_cents, Charge.vat_cents, Charge.gross_cents))
    wanted = (
        select(*keys, func.count(), *sums)
        .join(Party, Party.id == Charge.party_id)
        .where(Charge.operator_id == operator.id, *OPEN)
        .group_by(*keys)
        .order_by(Charge.month, Party.name, Party.uid, Charge.kind)
    )
    if until is not None:
        wanted = wanted.where(Charge.month <= until)
    return [Unbilled(*row[:6], *map(int, row[6:])) for row in session.execute(wanted)]


def _page(session: Session, wanted: Select[Charge], *, before: int | None, limit: int) -> list[Charge]:
    if before is not None:
        wanted = wanted.where(Charge.id < before)
    return list(session.scalars(wanted.order_by(Charge.id.desc()).limit(limit)))


def _uids(session: Session, entity: Any, ids: Iterable[int | None]) -> dict[int | None, UUID]:
    wanted = {each for each in ids if each is not None}
    if not wanted:
        return {}
    rows = session.execute(select(entity.id, entity.uid).where(entity.id.in_(wanted)))
    return {row.id: row.uid for row in rows}
