"""What nobody could read is counted, and reported by the web."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import sessionmaker

from app.bus import Bus
from app.db import TenantSession, transaction
from app.events.models import Figure
from app.tenancy import SYSTEM
from tests.waiting import until
from tests.workers.effects import COUNTING
from workers.observe import EVERY_S, Observer

Sessions = sessionmaker[TenantSession]


def dead_letters(engine: Engine, make_session: Sessions, bus: Bus) -> float | None:
    """What the observer has noted after a turn."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert Observer(engine, make_session, bus).turn(connection) == EVERY_S
    with transaction(make_session, SYSTEM) as session:
        return session.scalar(select(Figure.value).where(Figure.name == "dead_letters"))


@pytest.mark.rabbitmq
def test_messages_that_ended_among_the_dead_letters_are_counted(
    engine: Engine, make_session: Sessions, rabbit_bus: Bus
) -> None:
    assert dead_letters(engine, make_session, rabbit_bus) == 0
    with rabbit_bus.connection("test") as connection:
        channel = connection.default_channel
        rabbit_bus.declare(channel, [COUNTING])
        message = channel.prepare_message("not ours", content_type="text/plain", content_encoding="utf-8")
        channel.basic_publish(message, "", f"{rabbit_bus.prefix}.dead.v1")
    until(lambda: dead_letters(engine, make_session, rabbit_bus) == 1, describe="it is counted")


def test_the_embedded_bus_has_none_and_one_that_does_not_answer_says_nothing(
    engine: Engine, make_session: Sessions
) -> None:
    assert dead_letters(engine, make_session, Bus("amqp://guest:guest@127.0.0.1:1//")) is None
    assert dead_letters(engine, make_session, Bus("memory://")) == 0
