"""The command an operator types."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.cli import passerelle
from app.config import BadSetting
from app.db import raw
from app.errors import NotFound
from app.events.models import Delivery, OutboxRow
from app.ids import new_id
from tests.builders import a_space


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("PASSERELLE_HOME", str(tmp_path))
    monkeypatch.setenv("LOG_LEVEL", "WARNING")

    def command(*words: str) -> Result:
        return CliRunner().invoke(passerelle, words, catch_exceptions=False)

    return command


def test_help_answers_at_once_because_nothing_heavy_is_loaded() -> None:
    asked = "import sys, app.cli; print([name for name in ('flask', 'sqlalchemy', 'kombu') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True).stdout.strip() == "[]"


def test_every_command_of_the_contract_is_there(run) -> None:
    for words in (
        ["up"], ["worker"], ["relay"], ["events", "tail"], ["events", "replay"], ["events", "dead"], ["events", "show"],
        ["doctor"], ["db-url"], ["migrate"], ["demo", "load"], ["demo", "members"], ["settings"], ["mail", "bounced"],
        ["ledger", "export"], ["ledger", "verify"],
    ):  # fmt: skip
        assert run(*words, "--help").exit_code == 0, words


def test_the_databases_address_is_for_psql(run, database_url: str) -> None:
    assert run("db-url").output.strip() == database_url


def test_without_a_database_the_remedy_is_said_in_one_line(tmp_path: Path) -> None:
    env = {"PASSERELLE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    ended = subprocess.run([sys.executable, "-m", "app.cli", "db-url"], env=env, capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stdout == ""
    assert ended.stderr.count("\n") == 1 and "passerelle up" in ended.stderr


def test_made_members_can_sign_in_with_their_tokens_at_once(run, session: Session, app) -> None:
    from tests.http.client import Client

    space = a_space(session)
    session.commit()
    made = [
        json.loads(line) for line in run("demo", "members", "--count", "3", "--space", space.slug).output.splitlines()
    ]
    assert len({member["email"] for member in made}) == 3
    me = Client(app, made[0]["token"]).get("/me").json
    assert me["email"] == made[0]["email"] and me["memberships"] == []


def test_an_event_is_shown_field_by_field_with_who_tells_and_who_listens(run) -> None:
    shown = run("events", "show", "booking.cancelled").output
    for part in (
        "booking.cancelled, version 1", "published by app.booking.cancelling",
        "fee_cents (integer, cents of `currency`)", "What the member owes all the same",
        "alternatives[].start (text, RFC 3339 instant in UTC)", "calendar: Rewrite what calendars show",
        '"type": "booking.cancelled"',
    ):  # fmt: skip
        assert part in shown, part
    assert "nobody here" not in shown
    everything = run("events", "show").output
    assert shown.strip() in everything and "\nwaitlist.offered, version 1\n" in everything


def test_an_events_schema_is_for_programs(run) -> None:
    schema = json.loads(run("events", "show", "booking.made", "--json").output)
    assert (schema["title"], schema["properties"]["start"]["format"]) == ("booking.made, version 1", "date-time")
    assert json.loads(run("events", "show", "--json").output)["booking.made.v1"] == schema


def test_an_unknown_event_is_answered_with_those_there_are(run) -> None:
    with pytest.raises(NotFound, match=r"booking\.made"):
        run("events", "show", "booking.mad")


def an_event(session: Session) -> UUID:
    row = {"event_id": new_id(), "aggregate_type": "booking", "aggregate_id": new_id(), "seq": 1, "version": 1}
    statement = insert(OutboxRow).values(**row, type="booking.made", envelope='{"id": 1}', occurred_at=raw("now()"))
    session.execute(statement)
    return row["event_id"]


def a_delivery(session: Session, event_id: UUID, state: str) -> None:
    row = {
        "consumer": "calendar",
        "event_id": event_id,
        "aggregate_type": "booking",
        "aggregate_id": new_id(),
        "seq": 1,
    }
    session.execute(insert(Delivery).values(**row, state=state, attempts=9, last_error="boom", envelope="{}"))


def test_events_are_printed_as_they_went_out(run, session: Session) -> None:
    an_event(session)
    session.commit()
    assert run("events", "tail", "--no-follow").output == '{"id": 1}\n'
    assert run("events", "tail", "--no-follow", "--type", "booking.moved").output == ""


def test_a_dead_delivery_is_listed_then_tried_again(run, session: Session) -> None:
    event_id = an_event(session)
    a_delivery(session, event_id, "dead")
    session.commit()
    (line,) = run("events", "dead").output.splitlines()
    assert json.loads(line)["event_id"] == str(event_id) and json.loads(line)["last_error"] == "boom"
    assert f"calendar {event_id}" in run("events", "replay", "--event", str(event_id)).output
    assert run("events", "dead").output == ""
    session.expire_all()
    assert session.scalars(select(Delivery)).one().state == "failed"


def test_an_event_that_can_never_be_handled_is_left_out_by_name(run, session: Session) -> None:
    event_id = an_event(session)
    a_delivery(session, event_id, "dead")
    session.commit()
    assert run("events", "dead", "--give-up", str(event_id)).exit_code == 2
    assert run("events", "dead", "--give-up", str(new_id()), "--consumer", "calendar").exit_code == 1
    assert run("events", "dead", "--give-up", str(event_id), "--consumer", "calendar").exit_code == 0
    session.expire_all()
    assert session.scalars(select(Delivery)).one().state == "skipped"


def test_the_doctors_verdict_is_the_exit_status(run, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", "memory://")  # whatever this shell has
    assert run("doctor").exit_code == 0
    session.execute(raw("UPDATE alembic_version SET version_num = '0000'"))
    session.commit()
    sick = run("doctor")
    assert sick.exit_code == 1 and "FAULT" in sick.output


def test_settings_are_shown_without_their_secrets(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "k" * 40)
    monkeypatch.setenv("BROKER_URL", "amqp://user:hidden@host//")
    monkeypatch.setenv("PASSERELLE_DEMO_PASSWORD", "sesame-sesame")
    shown = run("settings").output
    assert "PORT=8000" in shown and "SECRET_KEY=(set)" in shown
    assert not any(secret in shown for secret in ("k" * 40, "hidden", "sesame"))


def test_a_wrong_setting_is_named(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "eighty")
    with pytest.raises(BadSetting, match="PORT"):
        run("db-url")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("dead --consumer calender", "calender is none of"),
        ("replay --consumer calender", "calender is none of"),
        ("replay --consumer calender --from-beginning", "calender is none of"),
        ("replay --from-beginning", "needs --consumer: calendar"),
        ("tail --no-follow --type booking.mad", "booking.mad is none of"),
        ("replay --event 0190a5d2-9d4f-7000-8000-000000000000", "no delivery of"),
        ("replay --from-archive --since 2026-02-01 --until 2026-01-01", "--since must come before --until"),
        ("replay setup.cfg", "FILE needs --from-archive"),
    ],
)
def test_a_slip_of_the_keyboard_does_not_look_like_all_is_well(run, words: str, said: str) -> None:
    answer = run("events", *words.split())
    assert answer.exit_code != 0 and said in answer.output
