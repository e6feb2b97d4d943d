"""Numbers without a gap: given under the lock of the series' row, in the transaction that writes the documents.

A transaction that fails gives its numbers back with everything else it did. The lock comes last of all locks but the
ledger's rows and what is due, and is held for the writing of one batch.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.orm import Session

from app.billing.invoices.canonical import GENESIS, canonical, digest
from app.billing.invoices.communications import communication
from app.billing.invoices.issuers import Issuer
from app.billing.invoices.snapshot import Place, placed
from app.db import Statement

INVOICES, CREDIT_NOTES = "I", "C"

_BEGIN = Statement("""
    INSERT INTO invoice_series (operator_id, series, prefix, last_sequence, last_hash, last_issued_on)
    VALUES (:operator_id, :series, :prefix, 0, :hash, :today) ON CONFLICT DO NOTHING
""")
_LOCK = Statement("""
    SELECT series, prefix, last_sequence, last_hash, last_issued_on FROM invoice_series
    WHERE operator_id = :operator_id AND series = ANY(:series) ORDER BY series FOR NO KEY UPDATE
""")
_ADVANCE = Statement("""
    UPDATE invoice_series SET last_sequence = :sequence, last_hash = :hash, last_issued_on = :issued_on
    WHERE operator_id = :operator_id AND series = :series
""")


@dataclass(slots=True)
class Series:
    """A series whose row is locked, and where it stands as documents are added."""

    issuer: Issuer
    name: str
    prefix: str
    sequence: int
    hash: str
    issued_on: date

    def add(self, content: dict[str, object], *, terms_days: int) -> tuple[Place, str, str]:
        """Give the next number: the place, the whole content in canonical JSON, and its hash.

        The day is today, but never before that of the document before it, whatever a clock says.
        """
        self.sequence += 1
        self.issued_on = max(self.issued_on, self.issuer.today)
        number = f"{self.prefix}-{self.sequence:06d}"
        place = Place(
            number=number,
            series=self.name,
            sequence=self.sequence,
            issued_on=self.issued_on,
            due_on=self.issued_on + timedelta(days=terms_days),
            communication=communication(
                country=self.issuer.seller.country, series=self.name, sequence=self.sequence, number=number
            ),
            previous_hash=self.hash,
        )
        text = canonical(placed(content, place))
        self.hash = digest(text)
        return place, text, self.hash


def series_of(kind: str, day: date) -> str:
    """The series that a document of a kind goes into: of invoices or of credit notes, one for each calendar year."""
    return f"{CREDIT_NOTES if kind == 'credit_note' else INVOICES}{day.year}"


def lock(session: Session, issuer: Issuer, kinds: Collection[str]) -> dict[str, Series]:
    """The series that documents of these kinds go into, locked in the order of their names until commit."""
    names = sorted({series_of(kind, issuer.today) for kind in kinds})
    own = {"operator_id": issuer.operator_id}
    for name in names:
        prefix = f"{issuer.prefix}-{name.removeprefix(INVOICES)}"
        _BEGIN.run(session, {**own, "series": name, "prefix": prefix, "hash": GENESIS, "today": issuer.today})
    rows = _LOCK.run(session, {**own, "series": names}).fetchall()
    return {
        row.series: Series(issuer, row.series, row.prefix, row.last_sequence, row.last_hash, row.last_issued_on)
        for row in rows
    }


def keep(session: Session, series: Collection[Series]) -> None:
    """Write down where locked series stand now."""
    for each in series:
        _ADVANCE.run(
            session,
            {
                "operator_id": each.issuer.operator_id,
                "series": each.name,
                "sequence": each.sequence,
                "hash": each.hash,
                "issued_on": each.issued_on,
            },
        )
