"""Archived events come back for whoever has not had them, and for nobody else."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from app.cli import passerelle
from app.config import Config
from app.db import TenantSession, transaction
from app.doctor import examine
from app.events import archive, restoring
from app.events.archive import ArchiveDamaged
from app.events.restoring import ArchiveElsewhere, ArchiveForeign
from app.tenancy import SYSTEM
from app.timekeeper import utc_now
from tests.events.archiving import (
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
from tests.workers.effects import (
    COUNTING,
    a_story,
    accepted,
    create_effects,
    drop_effects,
    effects,
    record_events,
    texts,
    write_effect,
)
from workers import archive as archivist_module
from workers.reconcile import Reconciler
from workers.subscriptions import subscribe

Sessions = sessionmaker[TenantSession]


def count_late(session: Any, event: Any, *, now: Any) -> None:
    write_effect(session, event, consumer="late")


LATE = replace(COUNTING, name="late", handlers=dict.fromkeys(COUNTING.handlers, count_late))
BOTH = [COUNTING, LATE]
OUTBOX = (
    "SELECT id, event_id, aggregate_type, aggregate_id, seq, type, version, occurred_at, recorded_at, envelope "
    "FROM outbox ORDER BY id"
)


@pytest.fixture(autouse=True)
def counted(engine: Engine, make_session: Sessions) -> Iterator[None]:
    create_effects(engine)
    subscribe(make_session, [COUNTING])
    yield
    drop_effects(engine)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("PASSERELLE_HOME", str(tmp_path))
    monkeypatch.setenv("BROKER_URL", "memory://")

    def command(*words: str) -> Result:
        return CliRunner().invoke(passerelle, ["events", *words], catch_exceptions=False)

    return command


def faults(database_url: str, home: Path) -> dict[str, str]:
    config = Config(home=home, database_url=database_url, log_level="WARNING")
    return {finding.name: finding.detail for finding in examine(config) if not finding.good}


def restore(make_session: Sessions, folder: Path, *which: str, **options: Any) -> list[restoring.Restored]:
    files = [folder / name for name in which or archive.names(folder)]
    return list(restoring.restore(make_session, files, now=utc_now(), **options))


def waiting_to_go_out(make_session: Sessions) -> list[str]:
    found = rows(make_session, "SELECT envelope FROM outbox WHERE published_at IS NULL ORDER BY id")
    return [text for (text,) in found]


def test_what_comes_back_is_what_left_and_nobody_who_had_it_gets_it_again(
    engine: Engine, make_session: Sessions, folder: Path, database_url: str
) -> None:
    stories = handled_stories(make_session)
    before = rows(make_session, OUTBOX)
    work_off(an_archivist(engine, folder))
    (told,) = restore(make_session, folder)
    assert (told.events, told.restored, told.going_out) == (9, 9, 0)
    assert rows(make_session, OUTBOX) == before
    assert counts(make_session) == (9, 9), "the receipts are there again"
    assert Reconciler(engine, make_session, [COUNTING], lambda _: {}).send_again(grace_s=0.0)
    assert waiting_to_go_out(make_session) == []
    had = effects(make_session)
    assert handle_all(make_session, COUNTING, texts(make_session, stories[0])) == ["duplicate"] * 3
    assert effects(make_session) == had
    assert faults(database_url, folder.parent) == {}


def test_what_came_back_is_archived_again_into_the_file_it_came_from(
    engine: Engine, make_session: Sessions, folder: Path
) -> None:
    handled_stories(make_session)
    work_off(an_archivist(engine, folder))
    (name,) = archive.names(folder)
    octets = (folder / name).read_bytes()
    restore(make_session, folder)
    work_off(an_archivist(engine, folder, clock=utc_now))
    assert counts(make_session) == (9, 9), "somebody wanted them just now"
    work_off(an_archivist(engine, folder))
    assert counts(make_session) == (0, 0)
    assert archive.names(folder) == [name] and (folder / name).read_bytes() == octets


def test_restoring_again_changes_nothing(engine: Engine, make_session: Sessions, folder: Path) -> None:
    handled_stories(make_session)
    work_off(an_archivist(engine, folder))
    restore(make_session, folder)
    before = rows(make_session, OUTBOX)
    (again,) = restore(make_session, folder)
    assert again.restored == 0 and rows(make_session, OUTBOX) == before


def test_a_restore_that_was_killed_goes_on(
    engine: Engine, make_session: Sessions, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(count: int) -> None:
        raise Killed

    monkeypatch.setattr(restoring, "SLICE", 4)
    handled_stories(make_session)
    before = rows(make_session, OUTBOX)
    work_off(an_archivist(engine, folder))
    with pytest.raises(Killed):
        restore(make_session, folder, told=die)
    assert counts(make_session)[0] == 4
    (told,) = restore(make_session, folder)
    assert told.restored == 5 and rows(make_session, OUTBOX) == before


def test_a_new_consumer_gets_what_is_archived_and_then_all_that_waited_behind_it(
    engine: Engine, make_session: Sessions, folder: Path, database_url: str, run: Any
) -> None:
    (gone, begun) = handled_stories(make_session, count=2)
    work_off(an_archivist(engine, folder))
    record_events(make_session, begun, accepted(begun), first=4)
    handle_all(make_session, COUNTING, texts(make_session, begun))
    subscribe(make_session, BOTH)
    assert handle_all(make_session, LATE, texts(make_session, begun)) == ["parked"]
    fault = faults(database_url, folder.parent)["archive"]
    assert "late" in fault and "passerelle events replay --from-archive" in fault

    dry = run("replay", "--from-archive", "--dry-run")
    assert json.loads(dry.stdout)["restored"] == 6 and "would" in dry.stderr
    assert counts(make_session)[0] == 1
    told = json.loads(run("replay", "--from-archive").stdout)
    assert (told["restored"], told["going_out"]) == (6, 6)
    assert "archive" not in faults(database_url, folder.parent)

    had = effects(make_session)
    for text in waiting_to_go_out(make_session):
        assert handle_all(make_session, COUNTING, [text]) == ["duplicate"]
        handle_all(make_session, LATE, [text])
    assert effects(make_session) == had
    assert effects(make_session, begun, consumer="late") == [1, 2, 3, 4]
    assert effects(make_session, gone, consumer="late") == [1, 2, 3]
    assert settle(make_session, BOTH) == 7
    assert rows(make_session, "SELECT count(*) FROM outbox WHERE settled_at IS NULL") == [(0,)]
    assert run("replay", "--from-archive").stdout == ""
    work_off(an_archivist(engine, folder))
    assert counts(make_session) == (0, 0) and len(archived(folder)) == len(set(archived(folder))) == 7
    assert faults(database_url, folder.parent) == {}


def test_a_consumer_that_begins_now_is_not_bothered_with_the_past(
    engine: Engine, make_session: Sessions, folder: Path, database_url: str
) -> None:
    stories = handled_stories(make_session)
    work_off(an_archivist(engine, folder))
    now = replace(COUNTING, name="now", from_="now")
    subscribe(make_session, [COUNTING, now])
    assert "archive" not in faults(database_url, folder.parent)
    (told,) = restore(make_session, folder)
    assert told.going_out == 0
    record_events(make_session, stories[0], accepted(stories[0]), first=4)
    everything = texts(make_session, stories[0])
    assert handle_all(make_session, now, [everything[3]]) == ["done"]
    assert handle_all(make_session, now, everything[:3]) == ["duplicate"] * 3


def test_a_consumer_that_begins_now_finds_its_place_behind_an_archived_beginning(
    engine: Engine, make_session: Sessions, folder: Path
) -> None:
    stories = handled_stories(make_session)
    work_off(an_archivist(engine, folder))
    now = replace(COUNTING, name="now", from_="now")
    subscribe(make_session, [COUNTING, now])
    record_events(make_session, stories[0], accepted(stories[0]), accepted(stories[0]), first=4)
    fourth, fifth = texts(make_session, stories[0])
    assert handle_all(make_session, now, [fifth]) == ["parked"]
    assert handle_all(make_session, now, [fourth]) == ["done", "done"]


@pytest.fixture
def three_files(engine: Engine, make_session: Sessions, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """One booking whose first nine events are in three files, and whose tenth is in the outbox."""
    monkeypatch.setattr(archivist_module, "FILE_EVENTS", 3)
    (story,) = handled_stories(make_session, count=1, length=9)
    work_off(an_archivist(engine, folder))
    record_events(make_session, story, accepted(story), first=10)
    handle_all(make_session, COUNTING, texts(make_session, story))
    yield archive.names(folder)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_part_of_a_booking_that_came_back_is_no_gap_to_the_doctor(
    make_session: Sessions, folder: Path, database_url: str, three_files: list[str], which: int
) -> None:
    restore(make_session, folder, three_files[which])
    assert "sequences" not in faults(database_url, folder.parent)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_nor_is_part_of_one_that_was_archived_whole(
    engine: Engine, make_session: Sessions, folder: Path, database_url: str, three_files: list[str], which: int
) -> None:
    settle(make_session)
    work_off(an_archivist(engine, folder))
    assert counts(make_session) == (0, 0)
    restore(make_session, folder, three_files[which])
    assert "sequences" not in faults(database_url, folder.parent)


def test_an_event_that_is_nowhere_is_still_a_gap(
    make_session: Sessions, folder: Path, database_url: str, three_files: list[str]
) -> None:
    story = a_story(make_session, 3)
    rows(make_session, "DELETE FROM outbox WHERE aggregate_id = :story AND seq = 2", story=story)
    assert "gap" in faults(database_url, folder.parent)["sequences"]


def test_dates_choose_files(make_session: Sessions, folder: Path, run: Any, three_files: list[str]) -> None:
    last = archive.read(folder / three_files[2]).manifest
    since = last.recorded_from.replace(tzinfo=None).isoformat()
    with transaction(make_session, SYSTEM) as session:
        chosen = restoring.between(session, folder, since=last.recorded_from, until=None)
        assert [path.name for path in chosen] == three_files[2:]
        assert len(restoring.between(session, folder, since=None, until=last.recorded_from)) == 2
    tomorrow = f"{utc_now() + timedelta(days=1):%Y-%m-%d}"
    assert run("replay", "--from-archive", "--since", tomorrow).stdout == ""
    assert len(run("replay", "--from-archive", "--until", tomorrow, "--dry-run").stdout.splitlines()) == 3
    assert since


def test_a_file_is_named_by_its_path(make_session: Sessions, folder: Path, run: Any, three_files: list[str]) -> None:
    told = run("replay", "--from-archive", str(folder / three_files[0]), "--publish")
    assert json.loads(told.stdout) == {"file": three_files[0], "events": 3, "restored": 3, "going_out": 3}
    assert rows(make_session, "SELECT min(seq), max(seq) FROM outbox WHERE seq < 10") == [(1, 3)]


@pytest.mark.parametrize(
    "words",
    [
        ("--dry-run",),
        ("--since", "2026-01-01"),
        ("--from-archive", "--consumer", "late"),
        ("--from-archive", "--since", "2026-01-01", __file__),
    ],
)
def test_options_that_mean_nothing_together_are_refused(run: Any, words: tuple[str, ...]) -> None:
    assert run("replay", *words).exit_code == 2


def test_a_damaged_file_restores_nothing(
    make_session: Sessions, folder: Path, run: Any, three_files: list[str]
) -> None:
    path = folder / three_files[0]
    assert run("archives", "--verify").exit_code == 0
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ArchiveDamaged):
        restore(make_session, folder, three_files[0])
    assert counts(make_session)[0] == 1
    listed = run("archives", "--verify")
    assert listed.exit_code == 1 and json.loads(listed.stdout.splitlines()[0])["here"] == "damaged"


def test_a_file_that_is_on_another_host_is_asked_for_by_name(
    make_session: Sessions, folder: Path, database_url: str, run: Any, three_files: list[str]
) -> None:
    (folder / three_files[1]).unlink()
    assert three_files[1] in faults(database_url, folder.parent)["archive"]
    rows(make_session, "UPDATE event_archive SET host = 'elsewhere'")
    assert "archive" not in faults(database_url, folder.parent)
    with pytest.raises(ArchiveElsewhere, match="elsewhere"):
        run("replay", "--from-archive", "--since", "2020-01-01")
    assert [json.loads(line)["here"] for line in run("archives").stdout.splitlines()] == ["yes", "no", "yes"]


def test_the_archive_of_another_installation_is_refused(
    make_session: Sessions, folder: Path, three_files: list[str]
) -> None:
    path = folder / three_files[0]
    kept = archive.read(path)
    path.unlink()
    elsewhere = folder.parent / "elsewhere"
    others = [replace(event, event_id=a_story(make_session, 1)) for event in kept.events[:1]]
    rows(make_session, "UPDATE outbox SET id = :id WHERE aggregate_id = :story", id=kept.events[0].id, story=others[0].event_id)  # fmt: skip  # noqa: E501
    name = archive.write(elsewhere, others, now=utc_now()).name
    with pytest.raises(ArchiveForeign):
        list(restoring.restore(make_session, [elsewhere / name], now=utc_now()))


def test_a_database_made_anew_takes_its_events_back_and_numbers_new_ones_above_them(
    engine: Engine, make_session: Sessions, folder: Path
) -> None:
    stories = handled_stories(make_session)
    work_off(an_archivist(engine, folder))
    rows(make_session, "TRUNCATE event_archive, cursor")
    rows(make_session, "ALTER SEQUENCE outbox_id_seq RESTART")
    (told,) = restore(make_session, folder)
    assert told.going_out == 9, "nobody has had them"
    highest = rows(make_session, "SELECT max(id) FROM outbox")
    new = a_story(make_session, 1)
    assert rows(make_session, "SELECT id FROM outbox WHERE aggregate_id = :new", new=new) > highest
    assert stories


def test_a_foreign_file_in_the_folder_deletes_nothing_here(
    engine: Engine, make_session: Sessions, folder: Path
) -> None:
    """Its events have ids that events have here; they are told apart by their own."""
    handled_stories(make_session)
    ours = {event_id for (event_id,) in rows(make_session, "SELECT event_id FROM outbox")}
    work_off(an_archivist(engine, folder))
    (name,) = archive.names(folder)
    stranger = [replace(event, event_id=event.aggregate_id) for event in archive.read(folder / name).events]
    restore(make_session, folder)
    archive.write(folder, stranger, now=much_later())
    (folder / name).unlink()
    rows(make_session, "DELETE FROM event_archive")
    work_off(an_archivist(engine, folder))
    assert counts(make_session) == (0, 0)
    kept = {event.event_id for name in archive.names(folder) for event in archive.read(folder / name).events}
    assert ours < kept


def test_a_file_that_was_hit_by_one_octet_is_not_believed(folder: Path, engine: Engine, make_session: Sessions) -> None:
    handled_stories(make_session, count=1)
    work_off(an_archivist(engine, folder))
    (name,) = archive.names(folder)
    octets = gzip.decompress((folder / name).read_bytes())
    for at in (3, len(octets) // 2, len(octets) - 3):
        hit = bytearray(octets)
        hit[at] ^= 4
        (folder / name).write_bytes(gzip.compress(bytes(hit)))
        with pytest.raises(ArchiveDamaged):
            archive.read(folder / name)
