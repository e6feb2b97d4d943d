"""Which fact is told to whom: a table from events to kinds of mail, and the rows that say what is to be sent.

A decision is written in the transaction of the event's receipt. Its key is made of the kind, the event and the person,
and the row that is there stays: an event that comes again, or is replayed, tells nobody twice. The dates of a
recurrence are made in one go, and told in one mail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.events.envelope import Envelope
from app.network.models import Member, Network, Operator, RoleGrant, Space
from app.notifications import reminding
from app.notifications.facts import Subject, freeze, subject_of
from app.notifications.writing import write, written

THEN = "status_then"  # the status an event left the booking in: its own word, or where it has none, the booking's


@dataclass(frozen=True, slots=True)
class Row:
    """Events of a type, those among them whose fields have the values of `when`, lead to a mail of a kind."""

    event: str
    kind: str
    when: Mapping[str, str] = field(default_factory=dict)

    def fits(self, event: str, said: Mapping[str, Any]) -> bool:
        return self.event == event and all(said.get(name) == value for name, value in self.when.items())


# The first row that fits decides; an event without one is told to nobody. A booking made as `held` is told by the offer
# that made it.
ROWS = (
    Row("booking.made", "booking_confirmed", {"status": "confirmed"}),
    Row("booking.made", "booking_requested", {"status": "pending"}),
    Row("booking.approved", "booking_confirmed"),
    Row("booking.accepted", "booking_requested", {THEN: "pending"}),
    Row("booking.accepted", "booking_confirmed"),
    Row("booking.moved", "booking_moved"),
    Row("booking.cancelled", "displaced", {"reason": "closure"}),
    Row("booking.cancelled", "booking_expired", {"reason": "expired"}),
    Row("booking.cancelled", "booking_cancelled"),
    Row("booking.refused", "booking_refused"),
    Row("waitlist.offered", "waitlist_offered"),
    Row("webhook.disabled", "webhook_disabled"),
)
TOLD = tuple(sorted({row.event for row in ROWS}))

# Who hears of a receiver that was switched off: the roles that manage what it belongs to.
MANAGERS: dict[str, tuple[Any, str]] = {"operator_id": (Operator, "manager"), "network_id": (Network, "coordinator")}


class UnknownBooking(LookupError):
    """An event about a booking that is not there. Bookings are never deleted: something is badly wrong."""


def kind_for(event: str, said: Mapping[str, Any]) -> str | None:
    """The kind of mail that an event with these fields leads to, if any."""
    return next((row.kind for row in ROWS if row.fits(event, said)), None)


def tell_member(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Write down the mail to the member whose booking the event is about, and see to its reminder.

    Raises UnknownBooking.
    """
    subject = subject_of(session, UUID(envelope.data["booking_id"]))
    if subject is None:
        raise UnknownBooking(envelope.data["booking_id"])
    reminding.follow(session, subject, envelope)
    kind = kind_for(envelope.type, {**envelope.data, THEN: envelope.data.get("status") or subject.booking.status})
    if kind is None or subject.erased:
        return
    told = about(envelope)
    if envelope.data.get("series_id") and written(session, kind=kind, about=told, member_uid=subject.member_uid):
        return  # by the first of its dates that came
    write(
        session,
        kind=kind,
        about=told,
        member_id=subject.booking.member_id,
        member_uid=subject.member_uid,
        locale=subject.locale,
        booking=subject.booking,
        event_id=envelope.event_id,
        facts=freeze(session, kind, subject, envelope),
        useless_after=_useless_after(kind, subject, envelope),
        now=now,
    )


def tell_staff(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Write down the mails to those who manage the operator or network whose receiver was switched off."""
    kind = kind_for(envelope.type, envelope.data)
    if kind is None:
        return
    for member in _managers(session, envelope.data):
        write(
            session,
            kind=kind,
            about=about(envelope),
            member_id=member.id,
            member_uid=member.uid,
            locale=member.locale,
            event_id=envelope.event_id,
            facts={name: envelope.data.get(name) for name in ("webhook_id", "reason", "failing_since", *MANAGERS)},
            now=now,
        )


def about(envelope: Envelope) -> str:
    """What a mail is about, as its key has it: the event; of a recurrence, all its dates together."""
    series = envelope.data.get("series_id")
    return f"series-{series}" if series else str(envelope.event_id)


def _useless_after(kind: str, subject: Subject, envelope: Envelope) -> datetime | None:
    """An offer is good until it expires; that a booking stands is news until it is over."""
    if kind == "waitlist_offered":
        return datetime.fromisoformat(envelope.data["expires_at"])
    return subject.booking.ends_at if kind in ("booking_confirmed", "booking_requested", "booking_moved") else None


def _managers(session: Session, said: Mapping[str, Any]) -> list[Member]:
    """The living staff of the operator (and of its spaces), or of the network, each once."""
    (owner, role), uid = next((MANAGERS[name], said[name]) for name in MANAGERS if said.get(name))
    owner_id = session.scalars(select(owner.id).where(owner.uid == UUID(uid))).one()
    granted = (RoleGrant.scope_type == owner.__tablename__) & (RoleGrant.scope_id == owner_id)
    if owner is Operator:
        spaces = select(Space.id).where(Space.operator_id == owner_id)
        granted = or_(granted, (RoleGrant.scope_type == "space") & RoleGrant.scope_id.in_(spaces))
    holders = select(RoleGrant.member_id).where(RoleGrant.role == role, granted)
    living = select(Member).where(Member.id.in_(holders), Member.erased_at.is_(None))
    return list(session.scalars(living.order_by(Member.id)))
