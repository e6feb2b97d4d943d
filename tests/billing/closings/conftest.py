"""An archive to look at, sealed once: October 2026, a document of September before it, one of November after it."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from app.billing.closings.archive import making  # noqa: F401  (declares what is due)
from app.billing.closings.archive.keys import signer
from app.db import TenantSession, make_engine, sessions, transaction
from app.network.models import Operator
from app.tenancy import SYSTEM
from tests.billing.closings.books import a_customer, archive_of, books, pass_time, pay, record
from tests.conftest import Clock, _address, _on
from tests.databases import copied_by

_numbers = itertools.count(1)
SALES = ((9, 29, 50_000), (10, 3, 10_000), (10, 3, 4_000), (10, 9, -500), (10, 31, 999), (11, 1, 7))


class Sealed(NamedTuple):
    """Books whose October is closed and archived under `home`, and the key it is signed with."""

    make_session: sessionmaker[TenantSession]
    engine: Engine
    home: Path
    operator: Operator
    path: Path
    public_key: str
    clock: Clock


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PASSERELLE_HOME of a test."""
    monkeypatch.setenv("PASSERELLE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def october(server: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sealed]:
    """Sealed once for a whole file, since 35 days take their time: what changes the database puts it back."""
    name = f"passerelle_test_{os.getpid()}_october_{next(_numbers)}"
    _on(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY {copied_by(server)}')
    engine, home, clock = make_engine(_address(server, name)), tmp_path_factory.mktemp("home"), Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PASSERELLE_HOME", str(home))
        make_session = sessions(engine)
        with transaction(make_session, SYSTEM) as session:
            operator, customer = books(session), a_customer(session)
            for month, day, net in SALES:
                record(session, operator, customer, net=net, at=datetime(2026, month, day, 10, tzinfo=UTC))
            pay(session, operator, customer, at=datetime(2026, 10, 20, 10, tzinfo=UTC))
        clock.now = datetime(2026, 11, 2, tzinfo=UTC)
        pass_time(make_session, clock)
    key = signer(home).public_key
    yield Sealed(make_session, engine, home, operator, archive_of(home, operator, "2026-10"), key, clock)
    engine.dispose()
    _on(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def sealed(october: Sealed, tmp_path: Path) -> Path:
    """A copy of the archive, to be changed."""
    return Path(shutil.copy(october.path, tmp_path / "2026-10.zip"))
