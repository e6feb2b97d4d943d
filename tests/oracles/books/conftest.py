"""The story is told once for the whole module; each operator's files are what the tests are about."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, make_url, text

from app import create_app
from app.cli import passerelle
from app.config import Config
from app.db import make_engine, sessions
from app.tenancy import SYSTEM
from tests.conftest import Clock
from tests.databases import copied_by
from tests.oracles.books.reading import Exported
from tests.oracles.books.telling import House, Valley
from tests.scenarios.conftest import Town
from workers import registry
from workers.subscriptions import subscribe

YEAR = ("2026-01-01", "2026-12-31")
MONTHS = {"2026-03": "2026-03-31", "2026-04": "2026-04-30", "2026-05": "2026-05-31"}


@pytest.fixture(scope="module")
def story_database(server: str, template: str) -> Iterator[str]:
    """As `database_url`, for the module."""
    name = f"passerelle_books_{os.getpid()}"
    _on(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY {copied_by(server)}')
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    _on(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _on(server: str, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(scope="module")
def books(story_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Exported]]:
    """What each operator exports when the story is over, by what it is."""
    home, clock = tmp_path_factory.mktemp("books"), Clock()
    app = create_app(Config(home=home, database_url=story_database, log_level="WARNING"), clock=clock)
    with ExitStack() as leaving:
        leaving.callback(app.extensions["passerelle"].engine.dispose)
        engine = make_engine(story_database)
        leaving.callback(engine.dispose)
        make_session = sessions(engine)
        subscribe(make_session, registry.load().values())
        session = leaving.enter_context(make_session())
        session.info["scope"] = SYSTEM
        valley = Valley(Town(app, session, make_session, clock))
        valley.tell()
        yield {name: _exported(house, home, story_database) for name, house in valley.houses.items()}


def _exported(house: House, home: Path, database_url: str) -> Exported:
    mine, ask = f"/operators/{house.operator}", house.manager.get
    first, last = YEAR
    year = {"from": first, "to": last}
    periods = [{"from": f"{month}-01", "to": end} for month, end in MONTHS.items()] + [{"from": first, "to": last}]
    form = "fec" if house.country == "FR" else "csv"
    return Exported(
        country=house.country,
        archives=tuple(_archive(house, month, home, database_url) for month in MONTHS),
        ledger=ask(f"{mine}/ledger-export", query={**year, "format": form}).data,
        trial_balance=ask(f"{mine}/trial-balance", query=year).data,
        vat_returns=tuple(ask(f"{mine}/vat-return", query=period).data for period in periods),
        charges=json.dumps(_all(house, f"{mine}/charges")).encode(),
    )


def _all(house: House, path: str) -> list[object]:
    answer = house.manager.get(path, query={"limit": 200})
    assert "next" not in answer.headers.get("Link", "")
    return list(answer.json)


def _archive(house: House, month: str, home: Path, database_url: str) -> bytes:
    path = home / f"{house.operator}-{month}.zip"
    words = ("archive", "make", "--operator", house.operator, "--month", month, "--output", str(path))
    around = {"DATABASE_URL": database_url, "PASSERELLE_HOME": str(home), "LOG_LEVEL": "WARNING"}
    answer = CliRunner().invoke(passerelle, words, env=around, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return path.read_bytes()
