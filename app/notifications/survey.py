"""What happens in a space from a day on, as its staff is told in the digest: read when it is composed, kept nowhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.localtime import day_start
from app.booking.models import Booking, Closure, Resource
from app.db import raw
from app.network.models import Member, Space

EXPECTED = ("confirmed", "checked_in")
CLOSURES_AHEAD = timedelta(days=14)
MOST = 2000  # of each: what is counted; fewer are listed

# By raw: webhooks stand beside notifications, which may not import them. Of the space's own operator.
_SWITCHED_OFF = raw(
    """
    SELECT url, disabled_at FROM webhook
    WHERE operator_id = :operator_id AND state = 'disabled' AND archived_at IS NULL AND disabled_at >= :since
    ORDER BY disabled_at, id LIMIT 50
    """
)


@dataclass(frozen=True, slots=True)
class Visit:
    """A booking: when, what and whose. The title is its member's own."""

    start: datetime
    end: datetime
    resource: str
    name: str
    member_id: int


@dataclass(frozen=True, slots=True)
class Survey:
    """`visits` are expected in the days looked at, `requests` wait for an answer, `missed` did not come since the last
    digest; `closures` come within two weeks, `receivers` of events were switched off since the last digest;
    `undelivered` are the numbers of the operator's documents that their customers have not got."""

    visits: Sequence[Visit]
    requests: Sequence[Visit]
    missed: Sequence[Visit]
    closures: Sequence[tuple[datetime, datetime, str]]
    receivers: Sequence[str]
    undelivered: Sequence[str] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.visits or self.requests or self.missed or self.closures or self.receivers or self.undelivered)

    @property
    def people(self) -> int:
        return len({visit.member_id for visit in self.visits})


Undelivered = Callable[[Session, int], Sequence[str]]
_ASKED: list[Undelivered] = []  # one at most: who knows documents


def ask_for_undelivered(ask: Undelivered) -> None:
    """Have digests tell the numbers that `ask(session, operator_id)` answers. Again is harmless; the last holds."""
    _ASKED[:] = [ask]


def survey(
    session: Session, space: Space, *, first: date, days: int, since: datetime, now: datetime, books: bool = False
) -> Survey:
    """The `days` of the space from `first` on, and what has come up since `since`; of its operator's documents only for
    who keeps its `books`. For the system."""
    zone = ZoneInfo(space.timezone)
    begins, ends = day_start(first, zone), day_start(first + timedelta(days=days), zone)
    return Survey(
        visits=_visits(
            session, space, Booking.status.in_(EXPECTED), Booking.starts_at < ends, Booking.ends_at > begins
        ),
        requests=_visits(session, space, Booking.status == "pending", Booking.ends_at > now),
        missed=_visits(
            session, space, Booking.status == "no_show", Booking.starts_at >= since, Booking.starts_at < begins
        ),
        closures=_closures(session, space, now=now, until=begins + CLOSURES_AHEAD),
        receivers=_receivers(session, space, since),
        undelivered=[number for ask in _ASKED for number in ask(session, space.operator_id)] if books else [],
    )


def _visits(session: Session, space: Space, *conditions: Any) -> list[Visit]:
    rows = session.execute(
        select(Booking.starts_at, Booking.ends_at, Resource.name, Member.name, Member.id)
        .join(Resource, Resource.id == Booking.resource_id)
        .join(Member, Member.id == Booking.member_id)
        .where(Booking.space_id == space.id, *conditions)
        .order_by(Booking.starts_at, Resource.position, Booking.id)
        .limit(MOST)
    )
    return [Visit(*row) for row in rows]


def _closures(
    session: Session, space: Space, *, now: datetime, until: datetime
) -> list[tuple[datetime, datetime, str]]:
    coming = select(Closure.starts_at, Closure.ends_at, Closure.reason).where(
        Closure.space_id == space.id, Closure.lifted_at.is_(None), Closure.ends_at > now, Closure.starts_at < until
    )
    rows = session.execute(coming.order_by(Closure.starts_at, Closure.id).limit(MOST))
    return [(row.starts_at, row.ends_at, row.reason) for row in rows]


def _receivers(session: Session, space: Space, since: datetime) -> list[str]:
    """By their hosts: the rest of an address may be a secret."""
    rows = session.execute(_SWITCHED_OFF, {"operator_id": space.operator_id, "since": since})
    return list(dict.fromkeys(urlsplit(row.url).hostname or "" for row in rows))
