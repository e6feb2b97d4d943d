"""Switching off one guarantee in a process, with every layer that would hide it: what the harness must then notice.

Nothing here is a switch of the product: the launcher replaces its parts before anything runs. A sabotage is the
functions to call in each process, and the statements to run in the database.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event, insert

from app.db import Statement

Patch = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Sabotage:
    patches: tuple[Patch, ...] = ()
    statements: tuple[str, ...] = ()


# --- a receipt's key, and the cursor: what keeps an event from being handled twice, or before its time

_RECEIVE_ANYHOW = Statement("""
    WITH receipt AS (
        INSERT INTO delivery (consumer, event_id, aggregate_type, aggregate_id, seq, state)
        VALUES (:consumer, :event_id, :aggregate_type, :aggregate_id, :seq, :state) ON CONFLICT DO NOTHING
    )
    INSERT INTO cursor AS c (consumer, aggregate_type, aggregate_id, last_seq)
    VALUES (:consumer, :aggregate_type, :aggregate_id, :seq)
    ON CONFLICT (consumer, aggregate_type, aggregate_id)
        DO UPDATE SET last_seq = greatest(c.last_seq, excluded.last_seq)
""")


def every_turn_is_now() -> None:
    from workers import receipts

    def take(session: Any, consumer: str, event: Any, *, handled: bool, **_: Any) -> receipts.Place:
        facts = receipts._facts(consumer, event) | {"state": "done" if handled else "skipped"}
        _RECEIVE_ANYHOW.run(session, facts)
        return receipts.Place(receipts.Turn.NOW)

    receipts.take = take  # type: ignore[assignment]


# --- the bus: its confirmations, and who sends again what it lost


def nobody_waits_for_confirmations() -> None:
    from app.bus import Publisher

    def await_nothing(publisher: Any) -> None:
        publisher._unconfirmed.clear()

    assert hasattr(Publisher, "_await_confirmations")
    Publisher._await_confirmations = await_nothing  # type: ignore[method-assign]


def nothing_is_sent_again() -> None:
    from workers.reconcile import Reconciler

    Reconciler.send_again = lambda self, **_: True  # type: ignore[method-assign]


def acknowledged_on_arrival() -> None:
    """The broker forgets a message as soon as it has sent it, whatever becomes of it."""
    from amqp.channel import Channel

    consume = Channel.basic_consume

    def forgetting(self: Any, *arguments: Any, **options: Any) -> Any:
        return consume(self, *arguments, **{**options, "no_ack": True})

    Channel.basic_consume = forgetting
    Channel.basic_ack = lambda self, *arguments, **options: None
    Channel.basic_reject = lambda self, *arguments, **options: None


# --- a request: its key, its places, its event


def keys_are_forgotten() -> None:
    from app.http import idempotency

    idempotency.look_up = lambda *_, **__: None  # type: ignore[assignment]
    idempotency.store = lambda *_, **__: None  # type: ignore[assignment]


def events_are_written_afterwards() -> None:
    """The change commits, and then, in a transaction of its own, the event."""
    from app.events import outbox
    from app.events.models import OutboxRow

    def insert_events(session: Any, facts: Sequence[Any], *, at: Any, superseded_by: Any = None) -> list[Any]:
        rows = [
            outbox._row(fact, aggregate_id=uid, seq=seq, at=at, superseded_by=superseded_by)
            for fact, uid, seq in facts
        ]  # fmt: skip
        engine = session.get_bind()

        def write(_session: Any) -> None:
            with engine.begin() as connection:
                connection.execute(insert(OutboxRow), rows)

        event.listen(session, "after_commit", write, once=True)
        return [row["event_id"] for row in rows]

    outbox.insert_events = insert_events  # type: ignore[assignment]


# --- places: the look before the claim is a guard too, as long as it is fresh


def the_look_is_old_by_then() -> None:
    from app.booking import occupying

    claim = occupying.claim

    def late(*given: Any, **named: Any) -> int | None:
        time.sleep(0.1)
        return claim(*given, **named)

    occupying.claim = late


# --- what leaves the house: the keys of its rows, and their claims


def fanned_out_as_often_as_heard() -> None:
    from app.webhooks import fanning_out

    statement = fanning_out._FAN_OUT
    statement.sql, key = "".join(statement.sql.split(KEY)), statement.sql
    assert statement.sql != key


KEY = "ON CONFLICT (webhook_id, event_id) DO NOTHING"
NO_KEYS = (
    "ALTER TABLE webhook_delivery DROP CONSTRAINT uq_webhook_delivery_webhook_id_event_id",
    """
    CREATE FUNCTION another_key() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.key := NEW.key || gen_random_uuid();
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER another_key BEFORE INSERT ON notification FOR EACH ROW EXECUTE FUNCTION another_key()",
)


def claims_are_over_at_once() -> None:
    from datetime import timedelta

    from app.webhooks import claiming

    assert claiming.LEASE
    claiming.LEASE = timedelta(0)


SABOTAGES = {
    "receipts": Sabotage((every_turn_is_now,)),
    "confirmations": Sabotage((nobody_waits_for_confirmations, nothing_is_sent_again)),
    "places": Sabotage(
        (the_look_is_old_by_then,),
        ("ALTER TABLE occupancy DROP CONSTRAINT no_two_occupancies_of_a_unit_overlap",),
    ),
    "keys": Sabotage((keys_are_forgotten,)),
    "acknowledgements": Sabotage((acknowledged_on_arrival, nothing_is_sent_again)),
    "dual write": Sabotage((events_are_written_afterwards,)),
    "keys of what is sent": Sabotage((every_turn_is_now, fanned_out_as_often_as_heard), NO_KEYS),
    "claims": Sabotage((claims_are_over_at_once,)),
}


def commit(name: str) -> None:
    """In this process, from now on."""
    for patch in SABOTAGES[name].patches:
        patch()
