"""The doctor finds what is missing, and leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from app.config import Config
from app.db import raw
from app.doctor import examine
from app.events.models import Delivery
from app.ids import new_id
from app.network.models import Network
from app.notifications.models import Notification
from app.secret_key import secret_key
from tests.builders import a_member
from tests.webhooks.builders import a_delivery, a_webhook


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Config:
    return Config(home=tmp_path, database_url=database_url, log_level="WARNING")


def faults(config: Config) -> dict[str, str]:
    return {finding.name: finding.detail for finding in examine(config) if not finding.good}


def test_a_healthy_installation_has_no_fault_and_nothing_is_left_in_it(config: Config, session: Session) -> None:
    assert faults(config) == {}
    assert session.scalar(select(func.count(Network.id))) == 0


def test_looking_at_an_unused_folder_makes_nothing(config: Config, tmp_path: Path) -> None:
    unused = replace(config, home=tmp_path / "deep" / "new")
    assert faults(unused) == {}
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert "cannot be made" in faults(replace(config, home=tmp_path / "file" / "new"))["data folder"]


SABOTAGE = {
    "occupancies": "ALTER TABLE occupancy DROP CONSTRAINT no_two_occupancies_of_a_unit_overlap",
    "triggers": "DROP TRIGGER touch_space ON price_list",
    "schema": "UPDATE alembic_version SET version_num = '0000'",
    "sequences": "INSERT INTO cursor (consumer, aggregate_type, aggregate_id, last_seq) "
    "SELECT 'calendar', aggregate_type, aggregate_id, 9 FROM outbox",
    "outbox": "UPDATE outbox SET recorded_at = clock_timestamp() - interval '1 hour'",
    "consumers": "UPDATE outbox SET published_at = now(), recorded_at = clock_timestamp() - interval '1 hour'",
    "dead letters": "INSERT INTO figure VALUES ('dead_letters', 2, NULL, now())",
    "archive": "INSERT INTO figure VALUES ('archive_failing', 1, 'no space left', now() - interval '1 hour')",
    "due": "INSERT INTO due (kind, subject_id, at) VALUES ('booking.next', 1, now() - interval '1 hour')",
}
AN_EVENT = raw(
    """
    INSERT INTO outbox (event_id, aggregate_type, aggregate_id, seq, type, version, occurred_at, envelope)
    VALUES (gen_random_uuid(), 'booking', gen_random_uuid(), 1, 'booking.made', 1, now(), '{}')
    """
)


@pytest.mark.parametrize("check", SABOTAGE)
def test_the_doctor_names_what_was_broken(config: Config, session: Session, check: str) -> None:
    session.execute(AN_EVENT)
    session.execute(raw("INSERT INTO subscription (consumer, aggregate_type) VALUES ('calendar', 'booking')"))
    session.commit()
    assert faults(config) == {}
    session.execute(raw(SABOTAGE[check]))
    session.commit()
    assert set(faults(config)) == {check}


def test_a_delivery_that_was_given_up_is_a_fault_with_its_remedy(config: Config, session: Session) -> None:
    receipt = {"consumer": "calendar", "event_id": new_id(), "aggregate_type": "booking", "seq": 1, "state": "dead"}
    session.execute(insert(Delivery).values(**receipt, aggregate_id=new_id()))
    session.commit()
    assert "passerelle events dead" in faults(config)["deliveries"]


@pytest.mark.parametrize("state", ["pending", "failed"])
def test_mails_that_do_not_get_out_are_a_fault(config: Config, session: Session, state: str) -> None:
    mail = {"key": "k", "kind": "booking.made", "locale": "fr", "member_id": a_member(session).id}
    now = datetime.now(UTC)
    session.add(Notification(**mail, state=state, send_after=now - timedelta(minutes=20)))
    session.commit()
    assert set(faults(config)) == ({"mails"} if state == "failed" else set())
    session.execute(
        update(Notification).values(send_after=now - timedelta(hours=1), created_at=now - timedelta(days=8))
    )
    session.commit()
    assert set(faults(config)) == ({"mails"} if state == "pending" else set())


def test_webhooks_that_nobody_sends_are_a_fault_and_a_receiver_that_fails_is_none(
    config: Config, session: Session
) -> None:
    now = datetime.now(UTC)
    webhook = a_webhook(session)
    webhook.failing_since = now
    delivery = a_delivery(session, webhook, at=now)
    session.commit()
    assert faults(config) == {}
    session.execute(raw("UPDATE webhook_delivery SET next_attempt_at = now() - interval '1 hour'"))
    session.commit()
    assert set(faults(config)) == {"webhooks"}
    assert delivery


def test_without_a_database_the_doctor_says_how_to_get_one(config: Config) -> None:
    assert "passerelle up" in faults(replace(config, database_url=None))["database"]
    gone = faults(replace(config, database_url="postgresql://nobody@127.0.0.1:1/none"))
    assert set(gone) == {"database"}


def test_a_broker_that_does_not_answer_is_a_fault(config: Config) -> None:
    assert set(faults(replace(config, broker_url="amqp://guest:guest@127.0.0.1:1//"))) == {"bus"}


def test_a_secret_key_that_others_can_read_is_a_fault(config: Config) -> None:
    secret_key(config)
    assert faults(config) == {}
    (config.home / "secret_key").chmod(0o644)
    assert set(faults(config)) == {"secret key"}
