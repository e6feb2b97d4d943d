"""What the tests of notifications share."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession
from tests.notifications.telling import Teller


@pytest.fixture
def teller(make_session: sessionmaker[TenantSession]) -> Teller:
    return Teller(make_session)
