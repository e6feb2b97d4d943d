"""Documents as people receive them: is every PDF drawn, and are the files where the rows say?"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from app.billing.papers.files import path_of
from app.config import Config
from app.db import raw
from app.doctor.finding import Fault, spoken

LONGEST_UNDRAWN = timedelta(minutes=30)
MOST_FILES = 2000  # the newest: all of them take the backup's check, not this one's

_PAPERS = raw(
    """
    SELECT (SELECT clock_timestamp() - min(due_at) FROM paper
            WHERE state IN ('wanted', 'drawing') AND due_at < clock_timestamp()) AS waiting,
        (SELECT count(*) FROM paper WHERE state IN ('wanted', 'drawing')) AS undrawn,
        (SELECT count(*) FROM paper WHERE state = 'failed') AS failed
    """
)
_FILES = raw(
    """
    SELECT sha256, size FROM paper WHERE state = 'drawn' ORDER BY invoice_id DESC LIMIT :most
    """
)


def papers_check(config: Config, connection: Connection) -> str:
    papers = connection.execute(_PAPERS).one()
    if papers.failed:
        raise Fault(f"the PDFs of {papers.failed} documents could not be drawn: paper.last_error says why")
    if papers.waiting and papers.waiting > LONGEST_UNDRAWN:
        remedy = "does `passerelle worker papers` run?"
        raise Fault(f"{papers.undrawn} PDFs wait to be drawn, the oldest for {spoken(papers.waiting)}: {remedy}")
    looked, missing = 0, 0
    for row in connection.execute(_FILES, {"most": MOST_FILES}):
        path = path_of(config.home, row.sha256)
        looked += 1
        missing += not path.is_file() or path.stat().st_size != row.size
    if missing:
        raise Fault(f"{missing} of the {looked} newest PDFs are not in {config.home / 'files'}, or cut short")
    return f"{papers.undrawn} PDFs wait to be drawn, {looked} are where they should be"
