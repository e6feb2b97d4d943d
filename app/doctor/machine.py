"""The machine: settings, the data folder, the secret key, the bus."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from app.config import Config
from app.doctor.finding import Fault

LEAST_DISK = 200 * 1024 * 1024  # bytes free under PASSERELLE_HOME


def _configuration(config: Config) -> str:
    from app import logs

    logs.configure(config)
    if config.port == 0:
        raise Fault("PORT is 0: choose one from 1 to 65535")
    if config.broker_url.partition(":")[0] not in ("memory", "amqp", "amqps"):
        raise Fault("BROKER_URL is neither amqp:// nor memory://")
    return "every setting can be read; `passerelle settings` lists them"


def _home(config: Config) -> str:
    if not config.home.exists():
        return _home_to_come(config.home)
    with tempfile.NamedTemporaryFile(dir=config.home) as file:
        file.write(b"written")
        file.flush()
    free = shutil.disk_usage(config.home).free
    if free < LEAST_DISK:
        raise Fault(f"{config.home} has {free // 2**20} MB left: make room")
    return f"{config.home} can be written, {free // 2**20} MB free"


def _home_to_come(home: Path) -> str:
    """Looking makes nothing: the first start makes the folder."""
    there = next(folder for folder in home.parents if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise Fault(f"{home} is not there, and cannot be made in {there}: make it, or set PASSERELLE_HOME")
    return f"{home} is not there yet; the first start makes it"


def _secret_key(config: Config) -> str:
    from app.secret_key import kept_key

    if kept_key(config) is None:
        return "not there yet; the first start makes it"
    file = config.home / "secret_key"
    if not config.secret_key and (mode := file.stat().st_mode & 0o077):
        raise Fault(f"others can read {file} (mode ...{mode:03o}): chmod 600")
    return "there"


def _bus(config: Config) -> str:
    from app.bus import Bus

    bus = Bus(config.broker_url)
    if bus.in_memory:
        return "memory:// inside the one worker process"
    with bus.connection("doctor") as connection:
        connection.ensure_connection(max_retries=1, timeout=5)
    return "the broker answers"


MACHINE_CHECKS: list[tuple[str, Callable[[Config], str]]] = [
    ("configuration", _configuration),
    ("data folder", _home),
    ("secret key", _secret_key),
    ("bus", _bus),
]
