"""The loop that asks: it leads, asks, writes down, and ends when told."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from app.config import Config
from app.db import TenantSession
from app.network.parties.models import Party
from tests.builders import saved
from tests.network.parties.fake_vies import FakeVies
from tests.waiting import until
from workers.run import RELAY, Crew
from workers.vat_numbers import VatNumberAsker

NUMBER = "BE0200000043"


def test_the_leader_asks_until_it_is_told_to_stop(
    session: Session, engine: Engine, make_session: sessionmaker[TenantSession], vies: FakeVies
) -> None:
    party = saved(session, Party(name="A business", country="BE", is_business=True, vat_number=NUMBER))
    session.commit()
    vies.says[NUMBER] = "yes"
    stop = threading.Event()
    loop = threading.Thread(target=VatNumberAsker(engine, make_session, vies.client()).run, args=[stop])
    loop.start()

    def status() -> str:
        session.rollback()
        return session.scalars(select(Party.vat_status).where(Party.id == party.id)).one()

    try:
        until(lambda: status() == "valid")
    finally:
        stop.set()
        loop.join(20)
    assert not loop.is_alive()


@pytest.mark.parametrize(("url", "asks"), [("https://vies.example/check", True), (None, False)])
def test_who_runs_the_relay_asks_where_an_address_is_set(
    database_url: str, tmp_path: Path, url: str | None, asks: bool
) -> None:
    config = Config(home=tmp_path, database_url=database_url, broker_url="amqp://127.0.0.1", vies_url=url)
    crew = Crew([RELAY], config, {}, prefix="test")
    try:
        assert ("vat numbers" in crew.loops()) == asks
    finally:
        crew.close()
