"""From a notification to the mail: reads what has a name now, has it worded, and encloses the booking's calendar entry.

The text tells what happened, as it was frozen; the calendar file says how the booking stands when it is sent, with the
UID and SEQUENCE of the feeds, so that whichever reaches a calendar last, the newest state stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.calendar.entries import as_it_is, own_entry
from app.booking.calendar.icalendar_text import mailed
from app.booking.models import Booking, BookingSeries, Resource, Unit
from app.config import Config
from app.network.models import Space
from app.notifications import unsubscribing
from app.notifications.bounces import mails_come_back
from app.notifications.digest import EDITIONS, look_again
from app.notifications.kinds import KINDS
from app.notifications.letters import Story, Words
from app.notifications.mime import BadAddress, Cover, address_of, mail, mailable
from app.notifications.models import Notification
from app.notifications.preferences import wanted
from app.notifications.recipients import Recipient, recipient_of
from app.notifications.sources import Asked, Found, Source, enter, read
from app.notifications.standing import Standing, as_it_stands
from app.notifications.wording import LETTERS

NO_SENDER = "Passerelle <no-reply@passerelle.example>"  # files need none that answers

CANCELLING = ("booking_cancelled", "displaced")  # kinds whose file may take a booking out of a calendar

for _edition in EDITIONS:
    enter(_edition.kind, Source(look_again))


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


def compose(session: Session, notification: Notification, stationery: Stationery, *, now: datetime) -> Mail:
    """The mail as it is to be sent now. Raises Suppressed, and NotYet for one that waits for what comes with it."""
    recipient = recipient_of(session, notification)
    email = _deliverable(session, notification, recipient)
    standing = as_it_stands(session, notification)
    if standing is None:
        raise Suppressed("overtaken")
    found = read(session, Asked(notification, stationery.config.home, now))
    if found is None:
        raise Suppressed("nothing_to_tell")
    story = _story(session, notification, standing, found, recipient, stationery)
    cover = Cover(
        uid=notification.uid,
        sender=stationery.sender,
        recipient=email,
        created_at=notification.created_at,
        **_around(story, notification, recipient, stationery),
        calendar=_calendar(session, notification, story, stationery),
        files=found.files,
    )
    return Mail(
        uid=notification.uid,
        day=f"{notification.created_at:%Y-%m-%d}",
        sender=address_of(stationery.sender).addr_spec,
        recipient=email,
        octets=mail(LETTERS[notification.kind](story), cover, story.words),
    )


def _deliverable(session: Session, notification: Notification, recipient: Recipient) -> str:
    if not recipient.email:
        raise Suppressed(recipient.reason)
    if mails_come_back(session, recipient.email):
        raise Suppressed("bounced_before")
    if notification.member_id is not None and not wanted(session, notification.member_id, notification.kind):
        raise Suppressed("unwanted")
    try:
        return mailable(recipient.email)
    except BadAddress:
        raise Suppressed("bad_address") from None


def _story(
    session: Session,
    notification: Notification,
    standing: Standing,
    found: Found,
    recipient: Recipient,
    stationery: Stationery,
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
        member=recipient.name,
        space=space.name if space else "",
        address=", ".join(filter(None, (space.street, f"{space.postcode} {space.town}"))) if space else "",
        units=_unit_names(session, facts.get("unit_ids") or []),
        names=_resource_names(session, set(_resources_in(facts))),
        status=standing.status,
        more=found.more,
    )


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


def _around(
    story: Story, notification: Notification, recipient: Recipient, stationery: Stationery
) -> dict[str, Any]:  # fmt: skip
    _ = story.words.say
    stop = None
    if KINDS[notification.kind].optional and recipient.member_uid is not None:
        said = _("No more mails of this kind")
        stop = (said, unsubscribing.address(stationery.config, member_uid=recipient.member_uid, kind=notification.kind))
    greeting = _("Hello %(name)s,", name=recipient.name)
    return {"greeting": greeting, "foot": _foot(story, notification), "unsubscribe": stop}


def _foot(story: Story, notification: Notification) -> str:
    """Why they get this mail."""
    _ = story.words.say
    if notification.document_uid is not None:
        seller = story.more["seller"]
        return _("You receive this mail because you are a customer of %(seller)s, by way of Passerelle.", seller=seller)
    if story.space and KINDS[notification.kind].to == "member":
        return _("You receive this mail because you use %(space)s, by way of Passerelle.", space=story.space)
    return _("You receive this mail because of your role at Passerelle.")


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
