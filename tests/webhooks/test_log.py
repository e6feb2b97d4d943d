"""What was sent and answered, sending it again by hand, pings, and forgetting after 30 days."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession
from app.events.models import Due
from app.ids import new_id
from app.timekeeper import HANDLERS, Timekeeper
from app.webhooks import log
from app.webhooks.models import Webhook, WebhookAttempt, WebhookDelivery, WebhookSecret
from tests.builders import saved
from tests.webhooks.builders import a_delivery, a_secret, a_webhook, an_attempt
from tests.webhooks.conftest import House


@pytest.fixture
def webhook(house: House) -> Webhook:
    return a_webhook(house.session, operator=house.operator, created_at=house.clock.now)


def path_of(webhook: Webhook) -> str:
    return f"/webhooks/{webhook.uid}"


def now_is(house: House, delivery: WebhookDelivery) -> WebhookDelivery:
    house.session.rollback()
    return house.session.get_one(WebhookDelivery, delivery.id, populate_existing=True)


def test_a_delivery_is_shown_with_what_was_sent_and_what_came_back(house: House, webhook: Webhook) -> None:
    now = house.clock.now
    delivery = a_delivery(house.session, webhook, at=now, attempts=2, state="failed", body='{"type":"x"}')
    an_attempt(house.session, delivery, at=now, attempt=1, status=None, error="timeout: 10 s", url="https://a.example/")
    an_attempt(
        house.session, delivery, at=now + timedelta(seconds=5), attempt=2, status=500, response_body="<h1>\u00e9",
        request_headers={"webhook-id": delivery.message_id}, response_headers={"server": "x"}, duration_ms=77,
    )  # fmt: skip
    house.session.commit()
    (shown,) = house.manager.get(f"{path_of(webhook)}/deliveries").json
    assert shown["id"] == str(delivery.uid) and shown["message_id"] == f"msg_{delivery.uid}"
    assert (shown["body"], shown["state"], shown["attempt_count"]) == ('{"type":"x"}', "failed", 2)
    first, second = shown["attempts"]
    assert (first["status"], first["error"], first["url"]) == (None, "timeout: 10 s", "https://a.example/")
    assert (second["status"], second["duration_ms"], second["response_body"]) == (500, 77, "<h1>\u00e9")
    assert second["request_headers"] == {"webhook-id": delivery.message_id}
    assert second["response_headers"] == {"server": "x"}
    assert house.manager.get(f"{path_of(webhook)}/deliveries/{delivery.uid}").json == shown


def test_the_log_is_newest_first_in_pages_and_by_state_and_type(house: House, webhook: Webhook) -> None:
    made = [
        a_delivery(house.session, webhook, at=house.clock.now, state=state, event_type=event_type)
        for state, event_type in [
            ("delivered", "booking.made"), ("given_up", "booking.made"), ("delivered", "space.closed"),
        ]
    ]  # fmt: skip
    a_delivery(house.session, a_webhook(house.session, operator=house.operator), at=house.clock.now)
    house.session.commit()
    ids = [str(each.uid) for each in made][::-1]
    path = f"{path_of(webhook)}/deliveries"
    first = house.manager.get(path, query={"limit": 2})
    rest = house.manager.get(first.headers["Link"].partition(">")[0].removeprefix("<"))
    assert [each["id"] for each in first.json + rest.json] == ids and "Link" not in rest.headers

    def found(**query: str) -> list[str]:
        return [each["id"] for each in house.manager.get(path, query=query).json]

    assert found(state="delivered") == [ids[0], ids[2]]
    assert found(event_type="booking.made") == ids[1:]
    assert found(state="given_up", event_type="booking.made") == [ids[1]]
    assert found(state="pending") == []
    assert house.manager.get(path, query={"state": "lost"}).status_code == 422


def test_of_very_many_attempts_the_latest_are_shown(house: House, webhook: Webhook) -> None:
    delivery = a_delivery(house.session, webhook, at=house.clock.now, attempts=log.MOST_SHOWN + 5)
    for number in range(log.MOST_SHOWN + 5):
        an_attempt(house.session, delivery, at=house.clock.now, duration_ms=number)
    house.session.commit()
    shown = house.manager.get(f"{path_of(webhook)}/deliveries/{delivery.uid}").json
    assert [each["duration_ms"] for each in shown["attempts"]] == list(range(5, log.MOST_SHOWN + 5))
    assert shown["attempt_count"] == log.MOST_SHOWN + 5


@pytest.mark.parametrize("state", ["delivered", "given_up", "cancelled"])
def test_what_has_ended_is_sent_again_under_the_same_message_id_from_the_schedules_beginning(
    house: House, webhook: Webhook, state: str
) -> None:
    delivery = a_delivery(house.session, webhook, at=house.clock.now, state=state, attempts=10, body='{"a":1}')
    house.session.commit()
    house.clock.pass_by(days=1)
    answer = house.manager.post(f"{path_of(webhook)}/deliveries/{delivery.uid}/attempts")
    assert (answer.status_code, answer.json["state"]) == (202, "pending")
    assert answer.json["message_id"] == delivery.message_id
    again = now_is(house, delivery)
    assert (again.state, again.next_attempt_at, again.step, again.attempts) == ("pending", house.clock.now, 0, 10)
    assert again.body == '{"a":1}' and again.delivered_at is None


def test_what_waits_for_its_next_attempt_is_sent_now_and_goes_on_where_it_is(house: House, webhook: Webhook) -> None:
    later = house.clock.now + timedelta(hours=5)
    delivery = a_delivery(house.session, webhook, at=later, state="failed", attempts=4)
    house.session.commit()
    answer = house.manager.post(f"{path_of(webhook)}/deliveries/{delivery.uid}/attempts")
    assert answer.json["state"] == "failed"
    again = now_is(house, delivery)
    assert (again.state, again.next_attempt_at, again.step) == ("failed", house.clock.now, 4)


def test_what_is_being_sent_is_left_to_its_sender(house: House, webhook: Webhook) -> None:
    until = house.clock.now + timedelta(seconds=20)
    delivery = a_delivery(house.session, webhook, at=until, state="sending", claimed_until=until)
    house.session.commit()
    assert house.manager.post(f"{path_of(webhook)}/deliveries/{delivery.uid}/attempts").status_code == 202
    still = now_is(house, delivery)
    assert (still.state, still.claimed_until, still.next_attempt_at) == ("sending", until, until)


def test_the_same_redelivery_twice_is_one(house: House, webhook: Webhook) -> None:
    delivery = a_delivery(house.session, webhook, at=house.clock.now, state="delivered", attempts=1)
    house.session.commit()
    path = f"{path_of(webhook)}/deliveries/{delivery.uid}/attempts"
    first = house.manager.post(path, key="k")
    row = now_is(house, delivery)
    row.state, row.attempts = "delivered", 2
    house.session.commit()
    assert house.manager.post(path, key="k").text == first.text
    assert now_is(house, delivery).state == "delivered"


def test_a_disabled_receiver_is_sent_nothing_by_hand_either(house: House, webhook: Webhook) -> None:
    delivery = a_delivery(house.session, webhook, at=house.clock.now, state="given_up")
    webhook.state, webhook.disabled_reason = "disabled", "gone"
    house.session.commit()
    for path, body in (
        (f"/deliveries/{delivery.uid}/attempts", None), ("/tests", None), ("/redeliveries", {}),
    ):  # fmt: skip
        answer = house.manager.post(path_of(webhook) + path, json=body)
        assert (answer.status_code, answer.json["code"], answer.json["state"]) == (409, "wrong_state", "disabled")
    assert [each.state for each in house.log()] == ["given_up"]


def test_one_call_sends_again_what_was_missed_in_the_last_days(house: House, webhook: Webhook) -> None:
    now = house.clock.now
    ages = {"given_up": 1, "cancelled": 2, "delivered": 1, "failed": 1}
    young = {
        state: a_delivery(house.session, webhook, at=now - timedelta(days=days), state=state, attempts=3)
        for state, days in ages.items()
    }
    old = a_delivery(house.session, webhook, at=now - timedelta(days=4), state="given_up")
    others = a_delivery(house.session, a_webhook(house.session), at=now, state="given_up")
    house.session.commit()
    answer = house.manager.post(f"{path_of(webhook)}/redeliveries", json={"days": 3})
    assert (answer.status_code, answer.json) == (202, {"redelivered": 2})
    for state in ("given_up", "cancelled"):
        again = now_is(house, young[state])
        assert (again.state, again.step, again.next_attempt_at) == ("pending", 0, now)
    assert now_is(house, young["delivered"]).state == "delivered"
    assert now_is(house, young["failed"]).state == "failed"
    assert now_is(house, old).state == now_is(house, others).state == "given_up"


def test_a_ping_goes_the_way_of_all_messages(house: House, webhook: Webhook) -> None:
    house.session.commit()
    answer = house.manager.post(f"{path_of(webhook)}/tests")
    assert (answer.status_code, answer.json["event_type"], answer.json["state"]) == (202, "webhook.test", "pending")
    (delivery,) = house.log()
    body = json.loads(delivery.body)
    assert (body["type"], body["data"]) == ("webhook.test", {"webhook_id": str(webhook.uid)})
    assert body["id"] == str(delivery.event_id) and body["timestamp"] == "2026-03-02T08:00:00Z"
    assert delivery.next_attempt_at == house.clock.now


def test_tries_by_hand_are_limited_so_that_nobody_makes_us_knock_without_end(house: House, webhook: Webhook) -> None:
    house.session.commit()
    statuses = [house.manager.post(f"{path_of(webhook)}/tests").status_code for _ in range(31)]
    assert statuses == [202] * 30 + [429]


# --- forgetting


def forgotten(house: House, make_session: sessionmaker[TenantSession]) -> None:
    handlers = {log.KIND: HANDLERS[log.KIND]}
    Timekeeper(make_session, clock=house.clock, handlers=handlers).run_due()
    house.session.rollback()


def counts(house: House) -> tuple[int, int]:
    def rows(entity: Any) -> int:
        return len(house.session.scalars(select(entity.id)).all())

    return rows(WebhookDelivery), rows(WebhookAttempt)


def entered(house: House) -> Webhook:
    body = {"url": "https://a.example/", "event_types": ["*"], "operator_id": str(house.operator.uid)}
    uid = house.manager.post("/webhooks", json=body).json["id"]
    return house.session.scalars(select(Webhook).filter_by(uid=uid)).one()


@pytest.mark.parametrize("state", ["delivered", "given_up", "cancelled", "pending"])
def test_deliveries_and_attempts_are_forgotten_after_thirty_days(
    house: House, make_session: sessionmaker[TenantSession], state: str
) -> None:
    webhook, now = entered(house), house.clock.now
    old = a_delivery(house.session, webhook, at=now, state=state)
    an_attempt(house.session, old, at=now)
    house.session.commit()
    house.clock.pass_by(days=30)
    young = a_delivery(house.session, webhook, at=house.clock.now - timedelta(days=29), state=state)
    an_attempt(house.session, young, at=house.clock.now)
    house.session.commit()
    forgotten(house, make_session)
    assert counts(house) == (2, 2), "to the instant 30 days are not more than 30 days"
    house.clock.pass_by(hours=7)
    forgotten(house, make_session)
    assert counts(house) == (1, 1)
    assert house.session.scalars(select(WebhookDelivery.id)).one() == young.id


def test_what_a_sender_holds_is_not_taken_from_it(house: House, make_session: sessionmaker[TenantSession]) -> None:
    webhook = entered(house)
    old = house.clock.now - timedelta(days=40)
    soon = house.clock.now + timedelta(hours=7)
    a_delivery(house.session, webhook, at=old, state="sending", claimed_until=soon)
    house.session.commit()
    house.clock.pass_by(hours=6)
    forgotten(house, make_session)
    assert counts(house) == (1, 0)
    house.clock.pass_by(hours=6)
    forgotten(house, make_session)
    assert counts(house) == (0, 0)


def test_forgetting_goes_in_batches_until_all_is_gone(house: House, make_session: sessionmaker[TenantSession]) -> None:
    webhook = entered(house)
    old = house.clock.now - timedelta(days=31)
    for _ in range(log.BATCH + 1):
        house.session.add(
            WebhookDelivery(
                webhook_id=webhook.id, event_id=new_id(), event_type="x", body="{}", state="delivered",
                next_attempt_at=old, created_at=old,
            )
        )  # fmt: skip
    house.session.commit()
    house.clock.pass_by(hours=6)
    forgotten(house, make_session)
    assert counts(house) == (1, 0)
    house.clock.pass_by(seconds=1)
    forgotten(house, make_session)
    assert counts(house) == (0, 0)


def test_an_expired_secret_is_forgotten_too(house: House, make_session: sessionmaker[TenantSession]) -> None:
    webhook = entered(house)
    now = house.clock.now
    for days in (-31, -1):
        expired = WebhookSecret(webhook_id=webhook.id, secret=a_secret(), expires_at=now + timedelta(days=days))
        saved(house.session, expired)
    house.session.commit()
    house.clock.pass_by(hours=6)
    forgotten(house, make_session)
    assert len(house.session.scalars(select(WebhookSecret.id)).all()) == 2


def test_an_archived_receiver_is_looked_through_until_its_log_is_empty(
    house: House, make_session: sessionmaker[TenantSession]
) -> None:
    webhook = entered(house)
    a_delivery(house.session, webhook, at=house.clock.now, state="delivered")
    house.session.commit()
    house.manager.delete(path_of(webhook), etag="*")
    due = select(Due).filter_by(kind=log.KIND)
    for _ in range(2):
        house.clock.pass_by(days=20)
        forgotten(house, make_session)
        house.session.rollback()
    assert counts(house) == (0, 0) and house.session.scalars(due).all() == []
