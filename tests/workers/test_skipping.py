"""A consumer that does not block: what fails is tried again on its own schedule, and nobody waits behind it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import psycopg
import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.db import TenantSession, raw, transaction
from app.events import operations
from app.events.envelope import Envelope
from app.tenancy import SYSTEM
from tests.conftest import Clock
from tests.workers.effects import (
    BAD,
    COUNTING,
    accepted,
    effects,
    made,
    record_events,
    state,
    texts,
    write_effect,
)
from tests.workers.test_handle import deliver, run_due
from workers.handle import EventHandler, Outcome, TookTooLong
from workers.receipts import BACKOFF_S
from workers.registry import Consumer
from workers.subscriptions import subscribe

Sessions = sessionmaker[TenantSession]


@pytest.fixture
def skipping(counted: Sessions, clock: Clock) -> EventHandler:
    return EventHandler(Consumer("counting", ("booking",), COUNTING.handlers, blocking=False), counted, clock=clock)


def a_bad_start(make_session: Sessions) -> tuple[uuid.UUID, list[uuid.UUID]]:
    """A booking whose first event cannot be handled, and two more about it."""
    story = uuid.uuid4()
    return story, record_events(make_session, story, made(story, BAD), accepted(story), accepted(story))


def test_those_behind_a_failed_event_go_on_and_it_is_tried_again_in_its_own_time(
    skipping: EventHandler, counted: Sessions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, (bad, *_) = a_bad_start(counted)
    outcomes = [deliver(skipping, message) for message in texts(counted, story)]
    assert outcomes == [Outcome.FAILED, Outcome.DONE, Outcome.DONE]
    assert run_due(skipping) == []
    clock.pass_by(seconds=5)
    assert run_due(skipping) == [Outcome.FAILED]
    row = state(counted, bad)
    assert row is not None and (row["attempts"], row["state"]) == (2, "failed")
    monkeypatch.setattr("tests.workers.effects.BAD", "nobody is bad any more")
    clock.pass_by(seconds=30)
    assert run_due(skipping) == [Outcome.DONE]
    assert effects(counted, story) == [2, 3, 1]


def test_those_that_were_parked_behind_it_are_called(skipping: EventHandler, counted: Sessions) -> None:
    story, _ = a_bad_start(counted)
    first, second, third = texts(counted, story)
    assert [deliver(skipping, message) for message in (third, second)] == [Outcome.PARKED] * 2
    assert deliver(skipping, first) is Outcome.FAILED
    assert effects(counted, story) == [2, 3]


def test_a_copy_from_the_bus_neither_hurries_nor_doubles_it(skipping: EventHandler, counted: Sessions) -> None:
    story, (bad, *_) = a_bad_start(counted)
    for message in texts(counted, story) * 2:
        deliver(skipping, message)
    row = state(counted, bad)
    assert row is not None and row["attempts"] == 1
    assert effects(counted, story) == [2, 3]


def test_after_its_last_attempt_it_is_dead_and_one_command_replays_it(
    skipping: EventHandler, counted: Sessions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, (bad, *_) = a_bad_start(counted)
    for message in texts(counted, story):
        deliver(skipping, message)
    for seconds in BACKOFF_S:
        clock.pass_by(seconds=seconds)
        (outcome,) = run_due(skipping)
    assert outcome is Outcome.DEAD
    monkeypatch.setattr("tests.workers.effects.BAD", "nobody is bad any more")
    with transaction(counted, SYSTEM) as session:
        assert operations.replay(session, now=clock.now, event_id=bad) == [("counting", bad)]
    assert run_due(skipping) == [Outcome.DONE]
    assert run_due(skipping) == []
    assert effects(counted, story) == [2, 3, 1]


def test_given_up_it_is_never_tried_again(skipping: EventHandler, counted: Sessions, clock: Clock) -> None:
    story, (bad, *_) = a_bad_start(counted)
    for message in texts(counted, story)[:2]:
        deliver(skipping, message)
    with transaction(counted, SYSTEM) as session:
        assert operations.give_up(session, consumer="counting", event_id=bad, now=clock.now)
    clock.pass_by(days=2)
    assert run_due(skipping) == []
    assert deliver(skipping, texts(counted, story)[2]) is Outcome.DONE
    assert effects(counted, story) == [2, 3]


def test_a_consumer_that_begins_now_goes_past_its_first_event_too(counted: Sessions, clock: Clock) -> None:
    story = uuid.uuid4()
    record_events(counted, story, made(story))
    later = Consumer("later", ("booking",), COUNTING.handlers, from_="now", blocking=False)
    subscribe(counted, [later])
    record_events(counted, story, accepted(story, BAD), accepted(story), first=2)
    handler = EventHandler(later, counted, clock=clock)
    outcomes = [deliver(handler, message) for message in texts(counted, story)[1:]]
    assert outcomes == [Outcome.FAILED, Outcome.DONE]


@contextmanager
def somebody_holds(database_url: str, story: uuid.UUID) -> Iterator[None]:
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT FROM cursor WHERE aggregate_id = %s FOR UPDATE", [story])
        yield


def test_a_lock_that_does_not_come_is_no_failed_attempt_unless_time_and_again(
    counted: Sessions, clock: Clock, database_url: str
) -> None:
    story, (_, second, _) = a_bad_start(counted)
    slow = Consumer("counting", ("booking",), {}, blocking=False)
    handler = EventHandler(slow, hurried(counted), clock=clock)
    first_text, second_text, _ = texts(counted, story)
    assert deliver(handler, first_text) is Outcome.SKIPPED
    with somebody_holds(database_url, story), pytest.raises(TookTooLong):
        handler.handle(second_text)
    assert state(counted, second) is None
    assert deliver(handler, second_text) is Outcome.SKIPPED


def test_an_effect_that_always_takes_too_long_fails_in_the_end(counted: Sessions, clock: Clock) -> None:
    story, (first, *_) = a_bad_start(counted)

    def endless(session: Session, event: Envelope, *, now: datetime) -> None:
        write_effect(session, event)
        session.execute(raw("SELECT pg_sleep(20)"))

    handlers = {"booking.made": endless}
    handler = EventHandler(Consumer("counting", ("booking",), handlers), hurried(counted), clock=clock)
    message = texts(counted, story)[0].replace(f'"member_id":"{BAD}"', '"member_id":"good"')
    with pytest.raises(TookTooLong):
        handler.handle(message)
    assert state(counted, first) is None
    assert handler.handle(message, patient=False).outcome is Outcome.FAILED
    row = state(counted, first)
    assert row is not None and row["next_attempt_at"] == clock.now + timedelta(seconds=5)
    assert effects(counted) == []


def hurried(make_session: Sessions) -> Sessions:
    """Sessions that wait for nothing longer than a moment."""
    hurry = raw("SET LOCAL lock_timeout = '100ms'; SET LOCAL statement_timeout = '300ms'")

    class Hurried(TenantSession):
        def begin(self, nested: bool = False):  # type: ignore[no-untyped-def]
            begun = super().begin(nested)
            self.execute(hurry)
            return begun

    return sessionmaker(make_session.kw["bind"], class_=Hurried, expire_on_commit=False)
