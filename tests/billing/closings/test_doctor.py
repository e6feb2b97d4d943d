"""One cent changed by hand, by whoever has the database's password, is found by the doctor, who says where."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from app.config import Config
from app.db import raw, transaction
from app.doctor.billing import BILLING_CHECKS, sealed_archives_check
from app.doctor.finding import Fault
from app.tenancy import SYSTEM
from tests.billing.closings.books import by_hand
from tests.billing.closings.conftest import Sealed

# What is changed, in which table, how; and the checks that name it.
BY_HAND: dict[str, tuple[str, str, dict[str, str]]] = {
    "a cent of an entry": (
        "ledger_entry", "UPDATE ledger_entry SET cents = cents + 1 WHERE cents = 12100",
        {"ledger": "is unbalanced", "closings": "ledger were 16940 16940 6 2, and now are 16940 16941 6 2"},
    ),
    "cents of two entries": (
        "ledger_entry", "UPDATE ledger_entry SET cents = cents + sign(cents)::int WHERE abs(cents) IN (12100, 10000)",
        {"ledger": "is changed", "closings": "day 5"},
    ),
    "an entry's account": (
        "ledger_entry", "UPDATE ledger_entry SET account = 'cash' WHERE cents = 12100", {"ledger": "is changed"},
    ),
    "a posting's day": ("posting", "UPDATE posting SET day = day - 1 WHERE id = 2", {"ledger": "is changed"}),
    "a posting's digest": (
        "posting", "UPDATE posting SET digest = sha256('x') WHERE id = 2",
        {"ledger": "is changed", "closings": "postings are not those that it closed"},
    ),
    "when a posting was recorded": (
        "posting", "UPDATE posting SET created_at = created_at - interval '1 day' WHERE id = 2",
        {"closings": "day 4 of Operator"},
    ),
    "a posting less": (
        "posting", "WITH gone AS (DELETE FROM ledger_entry WHERE posting_id = 2) DELETE FROM posting WHERE id = 2",
        {"closings": "ledger were"},
    ),
    "an invoice's gross": (
        "invoice", "UPDATE invoice SET gross_cents = gross_cents + 1, vat_cents = vat_cents + 1 WHERE id = 2",
        {"documents": "is not what its content says", "closings": "documents were"},
    ),
    "an invoice's snapshot": (
        "invoice", "UPDATE invoice SET snapshot = replace(snapshot, '10000', '10001') WHERE id = 2",
        {"documents": "has another hash", "charges": "is not what document", "closings": "taxes were"},
    ),
    "a snapshot and its hash": (
        "invoice", "UPDATE invoice SET snapshot = replace(snapshot, '10000', '10001'),"
        " hash = encode(sha256(convert_to(replace(snapshot, '10000', '10001'), 'UTF8')), 'hex') WHERE id = 2",
        {"documents": "net_cents is not what", "charges": "is not what document", "closings": "taxes were"},
    ),
    "an invoice less": (
        "invoice", "DELETE FROM invoice WHERE id = 2",
        {"documents": "numbers are missing", "closings": "documents were"},
    ),
    "a charge's net": (
        "charge", "UPDATE charge SET net_cents = 10001, gross_cents = gross_cents + 1 WHERE net_cents = 10000",
        {"charges": "is not what document", "closings": "charges were"},
    ),
    "a charge's ground": (
        "charge", "UPDATE charge SET vat_ground = 'other' WHERE net_cents = 10000",
        {"closings": "charges are not those that it closed"},
    ),
    "a charge on another document": (
        "charge", "UPDATE charge SET invoice_id = 3 WHERE net_cents = 10000", {"charges": "is not what document"},
    ),
    "a charge less": (
        "charge", "DELETE FROM charge WHERE net_cents = 10000", {"charges": "is not what", "closings": "charges were"},
    ),
    "a closing's amount": (
        "closing", "UPDATE closing SET snapshot = replace(snapshot, '14000', '14001') WHERE id = 6",
        {"closings": "has another hash"},
    ),
    "a closing and its hash": (
        "closing", "UPDATE closing SET snapshot = replace(snapshot, '14000', '14001'), hash = encode(sha256("
        "convert_to(replace(snapshot, '14000', '14001'), 'UTF8')), 'hex') WHERE id = 6",
        {"closings": "documents were"},
    ),
    "a month's closing": (
        "closing", "UPDATE closing SET snapshot = replace(snapshot, '14999', '14998') WHERE kind = 'month'",
        {"closings": "month 2"},
    ),
    "a closing's day": ("closing", "UPDATE closing SET last_day = last_day + 1 WHERE id = 6", {"closings": "last_day"}),
    "a closing less": ("closing", "DELETE FROM closing WHERE id = 6", {"closings": "the hash of the one before"}),
    "the last closings less": (
        "closing", "DELETE FROM closing WHERE kind = 'day' AND first_day > '2026-10-29'", {"closings": "is not there"},
    ),
    "the last day's closing less": (
        "closing", "DELETE FROM closing WHERE kind = 'day' AND first_day = '2026-11-01'", {"closings": "is not there"},
    ),
    "the last month's closing less": (
        "closing", "DELETE FROM closing WHERE kind = 'month' AND number = 2", {"closings": "month 2"},
    ),
}  # fmt: skip


def examined(october: Sealed) -> dict[str, str]:
    """What the doctor's checks of money find wrong."""
    config = Config(home=october.home)
    found = {}
    for name, check in [*BILLING_CHECKS, ("sealed archives", partial(sealed_archives_check, config))]:
        with october.engine.connect() as connection:
            try:
                check(connection)
            except Fault as fault:
                found[name] = str(fault)
            connection.rollback()
    return found


