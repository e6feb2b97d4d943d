"""The races notice when a mechanism is missing: each is taken out of a database of its own, all its layers at once."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from tests.races.arena import Arena, deadlocks
from tests.races.judge import double_bookings
from tests.races.verdicts import around_noon, wishes
from tests.running import Caller, web
from tests.waiting import until

TRIES = 20
# Without it nothing but an earlier look keeps two bookings of one desk apart.
NO_EXCLUSION = "ALTER TABLE occupancy DROP CONSTRAINT no_two_occupancies_of_a_unit_overlap"
# Two layers: the lock that tells a repetition that the first still runs, and the answers kept for later ones.
NO_LOCK = """
    CREATE FUNCTION public.pg_try_advisory_xact_lock(bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
    DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$
"""
NO_STORE = """
    CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        DELETE FROM idempotent_answer WHERE key = NEW.key;
        RETURN NULL;
    END $$;
    CREATE TRIGGER forget AFTER INSERT ON idempotent_answer FOR EACH ROW EXECUTE FUNCTION forget()
"""


@pytest.fixture
def without(database_url: str, tmp_path: Path, open_arena: Callable[..., Arena]) -> Iterator[Callable[..., Arena]]:
    """An arena whose database has been robbed of something."""
    with ExitStack() as stack:

        def sabotage(*statements: str, racers: int = 2) -> Arena:
            with psycopg.connect(database_url) as connection:
                for statement in statements:
                    connection.execute(statement)
            serving = stack.enter_context(web(database_url, home=tmp_path, workers=max(2, racers // 10)))
            return open_arena(database_url, serving, racers=racers)

        yield sabotage


def test_without_the_exclusion_constraint_members_share_a_desk_and_the_race_tells(without):
    arena = without(NO_EXCLUSION, racers=50)
    chance = random.Random(6)
    for _ in range(TRIES):
        day = arena.next_day()
        arena.race(wishes(arena, day, around_noon, chance))
        if double_bookings(arena.stays(day)):
            return
    pytest.fail("fifty racers without a judge, and never two at one desk: this race proves nothing")


def test_without_lock_and_store_a_repeated_request_books_again_and_the_race_tells(without):
    arena = without(NO_LOCK, NO_STORE)
    day = arena.next_day()
    period = day + timedelta(hours=10), day + timedelta(hours=11)
    request = arena.book(arena.callers[0], arena.desks, *period, key=str(uuid.uuid4()))
    answers = [request.send(), request.send()]
    assert [answer.status for answer in answers] == [201, 201]
    assert "idempotent-replayed" not in answers[1].headers
    assert len(arena.stays(day)) == 2


def test_without_the_lock_the_store_alone_still_lets_one_of_two_through(without):
    arena = without(NO_LOCK)
    with Caller(arena.web.port, arena.callers[0].token) as second_line:
        for _ in range(TRIES):
            day, key = arena.next_day(), str(uuid.uuid4())
            period = day + timedelta(hours=10), day + timedelta(hours=11)
            pair = [arena.book(caller, arena.desks, *period, key=key) for caller in (arena.callers[0], second_line)]
            answers = arena.race(pair)
            assert [answer.status for answer in answers] == [201, 201]
            assert answers[0].content == answers[1].content
            assert len(arena.stays(day)) == 1


def test_a_deadlock_that_postgresql_breaks_is_counted(database_url):
    """The races rely on this count, since one retry hides a deadlock from whoever asked."""
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE thing AS SELECT n FROM generate_series(1, 2) AS n")
    at_both = threading.Barrier(2)

    def lock_both(first: int, second: int) -> str | None:
        with psycopg.connect(database_url) as connection:
            connection.execute("SELECT 1 FROM thing WHERE n = %s FOR UPDATE", [first])
            at_both.wait(30)
            try:
                connection.execute("SELECT 1 FROM thing WHERE n = %s FOR UPDATE", [second])
            except psycopg.Error as error:
                connection.rollback()
                return error.sqlstate
        return None

    with ThreadPoolExecutor(2) as threads:
        assert set(threads.map(lock_both, [1, 2], [2, 1])) == {None, "40P01"}
    until(lambda: deadlocks(database_url) == 1, describe="the deadlock is counted")
