"""The books as a CSV that accounting packages import: UTF-8, semicolons, days DD/MM/YYYY, a decimal comma.

The columns are described in docs/operators.md. Amounts stand in Debit or in Credit; the lines of one Number balance.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from io import StringIO

from app.billing.ledger.accounts import ACCOUNTS
from app.billing.ledger.books import BookLine
from app.billing.ledger.journals import journal_of, kind_label

COLUMNS = (
    "Journal", "Number", "Date", "Account", "AccountLabel", "Customer", "CustomerName", "CustomerVat", "Document",
    "Text", "Debit", "Credit", "Currency", "Reference",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a text that begins so


def csv_books(lines: Iterable[BookLine], *, currency: str, country: str, locale: str) -> Iterator[bytes]:
    """The file, line by line; account numbers of the plan of `country`, labels in `locale`."""
    text = StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in lines:
        yield _taken(text)
        writer.writerow(_values(line, currency, country, locale))
    yield _taken(text)


def _values(line: BookLine, currency: str, country: str, locale: str) -> tuple[str | int, ...]:
    account, piece = ACCOUNTS[line.account], line.document or line.reference
    return (
        journal_of(line.kind).code,
        line.number,
        f"{line.day:%d/%m/}{line.day.year:04d}",
        account.number(country),
        account.label(locale),
        line.customer or "",
        _text(line.customer_name),
        _text(line.customer_vat),
        _text(line.document),
        _text(f"{kind_label(line.kind, locale)} {piece}"),
        _amount(line.cents),
        _amount(-line.cents),
        currency,
        _text(line.reference),
    )


def _taken(text: StringIO) -> bytes:
    written = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return written


def _text(value: str | None) -> str:
    """On one line, and never a formula."""
    line = " ".join((value or "").split())
    return f"'{line}" if line.startswith(FORMULA) else line


def _amount(cents: int) -> str:
    return f"{cents // 100},{cents % 100:02d}" if cents > 0 else ""
