"""The digest: what is ahead in a space, to those who manage it, at seven on the clock of its wall, on days it opens.

Each space has one row on the timekeeper's list, which is put to the next morning each time. Who slept through a morning
tells of today only, while the space is still open; what was not told then is past. A row of another kind, each hour,
finds the spaces that have come since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from app.booking.catalogue.loading import load_hours
from app.booking.hours import WeeklyHours
from app.booking.localtime import ONE_DAY, clock_instants, day_start, local_day
from app.events.envelope import instant
from app.events.models import Due
from app.network.models import AuditEntry, Member, RoleGrant, Space
from app.network.people import person_of
from app.network.roles import MANAGE, ROLES
from app.notifications.preferences import wanted
from app.notifications.sources import Asked, Found
from app.notifications.survey import Survey, survey
from app.notifications.writing import write
from app.timekeeper import due, schedule

MORNING, SWEEP = "notification.digest", "notification.digests"
SUBJECT = 0  # of the sweep: there is one house
SWEEP_EVERY = timedelta(hours=1)
AT = time(7, 0)
LONGEST_CLOSED = 21  # days to look back for the last opening

MANAGING = tuple(name for name, (_, may) in ROLES.items() if MANAGE in may)


@dataclass(frozen=True, slots=True)
class Edition:
    """A kind of digest, the days it looks ahead, and whether it comes on the first opening of a week only."""

    kind: str
    days: int
    weekly: bool


EDITIONS = (Edition("digest", 1, weekly=False), Edition("digest_weekly", 7, weekly=True))


def begin_digests(session: Session, *, now: datetime) -> None:
    """Have the spaces looked for; nothing changes when they are already."""
    if session.get(Due, (SWEEP, SUBJECT)) is None:
        schedule(session, SWEEP, SUBJECT, now)


@due(SWEEP)
def find_spaces(session: Session, _subject_id: int, *, now: datetime) -> None:
    """Put every space that is not on the timekeeper's list on it."""
    listed = exists(select(Due.kind).where(Due.kind == MORNING, Due.subject_id == Space.id))
    for space in session.scalars(select(Space).where(~listed).order_by(Space.id)):
        schedule(session, MORNING, space.id, next_morning(now, ZoneInfo(space.timezone)))
    schedule(session, SWEEP, SUBJECT, now + SWEEP_EVERY)


@due(MORNING)
def tell_managers(session: Session, space_id: int, *, now: datetime) -> None:
    """Write down today's digests of a space, if it is morning or later and the space is open or opens today."""
    space = session.get_one(Space, space_id)
    zone = ZoneInfo(space.timezone)
    today, hours = local_day(now, zone), load_hours(session, [space])[space.id]
    openings = hours.opening_of(today)
    if openings and morning(today, zone) <= now < openings[-1][1]:
        for edition in EDITIONS:
            _tell(session, space, edition, today, hours, closes=openings[-1][1], now=now)
    schedule(session, MORNING, space_id, next_morning(now, zone))


def morning(day: date, zone: ZoneInfo) -> datetime:
    """Seven on the wall; where the clock jumps over it, the end of the jump."""
    return clock_instants(datetime.combine(day, AT), zone)[0]


def next_morning(now: datetime, zone: ZoneInfo) -> datetime:
    today = local_day(now, zone)
    at = morning(today, zone)
    return at if now < at else morning(today + ONE_DAY, zone)


def _tell(
    session: Session,
    space: Space,
    edition: Edition,
    today: date,
    hours: WeeklyHours,
    *,
    closes: datetime,
    now: datetime,
) -> None:
    if edition.weekly and not opens_the_week(hours, today):
        return
    since = day_start(told_before(hours, today, edition), ZoneInfo(space.timezone))
    facts = {"day": today.isoformat(), "days": edition.days, "since": instant(since), "zone": space.timezone}
    if _look(session, space, facts, now, books=True).is_empty:
        return
    for manager in managers_of(session, space):
        if not wanted(session, manager.id, edition.kind):
            continue
        new = write(
            session,
            kind=edition.kind,
            about=f"{space.uid}-{today}",
            member_id=manager.id,
            member_uid=manager.uid,
            locale=manager.locale,
            space_id=space.id,
            facts=facts,
            useless_after=closes,
            now=now,
        )
        if new:  # it shows them whose bookings these are
            session.add(
                AuditEntry(
                    at=now, actor_id=manager.id, space_id=space.id, action=f"{edition.kind}.sent", subject=str(today)
                )
            )


def opens_the_week(hours: WeeklyHours, day: date) -> bool:
    """Whether the space was not open earlier in the week, which begins on Monday."""
    return not any(hours.opening_of(day - n * ONE_DAY) for n in range(1, day.weekday() + 1))


def told_before(hours: WeeklyHours, today: date, edition: Edition) -> date:
    """The day of the digest before: a week ago, or the last day on which the space was open."""
    if edition.weekly:
        return today - 7 * ONE_DAY
    days = (today - n * ONE_DAY for n in range(1, LONGEST_CLOSED + 1))
    return next((day for day in days if hours.opening_of(day)), today - ONE_DAY)


def managers_of(session: Session, space: Space) -> Sequence[Member]:
    """Who manages the space, or its operator; not the platform's administrators."""
    here = or_(
        (RoleGrant.scope_type == "space") & (RoleGrant.scope_id == space.id),
        (RoleGrant.scope_type == "operator") & (RoleGrant.scope_id == space.operator_id),
    )
    holders = select(RoleGrant.member_id).where(RoleGrant.role.in_(MANAGING), here)
    living = select(Member).where(Member.id.in_(holders), Member.erased_at.is_(None), Member.email.is_not(None))
    return session.scalars(living.order_by(Member.id)).all()


def look_again(session: Session, asked: Asked) -> Found | None:
    """What a digest tells, as it is when it is composed; None when that is nothing, or nothing to them any more."""
    notification = asked.notification
    space = session.get_one(Space, notification.space_id, populate_existing=True)
    manager_id = notification.member_id
    if manager_id is None or manager_id not in {member.id for member in managers_of(session, space)}:
        return None
    books = space.operator_id in person_of(session, manager_id).scope.books_ids
    found = _look(session, space, notification.facts, notification.created_at, books=books)
    return None if found.is_empty else Found({"survey": found, "slug": space.slug})


def _look(session: Session, space: Space, facts: Mapping[str, Any], now: datetime, *, books: bool) -> Survey:
    return survey(
        session,
        space,
        first=date.fromisoformat(facts["day"]),
        days=facts["days"],
        since=datetime.fromisoformat(facts["since"]),
        now=now,
        books=books,
    )
