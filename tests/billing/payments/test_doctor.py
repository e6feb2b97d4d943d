"""The doctor compares payments with the ledger, and sees when nobody asks the provider any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.config import Config
from app.db import raw
from app.doctor import examine
from app.timekeeper import utc_now
from tests.billing.payments.house import House
from tests.billing.payments.scripted import SILENCE, Scripted, answered
from tests.billing.payments.test_settling import a_settled


@pytest.fixture
def house(make_session: Any, session: Any, clock: Any) -> House:
    clock.now = utc_now()
    return House(make_session, session, clock)


def said(house: House, database_url: str, tmp_path: Path) -> dict[str, str]:
    config = Config(home=tmp_path, database_url=database_url, log_level="WARNING")
    ours = [each for each in examine(config) if each.name in ("payments", "provider")]
    return {each.name: each.detail for each in ours if not each.good}


TAMPERED = {
    "changed cents": ("UPDATE payment SET settled_cents = settled_cents + 1", "is not what the ledger says that came"),
    "another state": (
        "UPDATE payment SET state = 'failed', settled_at = NULL, failed_at = now(), settled_cents = 0",
        "is not what the ledger says that came",
    ),
    "another fee": ("UPDATE payment SET fee_cents = 0", "come to"),
    "a refund that was removed": ("DELETE FROM refund", "come to"),
    "a posting that was removed": (
        "DELETE FROM ledger_entry; DELETE FROM posting WHERE key LIKE 'payment:%'",
        "is not what the ledger says that came",
    ),
}  # fmt: skip


def test_what_was_tampered_with_is_named_and_what_was_not_is_good(
    house: House, database_url: str, tmp_path: Path
) -> None:
    payment = a_settled(house)
    house.refunds(payment, 840)
    house.works(Scripted(answered("settled", ref="re_1", settled_cents=840)))
    assert said(house, database_url, tmp_path) == {}
    for what, (change, fault) in TAMPERED.items():
        with Changed(house, change):
            assert fault in said(house, database_url, tmp_path).get("payments", ""), what


class Changed:
    """A change that is committed, and taken back by putting the tables as they were."""

    TABLES = ("refund", "payment", "ledger_entry", "posting", "ledger_unrolled")

    def __init__(self, house: House, change: str) -> None:
        self.house, self.change = house, change

    def _run(self, *statements: str) -> None:
        self.house.session.rollback()
        self.house.session.execute(raw("SET session_replication_role = replica"))
        for statement in statements:
            self.house.session.execute(raw(statement))
        self.house.session.execute(raw("SET session_replication_role = DEFAULT"))
        self.house.session.commit()

    def __enter__(self) -> None:
        self._run(*(f"CREATE TABLE was_{name} AS TABLE {name}" for name in self.TABLES), *self.change.split("; "))

    def __exit__(self, *_: object) -> None:
        for name in self.TABLES:
            self._run(f"DELETE FROM {name}", f"INSERT INTO {name} OVERRIDING SYSTEM VALUE TABLE was_{name}",
                      f"DROP TABLE was_{name}")  # fmt: skip


def test_what_nobody_asks_about_or_nobody_answers_is_a_fault(house: House, database_url: str, tmp_path: Path) -> None:
    house.asks(house.party(), 4840)
    house.works(Scripted(SILENCE))
    assert said(house, database_url, tmp_path) == {}
    house.session.rollback()
    house.session.execute(raw("UPDATE payment SET requested_at = now() - interval '25 hours'"))
    house.session.commit()
    assert "said nothing" in said(house, database_url, tmp_path)["provider"]
    house.session.execute(raw("UPDATE payment SET next_look_at = now() - interval '1 hour'"))
    house.session.commit()
    assert "should have been looked up" in said(house, database_url, tmp_path)["provider"]
