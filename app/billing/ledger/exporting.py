"""Exports of an operator's books for its accountant: which formats there are, their files' names, and the streams."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app.billing.ledger.books import book_lines
from app.billing.ledger.csv_books import csv_books
from app.billing.ledger.fec import ENCODING, fec, file_name
from app.errors import Invalid
from app.network.models import Operator

FORMATS = ("fec", "csv")


class Export(NamedTuple):
    """What is asked for: the books of days `since` to `until`; `locale` is the labels' (the FEC is in French)."""

    format: str
    since: date
    until: date
    locale: str = "fr"


def check_export(operator: Operator, wanted: Export) -> None:
    """Raises Invalid for days in the wrong order, and for a FEC of an operator that is not in France."""
    if wanted.since > wanted.until:
        raise Invalid.field("to", "give a day that is not before `from`")
    if wanted.format == "fec" and operator.country != "FR":
        raise Invalid.field("format", "the FEC is of operators in France: use csv")


def export_name(operator: Operator, wanted: Export) -> str:
    if wanted.format == "fec":
        return file_name(operator.company_number, wanted.until)
    return f"{operator.company_number}-{wanted.since.isoformat()}-{wanted.until.isoformat()}.csv"


def export_charset(wanted: Export) -> str:
    return ENCODING if wanted.format == "fec" else "utf-8"


def export(database: Session | Connection, operator: Operator, wanted: Export) -> Iterator[bytes]:
    """The file, in constant memory; read within one instant (books.one_instant). Raises Invalid before it begins."""
    check_export(operator, wanted)
    is_fec = wanted.format == "fec"
    lines = book_lines(database, operator, since=wanted.since, until=wanted.until, opening=is_fec)
    if is_fec:
        return fec(lines, operator.currency)
    return csv_books(lines, currency=operator.currency, country=operator.country, locale=wanted.locale)
