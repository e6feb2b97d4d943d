"""Whether an electronic invoice goes out, as its operator chose."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.billing.einvoices.models import EInvoice, EInvoicing
from app.billing.einvoices.needs import PEPPOL, PLATFORM
from app.billing.invoices.models import Invoice


def settings_of(session: Session, operator_id: int) -> EInvoicing:
    """What the operator chose; until then nothing is sent (a row that is not stored)."""
    chosen = session.get(EInvoicing, operator_id)
    return chosen or EInvoicing(operator_id=operator_id, platform_format="ubl-fr")


def goes(chosen: EInvoicing, *, route: str | None, format: str, issued_on: date) -> bool:
    """Whether a document issued on that day goes by its route, in this format."""
    first = {PEPPOL: chosen.peppol_from, PLATFORM: chosen.platform_from}.get(route or "")
    if first is None or issued_on < first:
        return False
    return route != PLATFORM or format == chosen.platform_format


def choose(
    session: Session,
    operator_id: int,
    *,
    peppol_from: date | None,
    platform_from: date | None,
    platform_format: str,
    now: datetime,
) -> EInvoicing:
    """Set what is sent from now on; what was made and waits is looked at again, and goes where it now may."""
    chosen = session.merge(
        EInvoicing(
            operator_id=operator_id, peppol_from=peppol_from, platform_from=platform_from,
            platform_format=platform_format, changed_at=now,
        )
    )  # fmt: skip
    session.flush()
    days = [day for day in (peppol_from, platform_from) if day is not None]
    if days:
        since = select(Invoice.id).where(Invoice.operator_id == operator_id, Invoice.issued_on >= min(days))
        waiting = update(EInvoice).where(
            EInvoice.operator_id == operator_id, EInvoice.state == "made", EInvoice.due_at.is_(None),
            EInvoice.route.is_not(None), EInvoice.invoice_id.in_(since.scalar_subquery()),
        )  # fmt: skip
        session.execute(waiting.values(due_at=now, attempts=0).execution_options(synchronize_session=False))
    return chosen
