"""Balances, trial balances and statements equal a naive recomputation, whatever came late or was rolled up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from app.billing.ledger import balances
from app.billing.ledger.balances import balance, trial_balance
from app.billing.ledger.checkpoints import (
    KIND,
    begin_rolling_up,
    remake,
    roll_up,
    wrong_checkpoints,
)
from app.billing.ledger.models import LedgerCheckpoint, LedgerUnrolled
from app.billing.ledger.posting import Posting, post
from app.billing.ledger.statement import Place, statement
from app.billing.ledger.verifying import verify
from app.db import TenantSession
from app.network.models import Operator
from app.network.parties.models import Party
from app.tenancy import SYSTEM
from app.timekeeper import Timekeeper
from tests.billing.ledger.books import DAY, a_party, a_posting
from tests.builders import an_operator
from tests.conftest import Clock

FIRST = date(2026, 1, 29)
NAMES = ("receivable", "unbilled", "revenue_booking", "vat_due")
days = st.integers(0, 70).map(lambda n: FIRST + timedelta(days=n))
lines = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(-(10**12), 10**12), st.sampled_from([None, 0, 1])), max_size=4
)
steps = st.lists(
    st.one_of(st.tuples(st.just("post"), days, lines), st.tuples(st.just("roll up")), st.tuples(st.just("again"))),
    max_size=10,
)


class NaiveBooks:
    """Every line in a list, in the order of days."""

    def __init__(self) -> None:
        self.lines: list[tuple[date, int, str, int | None, int]] = []

    def post(self, posting: Posting) -> None:
        n = len(self.lines)
        self.lines += [
            (posting.day, n + i, entry.account, entry.party_id, entry.cents) for i, entry in enumerate(posting.lines)
        ]

    def on(self, account: str, party: int | None, since: date, until: date) -> list[int]:
        return [
            line[4]
            for line in sorted(self.lines)
            if line[2] == account and (party is None or line[3] == party) and since <= line[0] <= until
        ]


@pytest.fixture
def world(session: Session) -> tuple[Session, list[Party]]:
    parties = [a_party(session), a_party(session)]
    session.commit()
    return session, parties


ONE, TWO = [("receivable", 700, 0), ("unbilled", -200, 1)], [("receivable", -50, 1), ("receivable", 9, None)]
KNOWN_TO_MATTER = [
    ("post", date(2026, 2, 10), ONE), ("roll up",), ("post", date(2026, 2, 3), TWO), ("roll up",), ("again",),
    ("post", date(2026, 1, 30), TWO), ("post", date(2026, 3, 9), ONE), ("post", date(2026, 2, 10), TWO),
]  # fmt: skip


@example(steps=KNOWN_TO_MATTER, cuts=(date(2026, 2, 3), date(2026, 3, 10)), page=2)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, cuts=st.tuples(days, days), page=st.integers(1, 3))
def test_whatever_is_posted_sums_are_what_a_list_of_all_lines_says(
    world: tuple[Session, list[Party]], clock: Clock, steps: list[Any], cuts: tuple[date, date], page: int
) -> None:
    session, parties = world
    operator, naive = an_operator(session), NaiveBooks()
    _play(session, clock, operator, parties, naive, steps)
    session.commit()
    since, until = sorted(cuts)
    for account in NAMES:
        for party in (None, parties[0].id, parties[1].id):
            for end in (since, until, None):
                told = balance(session, operator.id, account, party, end)
                assert told == sum(naive.on(account, party, date.min, end or date.max)), (account, party, end)
            assert _paged(session, operator, account, party, since, until, page) == naive.on(
                account, party, since, until
            )
    _check_trial(session, operator, naive, since, until)
    assert list(wrong_checkpoints(session, operator_id=operator.id)) == []
    assert list(verify(session, operator_id=operator.id)) == []
    session.commit()


def _play(
    session: Session, clock: Clock, operator: Operator, parties: list[Party], naive: NaiveBooks, steps: list[Any]
) -> None:
    posted: list[Posting] = []
    for what, *given_ in steps:
        if what == "roll up":
            roll_up(session, operator_id=operator.id)
        elif what == "again":
            assert post(session, posted, now=clock.now) == 0
        elif posting := _balanced(operator, parties, *given_):
            assert post(session, [posting], now=clock.now) == 1
            posted.append(posting)
            naive.post(posting)


def _balanced(operator: Operator, parties: list[Party], day: date, given_: list[Any]) -> Posting | None:
    entries = [(name, cents, None if n is None else parties[n].id) for name, cents, n in given_]
    entries.append(("vat_due", -sum(cents for _, cents, _ in entries), None))
    return a_posting(operator, *entries, day=day) if any(cents for _, cents, _ in entries) else None


def _paged(
    session: Session, operator: Operator, account: str, party: int | None, since: date, until: date, size: int
) -> list[int]:
    """A statement's amounts, page by page; its running balance is checked on the way."""
    running = balance(session, operator.id, account, party, since - timedelta(days=1))
    found, place = [], Place(since)
    while shown := statement(session, operator.id, account, after=place, until=until, limit=size, party_id=party):
        for line in shown:
            running += line.cents
            assert line.balance == running
            found.append(line.cents)
        place = shown[-1].place
    return found


