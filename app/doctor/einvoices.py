"""Electronic invoices: is everything made and handed over, what was rejected, and are the files where the rows say?

What failed or was rejected is a fault until somebody closed its task: a credit note may have mended it.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from app.billing.papers.files import path_of
from app.config import Config
from app.db import raw
from app.doctor.finding import Fault, spoken

LONGEST_UNDONE = timedelta(minutes=30)
LONGEST_UNANSWERED = timedelta(days=7)  # without so much as a word that it arrived
MOST_FILES = 2000  # the newest: all of them take the backup's check, not this one's

_EINVOICES = raw(
    """
    SELECT (SELECT clock_timestamp() - min(due_at) FROM einvoice WHERE due_at < clock_timestamp()) AS waiting,
        (SELECT count(*) FROM einvoice WHERE due_at IS NOT NULL) AS undone,
        (SELECT count(*) FROM einvoice e WHERE state = 'failed' AND EXISTS (SELECT 1 FROM money_task t
              WHERE t.invoice_id = e.invoice_id AND t.kind = 'einvoice_failed' AND t.closed_at IS NULL)) AS failed,
        (SELECT count(*) FROM einvoice e WHERE state = 'rejected' AND EXISTS (SELECT 1 FROM money_task t
              WHERE t.invoice_id = e.invoice_id AND t.kind = 'einvoice_rejected' AND t.closed_at IS NULL)) AS rejected,
        (SELECT count(*) FROM einvoice WHERE state = 'handed_over'
              AND handed_over_at < clock_timestamp() - CAST(:longest AS interval)) AS unanswered
    """
)
_FILES = raw("SELECT sha256, size FROM einvoice WHERE sha256 IS NOT NULL ORDER BY id DESC LIMIT :most")


def einvoices_check(config: Config, connection: Connection) -> str:
    found = connection.execute(_EINVOICES, {"longest": LONGEST_UNANSWERED}).one()
    if found.failed:
        raise Fault(
            f"{found.failed} electronic invoices could not be made or handed over: einvoice.last_error says why"
        )
    if found.rejected:
        raise Fault(f"{found.rejected} electronic invoices were rejected: passerelle einvoices status --state rejected")
    if found.waiting and found.waiting > LONGEST_UNDONE:
        remedy = "does `passerelle worker einvoices` run?"
        raise Fault(f"{found.undone} electronic invoices wait, the oldest for {spoken(found.waiting)}: {remedy}")
    if found.unanswered:
        raise Fault(f"{found.unanswered} electronic invoices were handed over a week ago, and nothing was answered")
    looked, missing = 0, 0
    for row in connection.execute(_FILES, {"most": MOST_FILES}):
        path = path_of(config.home, row.sha256)
        looked += 1
        missing += not path.is_file() or path.stat().st_size != row.size
    if missing:
        raise Fault(f"{missing} of the {looked} newest electronic invoices are not in {config.home / 'files'}")
    return f"{found.undone} electronic invoices wait, {looked} are where they should be"
