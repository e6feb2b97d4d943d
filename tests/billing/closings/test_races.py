"""Nothing falls between two closings, whoever commits when: not what is begun before midnight and ends after it."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import sessionmaker

from app.billing.closings.examining import examine
from app.billing.ledger.models import Posting as PostingRow
from app.billing.ledger.posting import Entry
from app.db import TenantSession, make_engine, raw, sessions, transaction
from app.network.models import Operator
from app.network.parties.models import Party
from app.tenancy import SYSTEM
from tests.billing.closings.books import a_customer, a_posting, books, closings, pass_time, record, said
from tests.conftest import Clock

Sessions = sessionmaker[TenantSession]
MIDNIGHT = datetime(2026, 3, 2, 23, tzinfo=UTC)  # in Brussels
ONE_EURO = (Entry("cash", 100), Entry("receivable", -100))

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def opened(make_session: Sessions, clock: Clock) -> tuple[Operator, Party]:
    clock.now = MIDNIGHT - timedelta(hours=14)
    with transaction(make_session, SYSTEM) as session:
        operator, customer = books(session), a_customer(session)
    pass_time(make_session, clock)
    return operator, customer


def held_open(make_session: Sessions) -> Iterator[TenantSession]:
    with transaction(make_session, SYSTEM) as session:
        yield session


def faults(make_session: Sessions) -> list[Any]:
    with transaction(make_session, SYSTEM) as session:
        return list(examine(session))


def test_a_day_waits_for_what_was_written_in_it_and_is_not_committed_yet(
    make_session: Sessions, clock: Clock, opened: tuple[Operator, Party]
) -> None:
    operator, customer = opened
    slow = held_open(make_session)
    record(next(slow), operator, customer, net=1_000, at=MIDNIGHT - timedelta(seconds=1))
    clock.now = MIDNIGHT + timedelta(minutes=1)
    pass_time(make_session, clock)
    assert closings(make_session, operator) == []
    next(slow, None)  # commits
    with transaction(make_session, SYSTEM) as session:  # late by its own clock, and before the line is drawn
        record(session, operator, customer, net=500, at=MIDNIGHT - timedelta(seconds=1))
    clock.pass_by(seconds=10)
    pass_time(make_session, clock)
    [day] = closings(make_session, operator)
    assert said(day)["totals"]["charges"][0]["net_cents"] == 1_500
    assert said(day)["totals"]["ledger"][0]["postings"] == 2
    assert faults(make_session) == []


def test_who_writes_while_a_day_is_sealed_does_not_wait_and_counts_for_the_next(
    make_session: Sessions, clock: Clock, opened: tuple[Operator, Party]
) -> None:
    operator, customer = opened
    clock.now = MIDNIGHT + timedelta(minutes=1)
    pass_time(make_session, clock)
    slow = held_open(make_session)
    record(next(slow), operator, customer, net=1_000, at=MIDNIGHT - timedelta(seconds=1))
    clock.now = MIDNIGHT + timedelta(minutes=5)
    pass_time(make_session, clock)
    next(slow, None)
    clock.now = MIDNIGHT + timedelta(days=1)
    pass_time(make_session, clock)
    first, second = closings(make_session, operator)
    assert said(first)["totals"]["charges"] == []
    assert said(second)["totals"]["charges"][0]["net_cents"] == 1_000
    assert faults(make_session) == []


WITHOUT_THE_LOCK = """
    CREATE OR REPLACE FUNCTION line_of_books(operator_id bigint) RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
        RETURN (SELECT b.bounded_until FROM closing_book b WHERE b.operator_id = line_of_books.operator_id);
    END $$
"""


def test_without_the_lock_something_would_fall_between_and_be_found(
    make_session: Sessions, clock: Clock, opened: tuple[Operator, Party]
) -> None:
    operator, customer = opened
    with transaction(make_session, SYSTEM) as session:
        session.execute(raw(WITHOUT_THE_LOCK))
    slow = held_open(make_session)
    record(next(slow), operator, customer, net=1_000, at=MIDNIGHT - timedelta(seconds=1))
    clock.now = MIDNIGHT + timedelta(minutes=1)
    pass_time(make_session, clock)
    next(slow, None)
    assert said(closings(make_session, operator)[0])["totals"]["charges"] == []
    assert [fault.number for fault in faults(make_session)][:1] == [1]


def test_eight_who_write_while_days_close_are_each_counted_once(
    database_url: str, make_session: Sessions, engine: Engine, clock: Clock, opened: tuple[Operator, Party]
) -> None:
    """Their clocks differ by up to ten minutes, and their transactions last over midnights."""
    operator, _ = opened
    wide = make_engine(database_url, pool_size=9)
    ready, done, errors = threading.Barrier(9), threading.Event(), []
    clock.now = MIDNIGHT - timedelta(minutes=5)

    def write(seed: int) -> None:
        chance = random.Random(seed)
        try:
            ready.wait()
            while not done.is_set():
                with transaction(sessions(wide), SYSTEM) as session:
                    for _ in range(chance.randrange(1, 4)):
                        off = timedelta(seconds=chance.randrange(-600, 600))
                        a_posting(session, operator, ONE_EURO, at=clock.now + off)
        except Exception as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(8)]
    for writer in writers:
        writer.start()
    try:
        ready.wait()
        for _ in range(24):
            clock.pass_by(hours=5)
            pass_time(make_session, clock)
    finally:
        done.set()
        for writer in writers:
            writer.join()
        wide.dispose()
    assert errors == []
    clock.pass_by(days=2)
    pass_time(make_session, clock)
    days = closings(make_session, operator)
    with transaction(make_session, SYSTEM) as session:
        written = session.scalar(select(func.count(PostingRow.id)))
    assert written and written > 40
    assert sum(row["postings"] for day in days for row in said(day)["totals"]["ledger"]) == written
    assert said(days[-1])["grand_totals"]["ledger"][0]["postings"] == written
    assert len([day for day in days if said(day)["totals"]["ledger"]]) >= 3
    assert faults(make_session) == []
