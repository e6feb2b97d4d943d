"""What must be true when all is quiet again: of the rows alone, and of what people were told.

Everything is read in one snapshot. Each row of FORBIDDEN is a check and a query for what it forbids: whatever comes
back is a violation, and its own evidence. The queries share nothing with the product but the names of its tables.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import ChainMap, Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import select

from app.booking.calendar import fragments
from app.booking.models import CalendarFragment
from app.db import make_engine, sessions
from app.events import archive
from app.tenancy import SYSTEM
from app.timekeeper import utc_now
from tests.chaos.members import Crowd, Story, Told, same
from tests.chaos.outside import TOLD
from tests.chaos.stage import Stage
from workers.registry import Consumer

AGAIN_AFTER_S = 4.0  # nothing is sent again sooner: a failed attempt waits five seconds, a claim twenty
WELL_WITHIN_S = 40.0
SHOWN = 5  # of each check's violations, with what they are; the others are counted


@dataclass(frozen=True, slots=True)
class Violation:
    check: str
    count: int
    evidence: list[str]


# Which consumer must have which event: by what the consumers themselves declare, of all that ever happened.
_OWED = """
    WITH owed AS (
        SELECT l.*, w.consumer FROM chaos_ledger l
        JOIN unnest(%(consumers)s::text[], %(kinds)s::text[]) AS w (consumer, kind) ON w.kind = l.aggregate_type)
"""
# An event leaves the outbox for the archive, and its receipts with it, once everybody has it.
_MISSING = f"""{_OWED}
    SELECT owed.consumer, owed.event_id::text, owed.type, owed.seq, o.published_at, o.publish_count, state
    FROM owed JOIN outbox o USING (event_id)
    LEFT JOIN delivery d ON d.consumer = owed.consumer AND d.event_id = owed.event_id
    WHERE d.state IS NULL OR d.state NOT IN ('done', 'skipped')
"""
_TO_BE_SENT = """
    SELECT count(*) AS count FROM notification WHERE state IN ('pending', 'sending')
    UNION ALL SELECT count(*) FROM webhook_delivery WHERE state IN ('pending', 'sending', 'failed')
"""
_OVERLAPPING = """
    SELECT * FROM (SELECT unit_id, {thing} AS thing, upper({period}) AS until,
        lead({thing}) OVER w AS next, lead(lower({period})) OVER w AS next_from
        FROM {rows} WINDOW w AS (PARTITION BY unit_id ORDER BY lower({period}), {thing})) AS neighbours
    WHERE next_from < until
"""
_BOOKED_UNITS = """
    (SELECT b.uid::text, unnest(b.unit_ids) AS unit_id, tstzrange(b.starts_at, b.ends_at) AS period
     FROM booking b WHERE b.status IN ('held', 'pending', 'confirmed', 'checked_in', 'completed')) AS booked
