"""Rotating a signing secret without a gap, and ending the old one."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest
from sqlalchemy import select

from app.webhooks.models import WebhookSecret
from tests.webhooks.builders import a_webhook
from tests.webhooks.conftest import House


@pytest.fixture
def path(house: House) -> str:
    webhook = a_webhook(house.session, operator=house.operator, created_at=house.clock.now)
    house.session.commit()
    return f"/webhooks/{webhook.uid}"


def rotated(house: House, path: str, **body: Any) -> Any:
    answer = house.manager.post(f"{path}/secrets", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json


def live(house: House, path: str) -> list[Any]:
    found: list[Any] = house.manager.get(path).json["secrets"]
    return found


def test_a_secret_is_what_standard_webhooks_asks_for(house: House, path: str) -> None:
    secret = rotated(house, path)["secret"]
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64


def test_the_old_one_stays_live_for_a_day_and_then_ends_by_itself(house: House, path: str) -> None:
    (old,) = live(house, path)
    new = rotated(house, path)
    assert new["expires_at"] is None
    assert [(each["id"], each["expires_at"]) for each in live(house, path)] == [
        (new["id"], None), (old["id"], "2026-03-03T08:00:00Z"),
    ]  # fmt: skip
    house.clock.pass_by(hours=23, minutes=59)
    assert len(live(house, path)) == 2
    house.clock.pass_by(minutes=1)
    assert [each["id"] for each in live(house, path)] == [new["id"]]


@pytest.mark.parametrize(("hours", "left"), [(0, 1), (1, 2), (168, 2)])
def test_how_long_the_old_one_stays_is_the_managers_choice(house: House, path: str, hours: int, left: int) -> None:
    rotated(house, path, old_expires_in_hours=hours)
    assert len(live(house, path)) == left


@pytest.mark.parametrize("hours", [-1, 169, "24", 1.5, None])
def test_but_within_reason(house: House, path: str, hours: Any) -> None:
    answer = house.manager.post(f"{path}/secrets", json={"old_expires_in_hours": hours})
    assert answer.status_code == 422 and answer.json["errors"][0]["field"] == "old_expires_in_hours"


def test_a_third_waits_until_the_first_has_ended(house: House, path: str) -> None:
    (first,) = live(house, path)
    rotated(house, path)
    answer = house.manager.post(f"{path}/secrets", json={})
    assert (answer.status_code, answer.json["code"]) == (409, "too_many_secrets")
    assert answer.json["expires_at"] == "2026-03-03T08:00:00Z"
    assert house.manager.delete(f"{path}/secrets/{first['id']}").status_code == 204
    rotated(house, path)


def test_who_keeps_none_of_the_old_ones_ends_all_of_them_at_once(house: House, path: str) -> None:
    rotated(house, path)
    answer = house.manager.post(f"{path}/secrets", json={"old_expires_in_hours": 0})
    assert answer.status_code == 201
    house.clock.pass_by(seconds=1)
    assert [each["id"] for each in live(house, path)] == [answer.json["id"]]


def test_the_older_one_is_ended_early_again_and_again_and_the_other_never(house: House, path: str) -> None:
    (old,) = live(house, path)
    answer = house.manager.delete(f"{path}/secrets/{old['id']}")
    assert (answer.status_code, answer.json["code"]) == (409, "last_secret")
    new = rotated(house, path)
    house.clock.pass_by(minutes=1)
    for _ in range(2):
        assert house.manager.delete(f"{path}/secrets/{old['id']}").status_code == 204
    assert [each["id"] for each in live(house, path)] == [new["id"]]
    assert house.manager.delete(f"{path}/secrets/{new['id']}").status_code == 409


def test_the_same_request_twice_rotates_once_and_shows_the_same_secret(house: House, path: str) -> None:
    first, again = (house.manager.post(f"{path}/secrets", json={}, key="k") for _ in range(2))
    assert first.json == again.json and len(live(house, path)) == 2


def test_two_who_rotate_at_once_do_not_leave_three(house: House, path: str) -> None:
    barrier, statuses = threading.Barrier(2), []

    def rotate() -> None:
        barrier.wait()
        statuses.append(house.manager.post(f"{path}/secrets", json={}).status_code)

    racers = [threading.Thread(target=rotate) for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(30)
    assert sorted(statuses) == [201, 409] and len(live(house, path)) == 2


def test_anothers_secret_is_not_there(house: House, path: str) -> None:
    theirs = a_webhook(house.session)
    secret = house.session.scalars(select(WebhookSecret).filter_by(webhook_id=theirs.id)).one()
    house.session.commit()
    assert house.manager.delete(f"{path}/secrets/{secret.uid}").status_code == 404
