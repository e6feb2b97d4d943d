"""What an application is made of, handed to every request: settings, database, clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import current_app
from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from app.config import Config
from app.db import TenantSession


@dataclass(frozen=True, slots=True)
class Services:
    config: Config
    engine: Engine
    make_session: sessionmaker[TenantSession]
    clock: Callable[[], datetime]


def services() -> Services:
    return cast(Services, current_app.extensions["passerelle"])
