"""Verifying an archive without the database: written anew from the format's description, and sharing with the writer
nothing but names, so that a mistake of the one is not repeated by the other.
"""

from __future__ import annotations

from pathlib import Path

from app.billing.closings.archive import format
from app.billing.closings.archive.verifying.closings import Closings
from app.billing.closings.archive.verifying.documents import Documents
from app.billing.closings.archive.verifying.reader import Reader
from app.billing.closings.archive.verifying.report import Report
from app.billing.closings.archive.verifying.rows import Charges, Payments, Postings
from app.billing.closings.archive.verifying.seal import check_seal


def verify(path: Path, *, public_key: str | None = None) -> Report:
    """Everything that is wrong with an archive, or nothing; `public_key` (hexadecimal) is the one it must be of.

    Takes memory for one line, the month's closings and the sums of its days. Raises OSError when there is no such file.
    """
    report = Report()
    with Reader(path, report) as reader:
        manifest = check_seal(reader, report, public_key)
        closings = Closings(report, manifest)
        for member in (format.BEFORE, format.CLOSINGS):
            closings.read(member, reader.lines(member))
        closings.check()
        rows = (kind(report, closings) for kind in (Postings, Charges, Payments))
        for part in (Documents(report, manifest, closings), *rows):
            for no, line in reader.lines(part.member):
                part.take(no, line)
            part.end()
        closings.compare()
        reader.compare(manifest)
    return report
