"""The door at which calendar programs ask, day and night, whether anything has changed.

It stands before the application (WSGI) and answers by itself what it can: a feed that is there and open costs one
statement and a look into memory, less than the framework takes to find a view. Everything else (unknown and revoked
addresses, a database that is away) goes on to the application, whose view asks the same door and says what is wrong.
What is answered here is counted, and not logged line by line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, time
from typing import Any, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from app.booking.calendar.conditional import accepts_gzip, last_modified, matching, unchanged_since
from app.booking.calendar.documents import Body, Document, Documents, read_calendar
from app.booking.calendar.feeds import SECRET_BYTES, FeedRevoked
from app.booking.calendar.lookup import Subscribed, look_up
from app.db import transaction
from app.errors import NotFound, Problem
from app.http import metrics
from app.http.services import Services
from app.tenancy import Scope

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

BEGINS, ENDS = "/f/", ".ics"
LENGTH = len(BEGINS) + (SECRET_BYTES * 8 + 5) // 6 + len(ENDS)
OPERATION = "calendar.read_feed"
# A subscriber may keep it but asks each time: that is what makes a change show within the client's own rhythm.
KEPT = [("Cache-Control", "private, no-cache"), ("Vary", "Accept-Encoding")]
GUARDED = [("X-Robots-Tag", "noindex"), ("X-Content-Type-Options", "nosniff")]
TYPE = ("Content-Type", "text/calendar; charset=utf-8")


class Answer(NamedTuple):
    status: str
    headers: list[tuple[str, str]]
    octets: bytes


class FeedDoor:
    """`services` is asked anew each time: the application is not finished when its door is put in."""

    def __init__(self, behind: WsgiApp, services: Callable[[], Services]) -> None:
        self._behind = behind
        self._services = services
        self._documents = Documents()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = self._known(environ)
        if answer is None:
            return self._behind(environ, start_response)
        metrics.answered(OPERATION, int(answer.status[:3]))
        start_response(answer.status, answer.headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.octets]

    def read(self, secret: str, environ: Environ) -> Answer:
        """A calendar, to whoever knows its address, whole or as "not modified". Raises NotFound, FeedRevoked."""
        own = self._services()
        feed = look_up(own.engine, secret)
        if feed is None:
            raise NotFound()
        if not feed.is_open:
            raise FeedRevoked()
        now = own.clock()
        midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
        # The day's turn changes a calendar too: its window moves.
        changed_at = max(feed.changed_at, midnight)
        return _answer(self._document(own, feed, midnight), environ, changed_at, now)

    def _known(self, environ: Environ) -> Answer | None:
        path = environ["PATH_INFO"]
        if len(path) != LENGTH or not (path.startswith(BEGINS) and path.endswith(ENDS)):
            return None
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return None
        try:
            return self.read(path[len(BEGINS) : -len(ENDS)], environ)
        except (Problem, SQLAlchemyError):
            return None

    def _document(self, own: Services, feed: Subscribed, midnight: datetime) -> Document:
        def write() -> bytes:
            # What its owner may read is settled by now: that calendar, and no other.
            scope = Scope(space_ids=frozenset({feed.space_id})) if feed.space_id else Scope(member_id=feed.scope_id)
            with transaction(own.make_session, scope) as session:
                return read_calendar(
                    session, scope=feed.scope, scope_id=feed.scope_id, name=feed.name, midnight=midnight
                )

        return self._documents.get((feed.scope, feed.scope_id, feed.name), (feed.version, midnight), write)


def _answer(document: Document, environ: Environ, changed_at: datetime, now: datetime) -> Answer:
    zipped, plain = document.zipped, document.plain
    wanted, other = (zipped, plain) if accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")) else (plain, zipped)
    if if_none_match := environ.get("HTTP_IF_NONE_MATCH"):
        known = matching(if_none_match, (wanted.etag, other.etag))
    else:  # the date counts only where there is no tag
        known = wanted.etag if unchanged_since(environ.get("HTTP_IF_MODIFIED_SINCE"), changed_at) else None
    shown_date = ("Last-Modified", last_modified(changed_at, now))
    if known:
        return Answer("304 NOT MODIFIED", [("ETag", known), shown_date, *KEPT], b"")
    return Answer("200 OK", [("ETag", wanted.etag), shown_date, *KEPT, *GUARDED, *_content(wanted)], wanted.octets)


def _content(body: Body) -> list[tuple[str, str]]:
    length = ("Content-Length", str(len(body.octets)))
    return [TYPE, length, ("Content-Encoding", body.encoding)] if body.encoding else [TYPE, length]
