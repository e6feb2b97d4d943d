"""The database that a command speaks to: the configured one, or the embedded server where that is what runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from app.config import BadSetting, Config

if TYPE_CHECKING:
    from sqlalchemy.orm import sessionmaker

    from app.db import TenantSession


def as_found() -> Config:
    """The settings, with the address of the embedded server when that is what runs."""
    from app.embedded import running_url

    config = Config.from_env()
    return replace(config, database_url=config.database_url or running_url(config.home))


def connected() -> Config:
    """Raises BadSetting when there is no database to speak to."""
    config = as_found()
    if config.database_url is None:
        raise BadSetting(
            setting="DATABASE_URL",
            remedy=f"set it, or run `passerelle up` (nothing runs in {config.home}; PASSERELLE_HOME names the folder)",
        )
    return config


@contextmanager
def open_sessions() -> Iterator[sessionmaker[TenantSession]]:
    from app.db import make_engine, sessions

    engine = make_engine(str(connected().database_url), pool_size=1, application_name="passerelle-cli")
    try:
        yield sessions(engine)
    finally:
        engine.dispose()


@contextmanager
def one_session() -> Iterator[TenantSession]:
    """One transaction that sees everything: whoever may run this command may read the database."""
    with open_sessions() as make_session, as_system(make_session) as session:
        yield session


@contextmanager
def as_system(make_session: sessionmaker[TenantSession]) -> Iterator[TenantSession]:
    from app.db import transaction
    from app.tenancy import SYSTEM

    with transaction(make_session, SYSTEM) as session:
        yield session
