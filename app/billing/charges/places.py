"""Where something is supplied, and who supplies it: what billing needs to know of a space and its operator."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.network.models import Member, Operator, Space, VatRegime
from app.vat.decide import decide
from app.vat.rates import VatUndecided


class Place(NamedTuple):
    """An operator, and the space where it supplies; `space_id` None is anywhere."""

    operator_id: int
    space_id: int | None
    country: str
    postcode: str
    currency: str
    zone: ZoneInfo

    def day_of(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()


def place_of(session: Session, space_uid: str | UUID) -> Place:
    """Raises NotFound."""
    facts = (Operator.id, Space.id, Space.country, Space.postcode, Operator.currency, Space.timezone)
    query = select(*facts).join(Operator, Operator.id == Space.operator_id).where(Space.uid == UUID(str(space_uid)))
    found = session.execute(query).one_or_none()
    if found is None:
        raise NotFound()
    return Place(*found[:5], zone=ZoneInfo(found[5]))


def first_place_of(session: Session, operator: Operator) -> Place:
    """The operator's first space, for what no space in particular supplies. Raises NotFound where it has none."""
    first = select(Space.uid).where(Space.operator_id == operator.id).order_by(Space.id).limit(1)
    uid = session.scalar(first)
    if uid is None:
        raise NotFound()
    return place_of(session, uid)._replace(space_id=None)


def member_id_of(session: Session, member_uid: str | UUID) -> int:
    """Raises NotFound."""
    member_id = session.scalar(select(Member.id).where(Member.uid == UUID(str(member_uid))))
    if member_id is None:
        raise NotFound()
    return member_id


def regime_on(session: Session, place: Place, day: date) -> str:
    """The VAT regime of the operator on a day. Raises VatUndecided before its first."""
    begun = select(VatRegime.regime).where(VatRegime.operator_id == place.operator_id, VatRegime.valid_from <= day)
    regime = session.scalar(begun.order_by(VatRegime.valid_from.desc()).limit(1))
    if regime is None:
        raise VatUndecided(country=place.country, regime=None, day=day.isoformat())
    return regime


def vat_where(session: Session, place: Place, day: date) -> dict[str, Any]:
    """The decision for a price of an event that does not tell its own, from before events did: where the space is,
    whoever books, and the gross that was told is kept."""
    decision = decide(country=place.country, postcode=place.postcode, regime=regime_on(session, place, day), day=day)
    return {
        "permille": decision.rate_permille,
        "category": decision.category,
        "ground": decision.ground,
        "mention": decision.mention_code,
        "includes_vat": True,
    }
