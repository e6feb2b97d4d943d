"""One pair of servers for all runs of a session; the logs of a run that found something are kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.broker import PROGRAMS, installed
from tests.chaos.stage import Servers


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    if not installed():
        pytest.skip(f"no RabbitMQ to start and stop: {PROGRAMS}/rabbitmq-server is not there")
    made = Servers()
    with made:
        yield made
    made.forget(but_logs=made.logs_wanted)
