"""The key that signs form tokens: SECRET_KEY, or a file made once that every process of the installation reads."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from app.config import BadSetting, Config

SHORTEST = 32  # characters


def secret_key(config: Config) -> str:
    """Raises BadSetting when SECRET_KEY, or what the file holds, is too short to be secret."""
    kept = kept_key(config)
    if kept is not None:
        return kept
    file = config.home / "secret_key"
    _make(file)
    return _read(file)


def kept_key(config: Config) -> str | None:
    """The key there is; None while none was made. Raises BadSetting as secret_key does."""
    if config.secret_key:
        return _long_enough(config.secret_key, "SECRET_KEY", "at least 32 random characters")
    with suppress(FileNotFoundError):
        return _read(config.home / "secret_key")
    return None


def _read(file: Path) -> str:
    return _long_enough(
        file.read_text().strip(), str(file), "remove the file: it is made again, and people sign in anew"
    )


def _long_enough(key: str, setting: str, remedy: str) -> str:
    if len(key) < SHORTEST:
        raise BadSetting(setting=setting, remedy=remedy)
    return key


def _make(file: Path) -> None:
    """Complete or not at all: written and synced under another name, then linked. Of two who race, the first wins."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".secret_key-", dir=file.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as draft:
            draft.write(secrets.token_urlsafe(48))
            draft.flush()
            os.fsync(draft.fileno())
        with suppress(FileExistsError):
            os.link(name, file)
    finally:
        os.unlink(name)
