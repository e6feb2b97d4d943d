"""From a notification to the mail: reads what has a name now, has it worded, and encloses the booking's calendar entry.

The text tells what happened, as it was frozen; the calendar file says how the booking stands when it is sent, with the
UID and SEQUENCE of the feeds, so that whichever reaches a calendar last, the newest state stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.calendar.entries import as_it_is, own_entry
from app.booking.calendar.icalendar_text import mailed
from app.booking.models import Booking, BookingSeries, Resource, Unit
from app.config import Config
from app.network.models import Member, Space
from app.notifications import unsubscribing
from app.notifications.bounces import mails_come_back
from app.notifications.digest import look_again
from app.notifications.kinds import KINDS
from app.notifications.letters import Story, Words
from app.notifications.mime import BadAddress, Cover, address_of, mail, mailable
from app.notifications.models import Notification
from app.notifications.preferences import wanted
from app.notifications.standing import Standing, as_it_stands
from app.notifications.wording import LETTERS

NO_SENDER = "Passerelle <no-reply@passerelle.example>"  # files need none that answers

CANCELLING = ("booking_cancelled", "displaced")  # kinds whose file may take a booking out of a calendar

# What a kind reads for itself; None when there is nothing to tell this person any more.
READS: Mapping[str, Callable[[Session, Notification], Mapping[str, Any] | None]] = {
    "digest": look_again,
    "digest_weekly": look_again,
}


class Suppressed(Exception):
    """This mail is not to be sent; `reason` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Mail:
    """What a transport takes: octets, and whom they are from and to. `day` is when the fact was decided."""

    uid: UUID
    day: str
    sender: str
    recipient: str
    octets: bytes


@dataclass(frozen=True, slots=True)
class Stationery:
    """What all mails of an installation have in common."""

    config: Config
    sender: str
    base_url: str

    @classmethod
    def of(cls, config: Config) -> Stationery:
        base_url = config.public_url or f"http://127.0.0.1:{config.port}"
        return cls(config, config.mail_from or NO_SENDER, base_url.rstrip("/"))


def compose(session: Session, notification: Notification, stationery: Stationery) -> Mail:
    """The mail as it is to be sent now. Raises Suppressed."""
    member = session.get_one(Member, notification.member_id, populate_existing=True)
    email = _deliverable(session, notification, member)
    standing = as_it_stands(session, notification)
    if standing is None:
        raise Suppressed("overtaken")
    story = _story(session, notification, standing, member, stationery)
    cover = Cover(
        uid=notification.uid,
        sender=stationery.sender,
        recipient=email,
        created_at=notification.created_at,
        **_around(story, notification, member, stationery),
        calendar=_calendar(session, notification, story, stationery),
    )
    return Mail(
        uid=notification.uid,
        day=f"{notification.created_at:%Y-%m-%d}",
        sender=address_of(stationery.sender).addr_spec,
        recipient=email,
        octets=mail(LETTERS[notification.kind](story), cover, story.words),
    )


def _deliverable(session: Session, notification: Notification, member: Member) -> str:
    if member.erased_at is not None or not member.email:
        raise Suppressed("erased")
    if mails_come_back(session, member.email):
        raise Suppressed("bounced_before")
    if not wanted(session, member.id, notification.kind):
        raise Suppressed("unwanted")
    try:
        return mailable(member.email)
    except BadAddress:
        raise Suppressed("bad_address") from None


def _story(
    session: Session, notification: Notification, standing: Standing, member: Member, stationery: Stationery
) -> Story:
    facts = standing.facts
    space = session.get(Space, notification.space_id) if notification.space_id else None
    zone = facts.get("zone") or (space.timezone if space else None)
    words = Words(notification.locale, ZoneInfo(zone)) if zone else Words(notification.locale)
    return Story(
        words=words,
        facts=facts,
        base_url=stationery.base_url,
        created_at=notification.created_at,
        member=member.name,
        space=space.name if space else "",
        address=", ".join(filter(None, (space.street, f"{space.postcode} {space.town}"))) if space else "",
        units=_unit_names(session, facts.get("unit_ids") or []),
        names=_resource_names(session, set(_resources_in(facts))),
        status=standing.status,
        more=_more(session, notification),
    )


def _more(session: Session, notification: Notification) -> Mapping[str, Any]:
    read = READS.get(notification.kind)
    found = read(session, notification) if read else {}
    if found is None:
        raise Suppressed("nothing_to_tell")
    return found


def _resources_in(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from (facts[name] for name in ("resource_id", "previous_resource_id") if facts.get(name))
    yield from (each["resource_id"] for each in facts.get("alternatives") or ())


def _resource_names(session: Session, uids: set[str]) -> dict[str, str]:
    if not uids:
        return {}
    rows = session.execute(select(Resource.uid, Resource.name).where(Resource.uid.in_([UUID(uid) for uid in uids])))
    return {str(uid): name for uid, name in rows}


def _unit_names(session: Session, ids: list[int]) -> list[str]:
    if not ids:
        return []
    return list(session.scalars(select(Unit.name).where(Unit.id.in_(ids)).order_by(Unit.id)))


def _around(story: Story, notification: Notification, member: Member, stationery: Stationery) -> dict[str, Any]:
    _ = story.words.say
    foot = (
        _("You receive this mail because you use %(space)s, by way of Passerelle.", space=story.space)
        if story.space and KINDS[notification.kind].to == "member"
        else _("You receive this mail because of your role at Passerelle.")
    )
    stop = None
    if KINDS[notification.kind].optional:
        said = _("No more mails of this kind")
        stop = (said, unsubscribing.address(stationery.config, member_uid=member.uid, kind=notification.kind))
    return {"greeting": _("Hello %(name)s,", name=member.name), "foot": foot, "unsubscribe": stop}


def _calendar(
    session: Session, notification: Notification, story: Story, stationery: Stationery
) -> tuple[str, bytes] | None:
    """The booking as it is now, or all of a recurrence. That one ends just now, a mail of its own will say."""
    if not KINDS[notification.kind].calendar or "booking_id" not in story.facts:
        return None
    rows = [as_it_is(session, uid) for uid in _bookings_of(session, story.facts)]
    entries = [own_entry(row, public_url=stationery.config.public_url) for row in rows if row is not None]
    file = mailed(entries, organizer=(story.space, address_of(stationery.sender).addr_spec))
    return None if file and file[0] == "CANCEL" and notification.kind not in CANCELLING else file


def _bookings_of(session: Session, facts: Mapping[str, Any]) -> list[UUID]:
    if "series_id" not in facts:
        return [UUID(facts["booking_id"])]
    series = select(Booking.uid).join(BookingSeries, BookingSeries.id == Booking.series_id)
    return list(
        session.scalars(series.where(BookingSeries.uid == UUID(facts["series_id"])).order_by(Booking.starts_at))
    )
