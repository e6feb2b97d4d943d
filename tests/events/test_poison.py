"""A poison event is listed with its error and with what waits behind it, and one command replays it after a fix."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from app.cli import passerelle
from app.db import TenantSession
from app.events.envelope import Envelope
from app.timekeeper import utc_now
from tests.events.archiving import handle_all
from tests.workers.effects import (
    COUNTING,
    accepted,
    create_effects,
    drop_effects,
    effects,
    made,
    record_events,
    texts,
    write_effect,
)
from workers.handle import EventHandler
from workers.receipts import BACKOFF_S
from workers.registry import Consumer
from workers.subscriptions import subscribe

Sessions = sessionmaker[TenantSession]


def as_if_good(session: Session, event: Envelope, *, now: Any) -> None:
    write_effect(session, replace(event, data={**event.data, "member_id": "good"}))


MENDED = dict.fromkeys(COUNTING.handlers, as_if_good)


@pytest.fixture
def run(engine: Engine, database_url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    create_effects(engine)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("PASSERELLE_HOME", str(tmp_path))

    def command(*words: str) -> Result:
        return CliRunner().invoke(passerelle, ["events", *words], catch_exceptions=False)

    yield command
    drop_effects(engine)


def due_until_it_is_quiet(make_session: Sessions, consumer: Consumer, *, after: timedelta) -> None:
    """All that is due `after` from now, each with what follows it."""
    handler = EventHandler(consumer, make_session, clock=lambda: utc_now() + after)
    while events := handler.due():
        for text in events:
            following: str | None = text
            while following is not None:
                following = handler.handle(following, is_attempt=True).follower


@pytest.mark.parametrize(("blocking", "behind", "meanwhile"), [(True, 2, [1]), (False, 0, [1, 3, 4])])
def test_a_poison_event_waits_for_its_cure_and_only_its_own_booking_with_it(
    make_session: Sessions, run: Any, blocking: bool, behind: int, meanwhile: list[int]
) -> None:
    consumer = replace(COUNTING, blocking=blocking)
    subscribe(make_session, [consumer])
    sick, well = uuid.uuid4(), uuid.uuid4()
    (_, poison, *_) = record_events(
        make_session, sick, made(sick), accepted(sick, "bad"), accepted(sick), accepted(sick)
    )
    record_events(make_session, well, made(well), accepted(well))
    handle_all(make_session, consumer, texts(make_session, sick))
    handle_all(make_session, consumer, texts(make_session, well))
    for n in range(1, len(BACKOFF_S) + 1):
        due_until_it_is_quiet(make_session, consumer, after=timedelta(days=3 * n))
    assert effects(make_session, well) == [1, 2]
    assert effects(make_session, sick) == meanwhile

    (listed,) = (json.loads(line) for line in run("dead").stdout.splitlines())
    assert listed["event_id"] == str(poison) and listed["aggregate"] == f"booking/{sick}"
    assert "this one is bad" in listed["last_error"]
    assert listed["waiting_behind"] == behind

    mended = replace(consumer, handlers=MENDED)
    due_until_it_is_quiet(make_session, mended, after=timedelta(days=365))
    assert effects(make_session, sick) == meanwhile, "what is dead is not tried by itself"
    assert str(poison) in run("replay", "--consumer", "counting").stdout
    due_until_it_is_quiet(make_session, mended, after=timedelta())
    assert sorted(effects(make_session, sick)) == [1, 2, 3, 4]
    assert run("dead", "--failed").stdout == ""


def test_a_blocking_consumer_has_them_in_order_after_the_cure(make_session: Sessions, run: Any) -> None:
    sick = uuid.uuid4()
    subscribe(make_session, [COUNTING])
    record_events(make_session, sick, made(sick), accepted(sick, "bad"), accepted(sick))
    handle_all(make_session, COUNTING, texts(make_session, sick))
    run("replay")
    due_until_it_is_quiet(make_session, replace(COUNTING, handlers=MENDED), after=timedelta())
    assert effects(make_session, sick) == [1, 2, 3]
