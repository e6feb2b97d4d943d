"""Settled events leave the outbox for files; nothing is deleted that is not on disk, nothing leaves that waits."""

from __future__ import annotations

import errno
import gzip
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine, select
from sqlalchemy.orm import sessionmaker

from app.config import Config
from app.db import TenantSession, transaction
from app.doctor import examine
from app.events import archive
from app.events.archive import ArchiveDamaged
from app.events.models import OutboxRow
from app.events.operations import send_again
from app.tenancy import SYSTEM
from app.timekeeper import utc_now
from tests.events.archiving import (
    KEEP,
    an_archivist,
    archived,
    counts,
    handle_all,
    handled_stories,
    much_later,
    rows,
    settle,
    work_off,
)
from tests.waiting import until
from tests.workers.effects import (
    BAD,
    COUNTING,
    a_story,
    accepted,
    create_effects,
    drop_effects,
    effects,
    made,
    record_events,
    texts,
)
from tests.workers.process import Worker, workers
from workers import archive as archivist_module
from workers.subscriptions import subscribe

Sessions = sessionmaker[TenantSession]


@pytest.fixture(autouse=True)
def counted(engine: Engine, make_session: Sessions) -> Iterator[None]:
    create_effects(engine)
    subscribe(make_session, [COUNTING])
    yield
    drop_effects(engine)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def faults(database_url: str, home: Path) -> dict[str, str]:
    config = Config(home=home, database_url=database_url, log_level="WARNING")
    return {finding.name: finding.detail for finding in examine(config) if not finding.good}


def everything(make_session: Sessions) -> list[tuple[str, int]]:
    return sorted(rows(make_session, "SELECT aggregate_id::text, seq FROM outbox"))


def test_settled_events_leave_for_a_file_with_their_receipts_and_cursors_stay(
    engine: Engine, make_session: Sessions, folder: Path, database_url: str
) -> None:
    handled_stories(make_session)
    before = everything(make_session)
    work_off(an_archivist(engine, folder))
    assert counts(make_session) == (0, 0)
    assert archived(folder) == before
    assert rows(make_session, "SELECT count(*), min(last_seq) FROM cursor") == [(3, 3)]
    assert faults(database_url, folder.parent) == {}


def test_a_file_says_what_is_in_it_and_holds_the_text_that_went_out(
    engine: Engine, make_session: Sessions, folder: Path
) -> None:
    (story,) = handled_stories(make_session, count=1)
    told = texts(make_session, story)
    work_off(an_archivist(engine, folder))
    (name,) = archive.names(folder)
    kept = archive.read(folder / name)
    assert [event.envelope for event in kept.events] == told
    assert (kept.manifest.count, kept.manifest.aggregate_types) == (3, ["booking"])
    assert (kept.manifest.first_id, kept.manifest.last_id) == (kept.events[0].id, kept.events[-1].id)
    assert kept.events[0].recorded_at == kept.manifest.recorded_from <= kept.manifest.recorded_to
    assert [path.name for path in folder.iterdir()] == [name]
    assert folder.stat().st_mode & 0o077 == (folder / name).stat().st_mode & 0o077 == 0  # nobody else's to read


def test_what_is_young_stays(engine: Engine, make_session: Sessions, folder: Path) -> None:
    handled_stories(make_session)
    work_off(an_archivist(engine, folder, clock=lambda: utc_now() + KEEP - timedelta(hours=1)))
    assert counts(make_session) == (9, 9) and archive.names(folder) == []


def test_a_few_events_wait_for_a_fuller_file(engine: Engine, make_session: Sessions, folder: Path) -> None:
    handled_stories(make_session)
    work_off(an_archivist(engine, folder, clock=lambda: utc_now() + KEEP + timedelta(hours=1)))
    assert archive.names(folder) == []
    work_off(an_archivist(engine, folder, clock=lambda: utc_now() + KEEP + timedelta(hours=25)))
    assert len(archive.names(folder)) == 1


def test_files_are_cut_at_their_size(
    engine: Engine, make_session: Sessions, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archivist_module, "FILE_EVENTS", 4)
    monkeypatch.setattr(archivist_module, "SLICE", 3)
    handled_stories(make_session)
    before = everything(make_session)
    work_off(an_archivist(engine, folder))
    assert [archive.read(folder / name).manifest.count for name in archive.names(folder)] == [4, 4, 1]
    assert archived(folder) == before and counts(make_session) == (0, 0)


WAITING = ("parked", "failed", "dead")


