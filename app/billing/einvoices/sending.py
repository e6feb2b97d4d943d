"""Whether an electronic invoice goes out: as its operator chose, and a document by each way once."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from app.billing.einvoices.models import EInvoice, EInvoicing
from app.billing.einvoices.needs import PEPPOL, PLATFORM
from app.billing.invoices.models import Invoice


def settings_of(session: Session, operator_id: int) -> EInvoicing:
    """What the operator chose; until then nothing is sent (a row that is not stored)."""
    chosen = session.get(EInvoicing, operator_id)
    return chosen or EInvoicing(operator_id=operator_id, platform_format="ubl-fr")


def goes(chosen: EInvoicing, *, route: str | None, format: str, issued_on: date, is_under_way: bool = False) -> bool:
    """Whether a document issued on that day goes by its route, in this format; what is under way goes on in its own."""
    first = {PEPPOL: chosen.peppol_from, PLATFORM: chosen.platform_from}.get(route or "")
    if first is None or issued_on < first:
        return False
    return route != PLATFORM or is_under_way or format == chosen.platform_format


def lock_document(session: Session, invoice_id: int) -> None:
    """Before its electronic invoices: whoever sends one of them looks at all of them, one after the other."""
    session.execute(select(Invoice.id).where(Invoice.id == invoice_id).with_for_update(key_share=True))


def gone_as(session: Session, invoice_id: int, *, route: str | None, format: str) -> EInvoice | None:
    """The other format in which a document went, or may have gone, by a route and was not rejected.

    After `lock_document`. A document that went in one format does not go in another: it would be there twice.
    """
    others = select(EInvoice).where(
        EInvoice.invoice_id == invoice_id, EInvoice.route == (route or ""), EInvoice.format != format,
        EInvoice.handed_over_at.is_not(None), EInvoice.state != "rejected",
    )  # fmt: skip
    newest = others.order_by(EInvoice.handed_over_at.desc()).limit(1)
    return session.scalars(newest.execution_options(populate_existing=True)).one_or_none()


def choose(
    session: Session,
    operator_id: int,
    *,
    peppol_from: date | None,
    platform_from: date | None,
    platform_format: str,
    now: datetime,
) -> EInvoicing:
    """Set what is sent from now on; what was made and waits is looked at again, and goes where it now may.

    Another format is for what has not gone yet: of what went and was rejected a person decides (wanting.send_again).
    """
    chosen = session.merge(
        EInvoicing(
            operator_id=operator_id, peppol_from=peppol_from, platform_from=platform_from,
            platform_format=platform_format, changed_at=now,
        )
    )  # fmt: skip
    session.flush()
    days = [day for day in (peppol_from, platform_from) if day is not None]
    if days:
        other = aliased(EInvoice)
        went = select(other.id).where(
            other.invoice_id == EInvoice.invoice_id, other.route == EInvoice.route, other.id != EInvoice.id,
            other.handed_over_at.is_not(None),
        )  # fmt: skip
        since = select(Invoice.id).where(Invoice.operator_id == operator_id, Invoice.issued_on >= min(days))
        waiting = update(EInvoice).where(
            EInvoice.operator_id == operator_id, EInvoice.state == "made", EInvoice.due_at.is_(None),
            EInvoice.route.is_not(None), EInvoice.invoice_id.in_(since.scalar_subquery()), ~went.exists(),
        )  # fmt: skip
        session.execute(waiting.values(due_at=now, attempts=0).execution_options(synchronize_session=False))
    return chosen
