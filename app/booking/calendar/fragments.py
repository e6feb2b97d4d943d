"""What calendars keep of each booking: its folded VEVENTs at one revision, and a stamp on every calendar it is in.

A feed is then a matter of joining texts, and of joining none while the stamp is the same.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.booking.calendar.entries import STATUSES, as_it_is, busy_entry, own_entry, space_entry
from app.booking.calendar.icalendar_text import vevent
from app.db import Statement, raw

Calendars = list[tuple[str, int]]  # (scope, scope_id), as feeds have them

# Nothing gives way to an older revision, nor to the same texts; and only what gave way is stamped. The calendars come
# sorted, so that consumers which stamp the same ones lock them in the same order and do not deadlock.
_WRITE = Statement(
    """
    WITH written AS (
        INSERT INTO calendar_fragment AS f (booking_id, booking_uid, member_id, space_id, resource_id, revision,
            starts_at, ends_at, cancelled_at, own_text, space_text, busy_text)
        VALUES (:booking_id, :booking_uid, :member_id, :space_id, :resource_id, :revision,
            :starts_at, :ends_at, :cancelled_at, :own_text, :space_text, :busy_text)
        ON CONFLICT (booking_id) DO UPDATE SET
            member_id = excluded.member_id, space_id = excluded.space_id, resource_id = excluded.resource_id,
            revision = excluded.revision, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
            cancelled_at = excluded.cancelled_at, own_text = excluded.own_text, space_text = excluded.space_text,
            busy_text = excluded.busy_text
        WHERE f.revision < excluded.revision
           OR (f.revision = excluded.revision
               AND (f.own_text, f.space_text, f.busy_text, f.cancelled_at) IS DISTINCT FROM
                   (excluded.own_text, excluded.space_text, excluded.busy_text, excluded.cancelled_at))
        RETURNING booking_id
    )
    INSERT INTO calendar_stamp AS s (scope, scope_id, version, changed_at)
    SELECT c.scope, c.scope_id, 1, :now
    FROM written, unnest(CAST(:scopes AS text[]), CAST(:scope_ids AS bigint[])) WITH ORDINALITY
        AS c (scope, scope_id, position)
    ORDER BY c.position
    ON CONFLICT (scope, scope_id) DO UPDATE
    SET version = s.version + 1, changed_at = greatest(s.changed_at, excluded.changed_at)
    RETURNING 1
    """
)


# A rebuild is told who is gone as late as it can be; whoever goes after that blanks the row that was put in place.
_BLANK_THE_ERASED = raw("""
    UPDATE calendar_fragment f SET own_text = ''
    FROM member m WHERE m.id = f.member_id AND m.erased_at IS NOT NULL AND f.own_text <> ''
""")

# Every calendar in which a row was, or now is, that was not right. One that had lost its stamp begins above any number
# that it can have had: what web processes keep under an old one must not seem right again.
_STAMP_DIFFERENCES = raw("""
    INSERT INTO public.calendar_stamp AS s (scope, scope_id, version, changed_at)
    SELECT scope, scope_id, CAST(extract(epoch FROM CAST(:now AS timestamptz)) AS bigint), :now FROM (
        SELECT c.scope, c.scope_id FROM changed_calendar_fragment d, LATERAL (VALUES
            ('me', (d.before).member_id), ('space', (d.before).space_id), ('resource', (d.before).resource_id),
            ('me', (d.after).member_id), ('space', (d.after).space_id), ('resource', (d.after).resource_id)
        ) AS c (scope, scope_id) WHERE c.scope_id IS NOT NULL
        UNION
        SELECT scope, scope_id FROM calendar_stamp r WHERE NOT EXISTS (
            SELECT FROM public.calendar_stamp l WHERE l.scope = r.scope AND l.scope_id = r.scope_id)
    ) AS touched
    ORDER BY scope, scope_id
    ON CONFLICT (scope, scope_id) DO UPDATE
    SET version = s.version + 1, changed_at = greatest(s.changed_at, excluded.changed_at)
""")


class UnknownBooking(LookupError):
    """An event about a booking that is not there. Bookings are never deleted: something is badly wrong."""


def refresh(
    session: Session, *, booking_uid: UUID, public_url: str, now: datetime, gone_at: datetime | None = None
) -> bool:
    """Bring the calendars up to the booking as it is now; tells whether anything had to change.

    It is the booking that is read, not the event: an event that comes again, late or out of order finds the newest
    state already written and changes nothing. Only when it was cancelled, `gone_at`, the booking itself does not say.
    Raises UnknownBooking.
    """
    booking = as_it_is(session, booking_uid)
    if booking is None:
        raise UnknownBooking(str(booking_uid))
    scopes, scope_ids = zip(*_calendars(booking), strict=True)
    stamps = {"scopes": list(scopes), "scope_ids": list(scope_ids), "now": now}
    written = _WRITE.run(session, {**_fragment(booking, public_url=public_url, gone_at=gone_at), **stamps})
    return written.rowcount > 0


def blank_the_erased(session: Session, *, now: datetime) -> None:
    """Before rebuilt fragments take the place of the live ones."""
    session.execute(_BLANK_THE_ERASED)


def stamp_differences(session: Session, *, now: datetime) -> None:
    """After rebuilt fragments have taken the place of the live ones: who reads a calendar that changed is told so."""
    session.execute(_STAMP_DIFFERENCES, {"now": now})


def _fragment(booking: Any, *, public_url: str, gone_at: datetime | None) -> dict[str, Any]:
    gone = STATUSES[booking.status] == "CANCELLED"
    known = (gone_at, booking.shown_cancelled_at)
    return {
        "booking_id": booking.id,
        "booking_uid": booking.uid,
        "member_id": booking.member_id,
        "space_id": booking.space_id,
        "resource_id": booking.resource_id,
        "revision": booking.revision,
        "starts_at": booking.starts_at,
        "ends_at": booking.ends_at,
        # What changes on a cancelled booking (a fee, a reason) does not make it stay longer.
        "cancelled_at": min(filter(None, known), default=booking.changed_at) if gone else None,
        "own_text": "" if booking.member_erased_at else vevent(own_entry(booking, public_url=public_url)),
        "space_text": vevent(space_entry(booking)),
        "busy_text": vevent(busy_entry(booking)),
    }


def _calendars(booking: Any) -> Calendars:
    """Every calendar that shows it, and those it has just left, in one order."""
    found = {("me", booking.member_id), ("space", booking.space_id), ("resource", booking.resource_id)}
    if booking.shown_resource_id is not None:
        found |= {("space", booking.shown_space_id), ("resource", booking.shown_resource_id)}
    return sorted(found)
