"""Whole calendars, ready to send, kept as long as they are right.

A document is right for one version of its calendar (the stamp that the calendar worker advances) and one UTC day,
because its window moves with the day: 30 days back, a year ahead, and cancellations for 30 days.
"""

from __future__ import annotations

import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from app.booking.calendar.icalendar_text import calendar
from app.booking.models import CalendarFragment
from app.network.models import Space

BACK = timedelta(days=30)
AHEAD = timedelta(days=365)
CANCELLED_STAYS = timedelta(days=30)
LARGEST_CACHE = 16 * 1024 * 1024

_SHOWN: dict[str, tuple[Any, Any]] = {  # scope: (whose bookings, and which text of them)
    "me": (CalendarFragment.member_id, CalendarFragment.own_text),
    "space": (CalendarFragment.space_id, CalendarFragment.space_text),
    "resource": (CalendarFragment.resource_id, CalendarFragment.busy_text),
}


def _in_the_window(whose: Any, text: Any) -> Any:
    return (
        select(text, Space.timezone)
        .join(Space, Space.id == CalendarFragment.space_id)
        .where(
            whose == bindparam("scope_id"),
            CalendarFragment.ends_at > bindparam("since"),
            CalendarFragment.starts_at < bindparam("until"),
            or_(CalendarFragment.cancelled_at.is_(None), CalendarFragment.cancelled_at >= bindparam("cancelled_since")),
        )
        .order_by(CalendarFragment.starts_at, CalendarFragment.booking_id)
    )


_STATEMENTS = {scope: _in_the_window(*shown) for scope, shown in _SHOWN.items()}


@dataclass(frozen=True, slots=True)
class Body:
    """The octets of one content-coding, and their strong validator: another coding is another one (RFC 9110, 8.8.3)."""

    octets: bytes
    etag: str
    encoding: str | None


@dataclass(frozen=True, slots=True)
class Document:
    plain: Body
    zipped: Body

    @property
    def size(self) -> int:
        return len(self.plain.octets) + len(self.zipped.octets)


def document(octets: bytes) -> Document:
    digest = hashlib.sha256(octets).hexdigest()[:32]
    # mtime=0: the same calendar is the same octets from every web process.
    zipped = gzip.compress(octets, compresslevel=6, mtime=0)
    return Document(Body(octets, f'"{digest}"', None), Body(zipped, f'"{digest}-gzip"', "gzip"))


def read_calendar(session: Session, *, scope: str, scope_id: int, name: str, midnight: datetime) -> bytes:
    """The calendar of a member, space or resource as of the UTC day begun at `midnight`, in one statement."""
    since, until = midnight - BACK, midnight + AHEAD
    window = {"since": since, "until": until, "cancelled_since": midnight - CANCELLED_STAYS}
    rows = session.execute(_STATEMENTS[scope], {"scope_id": scope_id, **window}).all()
    # A booking may reach over the window's edge; its years must be in the VTIMEZONE all the same.
    return calendar(
        name,
        (text for text, _ in rows),
        {zone for _, zone in rows},
        first_year=since.year - 1,
        last_year=until.year + 1,
    )


Key = tuple[str, int, str]  # scope, scope_id, name
State = tuple[int, datetime]  # version, midnight of the day


class Documents:
    """The documents of one web process: at most `largest` octets of them, least recently read out first."""

    def __init__(self, *, largest: int = LARGEST_CACHE) -> None:
        self._largest = largest
        self._size = 0
        self._kept: OrderedDict[Key, tuple[State, Document]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key, state: State, write: Callable[[], bytes]) -> Document:
        """The document of `key` that is right for `state`; `write` is called if it is not there."""
        with self._lock:
            kept = self._kept.get(key)
            if kept and kept[0] == state:
                self._kept.move_to_end(key)
                return kept[1]
        # Without the lock: nobody's calendar waits for somebody else's. Two who ask at once write it twice.
        written = document(write())
        self._keep(key, state, written)
        return written

    def _keep(self, key: Key, state: State, written: Document) -> None:
        with self._lock:
            self._forget(key)
            if written.size > self._largest:
                return
            self._kept[key] = state, written
            self._size += written.size
            while self._size > self._largest:
                self._forget(next(iter(self._kept)))

    def _forget(self, key: Key) -> None:
        if forgotten := self._kept.pop(key, None):
            self._size -= forgotten[1].size
