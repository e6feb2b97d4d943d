"""One process runs everything, ends cleanly, ends loudly when a part of it dies, and survives kill -9."""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from pathlib import Path

import pytest
from sqlalchemy.orm import sessionmaker

from app.config import BadSetting, Config
from app.db import TenantSession
from app.errors import NotFound
from tests.waiting import until
from tests.workers.effects import COUNTING, a_story, effects, wrong_effects
from tests.workers.process import Worker, workers
from workers.run import BusNotShared, _stop_signals, run, run_loops

Sessions = sessionmaker[TenantSession]
HERE = {"home": Path(), "database_url": "postgresql://nobody@127.0.0.1:1/nowhere"}
RABBIT = "amqp://guest:guest@127.0.0.1:1//"


def test_an_event_reaches_its_effect_and_a_stop_is_clean(counted: Sessions, database_url: str) -> None:
    worker = Worker("all", database_url=database_url)
    with workers(worker):
        story = a_story(counted, 3)
        until(lambda: effects(counted, story) == [1, 2, 3], within=20)
        assert worker.stop() == 0


@pytest.mark.slow
def test_kill_9_of_the_one_process_loses_and_doubles_nothing(counted: Sessions, database_url: str) -> None:
    worker = Worker("all", database_url=database_url)
    with workers(worker):
        stories = []
        for at in range(3):
            stories += [a_story(counted, 3) for _ in range(60)]
            until(lambda at=at: len(effects(counted)) > at * 180 + 20, within=30)  # type: ignore[misc]
            worker.kill_and_restart()
        until(lambda: len(effects(counted)) >= len(stories) * 3, within=30)
        assert wrong_effects(counted, stories, 3) == {}


def test_a_loop_that_dies_or_ends_by_itself_ends_the_process_with_an_error() -> None:
    def dies(stop: threading.Event) -> None:
        raise RuntimeError("dead")

    def ends(stop: threading.Event) -> None:
        return

    def works(stop: threading.Event) -> None:
        stop.wait()

    assert run_loops({"dies": dies, "works": works}, threading.Event()) == 1
    assert run_loops({"ends": ends, "works": works}, threading.Event()) == 1
    stopped = threading.Event()
    stopped.set()
    assert run_loops({"works": works}, stopped) == 0


def test_a_stop_signal_that_another_thread_was_given_is_heard() -> None:
    """The kernel may hand a signal to any thread; Python acts on it in the main one, once that wakes up."""
    in_vain = threading.Event()

    def main_thread_waits() -> bool:
        calls = traceback.extract_stack(sys._current_frames()[threading.main_thread().ident or 0])
        return [call.name for call in calls][-3:] == ["run_loops", "wait", "wait"]

    def given(stop: threading.Event) -> None:
        until(main_thread_waits)
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        if not stop.wait(10):
            in_vain.set()
            stop.set()

    with _stop_signals() as stop:
        assert run_loops({"given": given}, stop) == 0
    assert not in_vain.is_set()


def test_what_cannot_work_is_refused_before_it_starts() -> None:
    consumers = {"counting": COUNTING}
    with pytest.raises(BusNotShared):
        run(["counting"], Config(**HERE), consumers=consumers)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        run(["nobody"], Config(**HERE, broker_url=RABBIT), consumers=consumers)  # type: ignore[arg-type]
    with pytest.raises(BadSetting):
        run(["all"], Config(home=Path()), consumers=consumers)