@pytest.fixture
def kept(october: Sealed) -> Iterator[Sealed]:
    """The books, with a copy of each table that is changed, put back afterwards."""
    tables = ("posting", "ledger_entry", "invoice", "charge", "closing")
    with transaction(october.make_session, SYSTEM) as session:
        for table in tables:
            session.execute(raw(f"CREATE TABLE kept_{table} AS TABLE {table}"))
    yield october
    with transaction(october.make_session, SYSTEM) as session:
        session.execute(raw("SET LOCAL session_replication_role = replica"))
        for table in tables:
            session.execute(raw(f"DELETE FROM {table}"))
            session.execute(raw(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM kept_{table}"))
            session.execute(raw(f"DROP TABLE kept_{table}"))


def test_books_as_they_were_written_have_no_fault(october: Sealed) -> None:
    assert examined(october) == {}


@pytest.mark.parametrize("change", BY_HAND)
def test_what_was_changed_by_hand_is_named(kept: Sealed, change: str) -> None:
    _, statement, named = BY_HAND[change]
    by_hand(kept.make_session, statement)
    found = examined(kept)
    for check, words in named.items():
        assert check in found, (check, found)
        assert words in found[check], found


def test_an_archive_that_was_lost_or_never_made_is_named(october: Sealed, tmp_path: Path) -> None:
    aside = october.path.rename(tmp_path / "aside.zip")
    try:
        assert "is not there as it was written" in examined(october)["sealed archives"]
    finally:
        aside.rename(october.path)
    with transaction(october.make_session, SYSTEM) as session:
        session.execute(raw("SET LOCAL session_replication_role = replica"))
        session.execute(raw("CREATE TEMP TABLE aside ON COMMIT DROP AS TABLE sealed_archive"))
        session.execute(raw("DELETE FROM sealed_archive WHERE month = '2026-10-01'"))
        with pytest.raises(Fault, match="1 closed months have no archive, 2026-10 first"):
            sealed_archives_check(Config(home=october.home), session.connection())
        session.execute(raw("INSERT INTO sealed_archive OVERRIDING SYSTEM VALUE SELECT * FROM aside a WHERE NOT EXISTS"
                            " (SELECT FROM sealed_archive s WHERE s.id = a.id)"))  # fmt: skip
    assert examined(october) == {}
