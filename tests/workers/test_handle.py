"""Each event has its effect once, in order, whatever the bus does and whatever fails."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from app.db import TenantSession, make_engine, raw, sessions, transaction
from app.events import operations
from app.events.envelope import Envelope
from app.tenancy import SYSTEM
from tests.conftest import Clock
from tests.workers.effects import (
    BAD,
    COUNTING,
    a_story,
    accepted,
    approved,
    effects,
    made,
    record_events,
    state,
    texts,
    write_effect,
)
from workers.handle import EventHandler, NotRecorded, Outcome
from workers.receipts import BACKOFF_S
from workers.registry import Consumer
from workers.subscriptions import subscribe

Sessions = sessionmaker[TenantSession]


def deliver(handler: EventHandler, message: str) -> Outcome:
    """What the consumer's loop does with one message: handle it, then the parked ones whose turn came."""
    result = handler.handle(message)
    follower = result.follower
    while follower is not None:
        follower = handler.handle(follower, is_attempt=True).follower
    return result.outcome


def run_due(handler: EventHandler) -> list[Outcome]:
    return [handler.handle(message, is_attempt=True).outcome for message in handler.due()]


def test_an_event_has_its_effect_and_its_receipt_together(handler: EventHandler, counted: Sessions) -> None:
    story = a_story(counted, 1)
    assert deliver(handler, texts(counted, story)[0]) is Outcome.DONE
    assert effects(counted, story) == [1]


def test_a_second_copy_does_nothing(handler: EventHandler, counted: Sessions) -> None:
    story = a_story(counted, 2)
    for message in [m for m in texts(counted, story) for _ in range(3)]:
        deliver(handler, message)
    assert effects(counted, story) == [1, 2]
    assert deliver(handler, texts(counted, story)[0]) is Outcome.DUPLICATE


def test_an_early_event_waits_until_those_before_it_have_come(handler: EventHandler, counted: Sessions) -> None:
    story = a_story(counted, 4)
    first, second, third, fourth = texts(counted, story)
    assert [deliver(handler, m) for m in (fourth, second, third)] == [Outcome.PARKED] * 3
    assert effects(counted, story) == []
    deliver(handler, first)
    assert effects(counted, story) == [1, 2, 3, 4]


def test_aggregates_do_not_wait_for_each_other(handler: EventHandler, counted: Sessions) -> None:
    early, other = a_story(counted, 2), a_story(counted, 1)
    deliver(handler, texts(counted, early)[1])
    assert deliver(handler, texts(counted, other)[0]) is Outcome.DONE


def test_a_follower_that_a_dying_worker_left_is_due_for_the_next(
    handler: EventHandler, counted: Sessions, clock: Clock
) -> None:
    story = a_story(counted, 2)
    first, second = texts(counted, story)
    handler.handle(second)
    assert handler.handle(first).follower == second  # and here the worker dies
    assert run_due(handler) == []
    clock.now += timedelta(seconds=6)
    assert run_due(handler) == [Outcome.DONE]
    assert effects(counted, story) == [1, 2]


def test_an_event_without_a_handler_is_skipped_and_the_sequence_goes_on(
    handler: EventHandler, counted: Sessions
) -> None:
    story = uuid.uuid4()
    record_events(counted, story, made(story), approved(story), accepted(story))
    outcomes = [deliver(handler, message) for message in texts(counted, story)]
    assert outcomes == [Outcome.DONE, Outcome.SKIPPED, Outcome.DONE]


def test_a_failing_effect_is_undone_and_tried_again_later(
    handler: EventHandler, counted: Sessions, clock: Clock
) -> None:
    story = uuid.uuid4()
    (event_id,) = record_events(counted, story, made(story, BAD))
    assert deliver(handler, texts(counted, story)[0]) is Outcome.FAILED
    row = state(counted, event_id)
    assert row is not None
    assert (row["state"], row["attempts"], row["last_error"]) == ("failed", 1, "RuntimeError: this one is bad")
    assert row["next_attempt_at"] == clock.now + timedelta(seconds=5)
    assert effects(counted) == []


def test_a_copy_from_the_bus_does_not_hurry_what_failed(handler: EventHandler, counted: Sessions) -> None:
    story = uuid.uuid4()
    (event_id,) = record_events(counted, story, made(story, BAD))
    (message,) = texts(counted, story)
    deliver(handler, message)
    assert deliver(handler, message) is Outcome.HELD
    row = state(counted, event_id)
    assert row is not None and row["attempts"] == 1


