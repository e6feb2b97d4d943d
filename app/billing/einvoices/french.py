"""What French approved platforms want said beyond EN 16931 (norm XP Z12-012, annexe A), as rows. Pure."""

from __future__ import annotations

from app.billing.einvoices.semantic import Document

SERVICES, SERVICES_PAID = "S1", "S2"  # the category of operation, and that nothing is left to pay (BT-23)


def framework(document: Document) -> str:
    """BT-23: coworking is a service; paid already, or to be paid."""
    return SERVICES_PAID if document.paid_cents and not document.due_cents else SERVICES


def treatment(document: Document) -> str:
    """The note BAR: what the platform does with it. Deposits are no supply."""
    if not document.is_supply:
        return "OUTOFSCOPE"
    home = document.buyer.state == document.seller.state
    if document.buyer.is_business:
        return "B2B" if home else "B2BINT"
    return "B2C" if home else "B2CINT"
