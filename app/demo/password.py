"""The one password of the demonstration's accounts: given by a setting, or made once and kept in a private file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from app.config import Config

FILE = "demo_password"
# Without letters and digits that look alike: it is read off a terminal.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


def demo_password(config: Config) -> str:
    """PASSERELLE_DEMO_PASSWORD, else what PASSERELLE_HOME/demo_password holds, else a new one; kept there (0600).

    A given one is kept too, so that commands in another terminal, without the setting, mean the same password.
    """
    path = config.home / FILE
    kept = _kept(path)
    if config.demo_password:
        if kept != config.demo_password:
            _keep(path, config.demo_password, replace=True)
        return config.demo_password
    if kept:
        return kept
    made = "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4))
    return _keep(path, made, replace=False)


def _kept(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return None


def _keep(path: Path, password: str, *, replace: bool) -> str:
    """Write the file in one step; the password that holds then: without `replace`, the first of two processes'."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{FILE}.{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(password + "\n")
    try:
        if replace:
            new.replace(path)
        else:
            os.link(new, path)
    except FileExistsError:  # made by another process a moment ago
        password = path.read_text().strip()
    finally:
        new.unlink(missing_ok=True)
    return password
