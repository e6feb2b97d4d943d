"""A consumer's tables are made anew from all its events, beside the live ones, and readers notice only the cure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine
from sqlalchemy.event import listens_for
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from app.cli import passerelle
from app.db import TenantSession, make_engine, raw, sqlstate, transaction
from app.events.outbox import record
from app.tenancy import SYSTEM
from app.timekeeper import utc_now
from tests.builders import a_booking, a_member, a_pool, a_space
from tests.events.archiving import an_archivist, handle_all, rows, settle, work_off
from tests.waiting import until
from tests.workers.effects import accepted, made, record_events, texts
from workers import rebuild as rebuild_module
from workers.calendar import CALENDAR
from workers.handle import EventHandler
from workers.rebuild import LOCK_NOT_AVAILABLE, EventMissing, HandlerFailed, NeverReplayed, Rebuild, RebuildRunning
from workers.rebuild_tables import Difference, RebuildTables, WroteElsewhere
from workers.registry import CONSUMERS, Consumer
from workers.subscriptions import subscribe

Sessions = sessionmaker[TenantSession]
FRAGMENTS = "SELECT * FROM calendar_fragment ORDER BY booking_id"
STAMPS = "SELECT scope, scope_id, version FROM calendar_stamp ORDER BY scope, scope_id"

# --- a consumer of the tests' own: it keeps, of each booking, the numbers of its events in the order they were handled


def keep_numbers(session: Session, event: Any, *, now: datetime) -> None:
    if event.data.get("member_id") == "bad":
        raise RuntimeError("this one is bad")
    session.execute(
        raw("""
            INSERT INTO numbers AS n (booking_id, seqs) VALUES (:booking_id, ARRAY[:seq])
            ON CONFLICT (booking_id) DO UPDATE SET seqs = n.seqs || :seq
        """),
        {"booking_id": event.aggregate_id, "seq": event.seq},
    )


KEEPING = Consumer(
    "keeping",
    ("booking",),
    {"booking.made": keep_numbers, "booking.accepted": keep_numbers},
    rebuilds=("numbers",),
)
NUMBERS = "SELECT booking_id, seqs FROM numbers ORDER BY booking_id"


@pytest.fixture(autouse=True)
def kept(engine: Engine, make_session: Sessions) -> None:
    with engine.begin() as connection:
        connection.execute(raw("CREATE TABLE numbers (booking_id uuid PRIMARY KEY, seqs bigint[] NOT NULL)"))
    subscribe(make_session, [KEEPING])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def stories(make_session: Sessions, *lengths: int, consumer: Consumer = KEEPING) -> list[uuid.UUID]:
    """Bookings with so many events each, all handled, all settled."""
    told = [uuid.uuid4() for _ in lengths]
    for story, length in zip(told, lengths, strict=True):
        record_events(make_session, story, made(story), *(accepted(story) for _ in range(length - 1)))
        handle_all(make_session, consumer, texts(make_session, story))
    settle(make_session, [consumer])
    return told


def rebuild(engine: Engine, folder: Path, consumer: Consumer = KEEPING, **options: Any) -> Difference:
    leave_out = options.pop("leave_out", ())
    (difference,) = Rebuild(consumer, engine, folder=folder, leave_out=leave_out).run(**options)
    return difference


def leftovers(make_session: Sessions) -> list[Any]:
    return rows(make_session, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rebuild%'")


def test_what_is_right_is_not_touched(engine: Engine, make_session: Sessions, folder: Path) -> None:
    stories(make_session, 1, 3, 2)
    before = rows(make_session, "SELECT xmin::text, * FROM numbers ORDER BY booking_id")
    assert rebuild(engine, folder) == Difference("numbers", 0, 0, 0)
    assert rows(make_session, "SELECT xmin::text, * FROM numbers ORDER BY booking_id") == before
    assert leftovers(make_session) == []


def test_what_is_missing_other_or_too_much_is_put_right(engine: Engine, make_session: Sessions, folder: Path) -> None:
    first, second, _ = stories(make_session, 1, 3, 2)
    before = rows(make_session, NUMBERS)
    rows(make_session, "DELETE FROM numbers WHERE booking_id = :id", id=first)
    rows(make_session, "UPDATE numbers SET seqs = '{7}' WHERE booking_id = :id", id=second)
    rows(make_session, "INSERT INTO numbers VALUES (gen_random_uuid(), '{1}')")
    sick = rows(make_session, NUMBERS)
    assert rebuild(engine, folder, dry_run=True) == Difference("numbers", 1, 1, 1)
    assert rows(make_session, NUMBERS) == sick and leftovers(make_session) == []
    assert rebuild(engine, folder) == Difference("numbers", 1, 1, 1)
    assert rows(make_session, NUMBERS) == before


def test_archives_come_before_the_outbox_and_an_event_in_both_counts_once(
    engine: Engine, make_session: Sessions, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild_module, "BATCH", 2)
    old = stories(make_session, 3, 2)
    work_off(an_archivist(engine, folder))
    record_events(make_session, old[0], accepted(old[0]), first=4)
    handle_all(make_session, KEEPING, texts(make_session, old[0]))
    stories(make_session, 2, 5)
    archivist = an_archivist(engine, folder)
    assert archivist.step(), "a file is written, and nothing deleted yet"
    before = rows(make_session, NUMBERS)
    assert [len(seqs) for _, seqs in before if seqs == list(range(1, len(seqs) + 1))] == [
        len(seqs) for _, seqs in before
    ]
    rows(make_session, "TRUNCATE numbers")
    assert rebuild(engine, folder) == Difference("numbers", 4, 0, 0)
    assert rows(make_session, NUMBERS) == before


def test_files_that_reach_into_each_other_are_read_in_the_order_of_events(
    engine: Engine, make_session: Sessions, folder: Path
) -> None:
    held, other = uuid.uuid4(), uuid.uuid4()
    record_events(make_session, held, made(held), accepted(held))
    record_events(make_session, other, made(other))
    record_events(make_session, held, accepted(held), first=3)
    for story in (held, other):
        handle_all(make_session, KEEPING, texts(make_session, story))
    settle(make_session, [KEEPING])
    rows(make_session, "UPDATE delivery SET state = 'dead' WHERE aggregate_id = :held AND seq = 2", held=held)
    work_off(an_archivist(engine, folder))
    rows(make_session, "UPDATE delivery SET state = 'done'")
    work_off(an_archivist(engine, folder))
    ranges = rows(make_session, "SELECT first_id, last_id FROM event_archive ORDER BY first_id")
    assert len(ranges) == 2 and ranges[1][0] < ranges[0][1]
    before = rows(make_session, NUMBERS)
    rows(make_session, "TRUNCATE numbers")
    rebuild(engine, folder)
    assert rows(make_session, NUMBERS) == before


def test_what_the_live_consumer_has_not_had_is_left_to_it(engine: Engine, make_session: Sessions, folder: Path) -> None:
    (story,) = stories(make_session, 2)
    record_events(make_session, story, accepted(story), first=3)
    before = rows(make_session, NUMBERS)
    rows(make_session, "TRUNCATE numbers")
    rebuild(engine, folder)
    assert rows(make_session, NUMBERS) == before
    handle_all(make_session, KEEPING, texts(make_session, story)[2:])
    assert rows(make_session, NUMBERS) == [(story, [1, 2, 3])]


def test_what_failed_and_was_passed_by_is_passed_by_here_too_and_had_when_it_is_done_after_all(
    engine: Engine, make_session: Sessions, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skipping = replace(KEEPING, blocking=False)
    story = uuid.uuid4()
    record_events(make_session, story, made(story), accepted(story, "bad"), accepted(story))
    handle_all(make_session, skipping, texts(make_session, story))
    assert rebuild(engine, folder, skipping) == Difference("numbers", 0, 0, 0)

    def mended(session: Session, event: Any, *, now: datetime) -> None:
        event.data["member_id"] = "good"
        keep_numbers(session, event, now=now)

    good = replace(skipping, handlers=dict.fromkeys(KEEPING.handlers, mended))
    live = EventHandler(good, make_session, clock=lambda: utc_now() + timedelta(hours=1))
    real = Rebuild._switch

    def meanwhile(self: Rebuild, **options: Any) -> Any:
        """The live consumer comes back to it while the rebuild is at work."""
        for text in live.due():
            live.handle(text, is_attempt=True)
        return real(self, **options)

    monkeypatch.setattr(Rebuild, "_switch", meanwhile)
    assert rebuild(engine, folder, good) == Difference("numbers", 0, 0, 0)
    assert rows(make_session, NUMBERS) == [(story, [1, 3, 2])]


def test_a_handler_that_fails_stops_it_and_nothing_is_changed(
    engine: Engine, make_session: Sessions, folder: Path
) -> None:
    (story,) = stories(make_session, 2)
    rows(make_session, "TRUNCATE numbers")
    rows(make_session, """UPDATE outbox SET envelope = replace(envelope, '"someone"', '"bad"') WHERE seq = 2""")
    with pytest.raises(HandlerFailed) as caught:
        rebuild(engine, folder)
    event_id = uuid.UUID(caught.value.facts["event_id"])
    assert rows(make_session, NUMBERS) == [] and leftovers(make_session) == []
    rebuild(engine, folder, leave_out=[event_id])
    assert rows(make_session, NUMBERS) == [(story, [1])]


def test_a_handler_that_writes_elsewhere_is_caught_before_it_is_believed(
    engine: Engine, make_session: Sessions, folder: Path
) -> None:
    def careless(session: Session, event: Any, *, now: datetime) -> None:
        keep_numbers(session, event, now=now)
        session.execute(raw("INSERT INTO due (kind, subject_id, at) VALUES ('x', :seq, now())"), {"seq": event.seq})

    consumer = replace(KEEPING, handlers=dict.fromkeys(KEEPING.handlers, careless))
    stories(make_session, 2)
    with pytest.raises(WroteElsewhere, match="due"):
        rebuild(engine, folder, consumer)
    assert rows(make_session, "SELECT count(*) FROM due") == [(0,)]


def test_an_event_that_is_nowhere_is_named(engine: Engine, make_session: Sessions, folder: Path) -> None:
    (story,) = stories(make_session, 3)
    rows(make_session, "DELETE FROM outbox WHERE seq = 2")
    with pytest.raises(EventMissing, match=str(story)):
        rebuild(engine, folder)
    assert rows(make_session, NUMBERS) == [(story, [1, 2, 3])]


def killed_after(monkeypatch: pytest.MonkeyPatch, step: str, times: int) -> None:
    """The process dies when `step` has been done so many times."""
    real, calls = getattr(Rebuild, step), []

    def dying(self: Rebuild, *words: Any, **named: Any) -> Any:
        result = real(self, *words, **named)
        calls.append(step)
        if len(calls) == times:
            raise Killed
        return result

    monkeypatch.setattr(Rebuild, step, dying)


class Killed(BaseException):
    pass


def test_who_died_goes_on_where_he_was(
    engine: Engine, make_session: Sessions, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild_module, "BATCH", 2)
    stories(make_session, 3, 4)
    work_off(an_archivist(engine, folder))
    stories(make_session, 2, 1, 2)
    before = rows(make_session, NUMBERS)
    rows(make_session, "TRUNCATE numbers")
    handled = []
    real = Rebuild._have_effect

    def counted(self: Rebuild, session: TenantSession, event: Any) -> None:
        handled.append(event.event_id)
        real(self, session, event)

    monkeypatch.setattr(Rebuild, "_have_effect", counted)
    for step, times in [("_have_archived", 1), ("_have_archived", 2), ("_catch_up", 1)]:
        with monkeypatch.context() as sabotage:
            killed_after(sabotage, step, times)
            with pytest.raises(Killed):
                rebuild(engine, folder)
        assert leftovers(make_session) == [("rebuild_keeping",)]
        assert rows(make_session, NUMBERS) == []
    assert rebuild(engine, folder) == Difference("numbers", 5, 0, 0)
    assert rows(make_session, NUMBERS) == before
    assert len(handled) == len(set(handled)) == 12, "what was done before was not done again"


def test_nothing_leaves_the_outbox_meanwhile(
    engine: Engine, make_session: Sessions, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stories(make_session, 3)
    archivist = an_archivist(engine, folder)
    real = Rebuild._catch_up

    def meanwhile(self: Rebuild) -> None:
        work_off(archivist)
        assert rows(make_session, "SELECT count(*) FROM outbox") == [(3,)]
        real(self)

    monkeypatch.setattr(Rebuild, "_catch_up", meanwhile)
    rows(make_session, "TRUNCATE numbers")
    assert rebuild(engine, folder) == Difference("numbers", 1, 0, 0)
    work_off(an_archivist(engine, folder))
    assert rows(make_session, "SELECT count(*) FROM outbox") == [(0,)]


@pytest.fixture
def impatient(database_url: str) -> Iterator[Engine]:
    """Connections that wait a tenth of a second for a lock."""
    engine = make_engine(database_url)

    @listens_for(engine, "connect")
    def hurry(connection: Any, _record: Any) -> None:
        connection.execute("SET lock_timeout = '100ms'")
        connection.commit()

    yield engine
    engine.dispose()


def test_while_it_switches_over_writers_wait_and_readers_do_not(
    engine: Engine, impatient: Engine, make_session: Sessions, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stories(make_session, 2)
    real = RebuildTables.bring_over

    def meanwhile(self: RebuildTables, session: Session, *, now: datetime) -> list[Difference]:
        with impatient.connect() as other:
            assert len(other.execute(raw(NUMBERS)).all()) == 1
            with pytest.raises(OperationalError) as caught:
                other.execute(raw("DELETE FROM numbers"))
            assert sqlstate(caught.value) == LOCK_NOT_AVAILABLE
        return real(self, session, now=now)

    monkeypatch.setattr(RebuildTables, "bring_over", meanwhile)
    rebuild(engine, folder)


def test_a_lock_that_does_not_come_is_tried_for_again(
    engine: Engine, impatient: Engine, make_session: Sessions, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stories(make_session, 2)
    rows(make_session, "TRUNCATE numbers")
    rounds = []
    real = Rebuild._catch_up
    with engine.connect() as busy:
        busy.execute(raw("LOCK TABLE numbers IN ROW EXCLUSIVE MODE"))

        def until_it_is_free(self: Rebuild) -> None:
            rounds.append(1)
            if len(rounds) == 2:
                busy.rollback()
            real(self)

        monkeypatch.setattr(Rebuild, "_catch_up", until_it_is_free)
        assert rebuild(impatient, folder) == Difference("numbers", 1, 0, 0)
    assert len(rounds) == 2


def test_two_rebuilds_do_not_get_into_each_others_way(
    engine: Engine, impatient: Engine, make_session: Sessions, folder: Path
) -> None:
    stories(make_session, 2)
    with Rebuild(KEEPING, engine, folder=folder)._alone(), pytest.raises(RebuildRunning):
        rebuild(impatient, folder)


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("PASSERELLE_HOME", str(tmp_path))
    monkeypatch.setenv("LOG_LEVEL", "WARNING")

    def command(*words: str) -> Result:
        return CliRunner().invoke(passerelle, ["events", "replay", *words], catch_exceptions=False)

    return command


def test_effects_towards_people_and_programs_are_never_replayed(run: Any, engine: Engine, folder: Path) -> None:
    from workers import registry

    registry.load()
    refused = [consumer for consumer in CONSUMERS.values() if not consumer.rebuilds]
    assert {"notifications", "webhooks"} & set(CONSUMERS) <= {consumer.name for consumer in refused}
    mails = replace(KEEPING, name="mails", rebuilds=())
    for consumer in (*refused, mails, replace(KEEPING, from_="now")):
        with pytest.raises(NeverReplayed):
            Rebuild(consumer, engine, folder=folder)
    for consumer in refused:
        with pytest.raises(NeverReplayed, match=consumer.name):
            run("--consumer", consumer.name, "--from-beginning")
    assert run("--from-beginning").exit_code == 2
    assert run("--from-beginning", "--consumer", "nobody").exit_code == 2


# --- the calendar


@pytest.fixture
def bookings(make_session: Sessions) -> list[Any]:
    """Bookings of two members, their events handled by the calendar."""
    from app.events.catalogue import BookingEdited

    subscribe(make_session, [CALENDAR])
    with transaction(make_session, SYSTEM) as session:
        space = a_space(session)
        pool, people = a_pool(session, space, desks=2), [a_member(session), a_member(session)]
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        made_ones = [
            a_booking(
                session, pool, people[n % 2], start=start + timedelta(days=n), end=start + timedelta(days=n, hours=1)
            )
            for n in range(6)
        ]
        for booking in made_ones:
            for _ in range(2):
                record(session, booking, BookingEdited(str(booking.uid), str(space.uid), "m", ["title"]), at=utc_now())
    for booking in made_ones:
        handle_all(make_session, CALENDAR, texts(make_session, booking.uid))
    settle(make_session, [CALENDAR])
    return made_ones


def test_a_calendar_that_is_right_stays_as_it_is_stamps_and_all(
    make_session: Sessions, bookings: list[Any], run: Any
) -> None:
    fragments, stamps = rows(make_session, FRAGMENTS), rows(make_session, STAMPS)
    said = run("--consumer", "calendar", "--from-beginning").output
    assert "calendar_fragment: 0 were added, 0 changed, 0 removed." in said
    assert (rows(make_session, FRAGMENTS), rows(make_session, STAMPS)) == (fragments, stamps)


def test_a_calendar_is_cured_and_exactly_those_that_changed_are_stamped(
    engine: Engine, make_session: Sessions, bookings: list[Any], folder: Path, run: Any
) -> None:
    work_off(an_archivist(engine, folder))
    fragments, stamps = rows(make_session, FRAGMENTS), rows(make_session, STAMPS)
    member = bookings[0].member_id
    rows(make_session, "DELETE FROM calendar_fragment WHERE booking_id = :id", id=bookings[0].id)
    rows(make_session, "UPDATE calendar_fragment SET own_text = 'torn' WHERE booking_id = :id", id=bookings[2].id)
    dry = run("--consumer", "calendar", "--from-beginning", "--dry-run").output
    assert "1 would be added, 1 changed, 0 removed." in dry
    assert rows(make_session, STAMPS) == stamps
    run("--consumer", "calendar", "--from-beginning")
    assert rows(make_session, FRAGMENTS) == fragments
    told = {(scope, id): version for scope, id, version in rows(make_session, STAMPS)}
    before = {(scope, id): version for scope, id, version in stamps}
    changed = {key for key, version in told.items() if version != before[key]}
    assert changed == {key for key in before if key[0] != "me"} | {("me", member)}
    assert all(told[key] == before[key] + 1 for key in changed)


def test_a_stamp_that_was_lost_begins_above_any_that_clients_have_seen(
    make_session: Sessions, bookings: list[Any], run: Any
) -> None:
    stamps = rows(make_session, STAMPS)
    rows(make_session, "DELETE FROM calendar_stamp WHERE scope = 'me'")
    run("--consumer", "calendar", "--from-beginning")
    again = rows(make_session, STAMPS)
    assert [row[:2] for row in again] == [row[:2] for row in stamps]
    assert all(new[2] > old[2] for new, old in zip(again, stamps, strict=True) if old[0] == "me")


def test_who_was_erased_stays_blank(make_session: Sessions, bookings: list[Any], run: Any) -> None:
    member = bookings[0].member_id
    rows(make_session, "UPDATE member SET erased_at = now() WHERE id = :id", id=member)
    rows(make_session, "UPDATE calendar_fragment SET own_text = '' WHERE member_id = :id", id=member)
    assert "0 were added, 0 changed" in run("--consumer", "calendar", "--from-beginning").output
    assert rows(make_session, "SELECT DISTINCT own_text FROM calendar_fragment WHERE member_id = :id", id=member) == [
        ("",)
    ]


def test_a_rebuild_that_is_killed_goes_on_when_it_is_called_again(
    make_session: Sessions, bookings: list[Any], run: Any, database_url: str, tmp_path: Path
) -> None:
    """A real process, killed between two batches."""
    fragments = rows(make_session, FRAGMENTS)
    rows(make_session, "DELETE FROM calendar_fragment")
    slow = (
        "from workers import rebuild; import time, sys\n"
        "rebuild.BATCH = 2\n"
        "real = rebuild.Rebuild._events\n"
        "def events(self, *words):\n"
        "    found = real(self, *words); print('batch', flush=True); sys.stdin.readline(); return found\n"
        "rebuild.Rebuild._events = events\n"
        "from app.cli import passerelle; passerelle()\n"
    )
    words = ["events", "replay", "--consumer", "calendar", "--from-beginning"]
    child = subprocess.Popen(
        [sys.executable, "-c", slow, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)
    )
    assert child.stdout and child.stdin
    try:
        for _ in range(2):
            assert child.stdout.readline() == b"batch\n"
            child.stdin.write(b"\n")
            child.stdin.flush()
        assert child.stdout.readline() == b"batch\n"
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait(10)
        child.stdin.close()
        child.stdout.close()
    assert rows(make_session, FRAGMENTS) == []
    assert rows(make_session, "SELECT count(*) FROM rebuild_calendar.calendar_fragment") == [(4,)]
    until(
        lambda: (
            rows(make_session, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'passerelle-rebuild'")
            == [(0,)]
        ),
        describe="the server has noticed",
    )
    assert "6 were added" in run("--consumer", "calendar", "--from-beginning").output
    assert rows(make_session, FRAGMENTS) == fragments


@pytest.fixture
def living(database_url: str, tmp_path: Path) -> Iterator[Any]:
    from tests.faults.town import a_town
    from tests.running import web, worker

    town = a_town(database_url, members=2)
    with worker(database_url, "all", home=tmp_path), web(database_url, home=tmp_path) as server:
        yield town, server


def test_a_calendar_is_cured_while_people_go_on_booking(
    living: Any, engine: Engine, make_session: Sessions, run: Any, database_url: str
) -> None:
    """Through the real web and workers: torn and rebuilt while it is written, and right in the end."""
    from app.booking.calendar import fragments
    from tests.faults.town import Customers

    town, server = living
    said = []
    with Customers(server.port, town, each=40) as customers:
        until(lambda: len(rows(make_session, FRAGMENTS)) >= 15, describe="some are in the calendar")
        while not said or (customers.answered < 80 and len(said) < 5):  # once even where all have been answered
            rows(make_session, "DELETE FROM calendar_fragment WHERE booking_id % 3 = 0")
            rows(make_session, "UPDATE calendar_fragment SET own_text = 'torn', revision = 99 WHERE booking_id % 3 = 1")
            said.append(run("--consumer", "calendar", "--from-beginning").output)
        booked = [uid for uids in customers.booked() for uid in uids]
    assert said and all("calendar_fragment: " in each and "0 were added, 0 changed" not in each for each in said)
    town.assert_the_calendar_has_each_once(booked)
    live = rows(make_session, FRAGMENTS)
    with make_session() as session:
        session.info["scope"] = SYSTEM
        session.execute(raw("DELETE FROM calendar_fragment"))
        for uid in booked:
            fragments.refresh(session, booking_uid=uuid.UUID(uid), public_url="", now=utc_now())
        fresh = [tuple(row) for row in session.execute(raw(FRAGMENTS))]
        session.rollback()
    assert live == fresh
    assert rows(make_session, "SELECT DISTINCT state FROM delivery WHERE consumer = 'calendar'") == [("done",)]
