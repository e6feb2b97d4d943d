"""A receiver that is gone or fails for days is disabled with a notice, and taken up again by hand."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession, transaction
from app.events.models import OutboxRow
from app.network.models import Network
from app.tenancy import SYSTEM
from app.webhooks.disabling import disable
from app.webhooks.models import Webhook
from tests.webhooks.builders import a_delivery, a_webhook
from tests.webhooks.conftest import House


def disabled(house: House, webhook: Webhook, *, reason: str) -> bool:
    with transaction(house.make_session, SYSTEM) as session:
        done = disable(session, session.get_one(Webhook, webhook.id), reason=reason, now=house.clock.now)
    house.session.rollback()
    house.session.refresh(webhook)
    return done


def notices(house: House) -> list[Any]:
    house.session.rollback()
    rows = house.session.scalars(select(OutboxRow).filter_by(type="webhook.disabled").order_by(OutboxRow.seq))
    return [json.loads(row.envelope) for row in rows]


@pytest.mark.parametrize("reason", ["gone", "failing"])
def test_it_is_told_with_the_reason_in_the_transaction_that_disables(house: House, reason: str) -> None:
    since = house.clock.now - timedelta(days=5)
    webhook = a_webhook(house.session, operator=house.operator, failing_since=since)
    house.session.commit()
    assert disabled(house, webhook, reason=reason)
    assert (webhook.state, webhook.disabled_reason, webhook.disabled_at) == ("disabled", reason, house.clock.now)
    (notice,) = notices(house)
    assert notice["data"] == {
        "webhook_id": str(webhook.uid), "operator_id": str(house.operator.uid), "network_id": None,
        "reason": reason, "failing_since": "2026-02-25T08:00:00Z",
    }  # fmt: skip
    assert (notice["aggregateid"], notice["sequence"]) == (str(webhook.uid), 1)


def test_what_waits_is_cancelled_and_what_is_being_sent_ends_by_itself(house: House) -> None:
    webhook = a_webhook(house.session, operator=house.operator)
    other = a_webhook(house.session, operator=house.operator)
    states = ["pending", "failed", "sending", "delivered", "given_up"]
    for state in states:
        a_delivery(house.session, webhook, at=house.clock.now, state=state)
    a_delivery(house.session, other, at=house.clock.now)
    house.session.commit()
    disabled(house, webhook, reason="gone")
    left = [each.state for each in house.log(webhook.id)]
    assert left == ["cancelled", "cancelled", "sending", "delivered", "given_up"]
    assert [each.state for each in house.log(other.id)] == ["pending"]


def test_twice_is_once_and_an_archived_one_needs_no_notice(house: House) -> None:
    webhook = a_webhook(house.session, operator=house.operator)
    archived = a_webhook(house.session, operator=house.operator, archived_at=house.clock.now)
    house.session.commit()
    assert [disabled(house, webhook, reason=reason) for reason in ("gone", "failing")] == [True, False]
    assert webhook.disabled_reason == "gone"
    assert not disabled(house, archived, reason="gone")
    assert len(notices(house)) == 1


def test_who_stops_one_by_hand_knows_it(house: House) -> None:
    webhook = a_webhook(house.session, operator=house.operator)
    house.session.commit()
    assert disabled(house, webhook, reason="by_hand") and notices(house) == []


def test_a_networks_notice_names_the_network(house: House) -> None:
    network = house.session.get_one(Network, house.operator.network_id)
    webhook = a_webhook(house.session, network=network)
    house.session.commit()
    disabled(house, webhook, reason="gone")
    (notice,) = notices(house)
    assert (notice["data"]["operator_id"], notice["data"]["network_id"]) == (None, str(network.uid))


def test_the_notice_and_the_state_are_committed_together_or_not_at_all(
    house: House, make_session: sessionmaker[TenantSession]
) -> None:
    webhook = a_webhook(house.session, operator=house.operator)
    a_delivery(house.session, webhook, at=house.clock.now)
    house.session.commit()
    with pytest.raises(ZeroDivisionError), transaction(make_session, SYSTEM) as session:
        disable(session, session.get_one(Webhook, webhook.id), reason="gone", now=house.clock.now)
        raise ZeroDivisionError
    house.session.rollback()
    house.session.refresh(webhook)
    assert webhook.state == "active" and notices(house) == []
    assert [each.state for each in house.log()] == ["pending"]


def test_one_taken_up_again_begins_as_if_it_had_never_failed_and_gets_what_it_missed_when_asked(house: House) -> None:
    webhook = a_webhook(house.session, operator=house.operator, failing_since=house.clock.now - timedelta(days=5))
    missed = a_delivery(house.session, webhook, at=house.clock.now, state="failed", attempts=9)
    house.session.commit()
    disabled(house, webhook, reason="failing")
    path = f"/webhooks/{webhook.uid}"
    shown = house.manager.get(path)
    assert (shown.json["disabled_reason"], shown.json["failing_since"]) == ("failing", "2026-02-25T08:00:00Z")
    again = house.manager.patch(path, json={"state": "active"}, etag=shown.headers["ETag"])
    assert (again.json["state"], again.json["failing_since"]) == ("active", None)
    assert [each.state for each in house.log()] == ["cancelled"], "nothing is sent that nobody asked for"
    assert house.manager.post(f"{path}/redeliveries", json={}).json == {"redelivered": 1}
    (row,) = house.log()
    assert (row.id, row.state, row.step) == (missed.id, "pending", 0)


def test_the_second_time_is_told_too(house: House) -> None:
    webhook = a_webhook(house.session, operator=house.operator)
    house.session.commit()
    for _ in range(2):
        assert disabled(house, webhook, reason="gone")
        house.manager.patch(f"/webhooks/{webhook.uid}", json={"state": "active"}, etag="*")
    assert [notice["sequence"] for notice in notices(house)] == [1, 2]
