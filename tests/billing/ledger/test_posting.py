"""What is posted is there once, balanced, for good; what is wrong is refused, and nothing of its batch is there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from psycopg import Cursor
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, sessionmaker

from app.billing.ledger.models import LedgerEntry
from app.billing.ledger.models import Posting as Row
from app.billing.ledger.posting import Entry, Posting, PostingDiffers, Unbalanced, UnknownAccount, post
from app.db import TenantSession, retrying, transaction
from app.errors import CurrencyMismatch, Problem
from app.tenancy import SYSTEM
from tests.billing.ledger.books import DAY, a_party, a_posting
from tests.builders import an_operator
from tests.conftest import Clock


def test_a_posting_is_there_with_its_lines_in_order(session: Session, clock: Clock) -> None:
    operator, facts = an_operator(session), {"charge": "c-1", "days": [1, 2]}
    party = a_party(session)
    lines = (("unbilled", 1210, party.id), ("rounding", 0), ("revenue_booking", -1000), ("vat_pending", -210))
    posting = a_posting(operator, *lines, kind="earn", key="earn:1", facts=facts, document="ATH-2026-000001")
    assert post(session, [posting], now=clock.now) == 1
    row = session.scalars(select(Row)).one()
    assert (row.operator_id, row.day, row.currency, row.kind, row.key) == (operator.id, DAY, "EUR", "earn", "earn:1")
    assert (row.facts, row.document, row.created_at) == (facts, "ATH-2026-000001", clock.now)
    found = session.execute(
        select(LedgerEntry.no, LedgerEntry.account, LedgerEntry.cents, LedgerEntry.party_id).order_by(LedgerEntry.no)
    ).all()
    assert [tuple(line) for line in found] == [
        (1, "unbilled", 1210, party.id),
        (2, "revenue_booking", -1000, None),
        (3, "vat_pending", -210, None),
    ]


def test_the_same_again_is_nothing_and_another_content_is_a_fault(session: Session, clock: Clock) -> None:
    operator = an_operator(session)
    posting = a_posting(operator, key="charge:1", facts={"b": 1, "a": [2]})
    assert post(session, [posting, posting], now=clock.now) == 1
    later = clock.now + timedelta(days=3)
    assert post(session, [replace(posting, facts={"a": [2], "b": 1}), a_posting(operator)], now=later) == 1
    changes: list[dict[str, Any]] = [
        {"entries": (Entry("cash", 1211), Entry("revenue_booking", -1211))},
        {"entries": tuple(reversed(posting.entries))},
        {"day": DAY + timedelta(days=1)},
        {"facts": {"a": [2], "b": "1"}},
        {"document": "D-1"},
        {"kind": "earn"},
    ]
    for change in changes:
        with pytest.raises(PostingDiffers) as differs:
            post(session, [a_posting(operator, key="never"), replace(posting, **change)], now=clock.now)
        assert differs.value.facts["key"] == "charge:1"
    with pytest.raises(PostingDiffers):
        post(session, [a_posting(operator, key="new"), a_posting(operator, key="new", kind="else")], now=clock.now)


def test_the_same_key_of_another_operator_is_another_posting(session: Session, clock: Clock) -> None:
    one, other = an_operator(session), an_operator(session)
    assert post(session, [a_posting(one, key="k"), a_posting(other, key="k")], now=clock.now) == 2


def test_a_posting_of_nothing_is_none(session: Session, clock: Clock) -> None:
    operator = an_operator(session)
    free = a_posting(operator, ("cash", 0), ("revenue_booking", 0))
    assert post(session, [free, a_posting(operator)], now=clock.now) == 1
    assert post(session, [free], now=clock.now) == 0 == post(session, [], now=clock.now)


WRONG: dict[str, tuple[Callable[[Posting], Posting], type[Exception], dict[str, Any]]] = {
    "a cent is missing": (
        lambda posting: replace(posting, entries=(Entry("cash", 100), Entry("revenue_booking", -99))),
        Unbalanced, {"out_by": 1},
    ),
    "a misspelt account": (
        lambda posting: replace(posting, entries=(Entry("cash", 1), Entry("revenue", -1))),
        UnknownAccount, {"account": "revenue"},
    ),
    "an unknown party": (
        lambda posting: replace(posting, entries=(Entry("receivable", 1, 10**9), Entry("cash", -1))),
        UnknownAccount, {"party_id": 10**9},
    ),
    "an unknown operator": (lambda posting: replace(posting, operator_id=10**9), UnknownAccount, {}),
    "another currency": (
        lambda posting: replace(posting, currency="GBP"), CurrencyMismatch, {"expected": "EUR", "given": "GBP"},
    ),
    "a float": (
        lambda posting: replace(posting, entries=(Entry("cash", 1.5), Entry("vat_due", -1.5))),  # type: ignore[arg-type]
        TypeError, {},
    ),
    "a float among the facts": (lambda posting: replace(posting, facts={"a": [{"b": 0.5}]}), TypeError, {}),
}  # fmt: skip


def test_what_is_wrong_is_refused_with_all_of_its_batch(session: Session, clock: Clock) -> None:
    operator = an_operator(session)
    for make, error, facts in WRONG.values():
        with pytest.raises(error) as raised:
            post(session, [a_posting(operator), make(a_posting(operator, key="wrong"))], now=clock.now)
        if isinstance(raised.value, Problem):
            assert {**raised.value.facts, **facts, "key": "wrong"} == raised.value.facts
    assert session.scalars(select(func.count()).select_from(Row)).one() == 0


def test_two_that_post_the_same_at_once_make_one(
    session: Session, make_session: sessionmaker[TenantSession], clock: Clock
) -> None:
    operator = an_operator(session)
    session.commit()
    batch = [a_posting(operator, key=f"race:{n}") for n in range(40)]
    start, made = threading.Barrier(4), []

    def race(mine: list[Posting]) -> None:
        start.wait()

        def whole() -> int:
            with transaction(make_session, SYSTEM) as own:
                return post(own, mine, now=clock.now)

        made.append(retrying(whole))

    orders = (batch, batch[::-1], batch[20:] + batch[:20], batch)
    racers = [threading.Thread(target=race, args=(order,)) for order in orders]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(timeout=30)
    assert sorted(made) == [0, 0, 0, 40]
    assert session.scalars(select(func.count()).select_from(LedgerEntry)).one() == 40 * 3


def test_three_thousand_lines_take_as_many_statements_as_three(
    session: Session, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator, heard, execute = an_operator(session), [], Cursor.execute

    def hear(cursor: Any, sql: Any, *parameters: Any, **options: Any) -> Any:
        heard.append(sql)
        return execute(cursor, sql, *parameters, **options)

    monkeypatch.setattr(Cursor, "execute", hear)
    one = a_posting(operator, *([("cash", 1)] * 2999), ("vat_due", -2999))
    many = [a_posting(operator) for _ in range(1000)]
    for batch in ([one], many, [a_posting(operator)]):
        heard.clear()
        assert post(session, batch, now=clock.now) == len(batch)
        assert len(heard) == 3
    heard.clear()
    assert post(session, many, now=clock.now) == 0
    assert len(heard) == 3
    session.commit()


@pytest.mark.fresh_database
def test_the_checks_read_by_index_though_they_were_planned_for_an_empty_table(session: Session, clock: Clock) -> None:
    """Plans are kept: what is right for ten postings would be a scan per posting for the thousand that follow."""
    operator, connection = an_operator(session), session.connection()
    connection.execute(text("ANALYZE"))
    for batch in [1] * 10 + [200]:
        post(session, [a_posting(operator) for _ in range(batch)], now=clock.now)
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        connection.execute(text("SET CONSTRAINTS ALL DEFERRED"))
    scans = "SELECT relname, seq_scan FROM pg_stat_xact_user_tables WHERE relname IN ('posting', 'ledger_entry')"
    found = {row.relname: row.seq_scan for row in connection.execute(text(scans))}
    assert found == {"posting": 0, "ledger_entry": 0}
