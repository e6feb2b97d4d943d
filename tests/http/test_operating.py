"""What an operator's probes and graphs are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert
from sqlalchemy.orm import Session

from app import create_app
from app.config import Config
from app.db import raw
from app.errors import Refused, SlotTaken
from app.events.catalogue import BookingMade
from app.events.models import Delivery, Due
from app.events.outbox import insert_event
from app.http import problems
from app.ids import new_id
from app.notifications.models import Notification
from tests.builders import a_member
from tests.conftest import Clock
from tests.http.client import Client
from tests.webhooks.builders import a_delivery, a_webhook


def figures(app: Flask) -> dict[tuple[str, ...], float]:
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200 and answer.content_type.startswith("text/plain")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.fixture
def app_without_database(tmp_path: Path, clock: Clock) -> Iterator[Flask]:
    made = create_app(
        Config(home=tmp_path, database_url="postgresql://nobody@127.0.0.1:1/none", log_level="ERROR"), clock=clock
    )
    yield made
    made.extensions["passerelle"].engine.dispose()


def test_a_process_without_its_database_is_alive_and_not_ready(app_without_database: Flask) -> None:
    client = app_without_database.test_client()
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_request_without_a_database_is_told_to_come_back(app_without_database: Flask) -> None:
    answer = Client(app_without_database, "token").get("/me")
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_process_is_ready_only_on_the_newest_schema(app: Flask, session: Session) -> None:
    assert app.test_client().get("/readyz").status_code == 200
    session.execute(raw("UPDATE alembic_version SET version_num = '0000'"))
    session.commit()
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503 and "0000" in answer.json["detail"]
    session.execute(raw("DROP TABLE alembic_version"))
    session.commit()
    assert app.test_client().get("/readyz").status_code == 503


def test_requests_are_counted_by_operation_and_status(app: Flask) -> None:
    key = ("passerelle_requests_total", "network.show_me", "401")
    before = figures(app).get(key, 0)
    Client(app).get("/me")
    assert figures(app)[key] == before + 1


def test_refusals_are_counted_by_rule_where_they_are_answered(app: Flask) -> None:
    before = figures(app)
    with app.test_request_context():
        problems.answer(Refused(rule="lead_time", limit=60))
        problems.answer(SlotTaken())
    after = figures(app)
    for rule in ("lead_time", "capacity"):
        key = ("passerelle_refusals_total", rule)
        assert after[key] == before.get(key, 0) + 1


def a_booking_made(status: str) -> BookingMade:
    unit = dict.fromkeys(("booking_id", "space_id", "resource_id", "member_id"), str(new_id()))
    when = {"start": "2026-03-02T09:00:00Z", "end": "2026-03-02T10:00:00Z"}
    price = {"gross_cents": 0, "net_cents": 0, "vat_cents": 0}
    return BookingMade(**unit, **when, **price, status=status, currency="EUR", cover=[])


def test_a_booking_counts_once_it_is_committed_and_not_before(app: Flask, session: Session, clock: Clock) -> None:
    key = ("passerelle_bookings_total", "pending")
    before = figures(app).get(key, 0)
    insert_event(session, a_booking_made("pending"), aggregate_id=new_id(), seq=1, at=clock.now)
    session.rollback()
    assert figures(app).get(key, 0) == before
    insert_event(session, a_booking_made("pending"), aggregate_id=new_id(), seq=1, at=clock.now)
    session.commit()
    assert figures(app)[key] == before + 1


def test_what_lags_waits_or_died_shows_in_the_figures(app: Flask, session: Session, clock: Clock) -> None:
    insert_event(session, a_booking_made("confirmed"), aggregate_id=new_id(), seq=1, at=clock.now)
    session.execute(raw("UPDATE outbox SET recorded_at = clock_timestamp() - interval '90 seconds'"))
    for state, count in (("dead", 2), ("failed", 1), ("done", 5)):
        for _ in range(count):
            receipt = {"consumer": "calendar", "event_id": new_id(), "aggregate_type": "booking", "seq": 1}
            session.execute(insert(Delivery).values(**receipt, aggregate_id=new_id(), state=state))
    session.execute(insert(Due).values(kind="booking.next", subject_id=1, at=clock.now))
    session.commit()
    clock.pass_by(minutes=1)
    found = figures(app)
    assert found["passerelle_outbox_unpublished",] == 1
    assert 90 <= found["passerelle_outbox_lag_seconds",] < 120
    assert found["passerelle_deliveries_waiting", "calendar", "dead"] == 2
    assert found["passerelle_deliveries_waiting", "calendar", "failed"] == 1
    assert ("passerelle_deliveries_waiting", "calendar", "done") not in found
    assert found["passerelle_due_overdue",] == 1


def test_each_consumer_says_how_far_behind_it_is(app: Flask, session: Session, clock: Clock) -> None:
    session.execute(raw("INSERT INTO subscription (consumer, aggregate_type) VALUES ('calendar', 'booking')"))
    session.execute(raw("INSERT INTO subscription VALUES ('late', 'booking', clock_timestamp() + interval '1 hour')"))
    had = [
        insert_event(session, a_booking_made("confirmed"), aggregate_id=new_id(), seq=1, at=clock.now) for _ in range(3)
    ]
    session.execute(raw("UPDATE outbox SET recorded_at = clock_timestamp() - interval '90 seconds' WHERE id = 2"))
    receipt = {"consumer": "calendar", "event_id": had[0], "aggregate_type": "booking", "seq": 1, "state": "done"}
    session.execute(insert(Delivery).values(**receipt, aggregate_id=new_id()))
    session.commit()
    found = figures(app)
    assert found["passerelle_consumer_backlog", "calendar"] == 2
    assert 90 <= found["passerelle_consumer_oldest_seconds", "calendar"] < 120
    assert found["passerelle_consumer_backlog", "late"] == found["passerelle_consumer_oldest_seconds", "late"] == 0


def test_what_one_process_sees_the_web_reports(app: Flask, session: Session) -> None:
    found = figures(app)
    assert found["passerelle_archive_failing_seconds",] == found["passerelle_dead_letters",] == 0
    for statement in (
        "INSERT INTO figure VALUES ('archive_failing', 1, 'disk full', clock_timestamp() - interval '1 hour')",
        "INSERT INTO figure VALUES ('archive_went_well', 1, NULL, clock_timestamp() - interval '2 hours')",
        "INSERT INTO figure VALUES ('dead_letters', 3, NULL, clock_timestamp())",
        "INSERT INTO figure VALUES ('worker_starts', 7, NULL, clock_timestamp())",
    ):
        session.execute(raw(statement))
    session.commit()
    found = figures(app)
    assert found["passerelle_archive_failing_seconds",] // 60 == 60
    assert found["passerelle_archive_age_seconds",] // 60 == 120
    assert (found["passerelle_dead_letters",], found["passerelle_worker_starts_total",]) == (3, 7)


def test_mails_and_webhooks_are_counted_by_state(app: Flask, session: Session, clock: Clock) -> None:
    session.add_all(
        Notification(key=state, kind="booking.made", member_id=a_member(session).id, locale="fr", state=state)
        for state in ("pending", "failed", "bounced", "suppressed")
    )
    hooks = [a_webhook(session) for _ in range(3)]
    hooks[0].failing_since = clock.now
    hooks[1].state, hooks[1].disabled_reason = "disabled", "gone"
    a_delivery(session, hooks[0], at=clock.now)
    session.commit()
    found = figures(app)
    assert {state: found["passerelle_mails", state] for state in ("pending", "sending", "failed", "bounced")} == {
        "pending": 1, "sending": 0, "failed": 1, "bounced": 1,
    }  # fmt: skip
    assert ("passerelle_mails", "suppressed") not in found
    assert (found["passerelle_webhooks", "failing"], found["passerelle_webhooks", "disabled"]) == (1, 1)
    assert found["passerelle_webhook_deliveries", "pending"] == 1
