"""A booking as JSON shows it: one shape for the API, the pages and the answers kept for repetitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking import cancellation
from app.booking.cancellation import Terms
from app.booking.fees import OPEN, change_fee, fee, free_until, is_late
from app.booking.models import Booking, BookingSeries, Resource, Unit
from app.booking.prices import Price
from app.events.envelope import instant
from app.http.preconditions import etag
from app.network.models import Member, Space
from app.vat.decide import Decision
from app.vat.lettings import Letting


@dataclass(frozen=True, slots=True)
class Names:
    """The public side of the internal ids in a booking. `member` is given to staff only."""

    space_uid: UUID
    resource_uid: UUID
    units: Sequence[tuple[UUID, str]]
    extras: Sequence[UUID] = ()
    series_uid: UUID | None = None
    member: dict[str, str] | None = None


def money(cents: int, currency: str) -> dict[str, Any]:
    return {"amount_cents": cents, "currency": currency}


def price_shape(price: Price) -> dict[str, Any]:
    """Gross, with net and VAT beside it."""
    return {**money(price.gross_cents, price.currency), "net_cents": price.net_cents, "vat_cents": price.vat_cents}


def vat_shape(price: Price) -> dict[str, Any] | None:
    """How the VAT of a price was decided, as events tell it (app.events.meanings.VAT)."""
    if price.vat is None:
        return None
    return {
        "permille": price.vat.rate_permille,
        "category": price.vat.category,
        "ground": price.vat.ground,
        "mention": price.vat.mention_code,
        "includes_vat": price.includes_vat,
    }


def letting_shape(letting: Letting, vat: Decision) -> dict[str, Any]:
    """The facts of a letting, days both counted, and how its VAT was decided from them."""
    first, last = letting.starts_on, letting.ends_on
    return {
        "equipped": letting.equipped,
        "option": letting.option,
        "from_day": first.isoformat() if first else None,
        "until_day": last.isoformat() if last else None,
        "vat": {
            "permille": vat.rate_permille,
            "category": vat.category,
            "ground": vat.ground,
            "mention": vat.mention_code,
        },
    }


def terms_shape(terms: Terms, *, start: datetime) -> dict[str, Any]:
    """The steps of cancellation terms, and until when cancelling is free: null when it never is."""
    until = cancellation.free_until(terms, start=start)
    return {"cancellation": cancellation.terms_to_json(terms), "free_until": instant(until) if until else None}


def cancelling_shape(booking: Any, *, now: datetime) -> dict[str, Any] | None:
    """What it would cost its member to cancel now, and until when it is free; None when it is too late to cancel."""
    if booking.status not in OPEN or now >= booking.ends_at:
        return None
    until = free_until(booking)
    return {
        "fee": money(fee(booking, now=now), booking.currency),
        "free_until": instant(until) if until else None,
        "credit_returns": not is_late(booking, now=now),
    }


def booking_etag(booking: Any) -> str:
    return etag(booking.uid, booking.revision)


def describe(booking: Any, names: Names, *, now: datetime) -> dict[str, Any]:
    """`booking` is a Booking, or the row of one just made; `now` decides what cancelling it would cost."""
    described = {
        "id": str(booking.uid),
        "status": booking.status,
        "space_id": str(names.space_uid),
        "resource_id": str(names.resource_uid),
        "start": instant(booking.starts_at),
        "end": instant(booking.ends_at),
        "title": booking.title,
        "attendees": list(booking.attendees),
        "extras": [str(uid) for uid in names.extras],
        "units": [{"id": str(uid), "name": name} for uid, name in names.units],
        "price": {
            **money(booking.gross_cents, booking.currency),
            "net_cents": booking.net_cents,
            "vat_cents": booking.vat_cents,
        },
        "cover": booking.cover,
        "cancellation": booking.terms.get("cancellation", []),
        "fee": money(booking.fee_cents, booking.currency),
        "cancelling": cancelling_shape(booking, now=now),
        "least_fee": money(booking.terms.get("least_fee_cents", 0), booking.currency),
        "change_fee": money(change_fee(booking), booking.currency),
        "letting": booking.terms.get("letting"),
        "forfeited_minutes": booking.terms.get("forfeited_minutes", 0),
        "reason": booking.reason,
        "series_id": str(names.series_uid) if names.series_uid else None,
        "hold_expires_at": instant(booking.hold_expires_at) if booking.hold_expires_at else None,
        "checked_in_at": instant(booking.checked_in_at) if booking.checked_in_at else None,
        "created_at": instant(booking.created_at),
        "changed_at": instant(booking.changed_at),
    }
    if names.member:
        described["member"] = names.member
    return described


def describe_all(
    session: Session, bookings: Iterable[Booking], *, now: datetime, with_members: bool = False
) -> list[dict[str, Any]]:
    """Many bookings in five statements, however many they are."""
    rows = list(bookings)
    spaces = _uids(session, Space, {row.space_id for row in rows})
    resources = _uids(session, Resource, {id for row in rows for id in (row.resource_id, *row.extras)})
    series = _uids(session, BookingSeries, {row.series_id for row in rows if row.series_id})
    units = _named(session, Unit, {unit_id for row in rows for unit_id in row.unit_ids})
    members = _named(session, Member, {row.member_id for row in rows}) if with_members else {}
    return [
        describe(
            row,
            Names(
                space_uid=spaces[row.space_id],
                resource_uid=resources[row.resource_id],
                units=[units[unit_id] for unit_id in row.unit_ids],
                extras=[resources[id] for id in row.extras],
                series_uid=series.get(row.series_id) if row.series_id else None,
                member=_member(members[row.member_id]) if row.member_id in members else None,
            ),
            now=now,
        )
        for row in rows
    ]


def describe_one(session: Session, booking: Booking, *, now: datetime, with_member: bool = False) -> dict[str, Any]:
    return describe_all(session, [booking], now=now, with_members=with_member)[0]


def _member(found: tuple[UUID, str]) -> dict[str, str]:
    return {"id": str(found[0]), "name": found[1]}


def _uids(session: Session, entity: Any, ids: set[int]) -> dict[int, UUID]:
    if not ids:
        return {}
    return {row.id: row.uid for row in session.execute(select(entity.id, entity.uid).where(entity.id.in_(ids)))}


def _named(session: Session, entity: Any, ids: set[int]) -> dict[int, tuple[UUID, str]]:
    if not ids:
        return {}
    query = select(entity.id, entity.uid, entity.name).where(entity.id.in_(ids))
    return {row.id: (row.uid, row.name) for row in session.execute(query)}
