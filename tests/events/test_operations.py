"""What an operator sees of the events, and what the commands do."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession, transaction
from app.events import operations
from app.events.catalogue import BookingApproved
from app.events.outbox import insert_event
from app.tenancy import SYSTEM
from tests.workers.effects import a_story
from workers.receipts import fail

Sessions = sessionmaker[TenantSession]


def test_tail_shows_the_last_events_and_narrows_to_a_type(make_session: Sessions) -> None:
    a_story(make_session, 3)
    with transaction(make_session, SYSTEM) as session:
        assert [row.seq for row in operations.latest(session, limit=2)] == [2, 3]
        assert [row.type for row in operations.latest(session, event_type="booking.made")] == ["booking.made"]


def test_following_shows_late_transactions_too(make_session: Sessions) -> None:
    a_story(make_session, 1)
    turns = iter(range(3))
    late = uuid.uuid4()
    slow = make_session()
    slow.info["scope"] = SYSTEM
    fact = BookingApproved(str(late), str(late), str(late))
    insert_event(slow, fact, aggregate_id=late, seq=1, at=datetime.now(UTC))  # draws its id, does not commit

    def rest() -> None:
        match next(turns):
            case 0:
                a_story(make_session, 1)
            case 1:
                slow.commit()
                slow.close()
            case _:
                raise StopIteration

    shown = [row.type for row in operations.follow(make_session, rest=rest)]
    assert shown == ["booking.made", "booking.made", "booking.approved"]


def test_following_does_not_take_what_came_back_from_an_archive_for_new(
    engine: Engine, make_session: Sessions, tmp_path: Path
) -> None:
    from app.events import archive, restoring
    from tests.events.archiving import an_archivist, settle, work_off

    a_story(make_session, 2)
    settle(make_session, [])
    work_off(an_archivist(engine, tmp_path))
    turns = iter(range(2))

    def rest() -> None:
        match next(turns):
            case 0:
                files = [tmp_path / name for name in archive.names(tmp_path)]
                assert [each.restored for each in restoring.restore(make_session, files, now=datetime.now(UTC))] == [2]
                a_story(make_session, 1)
            case _:
                raise StopIteration

    assert [row.type for row in operations.follow(make_session, rest=rest)] == ["booking.made"]


def test_health_counts_what_waits_and_how_long(make_session: Sessions) -> None:
    with transaction(make_session, SYSTEM) as session:
        assert operations.health(session) == operations.Health(0, 0.0, 0, 0, 0, 0)
    a_story(make_session, 2)
    with transaction(make_session, SYSTEM) as session:
        health = operations.health(session)
    assert (health.unpublished, health.unsettled, health.dead) == (2, 2, 0)
    assert 0 < health.lag_s < 60


def test_replay_narrows_to_an_event_or_a_consumer(make_session: Sessions) -> None:
    from app.events import envelope

    now = datetime.now(UTC)
    story = a_story(make_session, 1)
    with transaction(make_session, SYSTEM) as session:
        (row,) = operations.latest(session)
        for consumer in ("billing", "calendar"):
            fail(session, consumer, envelope.read(row.envelope), row.envelope, error="no", now=now)
        assert len(operations.dead(session)) == 0
        assert len(operations.dead(session, include_failed=True)) == 2
        assert operations.replay(session, now=now, consumer="billing") == [("billing", row.event_id)]
        assert operations.replay(session, now=now, event_id=uuid.uuid4()) == []
        assert len(operations.replay(session, now=now, event_id=row.event_id)) == 2
    assert story == row.aggregate_id


def test_an_event_can_be_sent_again(make_session: Sessions) -> None:
    a_story(make_session, 1)
    with transaction(make_session, SYSTEM) as session:
        (row,) = operations.latest(session)
        assert operations.send_again(session, row.event_id)
        assert not operations.send_again(session, uuid.uuid4())


def test_following_ends_when_it_is_told_to(make_session: Sessions) -> None:
    stop = threading.Event()

    def rest() -> None:
        stop.set()
        raise StopIteration

    assert list(operations.follow(make_session, rest=rest)) == []
    assert stop.is_set()


@pytest.mark.parametrize("length", [1, 4])
def test_following_begins_with_the_last_events(make_session: Sessions, length: int) -> None:
    a_story(make_session, length)

    def rest() -> None:
        raise StopIteration

    assert len(list(operations.follow(make_session, rest=rest, limit=3))) == min(length, 3)
