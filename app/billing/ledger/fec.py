"""The French file of accounting entries (FEC), as article A47 A-1 of the Livre des procédures fiscales describes it.

Flat, 18 fields between tabs, first line their names, ISO 8859-15; dates YYYYMMDD; amounts with a decimal comma; in the
order of validation, numbered without a gap, beginning with the balances brought forward from the year before.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date

from app.billing.ledger.accounts import ACCOUNTS
from app.billing.ledger.books import BookLine
from app.billing.ledger.journals import journal_of, kind_label

ENCODING = "iso8859-15"
FIELDS = (
    "JournalCode", "JournalLib", "EcritureNum", "EcritureDate", "CompteNum", "CompteLib", "CompAuxNum", "CompAuxLib",
    "PieceRef", "PieceDate", "EcritureLib", "Debit", "Credit", "EcritureLet", "DateLet", "ValidDate", "Montantdevise",
    "Idevise",
)  # fmt: skip
EURO = "EUR"


def file_name(siren: str, until: date) -> str:
    """SIRENFECYYYYMMDD, the day being the last of the accounting year."""
    return f"{siren}FEC{_day(until)}.txt"


def fec(lines: Iterable[BookLine], currency: str) -> Iterator[bytes]:
    """The file, line by line."""
    yield _record(FIELDS)
    for line in lines:
        yield _record(_values(line, currency))


def _values(line: BookLine, currency: str) -> tuple[str, ...]:
    journal, account = journal_of(line.kind), ACCOUNTS[line.account]
    piece = line.document or line.reference
    foreign = currency != EURO
    return (
        journal.code,
        journal.labels.fr,
        str(line.number),
        _day(line.day),
        account.pcg,
        account.fr,
        line.customer or "",
        (line.customer_name or line.customer or "") if line.customer else "",
        piece,
        _day(line.day),
        f"{kind_label(line.kind, 'fr')} {piece}",
        _amount(max(line.cents, 0)),
        _amount(max(-line.cents, 0)),
        "",  # letters and their dates pair invoices with payments
        "",
        _day(line.written),
        _amount(line.cents) if foreign else "",
        currency if foreign else "",
    )


def _record(values: Iterable[str]) -> bytes:
    return ("\t".join(_plain(value) for value in values) + "\r\n").encode(ENCODING)


def _plain(value: str) -> str:
    """No separator within a field; a letter that the character set lacks without its accent, else as `?`."""
    kept = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in value).strip()
    try:
        kept.encode(ENCODING)
    except UnicodeEncodeError:
        return "".join(_closest(character) for character in kept)
    return kept


def _closest(character: str) -> str:
    try:
        character.encode(ENCODING)
        return character
    except UnicodeEncodeError:
        return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "?"


def _day(day: date) -> str:
    return f"{day:%Y%m%d}" if day.year >= 1000 else f"{day.year:04d}{day:%m%d}"


def _amount(cents: int) -> str:
    sign, whole = "-" if cents < 0 else "", abs(cents)
    return f"{sign}{whole // 100},{whole % 100:02d}"
