"""An event reaches every receiver that asked for it and may know it, once, and nobody else."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession
from app.events import envelope
from app.events.catalogue import CATALOGUE
from app.events.models import Delivery
from app.ids import new_id
from app.network.models import Network
from app.webhooks.event_types import TOLD_TO_NETWORKS, for_network, told
from tests.builders import a_network, a_space, an_operator
from tests.conftest import Clock
from tests.webhooks.builders import a_webhook
from tests.webhooks.conftest import House, said
from tests.webhooks.facts import cancelled, closed, made, offered
from workers.handle import EventHandler, Outcome
from workers.subscriptions import subscribe
from workers.webhooks import WEBHOOKS


@pytest.fixture
def early(clock: Clock) -> Any:
    """When receivers of these tests were entered."""
    return clock.now - timedelta(days=1)


def test_each_receiver_of_the_operator_gets_a_message_of_its_own(house: House, early: Any) -> None:
    first, second = (a_webhook(house.session, operator=house.operator, created_at=early) for _ in range(2))
    house.session.commit()
    fact = made(house.space)
    assert house.happens(fact, seq=3) == 2
    log = house.log()
    assert {each.webhook_id for each in log} == {first.id, second.id}
    assert len({each.uid for each in log}) == 2, "a message id of its own for each receiver"
    for delivery in log:
        assert (delivery.state, delivery.attempts, delivery.next_attempt_at) == ("pending", 0, house.clock.now)
        assert delivery.message_id == f"msg_{delivery.uid}"


def test_a_message_has_the_shape_that_receivers_libraries_look_for_with_our_envelope_beside(
    house: House, early: Any
) -> None:
    a_webhook(house.session, operator=house.operator, created_at=early)
    house.session.commit()
    fact, booking_id = made(house.space), new_id()
    house.happens(fact, seq=3, aggregate_id=booking_id)
    (delivery,) = house.log()
    body = said(delivery)
    assert list(body) == [
        "type", "timestamp", "data", "id", "version", "aggregate_type", "aggregate_id", "sequence",
    ]  # fmt: skip
    assert body["type"] == "booking.made" and body["timestamp"] == "2026-03-02T08:00:00Z"
    assert body["data"]["member_id"] == fact.member_id and body["data"]["gross_cents"] == 3025
    assert body["id"] == str(delivery.event_id)
    assert (body["aggregate_type"], body["aggregate_id"], body["sequence"]) == ("booking", str(booking_id), 3)
    assert body["version"] == 1


def test_message_ids_are_uuids_in_the_order_of_time(house: House, early: Any) -> None:
    a_webhook(house.session, operator=house.operator, created_at=early)
    house.session.commit()
    house.happens(made(house.space))
    (delivery,) = house.log()
    assert UUID(str(delivery.uid)).version == 7
    assert str(delivery.uid)[:15] == str(delivery.event_id)[:15]


def test_an_event_told_twice_is_written_once(house: House, early: Any) -> None:
    a_webhook(house.session, operator=house.operator, created_at=early)
    house.session.commit()
    text = envelope.write(
        made(house.space), event_id=new_id(), aggregate_id=new_id(), seq=1, at=house.clock.now, request_id=None
    )
    assert [house.hears(text), house.hears(text)] == [1, 0]


@pytest.mark.parametrize(
    ("wanted", "gets"),
    [
        (["booking.made"], ["booking.made"]),
        (["booking.*"], ["booking.made", "booking.cancelled"]),
        (["*"], ["booking.made", "booking.cancelled", "space.closed", "waitlist.offered"]),
        (["space.*", "booking.cancelled"], ["booking.cancelled", "space.closed"]),
        (["space.reopened"], []),
    ],
)
def test_a_receiver_gets_what_it_asked_for(house: House, early: Any, wanted: list[str], gets: list[str]) -> None:
    a_webhook(house.session, operator=house.operator, event_types=wanted, created_at=early)
    house.session.commit()
    for fact in (made, cancelled, closed, offered):
        house.happens(fact(house.space))
    assert [each.event_type for each in house.log()] == gets


def test_the_operators_other_spaces_count_and_other_operators_never_hear(house: House, early: Any) -> None:
    ours = a_webhook(house.session, operator=house.operator, created_at=early)
    network = house.session.get_one(Network, house.operator.network_id)
    neighbour = an_operator(house.session, network=network)  # even of the same network
    a_space(house.session, operator=neighbour)
    a_webhook(house.session, operator=neighbour, created_at=early)
    house.session.commit()
    assert house.happens(made(house.other_space)) == 1
    assert [each.webhook_id for each in house.log()] == [ours.id]


def test_a_network_hears_of_its_spaces_what_where_and_when(house: House, early: Any) -> None:
    network = house.session.get_one(Network, house.operator.network_id)
    a_webhook(house.session, network=network, created_at=early)
    a_webhook(house.session, network=a_network(house.session), created_at=early)
    house.session.commit()
    fact = made(house.space)
    assert house.happens(fact) == 1
    (delivery,) = house.log()
    assert said(delivery)["data"] == {
        "booking_id": fact.booking_id, "space_id": fact.space_id, "resource_id": fact.resource_id,
        "status": "confirmed", "start": fact.start, "end": fact.end,
    }  # fmt: skip


def test_a_network_never_hears_who_or_for_how_much(house: House, early: Any) -> None:
    network = house.session.get_one(Network, house.operator.network_id)
    a_webhook(house.session, network=network, created_at=early)
    house.session.commit()
    facts = [made(house.space), cancelled(house.space), closed(house.space), offered(house.space)]
    for fact in facts:
        house.happens(fact)
    sent = "".join(each.body for each in house.log())
    assert len(house.log()) == 3, "an offer from the waiting list is a person's own business"
    secret = {value for fact, name in product(facts, ("member_id", "series_id")) if (value := getattr(fact, name, 0))}
    assert not any(value in sent for value in secret)
    assert "cents" not in sent and "cover" not in sent


def test_what_networks_are_told_names_events_and_fields_there_are() -> None:
    assert set(TOLD_TO_NETWORKS) <= set(told())
    for (name, _), fact in CATALOGUE.items():
        unknown = set(TOLD_TO_NETWORKS.get(name, ())) - set(fact.__dataclass_fields__)  # type: ignore[attr-defined]
        assert not unknown, f"{name} has no {unknown}"
    personal = {"member_id", "series_id", "cover", "returned", "currency", "alternatives"}
    named = {field for fields in TOLD_TO_NETWORKS.values() for field in fields}
    assert not named & personal and not any(field.endswith("_cents") for field in named)


def test_an_event_that_nobody_decided_about_is_told_to_no_network() -> None:
    assert for_network("membership.started", {"space_id": "x", "member_id": "y"}) is None


@pytest.mark.parametrize("values", [{"state": "disabled", "disabled_reason": "gone"}, {"archived_at": "now"}])
def test_a_receiver_that_is_disabled_or_archived_gets_nothing(house: House, early: Any, values: dict[str, Any]) -> None:
    if "archived_at" in values:
        values = {"archived_at": early}
    a_webhook(house.session, operator=house.operator, created_at=early, **values)
    house.session.commit()
    assert house.happens(made(house.space)) == 0


def test_a_receiver_hears_of_what_happens_once_it_was_entered(house: House) -> None:
    a_webhook(house.session, operator=house.operator, created_at=house.clock.now)
    house.session.commit()
    assert house.happens(made(house.space), at=house.clock.now - timedelta(seconds=1)) == 0
    assert house.happens(made(house.space), at=house.clock.now) == 1


def test_texts_of_any_kind_arrive_as_they_are(house: House, early: Any) -> None:
    """Bodies are JSON in UTF-8: no escaping, nothing lost."""
    a_webhook(house.session, operator=house.operator, created_at=early)
    house.session.commit()
    house.happens(made(house.space, status="\u00e9t\u00e9 100 % \U0001f600 ':x' \\ \""))
    (delivery,) = house.log()
    assert "\u00e9t\u00e9 100 % \U0001f600" in delivery.body
    assert said(delivery)["data"]["status"] == "\u00e9t\u00e9 100 % \U0001f600 ':x' \\ \""


def test_an_echo_in_an_older_version_says_that_it_is_one(house: House, early: Any) -> None:
    a_webhook(house.session, operator=house.operator, created_at=early)
    house.session.commit()
    newest = new_id()
    house.hears(
        envelope.write(
            made(house.space), event_id=new_id(), aggregate_id=new_id(), seq=2, at=house.clock.now, request_id=None,
            superseded_by=newest,
        )
    )  # fmt: skip
    house.happens(made(house.space))
    echo, plain = map(said, house.log())
    assert echo["superseded_by"] == str(newest) and "superseded_by" not in plain
    assert WEBHOOKS.echoes


def test_the_worker_takes_every_event_of_a_space_and_writes_its_receipt(
    house: House, early: Any, make_session: sessionmaker[TenantSession], clock: Clock
) -> None:
    a_webhook(house.session, operator=house.operator, created_at=early)
    house.session.commit()
    subscribe(make_session, [WEBHOOKS])
    handler = EventHandler(WEBHOOKS, make_session, clock=clock)
    text = envelope.write(
        made(house.space), event_id=new_id(), aggregate_id=new_id(), seq=1, at=clock.now, request_id=None
    )
    assert [handler.handle(text).outcome, handler.handle(text).outcome] == [Outcome.DONE, Outcome.DUPLICATE]
    event_id = json.loads(text)["id"]
    assert house.session.get_one(Delivery, ("webhooks", UUID(event_id))).state == "done"
    assert len(house.log()) == 1


def test_everything_that_names_a_space_can_be_subscribed_to() -> None:
    with_space = {name for (name, _), fact in CATALOGUE.items() if "space_id" in fact.__dataclass_fields__}  # type: ignore[attr-defined]
    assert set(WEBHOOKS.handlers) == with_space == set(told())
    assert not WEBHOOKS.blocking and WEBHOOKS.from_ == "now" and WEBHOOKS.rebuilds == ()
