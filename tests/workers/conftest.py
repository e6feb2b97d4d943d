"""Databases with a table to count effects in, handlers on them, and buses of a test's own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, make_url
from sqlalchemy.orm import sessionmaker

from app.bus import Bus
from app.db import TenantSession
from tests.conftest import Clock
from tests.faults.cable import Cable, cable
from tests.workers.effects import COUNTING, create_effects, drop_effects
from workers.handle import EventHandler
from workers.subscriptions import subscribe

BROKER_URL = os.environ.get("BROKER_URL", "amqp://guest:guest@127.0.0.1:5672//")


@pytest.fixture
def counted(engine: Engine, make_session: sessionmaker[TenantSession]) -> Iterator[sessionmaker[TenantSession]]:
    """A database to which the counting consumer is subscribed."""
    create_effects(engine)
    subscribe(make_session, [COUNTING])
    yield make_session
    drop_effects(engine)


@pytest.fixture
def handler(counted: sessionmaker[TenantSession], clock: Clock) -> EventHandler:
    return EventHandler(COUNTING, counted, clock=clock)


@pytest.fixture
def memory_bus() -> Iterator[Bus]:
    bus = Bus("memory://", prefix=f"test-{uuid.uuid4().hex[:8]}")
    yield bus
    bus.delete([COUNTING])


@pytest.fixture(scope="session")
def broker_url() -> str:
    try:
        with Bus(BROKER_URL).connection("test") as connection:
            connection.connect()
    except Exception:
        pytest.skip(f"RabbitMQ does not answer at {BROKER_URL}")
    return BROKER_URL


@pytest.fixture
def rabbit_bus(broker_url: str) -> Iterator[Bus]:
    """Exchanges and queues of this test's own on a real broker, removed at the end."""
    bus = Bus(broker_url, prefix=f"passerelle-test-{uuid.uuid4().hex[:8]}")
    yield bus
    bus.delete([COUNTING])


@pytest.fixture
def line(rabbit_bus: Bus) -> Iterator[tuple[Bus, Cable]]:
    """The same bus, over a cable."""
    real = make_url(rabbit_bus.url)
    with cable(real.host or "", real.port or 5672) as laid:
        address = real.set(host="127.0.0.1", port=laid.port).render_as_string(hide_password=False)
        yield Bus(address, prefix=rabbit_bus.prefix), laid
