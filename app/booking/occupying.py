"""Taking units and giving them back. The exclusion constraint is the judge; nothing here trusts an earlier look.

Why nobody deadlocks here. A claim of one unit inserts one row with ON CONFLICT DO NOTHING: while it waits for a rival
it holds no unit, so nobody waits for it. Whatever touches more than one row (a combination, extras, a series, a move,
a closure) first locks all the units it may touch, ascending, and so stands in line with its like. Lock order of the
whole product: person → memberships → units → everything else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.db import Rows, Statement, raw

# The arms of a UNION ALL run in their order: the person first, then the memberships they may draw on, ascending.
_LOCK_PERSON = Statement(
    """
    SELECT id FROM (SELECT 0 AS id FROM member WHERE id = :member FOR NO KEY UPDATE) AS person
    UNION ALL
    SELECT id FROM (
        SELECT m.id FROM membership m WHERE m.id = ANY(ARRAY(
            SELECT o.id FROM membership o WHERE o.member_id = :member AND o.space_id = :space AND o.team_id IS NULL
            UNION ALL
            SELECT o.id FROM team_seat e JOIN membership o ON o.team_id = e.team_id AND o.space_id = :space
            WHERE e.member_id = :member)) ORDER BY m.id FOR NO KEY UPDATE) AS memberships
    """
)
_LOCK_PEOPLE = raw("SELECT id FROM member WHERE id = ANY(:members) ORDER BY id FOR NO KEY UPDATE")
_LOCK_UNITS = raw("SELECT id FROM unit WHERE id = ANY(:units) ORDER BY id FOR NO KEY UPDATE")

_CLAIM = Statement(
    """
    WITH new AS MATERIALIZED (SELECT nextval('booking_id_seq') AS id),
    taken AS (
        INSERT INTO occupancy (unit_id, period, kind, booking_id)
        SELECT wanted.unit_id, tstzrange(:occupied_from, :occupied_to), 'booking', new.id
        FROM unnest(CAST(:units AS bigint[])) AS wanted (unit_id), new ORDER BY wanted.unit_id
        ON CONFLICT DO NOTHING RETURNING unit_id),
    made AS (
        INSERT INTO booking (id, uid, space_id, resource_id, member_id, series_id, status, starts_at, ends_at, unit_ids,
            title, attendees, extras, currency, gross_cents, net_cents, vat_cents, vat_permille, cover, terms,
            hold_expires_at, created_at, changed_at, event_seq)
        SELECT new.id, :uid, :space_id, :resource_id, :member_id, :series_id, :status, :starts_at, :ends_at, :units,
            :title, CAST(:attendees AS text[]), CAST(:extras AS bigint[]), :currency, :gross_cents, :net_cents,
            :vat_cents, :vat_permille, CAST(:cover AS jsonb), CAST(:terms AS jsonb), :hold_expires_at, :now, :now, 1
        FROM new WHERE (SELECT count(*) FROM taken) = cardinality(CAST(:units AS bigint[]))
        RETURNING id)
    INSERT INTO due (kind, subject_id, at) SELECT 'booking.next', made.id, :due_at FROM made RETURNING subject_id
    """
)
_OCCUPY = raw(
    """
    INSERT INTO occupancy (unit_id, period, kind, booking_id, closure_id)
    SELECT wanted.unit_id, tstzrange(:occupied_from, :occupied_to), :kind, :booking, :closure
    FROM unnest(CAST(:units AS bigint[])) AS wanted (unit_id) ORDER BY wanted.unit_id
    ON CONFLICT DO NOTHING RETURNING unit_id
    """
)
_RELEASE = raw("DELETE FROM occupancy WHERE booking_id = :booking")
_RELEASE_CLOSURE = raw("DELETE FROM occupancy WHERE closure_id = :closure")
_SHORTEN = raw(
    """
    UPDATE occupancy SET period = tstzrange(lower(period), :until)
    WHERE booking_id = :booking AND lower(period) < :until AND upper(period) > :until
    """
)

_CUT_AIRING = raw(
    """
    UPDATE occupancy AS o SET period = CASE WHEN b.starts_at >= :end THEN tstzrange(:end, upper(o.period))
                                            ELSE tstzrange(lower(o.period), :start) END
    FROM booking b
    WHERE b.id = o.booking_id AND o.unit_id = ANY(:units) AND o.period && tstzrange(:start, :end)
      AND (b.starts_at >= :end OR lower(o.period) < :start AND (b.ends_at <= :start OR b.status = 'no_show'))
    """
)


def lock_person(session: Session, member_id: int, *, space_id: int | None = None) -> frozenset[int]:
    """One person's bookings are made one after the other, and so are those of all who share a membership at the space:
    quotas and credits are counted under this lock. Without a space no credit may be drawn.

    The ids of the memberships locked: one that begins while the lock is waited for is not among them.
    """
    rows = _LOCK_PERSON.run(session, {"member": member_id, "space": space_id}).fetchall()
    return frozenset(row.id for row in rows if row.id)


def lock_people(session: Session, member_ids: Iterable[int]) -> None:
    session.execute(_LOCK_PEOPLE, {"members": sorted(set(member_ids))})


def lock_units(session: Session, unit_ids: Iterable[int]) -> None:
    """Stand in line with everybody else who needs several of these units or moves on them."""
    session.execute(_LOCK_UNITS, {"units": sorted(set(unit_ids))})


def claim(session: Session, row: dict[str, Any], *, units: Sequence[int], due_at: datetime) -> int | None:
    """Take `units` and insert the booking `row` with what becomes due of it; the booking's id, or None when taken.

    All or nothing: when only some of the units were free, nothing is left behind.
    """
    parameters = {
        **row,
        "units": list(units),
        "due_at": due_at,
        "cover": json.dumps(row["cover"]),
        "terms": json.dumps(row["terms"]),
    }
    if len(units) == 1:
        return _subject(_CLAIM.run(session, parameters))
    savepoint = session.begin_nested()
    made = _subject(_CLAIM.run(session, parameters))
    if made is None:
        savepoint.rollback()
    else:
        savepoint.commit()
    return made


def _subject(rows: Rows) -> int | None:
    row = rows.one_or_none()
    return None if row is None else row.subject_id


def occupy(
    session: Session, *, units: Iterable[int], start: datetime, end: datetime, kind: str = "booking",
    booking_id: int | None = None, closure_id: int | None = None,
) -> set[int]:  # fmt: skip
    """Occupy what is free of `units` in `[start, end)`; the units that were. Lock them first."""
    parameters = {
        "units": sorted(set(units)),
        "occupied_from": start,
        "occupied_to": end,
        "kind": kind,
        "booking": booking_id,
        "closure": closure_id,
    }
    return set(session.execute(_OCCUPY, parameters).scalars())


def release(session: Session, *, booking_id: int) -> None:
    session.execute(_RELEASE, {"booking": booking_id})


def release_closure(session: Session, *, closure_id: int) -> None:
    session.execute(_RELEASE_CLOSURE, {"closure": closure_id})


def shorten(session: Session, *, booking_id: int, until: datetime) -> None:
    """Free what is left of the booking's time after `until`."""
    session.execute(_SHORTEN, {"booking": booking_id, "until": until})


def cut_airing(session: Session, *, units: Iterable[int], start: datetime, end: datetime) -> None:
    """Take the buffers of bookings before and after out of `[start, end)`, and what a no-show still holds of it."""
    session.execute(_CUT_AIRING, {"units": sorted(set(units)), "start": start, "end": end})