@pytest.mark.parametrize("state", WAITING)
def test_what_waits_stays_and_all_that_follows_it(
    engine: Engine, make_session: Sessions, folder: Path, database_url: str, state: str
) -> None:
    stories = handled_stories(make_session)
    rows(
        make_session, "UPDATE delivery SET state = :state, envelope = '{}' WHERE aggregate_id = :story AND seq = 2",
        state=state, story=stories[1],
    )  # fmt: skip
    work_off(an_archivist(engine, folder))
    left = rows(make_session, "SELECT aggregate_id, seq FROM outbox ORDER BY seq")
    assert left == [(stories[1], 2), (stories[1], 3)]
    assert rows(make_session, "SELECT seq, state FROM delivery ORDER BY seq") == [(2, state), (3, "done")]
    assert "sequences" not in faults(database_url, folder.parent)
    rows(make_session, "UPDATE delivery SET state = 'done'")
    work_off(an_archivist(engine, folder))
    assert counts(make_session) == (0, 0) and len(archived(folder)) == 9


def test_what_is_not_settled_stays(engine: Engine, make_session: Sessions, folder: Path) -> None:
    stories = handled_stories(make_session)
    rows(make_session, "UPDATE outbox SET settled_at = NULL WHERE aggregate_id = :story AND seq = 1", story=stories[0])
    work_off(an_archivist(engine, folder))
    assert {story for story, _ in everything(make_session)} == {str(stories[0])}
    assert len(everything(make_session)) == 3


def test_a_dead_event_of_a_consumer_that_goes_on_is_never_archived_away(
    engine: Engine, make_session: Sessions, folder: Path
) -> None:
    import uuid
    from dataclasses import replace

    skipping = replace(COUNTING, blocking=False)
    story = uuid.uuid4()
    record_events(make_session, story, made(story), accepted(story, BAD), accepted(story))
    handle_all(make_session, skipping, texts(make_session, story))
    settle(make_session)
    work_off(an_archivist(engine, folder))
    assert archived(folder) == [(str(story), 1)]
    assert rows(make_session, "SELECT seq, state FROM delivery ORDER BY seq") == [(2, "failed"), (3, "done")]


class Killed(BaseException):
    """kill -9, as far as the code that runs is concerned."""