def _check_trial(session: Session, operator: Operator, naive: NaiveBooks, since: date, until: date) -> None:
    rows = trial_balance(session, operator.id, since=since, until=until)
    for row in rows:
        before = naive.on(row.account, None, date.min, since - timedelta(days=1))
        inside = naive.on(row.account, None, since, until)
        assert row.opening == sum(before)
        assert (row.debit, -row.credit) == (sum(c for c in inside if c > 0), sum(c for c in inside if c < 0))
        assert row.closing == sum(before) + sum(inside)
    assert {row.account for row in rows} == {line[2] for line in naive.lines if line[0] <= until}
    assert sum(row.opening for row in rows) == sum(row.closing for row in rows) == 0
    assert sum(row.debit for row in rows) == sum(row.credit for row in rows)


@pytest.mark.fresh_database
def test_a_balance_over_years_reads_the_lines_of_one_month(session: Session, clock: Clock) -> None:
    """By the plan's own count of rows: checkpoints stand for the rest."""
    operator, party = an_operator(session), a_party(session)
    per_month, months = 300, 24
    for month in range(months):
        day = date(2024 + month // 12, month % 12 + 1, 15)
        some = [("receivable", 100, party.id)] * per_month
        post(session, [a_posting(operator, *some, ("vat_due", -100 * per_month), day=day)], now=clock.now)
    assert roll_up(session) == months
    session.commit()
    session.connection().execute(text("ANALYZE"))
    until = date(2025, 12, 20)
    for party_id in (None, party.id):
        assert balance(session, operator.id, "receivable", party_id, until) == months * per_month * 100
        assert 0 < _entries_read(session, operator, party_id, until) <= per_month


def _entries_read(session: Session, operator: Operator, party_id: int | None, until: date) -> int:
    """Rows that the plan of a balance took from the entries, of whichever index; a scan of the table fails the test."""
    statement = balances.sums(1, one_party=party_id is not None)
    asked = balances.parameters(operator.id, [until + timedelta(days=1)], accounts=["receivable"], party_id=party_id)
    driver = session.connection().connection.driver_connection
    assert driver
    (plan,) = driver.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.sql}", asked).fetchone()
    nodes = list(_nodes((plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]))
    read = [node for node in nodes if node.get("Relation Name") == "ledger_entry"]
    assert {node["Node Type"] for node in read} <= {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
    return int(sum(node["Actual Rows"] * node["Actual Loops"] for node in read))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)


def test_a_checkpoint_changed_by_hand_is_found_and_made_anew(session: Session, clock: Clock) -> None:
    operator = an_operator(session)
    post(session, [a_posting(operator)], now=clock.now)
    assert (roll_up(session), roll_up(session)) == (1, 0)
    session.connection().execute(text("UPDATE ledger_checkpoint SET debit_cents = 1 WHERE account = 'cash'"))
    (wrong,) = wrong_checkpoints(session)
    assert (wrong.account, wrong.month, wrong.kept_debit, wrong.debit) == ("cash", DAY.replace(day=1), 1, 1210)
    assert balance(session, operator.id, "cash") == 1
    remake(session, operator_id=operator.id)
    assert balance(session, operator.id, "cash") == 1210
    roll_up(session)
    assert balance(session, operator.id, "cash") == 1210
    assert list(wrong_checkpoints(session)) == []


def test_the_timekeeper_keeps_the_books_rolled_up(
    session: Session, make_session: sessionmaker[TenantSession], clock: Clock
) -> None:
    post(session, [a_posting(an_operator(session))], now=clock.now)
    begin_rolling_up(session, now=clock.now)
    begin_rolling_up(session, now=clock.now + timedelta(days=1))
    session.commit()
    keeper = Timekeeper(make_session, clock=clock)
    assert keeper.run_due() == 1
    assert session.query(LedgerUnrolled).count() == 0 and session.query(LedgerCheckpoint).count() == 3
    session.commit()
    assert keeper.run_due() == 0
    clock.pass_by(hours=1)
    assert keeper.run_due() == 1
    assert KIND == "ledger.roll_up" and session.info["scope"] is SYSTEM
