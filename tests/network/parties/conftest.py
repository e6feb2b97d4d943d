from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.network.parties.fake_vies import FakeVies
from tests.outside.conftest import authority as authority  # a fixture of another folder
from tests.outside.receivers import Authority


@pytest.fixture
def vies(authority: Authority) -> Iterator[FakeVies]:
    with FakeVies(authority) as fake:
        yield fake