"""
FORBIDDEN: dict[str, str] = {
    "receipts = events x consumers": _MISSING,
    "nothing received that was not recorded": """
        SELECT consumer, event_id::text, state FROM delivery d WHERE NOT EXISTS (
            SELECT FROM outbox o WHERE o.event_id = d.event_id)""",
    "none parked, failed or dead": """
        SELECT consumer, event_id::text, state, attempts, last_error FROM delivery
        WHERE state NOT IN ('done', 'skipped')""",
    "every event is in the outbox or in the archive": """
        SELECT event_id::text, type, recorded_at FROM chaos_ledger
        WHERE event_id NOT IN (SELECT event_id FROM outbox) AND event_id <> ALL (%(archived)s::uuid[])""",
    "sequences without gap": """
        SELECT aggregate_type, aggregate_id::text, array_agg(seq ORDER BY seq) AS seqs FROM chaos_ledger GROUP BY 1, 2
        HAVING count(*) <> max(seq) OR min(seq) <> 1""",
    "every change of a booking has its event": """
        SELECT b.uid::text, b.event_seq, count(l.id) AS events FROM booking b
        LEFT JOIN chaos_ledger l ON l.aggregate_id = b.uid GROUP BY b.id HAVING count(l.id) <> b.event_seq""",
    "every event has its change": """
        SELECT aggregate_id::text, type, seq FROM chaos_ledger WHERE aggregate_type = 'booking' AND NOT EXISTS (
            SELECT FROM booking b WHERE b.uid = aggregate_id)""",
    "cursors stand at the last event": f"""{_OWED}
        SELECT owed.consumer, owed.aggregate_id::text, max(owed.seq) AS last, c.last_seq FROM owed
        LEFT JOIN cursor c USING (consumer, aggregate_type, aggregate_id)
        GROUP BY 1, 2, c.last_seq HAVING c.last_seq IS DISTINCT FROM max(owed.seq)""",
    "no unit occupied twice": _OVERLAPPING.format(thing="id", period="period", rows="occupancy"),
    "no unit booked twice": _OVERLAPPING.format(thing="uid", period="period", rows=_BOOKED_UNITS),
    "a booking occupies its units while it stands, and no longer": """
        SELECT b.uid::text, b.status, b.unit_ids, array_agg(o.unit_id) AS occupied FROM booking b
        LEFT JOIN occupancy o ON o.booking_id = b.id AND o.period = tstzrange(b.starts_at, b.ends_at)
        GROUP BY b.id HAVING count(o.id) <> CASE
            WHEN b.status IN ('held', 'pending', 'confirmed', 'checked_in', 'completed') THEN cardinality(b.unit_ids)
            ELSE 0 END""",
    "one effect per event": """
        SELECT event_id::text, count(t.id) AS effects FROM chaos_ledger LEFT JOIN chaos_tally t USING (event_id)
        GROUP BY 1 HAVING count(t.id) <> 1""",
    "effects in the order of their causes": """
        SELECT * FROM (SELECT aggregate_id::text, id, seq, lead(seq) OVER (PARTITION BY aggregate_type, aggregate_id
            ORDER BY id) AS next FROM chaos_tally) AS lines WHERE next <= seq""",
}
# What an event must lead to, as a person would say it; everything else is told to nobody.
_MAILS_OWED = """
    SELECT DISTINCT coalesce('series-' || (l.envelope::jsonb #>> '{data,series_id}'), l.event_id::text) AS about,
        CASE l.type
        WHEN 'booking.made' THEN 'booking_confirmed' WHEN 'booking.accepted' THEN 'booking_confirmed'
        WHEN 'booking.moved' THEN 'booking_moved' WHEN 'booking.cancelled' THEN 'booking_cancelled'
        WHEN 'waitlist.offered' THEN 'waitlist_offered' END AS kind
    FROM chaos_ledger l
    WHERE l.type IN ('booking.accepted', 'booking.moved', 'booking.cancelled', 'waitlist.offered')
       OR l.type = 'booking.made' AND l.envelope::jsonb #>> '{data,status}' = 'confirmed'
"""
# Of one consumer each, where it runs.
FORBIDDEN_OF: dict[str, dict[str, str]] = {
    "billing": {
        "every booking is charged what it owes, and no more": """
            SELECT b.uid::text, b.status, o.cents AS owed, c.cents AS charged FROM booking b
            CROSS JOIN LATERAL (SELECT CASE
                WHEN b.status IN ('confirmed', 'checked_in', 'completed', 'no_show') THEN (
                    SELECT coalesce(sum((part #>> '{amount,amount_cents}')::bigint), 0)
                    FROM jsonb_array_elements(b.cover) AS part WHERE part ->> 'source' = 'money')
                WHEN b.status = 'cancelled' THEN b.fee_cents ELSE 0 END AS cents) AS o
            CROSS JOIN LATERAL (SELECT coalesce(sum(gross_cents), 0) AS cents FROM charge
                WHERE subject_uid = b.uid) AS c
            WHERE o.cents <> c.cents""",
        "what is over is earned, and nothing else": """
            SELECT c.uid::text, b.status, c.earned_on FROM charge c JOIN booking b ON b.uid = c.subject_uid
            WHERE (c.earned_on IS NOT NULL) <> (b.status IN ('completed', 'no_show')
                OR b.status = 'cancelled' AND b.fee_cents > 0)""",
        "what is earned is in the books once": """
            SELECT * FROM (SELECT coalesce(sum(net_cents), 0) AS earned FROM charge WHERE earned_on IS NOT NULL) AS c,
                (SELECT coalesce(-sum(cents), 0) AS revenue FROM ledger_entry WHERE account LIKE 'revenue%%') AS l
            WHERE earned <> revenue""",
        "every posting balances": """
            SELECT posting_id, sum(cents) FROM ledger_entry GROUP BY 1 HAVING sum(cents) <> 0""",
    },
    "calendar": {
        "every booking is in the calendar as it is": """
            SELECT b.uid::text, b.revision, f.revision AS shown FROM booking b
            LEFT JOIN calendar_fragment f ON f.booking_id = b.id WHERE f.revision IS DISTINCT FROM b.revision""",
    },
    "notifications": {
        "one mail is owed for each event that is told, and no other": f"""
            WITH owed AS ({_MAILS_OWED})
            SELECT owed.about, owed.kind, n.key, n.state FROM owed
            FULL JOIN notification n ON split_part(n.key, ':', 2) = owed.about AND n.kind = owed.kind
            WHERE (owed.about IS NULL AND n.kind <> 'reminder') OR n.key IS NULL""",
        "no mail is owed twice": """
            SELECT split_part(key, ':', 2) AS about, kind, count(*) FROM notification GROUP BY 1, 2
            HAVING count(*) > 1""",
        "every mail is sent, or of no use any more": """
            SELECT key, state, reason, attempts, last_error, claimed_until FROM notification
            WHERE state <> 'sent' AND (state <> 'suppressed' OR reason NOT IN ('too_late', 'overtaken'))""",
    },
    "webhooks": {
        "one delivery for each event that was asked for, and no other": """
            SELECT l.event_id::text AS event, d.event_id::text AS delivered, d.state FROM
            (SELECT event_id FROM chaos_ledger WHERE type = ANY(%(told)s)) AS l
            FULL JOIN webhook_delivery d USING (event_id) WHERE l.event_id IS NULL OR d.event_id IS NULL""",
        "no delivery for an event twice": """
            SELECT event_id::text, count(*) FROM webhook_delivery GROUP BY 1 HAVING count(*) > 1""",
        "every delivery is delivered": """
            SELECT uid::text, state, attempts, next_attempt_at, claimed_until FROM webhook_delivery
            WHERE state <> 'delivered'""",
    },
}


def unfinished(connection: psycopg.Connection[Any], consumers: Mapping[str, Consumer]) -> int:
    """How much is still to be received and to be sent."""
    query = f"SELECT count(*) FROM ({_MISSING}) AS missing UNION ALL {_TO_BE_SENT}"
    return sum(count for (count,) in connection.execute(query, _facts(consumers)))


def judge(connection: psycopg.Connection[Any], stage: Stage, crowd: Crowd) -> list[Violation]:
    """Every check, those of rows in the snapshot of the connection's transaction."""
    found = []
    with connection.cursor(row_factory=dict_row) as rows:
        rows.execute("SELECT")  # the snapshot is taken now: what left the outbox before is in a file by now
        facts = _facts(stage.consumers) | {"archived": _archived(stage), "told": list(TOLD)}
        theirs = [FORBIDDEN_OF[name] for name in stage.consumers if name in FORBIDDEN_OF]
        for check, query in ChainMap(FORBIDDEN, *theirs).items():
            found.append((check, [str(row) for row in rows.execute(query, facts)]))
        found += [(check, list(heard(rows, crowd))) for check, heard in HEARD.items()]
        found += [(check, list(came(rows, stage))) for check, (name, came) in CAME.items() if name in stage.consumers]
    found += [(check, list(look(stage))) for check, look in LOOKED_AT.items()]
    return [Violation(check, len(evidence), evidence[:SHOWN]) for check, evidence in found if evidence]


def _facts(consumers: Mapping[str, Consumer]) -> dict[str, Any]:
    pairs = [(name, kind) for name, consumer in consumers.items() for kind in consumer.aggregate_types]
    return {"consumers": [name for name, _ in pairs], "kinds": [kind for _, kind in pairs]}


def _archived(stage: Stage) -> list[UUID]:
    folder = stage.disk.folder
    return [event.event_id for name in archive.names(folder) for event in archive.read(folder / name).events]


# --- what people were told


def _never_faulted(_rows: Any, crowd: Crowd) -> Iterator[str]:
    yield from crowd.faults


def _each_key_has_the_answer_given(rows: Any, crowd: Crowd) -> Iterator[str]:
    kept = {row["key"]: row for row in rows.execute("SELECT key, status, md5(body) AS body FROM idempotent_answer")}
    for told in crowd.told():
        row = kept.pop(told.key, None)
        if told.status != 201:
            if row is not None:
                yield f"refused with {told.status}, and yet kept: {_of(told)} {row}"
        elif row is None or (row["status"], row["body"]) != (201, hashlib.md5(told.content).hexdigest()):
            yield f"answered {_of(told)}, but the house remembers {row}"
    yield from (f"nobody was told of key {key}" for key in kept)


def _each_booking_has_its_answer(rows: Any, crowd: Crowd) -> Iterator[str]:
    """And so nothing was written for a request that was refused."""
    stories = crowd.stories()
    offers = {
        row["uid"] for row in rows.execute(
            "SELECT b.uid::text FROM booking b JOIN waitlist_entry w ON w.booking_id = b.id"
        )
    }  # fmt: skip
    booked = [row["uid"] for row in rows.execute("SELECT uid::text FROM booking")]
    yield from (f"nobody was told of booking {uid}" for uid in booked if uid not in stories and uid not in offers)
    yield from (f"booking {uid} is not there" for uid in set(stories) - set(booked))


_HISTORY = """
    SELECT b.uid::text, b.status, b.revision, b.starts_at, b.ends_at, r.uid::text AS resource_id, m.id AS member,
        (SELECT array_agg(l.envelope ORDER BY l.seq) FROM chaos_ledger l WHERE l.aggregate_id = b.uid) AS events
    FROM booking b JOIN resource r ON r.id = b.resource_id JOIN member m ON m.id = b.member_id
"""


def _each_booking_went_as_its_owner_was_told(rows: Any, crowd: Crowd) -> Iterator[str]:
    stories = crowd.stories()
    for row in rows.execute(_HISTORY):
        story = stories.get(row["uid"])
        if story is not None and (fault := _difference(row, story)):
            yield f"booking {row['uid']}: {fault}"


def _difference(row: dict[str, Any], story: Story) -> str | None:
    events = [json.loads(text) for text in row["events"] or ()]
    told = story.happened
    by_time = [event["type"] for event in events[len(told) :]]
    if len(events) < len(told) or any(kind != "booking.completed" for kind in by_time):
        return f"told {[kind for kind, _ in told]}, recorded {[event['type'] for event in events]}"
    for event, (kind, facts) in zip(events, told, strict=False):
        differing = {name for name, value in facts.items() if not same(event["data"].get(name), value)}
        if event["type"] != kind or differing:
            return f"told {kind} {facts}, recorded {event['type']} {event['data']}"
    if by_time:
        return None if row["status"] == "completed" else f"completed, and yet {row['status']}"
    shown = story.booking
    said = (shown["status"], _at(shown["start"]), _at(shown["end"]), shown["resource_id"])
    found = (row["status"], row["starts_at"], row["ends_at"], row["resource_id"])
    return None if said == found else f"told {said}, found {found}"


def _at(instant: str) -> datetime:
    return datetime.fromisoformat(instant)


def _of(told: Told) -> str:
    return f"{told.status} to key {told.key} of member {told.member}: {told.content[:200]!r}"


HEARD: dict[str, Callable[[Any, Crowd], Iterable[str]]] = {
    "no member met an answer that nothing excuses": _never_faulted,
    "same key, same answer; refused, nothing kept": _each_key_has_the_answer_given,
    "every booking was told, every told booking is there": _each_booking_has_its_answer,
    "every booking went as its owner was told": _each_booking_went_as_its_owner_was_told,
}


# --- what came out of the house


def _mails(rows: Any, stage: Stage) -> Iterator[str]:
    """A sender that died after it had handed a mail over leaves it to another, who may find it of no use by then."""
    sent = {str(row["uid"]) for row in rows.execute("SELECT uid FROM notification WHERE state = 'sent'")}
    handed_over = rows.execute("SELECT uid FROM notification WHERE state = 'suppressed' AND attempts > 1")
    perhaps = {str(row["uid"]) for row in handed_over}
    files = [path.stem for path in (stage.folder / "outbox").glob("*/*.eml")]
    yield from (f"mail {uid} is sent, and not in the outbox" for uid in sent.difference(files))
    yield from (f"mail {uid} is in the outbox, and not sent" for uid in set(files) - sent - perhaps)
    yield from (f"mail {uid} is {count} files" for uid, count in Counter(files).items() if count > 1)


def _webhooks(rows: Any, stage: Stage) -> Iterator[str]:
    sent = {f"msg_{row['uid']}" for row in rows.execute("SELECT uid FROM webhook_delivery WHERE state = 'delivered'")}
    heard = stage.partner.times
    yield from (f"{uid} is delivered, and was never heard" for uid in sent - set(heard))
    yield from (f"{uid} was heard, and is not delivered" for uid in set(heard) - sent)


def _webhooks_again(_rows: Any, stage: Stage) -> Iterator[str]:
    """A sender that died is followed by another when its claim has run out, and not before."""
    for uid, times in stage.partner.times.items():
        ordered = sorted(times)
        if any(later - earlier < AGAIN_AFTER_S for earlier, later in pairwise(ordered)):
            yield f"{uid} was heard at {ordered}"


CAME: dict[str, tuple[str, Callable[[Any, Stage], Iterable[str]]]] = {
    "mails sent = files in the outbox, one each": ("notifications", _mails),
    "webhooks delivered = distinct ids heard": ("webhooks", _webhooks),
    "no webhook is sent by two at once": ("webhooks", _webhooks_again),
}


# --- what the product itself finds


def _calendar_made_anew_is_the_same(stage: Stage) -> Iterator[str]:
    """Written once more from the bookings as they are, no fragment changes; and all of that is undone."""
    if "calendar" not in stage.consumers:
        return
    engine = make_engine(stage.direct_url, pool_size=1)
    with sessions(engine)() as session:
        session.info["scope"] = SYSTEM
        for uid in session.scalars(select(CalendarFragment.booking_uid)).all():
            if fragments.refresh(session, booking_uid=uid, public_url="", now=utc_now()):
                yield f"what the calendar shows of booking {uid} is not what it should"
        session.rollback()
    engine.dispose()


def _doctor_finds_all_well(stage: Stage) -> Iterator[str]:
    """Soon: that an archive failed is on record until the next turn of the archivist goes well."""
    deadline = time.monotonic() + WELL_WITHIN_S
    while not (found := stage.doctor())[0]:
        faults = [line for line in found[1].splitlines() if " FAULT " in line]
        if time.monotonic() > deadline or not all(line.startswith("archive") for line in faults):
            yield found[1]
            return
        time.sleep(1)


LOOKED_AT: dict[str, Callable[[Stage], Iterable[str]]] = {
    "calendar fragments equal a recomputation": _calendar_made_anew_is_the_same,
    "doctor finds all well": _doctor_finds_all_well,
}
