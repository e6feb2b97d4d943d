"""A fake whose books are looked at in the end, whatever the test did."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stripe

from tests.fakes.clients import KEY, SECRET, Hook, client_of
from tests.fakes.stripe import Fake, running


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.stop()


@pytest.fixture
def fake(hook: Hook) -> Iterator[Fake]:
    with running(key=KEY, webhook_url=hook.url, webhook_secret=SECRET) as made:
        made.control("POST", "settings", webhook_backoff=0.02, sepa_delay=600, refund_delay=600)
        yield made
        assert made.control("GET", "books")["differences"] == []


@pytest.fixture
def client(fake: Fake) -> stripe.StripeClient:
    return client_of(fake)
