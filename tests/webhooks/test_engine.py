"""Whose turn it is: claims that stay quick and fair whatever is waiting, and rooms that the slow cannot fill."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession, raw, transaction
from app.tenancy import SYSTEM
from app.webhooks import claiming
from app.webhooks.claiming import LEASE, Due, claim, due_receivers
from app.webhooks.models import Webhook, WebhookDelivery
from app.webhooks.room import CORRIDOR, EACH, PLACES, SLOW_S, Kind, Room
from tests.builders import a_member, an_operator
from tests.conftest import Clock
from tests.webhooks.builders import a_delivery, a_webhook

NOW = Clock().now
BACKLOG = 100_000
PAGES = 60  # of 8 kB, that may be looked at to find a few rows; the whole table has some 1,600


@pytest.fixture
def receivers(session: TenantSession) -> list[Webhook]:
    """Six, of one operator."""
    operator, person = an_operator(session), a_member(session)
    made = [a_webhook(session, operator=operator, created_by=person.id) for _ in range(6)]
    session.commit()
    return made


def fill(session: TenantSession, webhook: Webhook, count: int, *, at: datetime) -> None:
    rows = raw("""
        INSERT INTO webhook_delivery (uid, webhook_id, event_id, event_type, body, next_attempt_at)
        SELECT gen_random_uuid(), :webhook_id, gen_random_uuid(), 'booking.made', '{}',
               CAST(:at AS timestamptz) + number * interval '1 millisecond'
        FROM generate_series(1, :count) AS number
    """)
    session.execute(rows, {"webhook_id": webhook.id, "count": count, "at": at})
    session.commit()


def pages_read(session: TenantSession, statement: Any, **given: Any) -> int:
    """How many pages a statement looks at."""
    explain = raw(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement.text}")
    found = session.execute(explain, given).scalar_one()[0]["Plan"]
    return int(found["Shared Hit Blocks"] + found["Shared Read Blocks"])


@pytest.mark.slow
@pytest.mark.fresh_database
def test_a_backlog_of_100000_makes_no_claim_slower(
    session: TenantSession, receivers: list[Webhook], make_session: sessionmaker[TenantSession]
) -> None:
    behind, waiting, *others = receivers
    fill(session, behind, BACKLOG // 2, at=NOW - timedelta(hours=1))
    fill(session, waiting, BACKLOG // 2, at=NOW + timedelta(hours=1))
    for webhook in others:
        fill(session, webhook, 3, at=NOW - timedelta(seconds=1))
    with session.connection().engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE webhook_delivery"))
    assert pages_read(session, claiming._DUE, now=NOW) < PAGES
    ids = [webhook.id for webhook in receivers]
    given = {"ids": ids, "most": [4] * len(ids), "now": NOW, "until": NOW + LEASE}
    assert pages_read(session, claiming._CLAIM, **given) < 16 * PAGES, "for writing sixteen rows and their indexes"


def test_a_backlog_of_one_takes_no_turn_from_another(session: TenantSession, receivers: list[Webhook]) -> None:
    behind, *others = receivers
    fill(session, behind, 1000, at=NOW - timedelta(hours=1))
    for webhook in others:
        a_delivery(session, webhook, at=NOW)
    due = due_receivers(session, now=NOW)
    assert [each.webhook_id for each in due] == [webhook.id for webhook in receivers]
    claimed = Counter(message.webhook_id for message in claim(session, Room().share(due), now=NOW))
    assert claimed == dict.fromkeys((webhook.id for webhook in receivers), 1)


def test_what_is_due_longest_goes_first(session: TenantSession, receivers: list[Webhook]) -> None:
    late, later, latest = (a_delivery(session, receivers[0], at=NOW - timedelta(minutes=n)) for n in (1, 3, 2))
    found = claim(session, {receivers[0].id: 2}, now=NOW)
    assert {message.delivery_id for message in found} == {later.id, latest.id}
    assert late.state == "pending"


def test_a_claim_counts_those_of_other_senders(
    session: TenantSession, receivers: list[Webhook], make_session: sessionmaker[TenantSession]
) -> None:
    for _ in range(9):
        a_delivery(session, receivers[0], at=NOW)
    session.commit()
    shares = {receivers[0].id: 4}
    counts = []
    for seconds in (0, 1, 2, 21):
        with transaction(make_session, SYSTEM) as other:
            counts.append(len(claim(other, shares, now=NOW + timedelta(seconds=seconds))))
    assert counts == [4, 0, 0, 4], "until the claims have run out"


def test_two_that_claim_at_the_same_moment_get_different_messages(
    session: TenantSession, receivers: list[Webhook], make_session: sessionmaker[TenantSession]
) -> None:
    for webhook in receivers:
        for _ in range(3):
            a_delivery(session, webhook, at=NOW)
    session.commit()
    some = {webhook.id: 4 for webhook in receivers[:3]}
    everybody = {webhook.id: 4 for webhook in receivers}
    with transaction(make_session, SYSTEM) as first, transaction(make_session, SYSTEM) as second:
        mine, others = claim(first, some, now=NOW), claim(second, everybody, now=NOW)
    assert (len(mine), len(others)) == (9, 9)
    assert {each.delivery_id for each in mine}.isdisjoint({each.delivery_id for each in others})


def test_a_message_that_somebody_is_changing_is_left_out_for_now(
    session: TenantSession, receivers: list[Webhook], make_session: sessionmaker[TenantSession]
) -> None:
    held, free = (a_delivery(session, receivers[0], at=NOW) for _ in range(2))
    session.commit()
    session.get(WebhookDelivery, held.id, with_for_update=True)
    with transaction(make_session, SYSTEM) as other:
        assert [each.delivery_id for each in claim(other, {receivers[0].id: 4}, now=NOW)] == [free.id]


def test_a_claimed_message_says_all_it_takes_to_send_it(session: TenantSession, receivers: list[Webhook]) -> None:
    delivery = a_delivery(session, receivers[0], at=NOW, attempts=12, spent=10, state="failed", body="{}")
    [message] = claim(session, {receivers[0].id: 4}, now=NOW)
    assert (message.message_id, message.url, message.body) == (delivery.message_id, receivers[0].url, "{}")
    assert (message.attempt, message.number, message.claimed_until) == (3, 13, NOW + LEASE)
    assert len(message.secrets) == 1
    session.expire(delivery)
    assert (delivery.state, delivery.claimed_until, delivery.next_attempt_at) == ("sending", NOW + LEASE, NOW + LEASE)


@pytest.mark.parametrize("state", ["delivered", "given_up", "cancelled"])
def test_what_has_ended_is_not_claimed(session: TenantSession, receivers: list[Webhook], state: str) -> None:
    a_delivery(session, receivers[0], at=NOW, state=state)
    assert due_receivers(session, now=NOW) == []
    assert claim(session, {receivers[0].id: 4}, now=NOW) == []


def test_a_receiver_that_is_failing_is_said_to_be(session: TenantSession, receivers: list[Webhook]) -> None:
    receivers[1].failing_since = NOW
    for webhook in receivers[:2]:
        a_delivery(session, webhook, at=NOW)
    assert due_receivers(session, now=NOW) == [Due(receivers[0].id, False), Due(receivers[1].id, True)]


def test_nothing_to_do_asks_for_nothing(session: TenantSession) -> None:
    assert claim(session, {}, now=NOW) == [] and claim(session, {999: 4}, now=NOW) == []
    assert session.query(WebhookDelivery).count() == 0


# --- rooms


class Watch:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def room(watch: Watch) -> Room:
    return Room(clock=watch)


def due(*webhook_ids: int, failing: bool = False) -> list[Due]:
    return [Due(webhook_id, failing) for webhook_id in webhook_ids]


def call(room: Room, watch: Watch, webhook_id: int, *, seconds: float) -> None:
    number = room.enter(webhook_id)
    watch.seconds += seconds
    room.look()
    room.leave(number)


def test_a_receiver_gets_one_message_first_and_several_once_it_answered_quickly(room: Room, watch: Watch) -> None:
    assert room.share(due(1)) == {1: 1}
    call(room, watch, 1, seconds=0.5)
    assert room.share(due(1)) == {1: EACH[Kind.QUICK]}
    call(room, watch, 1, seconds=SLOW_S * 2)
    assert room.share(due(1)) == {1: 1}


def test_everybody_gets_one_before_anybody_gets_another(room: Room, watch: Watch) -> None:
    many = range(1, PLACES[Kind.QUICK] - 3)
    for webhook_id in many:
        call(room, watch, webhook_id, seconds=0.1)
    assert Counter(room.share(due(*many)).values()) == {1: len(many) - 4, 2: 4}


def test_what_is_under_way_counts(room: Room, watch: Watch) -> None:
    call(room, watch, 1, seconds=0.1)
    for _ in range(3):
        room.enter(1)
    assert room.share(due(1)) == {1: 4}
    room.enter(1)
    assert room.share(due(1)) == {}


def test_one_that_is_failing_gets_one_however_quick_it_is(room: Room, watch: Watch) -> None:
    call(room, watch, 1, seconds=0.1)
    assert room.share(due(1, failing=True)) == {1: 1}
    assert room.share(due(1)) == {1: EACH[Kind.QUICK]}


def test_one_that_takes_long_is_known_before_it_is_done(room: Room, watch: Watch) -> None:
    call(room, watch, 1, seconds=0.1)
    room.enter(1)
    watch.seconds += SLOW_S * 2
    room.look()
    assert room.share(due(1)) == {}, "nothing more until that is over"


@pytest.mark.parametrize("failing", [False, True])
def test_those_who_hang_never_take_the_places_of_the_quick(room: Room, watch: Watch, failing: bool) -> None:
    quick = range(1000, 1000 + PLACES[Kind.QUICK] // EACH[Kind.QUICK])
    for webhook_id in quick:
        call(room, watch, webhook_id, seconds=0.1)
    for moment in range(500):  # every second others begin to hang, each with a backlog
        shares = room.share([*due(*range(moment, moment + 60), failing=failing), *due(*quick)])
        for webhook_id in shares.keys() - set(quick):
            room.enter(webhook_id)
        assert {webhook_id: shares.get(webhook_id) for webhook_id in quick} == dict.fromkeys(quick, EACH[Kind.QUICK])
        watch.seconds += 1.1
        room.look()
    assert len(room) <= PLACES[Kind.UNPROVEN] + PLACES[Kind.FAILING] + CORRIDOR


def test_those_who_begin_to_hang_leave_their_places_to_others(room: Room, watch: Watch) -> None:
    many = range(PLACES[Kind.QUICK] // EACH[Kind.QUICK])
    for webhook_id in many:
        call(room, watch, webhook_id, seconds=0.1)
    for webhook_id, most in room.share(due(*many)).items():
        for _ in range(most):
            room.enter(webhook_id)
    call(room, watch, 100, seconds=0.1)
    assert room.share(due(100)) == {}, "full"
    watch.seconds += SLOW_S * 2
    room.look()
    assert room.share(due(100)) == {100: EACH[Kind.QUICK]}


def test_everybody_has_their_turn_however_many_there_are(room: Room) -> None:
    served: Counter[int] = Counter()
    for _ in range(10):
        served.update(room.share(due(*range(1, 161))).keys())
    assert set(served) == set(range(1, 161)) and set(served.values()) == {2}


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 200), st.booleans(), st.floats(0, 15)), max_size=300))
def test_there_is_a_limit_to_everything(story: list[tuple[int, bool, float]]) -> None:
    watch = Watch()
    room, open_calls = Room(clock=watch), []
    for webhook_id, failing, seconds in story:
        for granted in room.share([*due(webhook_id, failing=failing), *due(webhook_id + 1)]):
            open_calls.append(room.enter(granted))
        watch.seconds += seconds / 10
        room.look()
        if open_calls and seconds > 7:
            room.leave(open_calls.pop(0))
        assert len(room) == len(open_calls) <= sum(PLACES.values()) + CORRIDOR
