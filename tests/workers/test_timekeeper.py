"""What becomes due happens, once, oldest first; what fails waits and holds up no other."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from app import housekeeping
from app.db import TenantSession, raw, transaction
from app.events.models import Due
from app.tenancy import SYSTEM
from app.timekeeper import Timekeeper, schedule, unschedule
from tests.builders import a_member
from tests.conftest import Clock
from tests.waiting import until
from workers.keep_time import TimekeeperLoop

Sessions = sessionmaker[TenantSession]


@pytest.fixture
def happened() -> list[tuple[str, int]]:
    return []


@pytest.fixture
def timekeeper(make_session: Sessions, clock: Clock, happened: list[tuple[str, int]]) -> Timekeeper:
    def remember(kind: str) -> Any:
        def handler(session: Session, subject_id: int, *, now: datetime) -> None:
            if subject_id < 0:
                raise RuntimeError("not this one")
            happened.append((kind, subject_id))

        return handler

    def again(session: Session, subject_id: int, *, now: datetime) -> None:
        happened.append(("again", subject_id))
        schedule(session, "again", subject_id, now + timedelta(hours=1))

    handlers = {"hold": remember("hold"), "no_show": remember("no_show"), "again": again}
    return Timekeeper(make_session, clock=clock, handlers=handlers)


def plan(make_session: Sessions, *rows: tuple[str, int, datetime]) -> None:
    with transaction(make_session, SYSTEM) as session:
        for row in rows:
            schedule(session, *row)


def rows(make_session: Sessions) -> list[Due]:
    with transaction(make_session, SYSTEM) as session:
        return list(session.scalars(select(Due).order_by(Due.kind, Due.subject_id)))


def test_after_a_stop_all_that_is_due_happens_oldest_first(
    timekeeper: Timekeeper, make_session: Sessions, clock: Clock, happened: list[tuple[str, int]]
) -> None:
    plan(make_session, ("hold", 1, clock.now + timedelta(hours=2)), ("no_show", 2, clock.now + timedelta(hours=1)))
    assert timekeeper.run_due() == 0
    assert timekeeper.next_at() == clock.now + timedelta(hours=1)
    clock.pass_by(days=3)
    assert timekeeper.run_due() == 2
    assert happened == [("no_show", 2), ("hold", 1)]
    assert (timekeeper.run_due(), rows(make_session)) == (0, [])


def test_saying_it_again_moves_it_and_taking_it_back_removes_it(
    timekeeper: Timekeeper, make_session: Sessions, clock: Clock, happened: list[tuple[str, int]]
) -> None:
    plan(make_session, ("hold", 1, clock.now), ("hold", 2, clock.now), ("hold", 1, clock.now + timedelta(hours=1)))
    with transaction(make_session, SYSTEM) as session:
        unschedule(session, "hold", 2)
    assert timekeeper.run_due() == 0
    clock.pass_by(hours=1)
    timekeeper.run_due()
    assert happened == [("hold", 1)]


def test_a_failing_row_waits_longer_each_time_and_holds_up_no_other(
    timekeeper: Timekeeper, make_session: Sessions, clock: Clock, happened: list[tuple[str, int]]
) -> None:
    plan(make_session, ("hold", -1, clock.now - timedelta(hours=1)), ("hold", 2, clock.now))
    timekeeper.run_due()
    assert happened == [("hold", 2)]
    (failing,) = rows(make_session)
    assert (failing.attempts, failing.last_error) == (1, "RuntimeError: not this one")
    assert failing.at == clock.now + timedelta(seconds=5)
    for _ in range(6):
        clock.now = rows(make_session)[0].at
        timekeeper.run_due()
    assert rows(make_session)[0].at == clock.now + timedelta(hours=1)


def test_what_schedules_itself_again_happens_again(
    timekeeper: Timekeeper, make_session: Sessions, clock: Clock, happened: list[tuple[str, int]]
) -> None:
    plan(make_session, ("again", 7, clock.now))
    for _ in range(3):
        timekeeper.run_due()
        clock.pass_by(hours=1)
    assert happened == [("again", 7)] * 3


def test_a_crash_between_the_call_and_its_commit_undoes_both(make_session: Sessions, clock: Clock) -> None:
    class Crash(BaseException):
        pass

    def crash(session: Session, subject_id: int, *, now: datetime) -> None:
        schedule(session, "other", 1, now)
        session.flush()
        raise Crash

    plan(make_session, ("crash", 1, clock.now))
    with pytest.raises(Crash):
        Timekeeper(make_session, clock=clock, handlers={"crash": crash}).run_due()
    assert [(row.kind, row.attempts) for row in rows(make_session)] == [("crash", 0)]


def test_a_kind_nobody_knows_is_left_for_code_that_does(
    timekeeper: Timekeeper, make_session: Sessions, clock: Clock
) -> None:
    plan(make_session, ("of_newer_code", 1, clock.now))
    assert timekeeper.run_due() == 0
    assert len(rows(make_session)) == 1


def test_the_loop_calls_what_is_due_while_it_leads(engine: Engine, make_session: Sessions) -> None:
    happened: list[int] = []
    keeper = Timekeeper(make_session, handlers={"now": lambda session, subject_id, *, now: happened.append(subject_id)})
    stop = threading.Event()
    thread = threading.Thread(target=TimekeeperLoop(engine, keeper).run, args=(stop,))
    thread.start()
    plan(make_session, ("now", 5, datetime.fromisoformat("2020-01-01T00:00:00Z")))
    until(lambda: happened == [5], within=5)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_housekeeping_removes_what_is_old_and_comes_back_in_an_hour(make_session: Sessions, clock: Clock) -> None:
    with transaction(make_session, SYSTEM) as session:
        member = a_member(session)
        session.flush()
        facts = {"member": member.id, "old": clock.now - timedelta(hours=25), "new": clock.now}
        answer = "INSERT INTO idempotent_answer (member_id, method, path, key, body_hash, status, body, created_at) "
        for key in ("old", "new"):
            session.execute(raw(f"{answer} VALUES (:member, 'POST', '/', '{key}', '', 201, '', :{key})"), facts)
        token = "INSERT INTO api_token (uid, member_id, secret_hash, expires_at) VALUES (gen_random_uuid(), :member, "
        facts |= {"gone": clock.now - timedelta(days=31), "recent": clock.now - timedelta(days=29)}
        for name in ("gone", "recent"):
            session.execute(raw(f"{token} '{name}', :{name})"), facts)
        housekeeping.begin_housekeeping(session, now=clock.now)
    assert Timekeeper(make_session, clock=clock).run_due() == 1
    with transaction(make_session, SYSTEM) as session:
        assert list(session.scalars(raw("SELECT key FROM idempotent_answer"))) == ["new"]
        kept = raw("SELECT convert_from(secret_hash, 'UTF8') FROM api_token WHERE expires_at IS NOT NULL")
        assert list(session.scalars(kept)) == ["recent"]
    assert [row.at for row in rows(make_session)] == [clock.now + timedelta(hours=1)]
