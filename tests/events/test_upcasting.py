"""Handlers see the newest version of an event, whatever was recorded; readers of the old one are not left alone."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.db import TenantSession, transaction
from app.events import envelope, upcasting
from app.events.catalogue import CATALOGUE, BookingAccepted, BookingApproved, DomainEvent, event
from app.events.envelope import Envelope
from app.events.models import OutboxRow
from app.events.outbox import record, record_echo
from app.events.upcasting import UPCASTS, NoUpcast, Steps, missing, newest, upcast
from app.tenancy import SYSTEM
from tests.builders import a_space
from tests.workers.effects import state
from workers.handle import EventHandler, Outcome
from workers.registry import Consumer
from workers.subscriptions import subscribe

Sessions = sessionmaker[TenantSession]
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)

# --- a small catalogue: version 1 counted sugar in lumps, 2 in grams, 3 says what sweetens

TEAS: dict[tuple[str, int], type[DomainEvent]] = {}
STEPS: dict[tuple[str, int], upcasting.Upcast] = {}


@event("tea.served", version=1, aggregate="booking", into=TEAS)
@dataclass(frozen=True, slots=True)
class TeaServedV1(DomainEvent):
    """A cup was filled."""

    lumps: int


@event("tea.served", version=2, aggregate="booking", into=TEAS)
@dataclass(frozen=True, slots=True)
class TeaServedV2(DomainEvent):
    """A cup was filled."""

    grams: int


@event("tea.served", version=3, aggregate="booking", into=TEAS)
@dataclass(frozen=True, slots=True)
class TeaServed(DomainEvent):
    """A cup was filled."""

    sweet: dict[str, int]


@upcast("tea.served", 1, into=STEPS)
def lumps_weigh_four_grams(data: dict[str, Any]) -> dict[str, Any]:
    return {"grams": data.pop("lumps") * 4}


@upcast("tea.served", 2, into=STEPS)
def it_was_sugar(data: dict[str, Any]) -> dict[str, Any]:
    return {"sweet": {"sugar": data["grams"]}}


def text_of(fact: DomainEvent, *, seq: int = 1, aggregate_id: uuid.UUID | None = None, **more: Any) -> str:
    return envelope.write(
        fact, event_id=uuid.uuid4(), aggregate_id=aggregate_id or uuid.uuid4(), seq=seq, at=NOW, request_id=None, **more
    )


def read_newest(fact: DomainEvent, *, steps: Steps = STEPS, **more: Any) -> Envelope:
    return newest(envelope.read(text_of(fact, **more)), steps=steps, catalogue=TEAS)


@pytest.mark.parametrize("fact", [TeaServedV1(2), TeaServedV2(8), TeaServed({"sugar": 8})], ids=lambda f: f.version)
def test_every_version_is_read_as_the_newest(fact: DomainEvent) -> None:
    read = read_newest(fact)
    assert (read.version, read.data) == (3, {"sweet": {"sugar": 8}})
    TeaServed(**read.data)


def test_everything_but_version_and_data_stays_and_the_one_given_is_not_changed() -> None:
    old = envelope.read(text_of(TeaServedV1(2)))
    new = newest(old, steps=STEPS, catalogue=TEAS)
    assert replace(new, version=1, data={"lumps": 2}) == old
    assert old.data == {"lumps": 2}


def test_a_version_newer_than_the_catalogue_is_left_as_it_is() -> None:
    tomorrow = replace(envelope.read(text_of(TeaServed({}))), version=4)
    assert newest(tomorrow, steps=STEPS, catalogue=TEAS) is tomorrow


def test_an_echo_stays_in_its_own_version() -> None:
    read = read_newest(TeaServedV1(2), superseded_by=uuid.uuid4())
    assert (read.version, read.data) == (1, {"lumps": 2})


def test_a_missing_step_is_found_before_and_said_when_met() -> None:
    lame = {key: step for key, step in STEPS.items() if key != ("tea.served", 2)}
    assert missing(steps=STEPS, catalogue=TEAS) == []
    assert missing(steps=lame, catalogue=TEAS) == [("tea.served", 2)]
    with pytest.raises(NoUpcast, match="from version 2 to 3"):
        read_newest(TeaServedV1(2), steps=lame)


def test_every_version_of_the_products_events_can_be_read_as_the_newest() -> None:
    assert missing() == []
    assert UPCASTS.keys() <= CATALOGUE.keys()


def test_a_version_is_upcast_in_one_way_only() -> None:
    with pytest.raises(ValueError, match="twice"):
        upcast("tea.served", 1, into=dict(STEPS))(it_was_sugar)


# --- consumers


@pytest.fixture
def tea_is_catalogued(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, fact in TEAS.items():
        monkeypatch.setitem(CATALOGUE, key, fact)
    for key, step in STEPS.items():
        monkeypatch.setitem(UPCASTS, key, step)


class Drinker:
    """A consumer that remembers what its handler was given."""

    def __init__(self, make_session: Sessions, **how: Any) -> None:
        self.given: list[Envelope] = []
        self.consumer = Consumer(f"drinker-{uuid.uuid4().hex[:8]}", ("booking",), {"tea.served": self._drink}, **how)
        subscribe(make_session, [self.consumer])
        self.handler = EventHandler(self.consumer, make_session, clock=lambda: NOW)

    def _drink(self, session: Session, envelope: Envelope, *, now: datetime) -> None:
        self.given.append(envelope)


@pytest.mark.usefixtures("tea_is_catalogued")
def test_a_handler_is_given_the_newest_version(make_session: Sessions) -> None:
    drinker = Drinker(make_session)
    assert drinker.handler.handle(text_of(TeaServedV1(2))).outcome is Outcome.DONE
    assert [(each.version, each.data) for each in drinker.given] == [(3, {"sweet": {"sugar": 8}})]


@pytest.mark.usefixtures("tea_is_catalogued")
def test_what_is_newer_than_this_process_is_kept_and_tried_again(make_session: Sessions) -> None:
    drinker = Drinker(make_session)
    text = text_of(TeaServed({})).replace('"dataversion":3', '"dataversion":4')
    assert drinker.handler.handle(text).outcome is Outcome.FAILED
    kept = state(make_session, envelope.read(text).event_id, consumer=drinker.consumer.name)
    assert kept and kept["envelope"] == text and "version 4" in str(kept["last_error"])
    assert drinker.given == []


@pytest.mark.usefixtures("tea_is_catalogued")
def test_an_upcast_that_fails_is_a_failed_attempt_like_any_other(
    make_session: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(UPCASTS, ("tea.served", 1), lambda data: {"grams": data["spoons"]})
    drinker = Drinker(make_session)
    assert drinker.handler.handle(text_of(TeaServedV1(2))).outcome is Outcome.FAILED
    monkeypatch.undo()


@pytest.mark.usefixtures("tea_is_catalogued")
def test_an_echo_has_no_effect_twice_and_keeps_its_place_in_the_sequence(make_session: Sessions) -> None:
    drinker, courier = Drinker(make_session), Drinker(make_session, echoes=True)
    cup, after = uuid.uuid4(), TeaServed({"honey": 3})
    first = text_of(TeaServed({"sugar": 8}), aggregate_id=cup)
    echo = text_of(TeaServedV1(2), aggregate_id=cup, seq=2, superseded_by=envelope.read(first).event_id)
    texts = [first, echo, text_of(after, aggregate_id=cup, seq=3)]
    assert [drinker.handler.handle(text).outcome for text in texts] == [Outcome.DONE, Outcome.SKIPPED, Outcome.DONE]
    assert [courier.handler.handle(text).outcome for text in texts] == [Outcome.DONE] * 3
    assert [each.version for each in drinker.given] == [3, 3]
    assert [(each.version, each.superseded_by is not None) for each in courier.given] == [
        (3, False), (1, True), (3, False),
    ]  # fmt: skip
    kept = state(make_session, envelope.read(echo).event_id, consumer=drinker.consumer.name)
    assert kept and kept["state"] == "skipped"


def test_a_service_records_the_echo_beside_the_newest(make_session: Sessions) -> None:
    with transaction(make_session, SYSTEM) as session:
        space = a_space(session)
        session.flush()
        first = record(session, space, BookingAccepted("b", "s", "m", "confirmed"), at=NOW)
        echo = record_echo(session, space, BookingApproved("b", "s", "m"), of=first, at=NOW)
    with transaction(make_session, SYSTEM) as session:
        rows = session.query(OutboxRow).order_by(OutboxRow.seq).all()
    assert [(row.event_id, row.seq) for row in rows] == [(first, 1), (echo, 2)]
    texts = [json.loads(row.envelope) for row in rows]
    assert [text.get("supersededby") for text in texts] == [None, str(first)]
    assert envelope.read(rows[1].envelope).superseded_by == first
