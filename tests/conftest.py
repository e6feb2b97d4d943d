"""Real PostgreSQL servers for every test that needs one; a clean, migrated database per test (databases.py).

The embedded server always runs (TEST_EMBEDDED=0 leaves it out); TEST_DATABASE_URLS adds others, separated by spaces,
for what is not slow in the folders ON_EVERY_SERVER.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.orm import sessionmaker

from app import create_app
from app.config import Config
from app.db import TenantSession, make_engine, migrate, sessions
from app.tenancy import SYSTEM
from tests.databases import Databases

ON_EVERY_SERVER = ("booking", "events", "network", "workers")
# Of those folders, what is about rules, words, answers over HTTP and the bus: its statements are plain ones that
# SQLAlchemy writes, or ours that its neighbours send on every server too. What another server may take otherwise is our
# own SQL, constraints, triggers, locks and plans.
ON_ONE_SERVER = (
    "booking/test_catalogue.py",
    "booking/test_refusals.py",
    "booking/test_vat_of_bookings.py",
    "events/test_upcasting.py",
    "network/memberships/test_api.py",
    "network/memberships/test_previews.py",
    "network/parties/test_details.py",
    "network/test_foreign_ids.py",
    "workers/test_bus_troubles.py",
    "workers/test_rabbitmq.py",
    "workers/test_run.py",
)
ALONE = ("chaos", "faults", "races")
# Slow, but only busy: nothing is killed or frozen there, and nothing is timed. First, so that none is left for the end.
BUSY = (
    "http/test_bad_input.py",
    "http/test_fuzzing.py",
    "oracles/test_calendar_oracles.py",
    "oracles/test_served_feed.py",
    "webhooks/test_engine.py",
    "workers/test_crash_everywhere.py",
    "workers/test_handle_against_model.py",
)


def _servers() -> list[str]:
    given = os.environ.get("TEST_DATABASE_URLS", "").split()
    return ([] if os.environ.get("TEST_EMBEDDED") == "0" else ["embedded"]) + given


def _label(server: str) -> str:
    return "embedded" if server == "embedded" else f"server{_servers().index(server)}"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fresh_database: looks at plans, sizes or speed: never a database used before")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is quick in folders that live by the database is told on every server; for all else one is enough."""
    if "which_server" in metafunc.fixturenames:
        where, slow = _file(metafunc.definition), metafunc.definition.get_closest_marker("slow")
        everywhere = where.parts[0] in ON_EVERY_SERVER and str(where) not in ON_ONE_SERVER and slow is None
        servers = _servers() if everywhere else _servers()[:1]
        metafunc.parametrize("which_server", servers, indirect=True, scope="session", ids=_label)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs beside no other test: the folders ALONE, and what is slow and not only BUSY: it starts processes,
    and waits."""
    for item in items:
        where = _file(item)
        if where.parts[0] in ALONE or (item.get_closest_marker("slow") and str(where) not in BUSY):
            item.add_marker("alone")
    items.sort(key=lambda item: str(_file(item)) not in BUSY)


def _file(item: pytest.Item) -> PurePath:
    """Where a test stands, from here."""
    return item.path.relative_to(Path(__file__).parent)


@pytest.fixture(scope="session")
def which_server(request: pytest.FixtureRequest) -> str:
    """`embedded`, or an address of TEST_DATABASE_URLS."""
    which: str = request.param
    return which


@pytest.fixture(scope="session")
def server(which_server: str) -> Iterator[str]:
    """The address of a server's maintenance database."""
    if which_server != "embedded":
        yield which_server
        return
    from app.embedded import EmbeddedPostgres

    home = Path(tempfile.mkdtemp(prefix="passerelle-test-"))
    postgres = EmbeddedPostgres(home, durable=False)
    postgres.ensure_initialised()
    postgres.start()
    # What the server tidies up by itself, at moments of its own, changes catalogues that tests compare.
    _on(postgres.url("postgres"), "ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")
    try:
        yield postgres.url("postgres")
    finally:
        postgres.stop()
        shutil.rmtree(home, ignore_errors=True)


def _on(server: str, *statements: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def _address(server: str, database: str) -> str:
    return make_url(server).set(database=database).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    name = f"passerelle_template_{os.getpid()}"
    _on(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
    migrate(_address(server, name))
    yield name
    _on(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def databases(server: str, template: str) -> Iterator[Databases]:
    with Databases(server, template) as lent:
        yield lent


@pytest.fixture
def database_url(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    """A migrated, empty database of this test's own: clean as new, or new where the test is marked fresh_database."""
    fresh = request.node.get_closest_marker("fresh_database") is not None
    address = databases.lend_fresh() if fresh else databases.lend()
    yield address
    databases.take_back(address)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def make_session(engine: Engine) -> sessionmaker[TenantSession]:
    return sessions(engine)


@pytest.fixture
def session(make_session: sessionmaker[TenantSession]) -> Iterator[TenantSession]:
    """One open transaction that sees everything; commit it yourself, or open others with `make_session`."""
    with make_session() as session:
        session.info["scope"] = SYSTEM
        yield session


class Clock:
    """The hour on every wall of a test: `clock.now = ...` moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # a Monday, before the doors open in Brussels

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **amount: float) -> None:
        """`clock.pass_by(minutes=20)`."""
        self.now += timedelta(**amount)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[Flask]:
    """The web application on this test's database, at this test's hour."""
    from app.http.services import Services

    made = create_app(Config(home=tmp_path, database_url=database_url, log_level="WARNING"), clock=clock)
    yield made
    services: Services = made.extensions["passerelle"]
    services.engine.dispose()


# --- what was left out

EVERYTHING = os.environ.get("PASSERELLE_TEST_EVERYTHING") == "1"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return said.removeprefix("Skipped: ")


def _demanded(report: Any) -> Any:
    """With PASSERELLE_TEST_EVERYTHING=1 what cannot be run has failed."""
    if EVERYTHING and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"left out: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    return _demanded((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    return _demanded((yield))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what this machine could not run, and why."""
    left_out = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", ()))
    if left_out:
        terminalreporter.section("left out here; .ci/run leaves out nothing")
    for reason, count in left_out.most_common():
        terminalreporter.line(f"{count:4}  {reason}")
