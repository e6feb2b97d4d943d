"""Faults are tried on one server, the first there is: they cost seconds each, and are not about its version."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from app.bus import Bus
from app.db import migrate
from app.embedded import EmbeddedPostgres
from tests.running import broker_of_this_test
from workers import registry


@pytest.fixture(scope="session")
def one_server() -> Iterator[str]:
    given = os.environ.get("TEST_DATABASE_URLS", "").split()
    if os.environ.get("TEST_EMBEDDED") == "0" and given:
        yield given[0]
        return
    home = Path(tempfile.mkdtemp(prefix="passerelle-faults-"))
    try:
        with EmbeddedPostgres(home) as postgres:
            yield postgres.url("postgres")
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def own_database(one_server: str) -> Iterator[str]:
    """A migrated, empty database."""
    name = f"passerelle_fault_{uuid.uuid4().hex[:12]}"
    address = make_url(one_server).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(one_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        migrate(address)
        yield address
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def own_server() -> Iterator[EmbeddedPostgres]:
    """A server that this test may stop and kill, with a migrated database."""
    home = Path(tempfile.mkdtemp(prefix="passerelle-fault-"))
    try:
        with EmbeddedPostgres(home) as postgres:
            migrate(postgres.url())
            yield postgres
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def broker() -> Iterator[Bus]:
    """RabbitMQ, with an exchange and queues of this test's own."""
    with broker_of_this_test(registry.load().values()) as bus:
        yield bus