def test_what_follows_a_failed_event_waits_behind_it_and_then_goes_on(
    handler: EventHandler, counted: Sessions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = uuid.uuid4()
    record_events(counted, story, made(story, BAD), accepted(story))
    assert [deliver(handler, m) for m in texts(counted, story)] == [Outcome.FAILED, Outcome.PARKED]
    monkeypatch.setattr("tests.workers.effects.BAD", "nobody is bad any more")
    clock.now += timedelta(seconds=5)
    for message in handler.due():
        result = handler.handle(message, is_attempt=True)
        assert result.follower is not None
        handler.handle(result.follower, is_attempt=True)
    assert effects(counted, story) == [1, 2]


def test_the_last_attempt_leaves_a_dead_event_that_one_command_replays(
    handler: EventHandler, counted: Sessions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = uuid.uuid4()
    (event_id,) = record_events(counted, story, made(story, BAD))
    deliver(handler, texts(counted, story)[0])
    for seconds in BACKOFF_S:
        assert run_due(handler) == []
        clock.now += timedelta(seconds=seconds)
        (outcome,) = run_due(handler)
    assert outcome is Outcome.DEAD
    clock.now += timedelta(days=365)
    assert run_due(handler) == []
    with transaction(counted, SYSTEM) as session:
        assert [row.event_id for row in operations.dead(session, consumer="counting")] == [event_id]
        assert operations.replay(session, now=clock.now, event_id=event_id) == [("counting", event_id)]
    monkeypatch.setattr("tests.workers.effects.BAD", "nobody is bad any more")
    assert run_due(handler) == [Outcome.DONE]
    assert effects(counted, story) == [1]


def test_giving_up_a_dead_event_lets_those_behind_it_go_on(
    handler: EventHandler, counted: Sessions, clock: Clock
) -> None:
    story = uuid.uuid4()
    bad, _ = record_events(counted, story, made(story, BAD), accepted(story))
    for message in texts(counted, story):
        deliver(handler, message)
    with transaction(counted, SYSTEM) as session:
        assert operations.give_up(session, consumer="counting", event_id=bad, now=clock.now)
        assert not operations.give_up(session, consumer="counting", event_id=bad, now=clock.now)
    assert run_due(handler) == [Outcome.DONE]
    assert effects(counted, story) == [2]


def test_an_event_of_newer_code_is_kept_not_skipped(handler: EventHandler, counted: Sessions) -> None:
    story = a_story(counted, 1)
    message = texts(counted, story)[0].replace("booking.made", "booking.celebrated")
    assert deliver(handler, message) is Outcome.FAILED


def test_what_is_no_event_is_a_value_error(handler: EventHandler) -> None:
    for nonsense in ("", "[]", "{}", '{"id": 3}', "\x00"):
        with pytest.raises(ValueError):
            handler.handle(nonsense)


def test_a_consumer_that_begins_now_leaves_out_the_past_of_every_booking(
    engine: Engine, counted: Sessions, clock: Clock
) -> None:
    story = a_story(counted, 2)
    later = Consumer("later", ("booking",), COUNTING.handlers, from_="now")
    subscribe(counted, [later])
    record_events(counted, story, accepted(story), accepted(story), first=3)
    handler = EventHandler(later, counted, clock=clock)
    first, second, third, fourth = texts(counted, story)
    assert deliver(handler, fourth) is Outcome.PARKED
    assert deliver(handler, first) is Outcome.DUPLICATE
    assert deliver(handler, second) is Outcome.DUPLICATE
    deliver(handler, third)
    assert effects(counted, story) == [3, 4]


def test_many_workers_of_one_consumer_keep_the_order_and_the_count(counted: Sessions, clock: Clock) -> None:
    stories = [a_story(counted, 5) for _ in range(4)]
    messages = [m for story in stories for m in texts(counted, story)]
    barrier = threading.Barrier(4)

    def work(offset: int) -> None:
        handler = EventHandler(COUNTING, counted, clock=clock)
        barrier.wait()
        for message in messages[offset:] + messages[:offset]:
            deliver(handler, message)

    threads = [threading.Thread(target=work, args=(offset,)) for offset in (0, 3, 8, 15)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    clock.now += timedelta(minutes=1)
    handler = EventHandler(COUNTING, counted, clock=clock)
    while run_due(handler):
        pass
    assert [effects(counted, story) for story in stories] == [[1, 2, 3, 4, 5]] * 4


def test_a_database_that_goes_away_leaves_the_event_unhandled_not_failed(counted: Sessions, clock: Clock) -> None:
    story = a_story(counted, 1)
    (message,) = texts(counted, story)

    def cut(session: Session, event: Envelope, *, now: datetime) -> None:
        write_effect(session, event)
        session.execute(raw("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(NotRecorded):
        EventHandler(Consumer("counting", ("booking",), {"booking.made": cut}), counted, clock=clock).handle(message)
    nowhere = make_engine("postgresql://nobody@127.0.0.1:1/nowhere")
    with pytest.raises(NotRecorded):
        EventHandler(COUNTING, sessions(nowhere), clock=clock).handle(message)
    assert effects(counted) == []
    assert deliver(EventHandler(COUNTING, counted, clock=clock), message) is Outcome.DONE
