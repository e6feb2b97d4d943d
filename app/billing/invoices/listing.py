"""Finding documents: mine, or those of an operator whose books one keeps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.billing.invoices.delivery import undelivered
from app.billing.invoices.models import Invoice
from app.billing.invoices.standing import Paying, paying, settled_cents, status
from app.billing.months import HOME_ZONE
from app.errors import NotFound
from app.network.models import Operator, Space
from app.network.operators import kept_operator
from app.network.parties.models import Party
from app.network.people import Person


class Shown(NamedTuple):
    """A document, who issued it and to whom, what is settled of it, and its status today."""

    invoice: Invoice
    operator_uid: UUID
    party_uid: UUID
    corrects_uid: UUID | None
    settled_cents: int
    status: str
    paying: tuple[Paying, ...] = ()


def mine(session: Session, person: Person, *, before: int | None, limit: int, **filters: Any) -> list[Invoice]:
    """Documents to the person's own parties, or to those of employers they administer, newest first."""
    parties = select(Party.id).where(
        or_(Party.member_id == person.member_id, Party.employer_id.in_(person.scope.employer_ids))
    )
    return _page(session, Invoice.party_id.in_(parties), before=before, limit=limit, **filters)


def of_operator(
    session: Session, person: Person, operator_id: UUID, *, before: int | None, limit: int, **filters: Any
) -> list[Invoice]:
    """Documents of an operator, newest first. Raises NotFound, NotAllowed for who does not keep its books."""
    operator = kept_operator(session, operator_id, person=person)
    return _page(session, Invoice.operator_id == operator.id, before=before, limit=limit, **filters)


def _page(
    session: Session,
    whose: Any,
    *,
    before: int | None,
    limit: int,
    kind: str | None = None,
    party: UUID | None = None,
    only_undelivered: bool = False,
) -> list[Invoice]:
    wanted = select(Invoice).where(whose)
    if before is not None:
        wanted = wanted.where(Invoice.id < before)
    if kind is not None:
        wanted = wanted.where(Invoice.kind == kind)
    if party is not None:
        wanted = wanted.where(Invoice.party_id.in_(select(Party.id).where(Party.uid == party)))
    if only_undelivered:
        wanted = wanted.where(undelivered())
    return list(session.scalars(wanted.order_by(Invoice.id.desc()).limit(limit)))


def find(session: Session, invoice_id: UUID) -> Invoice:
    """A document that the session's person may see. Raises NotFound."""
    found = session.scalar(select(Invoice).where(Invoice.uid == invoice_id))
    if found is None:
        raise NotFound()
    return found


def operators(session: Session, person: Person, *, after: int, limit: int) -> list[tuple[Operator, list[Space]]]:
    """Operators whose books the person keeps, oldest first, each with its spaces."""
    wanted = select(Operator).where(Operator.id.in_(person.scope.books_ids), Operator.id > after)
    found = session.scalars(wanted.order_by(Operator.id).limit(limit)).all()
    spaces: dict[int, list[Space]] = {operator.id: [] for operator in found}
    for space in session.scalars(select(Space).where(Space.operator_id.in_(list(spaces))).order_by(Space.id)):
        spaces[space.operator_id].append(space)
    return [(operator, spaces[operator.id]) for operator in found]


def shown(session: Session, invoices: Sequence[Invoice], *, now: datetime) -> list[Shown]:
    """Documents as they stand on their operator's day."""
    settled, paid = settled_cents(session, invoices), paying(session, invoices)
    operators_of = _uids(session, Operator, {each.operator_id for each in invoices})
    parties = _uids(session, Party, {each.party_id for each in invoices})
    corrected = _uids(session, Invoice, {each.corrects_id for each in invoices if each.corrects_id})
    today = _today(session, {each.operator_id for each in invoices}, now)
    return [
        Shown(
            each,
            operators_of[each.operator_id],
            parties[each.party_id],
            corrected.get(each.corrects_id) if each.corrects_id else None,
            settled[each.id],
            status(
                kind=each.kind, gross_cents=each.gross_cents, settled=settled[each.id], due_on=each.due_on,
                sent_at=each.sent_at, today=today[each.operator_id],
            ),
            paid[each.id],
        )
        for each in invoices
    ]  # fmt: skip


def _uids(session: Session, kind: Any, ids: set[int]) -> dict[int, UUID]:
    if not ids:
        return {}
    return {row.id: row.uid for row in session.execute(select(kind.id, kind.uid).where(kind.id.in_(ids)))}


def _today(session: Session, ids: set[int], now: datetime) -> dict[int, date]:
    """The day in the first space of each operator."""
    rows = session.execute(
        select(Space.operator_id, Space.timezone).where(Space.operator_id.in_(ids)).order_by(Space.id.desc())
    )
    zones = dict.fromkeys(ids, HOME_ZONE) | {row.operator_id: row.timezone for row in rows}
    return {key: now.astimezone(ZoneInfo(zone)).date() for key, zone in zones.items()}
