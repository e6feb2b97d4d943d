"""Get a database ready for use: `python -m app.prepare [--create] [--demo]`, in a process of its own.

`passerelle up` runs it before anything is served and stays small itself: migrations and demonstration data need the
whole application in memory. It prints the lines to show once everything runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from app import logs
from app.config import BadSetting, Config
from app.errors import Problem


def prepare(config: Config, *, create: bool, demo: bool) -> list[str]:
    """Create the database if it is missing (`create`), migrate it to the newest schema, load the demonstration.

    Returns what to show: the demonstration's address and accounts.
    """
    from app.db import migrate
    from app.embedded import ensure_database

    url = config.database_url
    if url is None:
        raise BadSetting(setting="DATABASE_URL", remedy="the address of the database to prepare")
    if create:
        ensure_database(url)
    migrate(url)
    if not demo:
        return []
    from app.demo.load import ensure_demo

    return list(ensure_demo(config, url))


def main(arguments: Sequence[str]) -> int:
    try:
        config = Config.from_env()
        logs.configure(config)
        lines = prepare(config, create="--create" in arguments, demo="--demo" in arguments)
    except Problem as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
