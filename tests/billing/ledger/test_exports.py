"""What an accountant gets: the FEC as French law wants it, read by a reader of its own; a CSV; both to the cent."""

from __future__ import annotations

import csv
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.billing.ledger.accounts import ACCOUNTS
from app.billing.ledger.balances import trial_balance
from app.billing.ledger.books import BookLine, one_instant
from app.billing.ledger.csv_books import COLUMNS, csv_books
from app.billing.ledger.exporting import Export, export, export_name
from app.billing.ledger.fec import fec
from app.billing.ledger.posting import post
from app.db import TenantSession
from app.errors import Invalid
from app.network.models import Operator
from app.tenancy import SYSTEM
from tests.billing.ledger.books import a_party, a_posting
from tests.billing.ledger.fec_reader import NotAFec, read_fec
from tests.builders import a_space, an_operator
from tests.conftest import Clock

YEAR = Export("fec", date(2026, 1, 1), date(2026, 12, 31))


def a_year(session: Session, operator: Operator, clock: Clock) -> None:
    """Something of the year before, then a service, its invoice, a credit note, and a posting that came late."""
    party = a_party(session, name="Zoë Œuvrard\tet |fils", vat_number="FR40303265045")
    a_space(session, operator=operator, timezone="Europe/Paris")
    story = [
        ((date(2025, 12, 30), "earn"), ("unbilled", 2400, party.id), ("revenue_booking", -2000), ("vat_pending", -400)),
        ((date(2026, 1, 5), "invoice"), ("receivable", 2400, party.id), ("unbilled", -2400, party.id)),
        ((date(2026, 3, 2), "earn"), ("unbilled", 1201, party.id), ("revenue_membership", -1001), ("vat_due", -200)),
        ((date(2026, 4, 1), "credit_note"), ("receivable", -120, party.id), ("revenue_booking", 100), ("vat_due", 20)),
        ((date(2026, 2, 1), "deposit"), ("receivable", 50000, party.id), ("deposits_held", -50000)),
        ((date(2027, 1, 1), "earn"), ("cash", 1), ("vat_due", -1)),
    ]
    for n, ((day, kind), *lines) in enumerate(story):
        number = f"ATH-{day:%Y}-{n:06d}" if kind in ("invoice", "credit_note") else None
        posting = a_posting(operator, *lines, day=day, kind=kind, key=f"key:{n}", document=number)
        post(session, [posting], now=clock.now + timedelta(days=n))


def test_a_french_year_is_a_fec_by_the_rule_and_ties_out(session: Session, clock: Clock) -> None:
    operator = an_operator(session, country="FR")
    a_year(session, operator, clock)
    octets = b"".join(export(session, operator, YEAR))
    read = read_fec(export_name(operator, YEAR), octets)
    assert export_name(operator, YEAR) == f"{operator.company_number}FEC20261231.txt"
    told: dict[str, int] = {}
    for (account, _), cents in read.balances.items():
        told[account] = told.get(account, 0) + cents
    rows = trial_balance(session, operator.id, since=YEAR.since, until=YEAR.until)
    expected = {ACCOUNTS[row.account].pcg: row.closing for row in rows if ACCOUNTS[row.account].kind != "income"}
    expected |= {ACCOUNTS[row.account].pcg: row.debit - row.credit for row in rows if row.account.startswith("rev")}
    expected[ACCOUNTS["retained"].pcg] = -2000
    assert {account: cents for account, cents in told.items() if cents} == {k: v for k, v in expected.items() if v}
    assert [record["JournalCode"] for record in read.records[:4]] == ["AN", "AN", "AN", "VE"]
    names = {record["CompAuxLib"] for record in read.records if record["CompteNum"] == ACCOUNTS["receivable"].pcg}
    assert names == {"Zoë Œuvrard et |fils"}
    late = read.records[-2]
    assert (late["EcritureDate"], late["ValidDate"], late["EcritureNum"]) == ("20260201", "20260306", "5")
    assert read.records[3]["PieceRef"] == "ATH-2026-000001"


def test_a_day_is_written_on_the_clock_of_the_space(session: Session) -> None:
    operator = an_operator(session, country="FR")
    a_space(session, operator=operator, timezone="Indian/Reunion")
    post(session, [a_posting(operator, day=date(2026, 5, 2))], now=datetime(2026, 5, 1, 21, tzinfo=UTC))
    read = read_fec(export_name(operator, YEAR), b"".join(export(session, operator, YEAR)))
    assert {record["ValidDate"] for record in read.records} == {"20260502"}


