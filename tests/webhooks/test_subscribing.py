"""Entering, reading, changing and archiving receivers over the API, and who may."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from sqlalchemy import select

from app.network.models import AuditEntry, Network
from app.webhooks.models import WebhookDelivery
from app.webhooks.subscribing import MOST_LIVE
from tests.builders import a_member, a_role, a_space, an_operator
from tests.http.client import Client
from tests.webhooks.builders import a_delivery, a_webhook
from tests.webhooks.conftest import House
from tests.webhooks.facts import made

URL = "https://receiver.example/hook"


def entered(house: House, api: Client | None = None, **values: Any) -> dict[str, Any]:
    body = {"url": URL, "event_types": ["booking.*"], "operator_id": str(house.operator.uid), **values}
    answer = (api or house.manager).post("/webhooks", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


def test_a_manager_enters_a_receiver_and_is_shown_its_secret_once(house: House) -> None:
    made = entered(house, description="Door displays")
    assert made["secret"].startswith("whsec_")
    assert (made["state"], made["operator_id"], made["network_id"]) == ("active", str(house.operator.uid), None)
    shown = house.manager.get(f"/webhooks/{made['id']}")
    assert "secret" not in shown.json and shown.headers["ETag"]
    assert made["secret"] not in shown.text and len(shown.json["secrets"]) == 1
    assert house.manager.get("/webhooks").json == [shown.json]


def test_the_answer_never_heard_is_given_again_and_one_receiver_made(house: House) -> None:
    body = {"url": URL, "event_types": ["*"], "operator_id": str(house.operator.uid)}
    first, again = (house.manager.post("/webhooks", json=body, key="one") for _ in range(2))
    assert first.text == again.text and len(house.manager.get("/webhooks").json) == 1


def test_what_happens_after_that_reaches_it(house: House) -> None:
    entered(house)
    assert house.happens(made(house.space)) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://receiver.example/hook", "https"),
        ("https://user:word@receiver.example/", "password"),
        ("https://127.0.0.1/", "public"),
        ("https://[::1]/", "public"),
        ("https://[::ffff:10.0.0.1]/", "public"),
        ("https://10.1.2.3:8443/", "public"),
        ("https://receiver.example:22/", "ports"),
        ("https://receiver.example/#part", "#"),
        ("https://localhost/", "public"),
        ("https://receiver.example/" + "x" * 2000, "2000"),
        ("https://", ""),
        ("javascript:alert(1)", "https"),
    ],
)
def test_an_address_that_may_not_be_called_is_refused_at_entry_and_at_change(house: House, url: str, said: str) -> None:
    body = {"url": url, "event_types": ["*"], "operator_id": str(house.operator.uid)}
    made = entered(house)
    for answer in (
        house.manager.post("/webhooks", json=body),
        house.manager.patch(f"/webhooks/{made['id']}", json={"url": url}, etag="*"),
    ):
        assert answer.status_code == 422, answer.text
        (error,) = answer.json["errors"]
        assert error["field"] == "url" and said.lower() in error["message"].lower()
    assert len(house.manager.get("/webhooks").json) == 1


@pytest.mark.parametrize("wanted", [["booking.mode"], ["gathering.*"], ["**"], ["booking"], ["*", "webhook.test"], []])
def test_events_that_never_come_are_refused_by_name(house: House, wanted: list[str]) -> None:
    body = {"url": URL, "event_types": wanted, "operator_id": str(house.operator.uid)}
    answer = house.manager.post("/webhooks", json=body)
    assert answer.status_code == 422 and answer.json["errors"][0]["field"] == "event_types"


def test_it_is_an_operators_or_a_networks(house: House) -> None:
    network = house.session.get_one(Network, house.operator.network_id)
    ids = {"operator_id": str(house.operator.uid), "network_id": str(network.uid)}
    for given in ({}, ids):
        answer = house.manager.post("/webhooks", json={"url": URL, "event_types": ["*"], **given})
        assert answer.status_code == 422 and "either" in answer.json["errors"][0]["message"]


def test_a_coordinator_enters_one_for_the_network_and_cannot_ask_for_what_networks_are_not_told(house: House) -> None:
    network = house.session.get_one(Network, house.operator.network_id)
    coordinator = house.person("coordinator", network)
    ours = {"operator_id": None, "network_id": str(network.uid)}
    assert entered(house, coordinator, **ours)["network_id"] == str(network.uid)
    for wanted in (["waitlist.offered"], ["waitlist.*"], ["booking.edited"]):
        answer = coordinator.post("/webhooks", json={"url": URL, "event_types": wanted, **ours})
        assert answer.status_code == 422, wanted
    of_operator = {"url": URL, "event_types": ["*"], "operator_id": str(house.operator.uid)}
    assert coordinator.post("/webhooks", json=of_operator).status_code == 404
    assert house.manager.post("/webhooks", json={"url": URL, "event_types": ["*"], **ours}).status_code == 404


def test_the_manager_of_each_space_manages_the_operator_and_of_one_among_several_does_not(house: House) -> None:
    every = house.person("manager", house.space, house.other_space)
    made = entered(house, every)
    one = house.person("manager", house.space)
    body = {"url": URL, "event_types": ["*"], "operator_id": str(house.operator.uid)}
    assert one.post("/webhooks", json=body).status_code == 403
    assert one.get(f"/webhooks/{made['id']}").status_code == 403
    assert one.get("/webhooks").json == []


@pytest.mark.parametrize("role", ["front_desk", "accountant"])
def test_staff_who_do_not_manage_are_told_that_their_role_is_the_reason(house: House, role: str) -> None:
    made = entered(house)
    staff = house.person(role, house.operator)
    path = f"/webhooks/{made['id']}"
    answers = [
        staff.get(path),
        staff.patch(path, json={"state": "disabled"}, etag="*"),
        staff.delete(path, etag="*"),
        staff.post(f"{path}/secrets", json={}),
        staff.get(f"{path}/deliveries"),
        staff.post(f"{path}/tests"),
        staff.post(f"{path}/redeliveries", json={}),
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert staff.get("/webhooks").json == []


def test_another_operators_manager_finds_nothing(house: House) -> None:
    made = entered(house)
    stranger = house.person("manager", a_space(house.session))
    assert stranger.get(f"/webhooks/{made['id']}").status_code == 404
    assert stranger.get("/webhooks").json == []
    body = {"url": URL, "event_types": ["*"], "operator_id": str(house.operator.uid)}
    assert stranger.post("/webhooks", json=body).status_code == 404
    assert house.as_(a_member(house.session)).post("/webhooks", json=body).status_code == 404


def test_the_platforms_administrator_looks_after_all(house: House) -> None:
    made = entered(house)
    member = a_member(house.session)
    a_role(house.session, member, "admin")
    admin = house.as_(member)
    assert [each["id"] for each in admin.get("/webhooks").json] == [made["id"]]
    network = house.session.get_one(Network, house.operator.network_id)
    assert entered(house, admin, operator_id=None, network_id=str(network.uid))


def test_a_change_needs_the_version_that_was_read(house: House) -> None:
    path = f"/webhooks/{entered(house)['id']}"
    etag = house.manager.get(path).headers["ETag"]
    assert house.manager.patch(path, json={"event_types": ["*"]}).status_code == 428
    changed = house.manager.patch(path, json={"event_types": ["space.*", "*", "*"], "description": "x"}, etag=etag)
    assert changed.json["event_types"] == ["*", "space.*"] and changed.headers["ETag"] != etag
    assert house.manager.patch(path, json={"event_types": ["*"]}, etag=etag).status_code == 412
    assert house.manager.delete(path, etag=etag).status_code == 412
    assert house.manager.patch(path, json={}, etag="*").status_code == 422


def test_another_address_begins_without_the_failures_of_the_one_before(house: House) -> None:
    webhook = a_webhook(house.session, operator=house.operator, url=URL, failing_since=house.clock.now)
    house.session.commit()
    path = f"/webhooks/{webhook.uid}"
    assert house.manager.patch(path, json={"url": URL}, etag="*").json["failing_since"] == "2026-03-02T08:00:00Z"
    moved = house.manager.patch(path, json={"url": f"{URL}/2"}, etag="*").json
    assert (moved["url"], moved["failing_since"]) == (f"{URL}/2", None)


def test_one_stopped_by_hand_hears_nothing_until_it_is_taken_up_again(house: House) -> None:
    path = f"/webhooks/{entered(house)['id']}"
    house.happens(made(house.space))
    stopped = house.manager.patch(path, json={"state": "disabled"}, etag="*").json
    assert (stopped["state"], stopped["disabled_reason"]) == ("disabled", "by_hand") and stopped["disabled_at"]
    assert house.happens(made(house.space)) == 0
    assert [each.state for each in house.log()] == ["cancelled"]
    again = house.manager.patch(path, json={"state": "active"}, etag="*").json
    assert (again["state"], again["disabled_reason"], again["disabled_at"]) == ("active", None, None)
    assert house.happens(made(house.space)) == 1


def test_an_archived_one_is_gone_and_archiving_again_succeeds(house: House) -> None:
    path = f"/webhooks/{entered(house)['id']}"
    house.happens(made(house.space))
    etag = house.manager.get(path).headers["ETag"]
    assert house.manager.delete(path).status_code == 428
    assert house.manager.delete(path, etag=etag).status_code == 204
    assert house.manager.delete(path, etag=etag).status_code == 204
    assert house.manager.get(path).status_code == 404
    assert house.manager.patch(path, json={"state": "active"}, etag="*").status_code == 404
    assert house.manager.get("/webhooks").json == []
    assert [each.state for each in house.log()] == ["cancelled"]
    assert house.happens(made(house.space)) == 0


def test_an_operator_has_at_most_twenty_and_an_archived_one_makes_room(house: House) -> None:
    ids = [entered(house)["id"] for _ in range(MOST_LIVE)]
    body = {"url": URL, "event_types": ["*"], "operator_id": str(house.operator.uid)}
    answer = house.manager.post("/webhooks", json=body)
    assert (answer.status_code, answer.json["code"], answer.json["limit"]) == (409, "too_many_webhooks", MOST_LIVE)
    house.manager.delete(f"/webhooks/{ids[0]}", etag="*")
    entered(house)


def test_two_at_once_do_not_both_take_the_last_place(house: House) -> None:
    for _ in range(MOST_LIVE - 1):
        a_webhook(house.session, operator=house.operator)
    house.session.commit()
    body = {"url": URL, "event_types": ["*"], "operator_id": str(house.operator.uid)}
    barrier, statuses = threading.Barrier(4), []

    def enter() -> None:
        barrier.wait()
        statuses.append(house.manager.post("/webhooks", json=body).status_code)

    racers = [threading.Thread(target=enter) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(30)
    assert sorted(statuses) == [201, 409, 409, 409]


def test_the_list_comes_in_pages(house: House) -> None:
    ids = [entered(house)["id"] for _ in range(5)]
    first = house.manager.get("/webhooks", query={"limit": 3})
    link = first.headers["Link"].partition(">")[0].removeprefix("<")
    rest = house.manager.get(link)
    assert [each["id"] for each in first.json + rest.json] == ids and "Link" not in rest.headers


def test_every_space_it_is_told_of_has_it_in_its_trail(house: House) -> None:
    path = f"/webhooks/{entered(house)['id']}"
    house.manager.patch(path, json={"event_types": ["*"]}, etag="*")
    house.manager.post(f"{path}/tests")
    house.manager.get(f"{path}/deliveries")  # a ping tells of nobody
    house.happens(made(house.space))
    house.manager.get(f"{path}/deliveries")
    house.manager.post(f"{path}/secrets", json={})
    house.manager.delete(path, etag="*")
    did = ["webhook.created", "webhook.changed", "webhook.log_viewed", "webhook.secret_rotated", "webhook.archived"]
    house.session.rollback()
    for space in (house.space, house.other_space):
        rows = house.session.scalars(select(AuditEntry).filter_by(space_id=space.id).order_by(AuditEntry.id)).all()
        assert [row.action for row in rows] == did
        assert {row.subject for row in rows} == {path.rpartition("/")[2]}
    assert house.manager.get(f"/spaces/{house.space.uid}/audit").status_code == 200


def test_a_log_shows_no_other_operators_delivery(house: House) -> None:
    made = entered(house)
    theirs = a_webhook(house.session, operator=an_operator(house.session))
    delivery = a_delivery(house.session, theirs, at=house.clock.now)
    house.session.commit()
    assert house.manager.get(f"/webhooks/{made['id']}/deliveries/{delivery.uid}").status_code == 404
    answer = house.manager.post(f"/webhooks/{made['id']}/deliveries/{delivery.uid}/attempts")
    assert answer.status_code == 404
    house.session.rollback()
    assert house.session.get_one(WebhookDelivery, delivery.id).spent == 0


def test_no_secret_is_ever_in_the_log_of_requests_or_a_list(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    made = entered(house)
    rotated = house.manager.post(f"/webhooks/{made['id']}/secrets", json={}).json
    shown = json.dumps([house.manager.get("/webhooks").json, house.manager.get(f"/webhooks/{made['id']}").json])
    out = "".join(capsys.readouterr())
    for secret in (made["secret"], rotated["secret"]):
        assert secret not in shown and secret not in out
