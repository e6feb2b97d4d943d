from __future__ import annotations

import pytest

from tests.booking.house import House, Sessions


@pytest.fixture
def house(make_session: Sessions) -> House:
    return House(make_session)