def test_a_year_without_postings_is_a_file_without_records(session: Session) -> None:
    operator = an_operator(session, country="FR")
    assert read_fec(export_name(operator, YEAR), b"".join(export(session, operator, YEAR))).records == []


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "a cent more": lambda octets: octets.replace(b"1,00", b"1,01", 1),
    "a point": lambda octets: octets.replace(b"1,00", b"1.00", 1),
    "a field too many": lambda octets: octets.replace(b"\tOD\t", b"\tOD\t\t").replace(
        b"20260302\t", b"20260302\t\t", 1
    ),
    "another name of a field": lambda octets: octets.replace(b"EcritureNum", b"EcritureNo", 1),
    "a day that is none": lambda octets: octets.replace(b"20260302", b"20260230"),
    "a number left out": lambda octets: octets.replace(b"\t1\t", b"\t2\t"),
    "an account of no plan": lambda octets: octets.replace(b"\t530000\t", b"\t9X0000\t"),
    "a piece without reference": lambda octets: octets.replace(b"\tkey\t", b"\t\t"),
    "another alphabet": lambda octets: octets + b"\xff",
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_the_reader_notices_what_is_wrong_with_a_file(spoiled: str) -> None:
    day = date(2026, 3, 2)
    line = BookLine(1, "manual", day, day, "cash", None, None, None, None, "key", 100)
    octets = b"".join(fec([line, line._replace(account="vat_due", cents=-100)], "EUR"))
    read_fec("732829320FEC20261231.txt", octets)
    with pytest.raises(NotAFec):
        read_fec("732829320FEC20261231.txt", SPOILED[spoiled](octets))
    with pytest.raises(NotAFec):
        read_fec("732829321FEC20261231.txt", octets)


def test_letters_that_the_character_set_lacks_lose_their_accent_and_other_money_is_named() -> None:
    day = date(2026, 3, 2)
    line = BookLine(1, "manual", day, day, "receivable", "C0000001", "Łukasz Đặng 東\n", None, None, "key", 100)
    balanced = [line, line._replace(cents=-100)]
    read = read_fec("732829320FEC20261231.txt", b"".join(fec(balanced, "CHF")))
    assert read.records[0]["CompAuxLib"] == "?ukasz ?ang ?"
    foreign = [(record["Montantdevise"], record["Idevise"]) for record in read.records]
    assert foreign == [("1,00", "CHF"), ("-1,00", "CHF")]


def test_the_csv_has_the_belgian_numbers_and_no_formula(session: Session, clock: Clock) -> None:
    operator = an_operator(session)
    party = a_party(session, name='=HYPERLINK(1); "Été" &\nCo', vat_number="BE0428759497")
    lines = (("receivable", 121005, party.id), ("revenue_booking", -100004), ("vat_due", -21001))
    post(session, [a_posting(operator, *lines, kind="invoice", document="ATH-2026-000007", key="k")], now=clock.now)
    wanted = Export("csv", date(2026, 3, 1), date(2026, 3, 31), "nl")
    octets = b"".join(export(session, operator, wanted))
    assert export_name(operator, wanted) == f"{operator.company_number}-2026-03-01-2026-03-31.csv"
    first, *rows = csv.reader(StringIO(octets.decode(), newline=""), delimiter=";")
    assert tuple(first) == COLUMNS
    customer = f"C{party.id:07d}"
    assert rows[0] == [
        "VE", "1", "02/03/2026", "400000", "Klanten", customer, "'=HYPERLINK(1); \"Été\" & Co", "BE0428759497",
        "ATH-2026-000007", "Factuur ATH-2026-000007", "1210,05", "", "EUR", "k",
    ]  # fmt: skip
    assert [(row[3], row[10], row[11]) for row in rows[1:]] == [("700100", "", "1000,04"), ("451000", "", "210,01")]


def test_what_cannot_be_exported_says_why(session: Session) -> None:
    belgian, french = an_operator(session), an_operator(session, country="FR")
    with pytest.raises(Invalid, match="use csv"):
        export(session, belgian, YEAR)
    with pytest.raises(Invalid, match="not before"):
        export(session, french, YEAR._replace(until=date(2025, 12, 31)))


def test_a_long_file_is_written_in_the_memory_of_a_short_one() -> None:
    def lines(count: int) -> Iterator[BookLine]:
        day = date(2026, 3, 2)
        for n in range(1, count + 1):
            line = BookLine(n, "manual", day, day, "cash", None, None, None, None, "key", 100)
            yield line
            yield line._replace(account="vat_due", cents=-100)

    def peak(count: int) -> int:
        tracemalloc.start()
        for writer in (fec(lines(count), "EUR"), csv_books(lines(count), currency="EUR", country="BE", locale="fr")):
            assert sum(1 for _ in writer) == 2 * count + 1
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(3000)  # fills what the interpreter keeps for reuse
    assert peak(5000) < peak(500) + 100_000


def test_rows_are_fetched_as_they_are_written(
    session: Session, make_session: sessionmaker[TenantSession], clock: Clock
) -> None:
    """By a cursor of the server: the first lines are there while most have not left the database."""
    operator = an_operator(session)
    post(session, [a_posting(operator, key=f"k{n:04d}") for n in range(1500)], now=clock.now)
    session.commit()
    with one_instant(make_session, SYSTEM) as reading:
        lines = export(reading, operator, Export("csv", date(2026, 1, 1), date(2026, 12, 31)))
        assert next(lines).startswith(b"Journal;") and b";1;" in next(lines)
        post(session, [a_posting(operator, key="meanwhile")], now=clock.now)
        session.commit()
        rest = b"".join(lines)
    assert rest.count(b"\r\n") == 1500 * 3 - 1 and b"meanwhile" not in rest
