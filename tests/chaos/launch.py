"""What runs in each process of the stage: the product, with what the harness needs around it.

    python -m tests.chaos.launch web
    python -m tests.chaos.launch worker relay

CHAOS_DISTURB, where set, is the seed of bad deliveries; CHAOS_SABOTAGE names a guarantee to switch off;
CHAOS_CONSUMERS are those that this installation knows.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import Any

from app import logs
from app.config import Config
from tests.chaos import deaths, disturb, sabotage

KEEP_S = 20.0


def main(role: str, names: list[str]) -> int:
    if seed := os.environ.get("CHAOS_DISTURB"):
        disturb.install(f"{seed} {os.getpid()}")
    deaths.install()
    if name := os.environ.get("CHAOS_SABOTAGE"):
        sabotage.commit(name)
    return serve() if role == "web" else work(names)


def serve() -> int:
    from gunicorn.app.wsgiapp import run

    sys.argv = ["gunicorn", "-c", "python:app.gunicorn_settings", "app:create_app()"]
    run()
    return 0


def work(names: list[str]) -> int:
    from tests.chaos.tally import TALLY
    from workers import registry
    from workers.run import run

    config = Config.from_env()
    logs.configure(config)
    _keep_briefly()
    everybody = {**registry.load(), TALLY.name: TALLY}
    return run(names, config, consumers={name: everybody[name] for name in os.environ["CHAOS_CONSUMERS"].split()})


def _keep_briefly() -> None:
    """Events leave the outbox after seconds instead of days."""
    from workers.archive import Archivist

    initialise = Archivist.__init__

    def init(self: Archivist, *arguments: Any, keep: timedelta, **options: Any) -> None:
        initialise(self, *arguments, keep=timedelta(seconds=KEEP_S), **options)

    Archivist.__init__ = init  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
