"""The one password of the demonstration's accounts: given by a setting, or made once and kept in a private file."""

from __future__ import annotations

import os
import secrets

from app.config import Config

FILE = "demo_password"
# Without letters and digits that look alike: it is read off a terminal.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


def demo_password(config: Config) -> str:
    """PASSERELLE_DEMO_PASSWORD, else what PASSERELLE_HOME/demo_password holds, else a new one kept there (0600)."""
    if config.demo_password:
        return config.demo_password
    path = config.home / FILE
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    made = "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4))
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # made by another process a moment ago
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        file.write(made + "\n")
    return made
