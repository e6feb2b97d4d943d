"""Feeds: named calendar subscriptions with a secret address, opened and revoked by the member they belong to."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.booking.models import Feed, Resource
from app.errors import Invalid, NotFound, Problem
from app.http.paging import Page
from app.network.models import Member, Space
from app.network.people import Person, hash_secret
from app.network.roles import FRONT_DESK, SEE_BOOKINGS

MOST_LIVE = 20
LONGEST_URL = 255  # characters: what the pickiest calendar programs take
SECRET_BYTES = 32
SUBJECTS = {"me": None, "space": "space_id", "resource": "resource_id"}  # what a scope needs to be told


class TooManyFeeds(Problem):
    code = "too_many_feeds"
    status = 409
    title = "Revoke a feed that is no longer used before opening another."


class FeedRevoked(Problem):
    code = "feed_revoked"
    status = 410
    title = "This calendar address was revoked, or its owner may no longer see that calendar."


def open_feed(
    session: Session, *, person: Person, scope: str, subjects: Mapping[str, UUID | None], name: str, now: datetime
) -> tuple[Feed, str]:
    """A new feed and its secret, which is kept nowhere else: only its SHA-256 is.

    A space's feed is for those who may see its bookings, a resource's for its front desk. `subjects` holds `space_id`
    and `resource_id`, of which the scope takes one or none. Raises Invalid, NotFound, TooManyFeeds (20 live ones).
    """
    scope_id = _OF[scope](session, person, _subject(scope, subjects))
    _leave_room(session, person.member_id)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    feed = Feed(
        member_id=person.member_id,
        scope=scope,
        scope_id=scope_id,
        name=name,
        token_hash=hash_secret(secret),
        created_at=now,
    )
    session.add(feed)
    session.flush()
    return feed, secret


def list_feeds(session: Session, *, member_id: int, page: Page) -> Sequence[Feed]:
    """The member's own feeds, oldest first, revoked ones included; one more than the page holds, if there is one."""
    wanted = select(Feed).where(Feed.member_id == member_id).order_by(Feed.id).limit(page.limit + 1)
    if page.after:
        wanted = wanted.where(Feed.id > page.after[0])
    return session.scalars(wanted).all()


def revoke_feed(session: Session, *, member_id: int, feed_id: UUID, now: datetime) -> Feed:
    """Its address answers 410 from now on; revoking again changes nothing. Raises NotFound for others' feeds."""
    feed = session.scalar(select(Feed).where(Feed.uid == feed_id, Feed.member_id == member_id).with_for_update())
    if feed is None:
        raise NotFound()
    feed.revoked_at = feed.revoked_at or now
    session.flush()
    return feed


def _subject(scope: str, subjects: Mapping[str, UUID | None]) -> UUID | None:
    wanted = SUBJECTS[scope]
    for field, given in subjects.items():
        if field == wanted and given is None:
            raise Invalid.field(field, f"say which: scope {scope} needs it")
        if field != wanted and given is not None:
            raise Invalid.field(field, f"leave it out: scope {scope} does not take it")
    return subjects[wanted] if wanted else None


def _own(_session: Session, person: Person, _uid: UUID | None) -> int:
    return person.member_id


def _space(session: Session, person: Person, uid: UUID | None) -> int:
    space_id = session.scalar(select(Space.id).where(Space.uid == uid))
    if space_id is None or not person.may(SEE_BOOKINGS, space_id):
        raise NotFound()
    return space_id


def _resource(session: Session, person: Person, uid: UUID | None) -> int:
    found = session.execute(select(Resource.id, Resource.space_id).where(Resource.uid == uid)).one_or_none()
    if found is None or not person.may(FRONT_DESK, found.space_id):
        raise NotFound()
    return int(found.id)


_OF: dict[str, Callable[[Session, Person, Any], int]] = {"me": _own, "space": _space, "resource": _resource}


def _leave_room(session: Session, member_id: int) -> None:
    # The member's row is locked so that two requests at once cannot both take the last place.
    session.execute(select(Member.id).where(Member.id == member_id).with_for_update(key_share=True))
    live = select(func.count()).select_from(Feed).where(Feed.member_id == member_id, Feed.revoked_at.is_(None))
    if session.execute(live).scalar_one() >= MOST_LIVE:
        raise TooManyFeeds(limit=MOST_LIVE)
