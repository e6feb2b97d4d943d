"""One database and one web server of eight workers for all races, since starting them costs seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest
from sqlalchemy import make_url

from app.db import make_engine, sessions
from app.tenancy import SYSTEM
from tests.races.arena import Arena, an_arena, deadlocks
from tests.running import Web, web

WORKERS = 8


@pytest.fixture(scope="package")
def race_database(server: str, template: str) -> Iterator[str]:
    name = f"{template}_races"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="package")
def eight_workers(race_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Whatever was raced for, PostgreSQL never had to break a deadlock; its count is exact once all have left."""
    with web(race_database, home=tmp_path_factory.mktemp("races"), workers=WORKERS) as running:
        yield running
    assert deadlocks(race_database) == 0


@pytest.fixture
def open_arena() -> Iterator[Callable[..., Arena]]:
    """Build the space and the members of one test in a database."""
    with ExitStack() as stack:

        def build(database_url: str, running: Web, **how_many: int) -> Arena:
            engine = make_engine(database_url, pool_size=1)
            stack.callback(engine.dispose)
            session = stack.enter_context(sessions(engine)())
            session.info["scope"] = SYSTEM
            return an_arena(session, database_url, running, stack, **how_many)

        yield build


@pytest.fixture
def arena(race_database: str, eight_workers: Web, open_arena: Callable[..., Arena]) -> Iterator[Arena]:
    made = open_arena(race_database, eight_workers)
    yield made
    assert deadlocks(race_database) == 0