STEPS = ("write", "enter", "remove", "emptied")


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_whoever_dies_at_any_step_leaves_nothing_lost_and_nothing_twice(
    engine: Engine, make_session: Sessions, folder: Path, monkeypatch: pytest.MonkeyPatch,
    step: str, when: str, times: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(archivist_module, "SLICE", 4)
    handled_stories(make_session)
    before = everything(make_session)
    module: Any = archive if step == "write" else archivist_module.retention
    real, calls = getattr(module, step), []

    def dying(*words: Any, **named: Any) -> Any:
        calls.append(step)
        if when == "before" and len(calls) == times:
            raise Killed
        result = real(*words, **named)
        if len(calls) == times:
            raise Killed
        return result

    with monkeypatch.context() as sabotage:
        sabotage.setattr(module, step, dying)
        try:
            work_off(an_archivist(engine, folder))
        except Killed:
            pass
        else:
            assert len(calls) < times
    assert set(everything(make_session)) | set(archived(folder)) == set(before)
    work_off(an_archivist(engine, folder))
    assert archived(folder) == before and counts(make_session) == (0, 0)
    assert rows(make_session, "SELECT count(*) FROM event_archive WHERE emptied_at IS NULL") == [(0,)]


def test_a_process_killed_while_it_writes_leaves_no_half_file(
    engine: Engine, make_session: Sessions, folder: Path
) -> None:
    """A real process and a real kill: between the first octet and the rename."""
    handled_stories(make_session)
    before = everything(make_session)
    if (child := os.fork()) == 0:
        archive.os.fsync = lambda _handle: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
        from app.db import make_engine

        an_archivist(make_engine(engine.url.render_as_string(hide_password=False)), folder).step()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert archive.names(folder) == [] and len(list(folder.iterdir())) == 1
    assert everything(make_session) == before
    work_off(an_archivist(engine, folder))
    assert archived(folder) == before and len(list(folder.iterdir())) == 1


@contextmanager
def no_large_files(most: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_without_room_nothing_is_deleted_it_is_said_and_it_goes_on_by_itself(
    engine: Engine, make_session: Sessions, folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No file of this process may grow meanwhile, not even the one that its output may go to.
    monkeypatch.setattr(archivist_module, "log", structlog.wrap_logger(structlog.ReturnLogger(), processors=[]))
    handled_stories(make_session)
    archivist = an_archivist(engine, folder)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        with no_large_files(100):
            assert archivist.turn(connection) == archivist_module.RETRY_S
        assert counts(make_session) == (9, 9)
        assert list(folder.iterdir()) == []
        assert os.strerror(errno.EFBIG) in faults(database_url, folder.parent)["archive"]
        while archivist.turn(connection) == 0.0:
            pass
    assert counts(make_session) == (0, 0) and len(archived(folder)) == 9
    assert faults(database_url, folder.parent) == {}


def test_a_device_without_space_deletes_nothing(engine: Engine, make_session: Sessions, folder: Path) -> None:
    handled_stories(make_session)
    archivist = an_archivist(engine, folder)
    assert archivist._adopt([]) is False
    folder.mkdir()
    name = archive.write(folder, archivist._next_file([]), now=much_later()).name
    (folder / name).unlink()
    (folder / f".{name}{archive.UNFINISHED}").symlink_to("/dev/full")
    archivist._leads = True
    with pytest.raises(OSError) as caught:
        archivist.step()
    assert caught.value.errno == errno.ENOSPC
    assert counts(make_session) == (9, 9) and list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_deletes_nothing(
    engine: Engine, make_session: Sessions, folder: Path, database_url: str
) -> None:
    handled_stories(make_session)
    folder.write_text("in the way")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert an_archivist(engine, folder).turn(connection) == archivist_module.RETRY_S
    assert counts(make_session) == (9, 9)
    assert "archive" in faults(database_url, folder.parent)


def test_a_damaged_file_is_noticed_before_anything_is_deleted(
    engine: Engine, make_session: Sessions, folder: Path
) -> None:
    handled_stories(make_session)
    archivist = an_archivist(engine, folder)
    assert archivist.step()  # written and entered, nothing deleted yet
    (name,) = archive.names(folder)
    octets = bytearray(gzip.decompress((folder / name).read_bytes()))
    octets[-20] ^= 1
    (folder / name).write_bytes(gzip.compress(bytes(octets)))
    with pytest.raises(ArchiveDamaged):
        archivist.step()
    assert counts(make_session) == (9, 9)


def test_who_subscribes_while_events_leave_keeps_those_that_are_left(
    engine: Engine, make_session: Sessions, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is written already when a consumer subscribes that wants all events: they stay for it."""
    from dataclasses import replace

    handled_stories(make_session)
    archivist = an_archivist(engine, folder)
    assert archivist.step()
    late = replace(COUNTING, name="late")
    subscribe(make_session, [late])
    work_off(archivist)
    assert counts(make_session) == (9, 9)
    for (text,) in rows(make_session, "SELECT envelope FROM outbox ORDER BY id"):
        handle_all(make_session, late, [text])
    settle(make_session, [COUNTING, late])
    work_off(an_archivist(engine, folder, clock=lambda: much_later() + KEEP))
    assert counts(make_session) == (0, 0)
    assert len(archive.names(folder)) == 1, "the file that was there is used"


def test_what_is_sent_again_while_events_leave_stays_and_all_that_follows_it(
    engine: Engine, make_session: Sessions, folder: Path
) -> None:
    (story, *_) = handled_stories(make_session)
    archivist = an_archivist(engine, folder)
    assert archivist.step()
    with transaction(make_session, SYSTEM) as session:
        again = select(OutboxRow.event_id).where(OutboxRow.aggregate_id == story, OutboxRow.seq == 2)
        assert send_again(session, session.scalars(again).one())
    work_off(archivist)
    assert everything(make_session) == [(str(story), 2), (str(story), 3)]
    settle(make_session)
    work_off(an_archivist(engine, folder))
    assert counts(make_session) == (0, 0) and len(archived(folder)) == 9


def test_the_workers_archive_by_themselves(
    engine: Engine, make_session: Sessions, folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the outbox over relay, consumer and reconciler to the file, in a real process that keeps nothing."""
    monkeypatch.setenv("EVENTS_KEEP_DAYS", "0")
    monkeypatch.setenv("PASSERELLE_HOME", str(folder.parent))
    stories = [a_story(make_session, 3) for _ in range(5)]
    worker = Worker("all", database_url=database_url)
    with workers(worker):
        until(lambda: counts(make_session) == (0, 0), within=40, describe="all is archived")
        assert worker.stop() == 0
    assert archived(folder) == sorted((str(story), seq) for story in stories for seq in (1, 2, 3))
    assert effects(make_session, stories[0]) == [1, 2, 3]
