"""What a payer types into their bank, or scans: where the money goes, and the communication that finds the invoice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.billing.invoices.standing import settled_cents
from app.billing.papers import epc
from app.billing.payments.accounts import account_of
from app.errors import Problem
from app.network.models import Operator


class PayByTransfer(Problem):
    """`transfers` say where to, how much and with which communication, one for each invoice."""

    code = "pay_by_transfer"
    status = 409
    title = "This operator is not paid over the internet: pay by bank transfer, or at the desk."


class Transfer(NamedTuple):
    """What is left of one invoice; `epc` is the text of the square that bank apps scan, None where none may be."""

    invoice_uid: UUID
    number: str
    holder: str
    iban: str
    bic: str | None
    cents: int
    currency: str
    communication: str
    epc: str | None


def transfers_for(session: Session, operator: Operator, invoices: Iterable[Invoice]) -> list[Transfer]:
    """For each invoice of an operator of which something is left."""
    listed = list(invoices)
    settled, account = settled_cents(session, listed), account_of(session, operator)
    found = []
    for each in listed:
        cents = 0 if each.corrects_id else each.gross_cents - settled[each.id]
        if cents > 0:
            square = epc.payload(
                name=account.holder, iban=account.iban, cents=cents, currency=each.currency,
                communication=each.communication,
            )  # fmt: skip
            found.append(
                Transfer(
                    each.uid, each.number, account.holder, account.iban, account.bic, cents, each.currency,
                    each.communication, square,
                )
            )  # fmt: skip
    return found


def described(transfer: Transfer) -> dict[str, object]:
    """As JSON carries it."""
    return {
        "invoice_id": str(transfer.invoice_uid),
        "number": transfer.number,
        "holder": transfer.holder,
        "iban": transfer.iban,
        "bic": transfer.bic,
        "amount_cents": transfer.cents,
        "currency": transfer.currency,
        "communication": transfer.communication,
        "epc": transfer.epc,
    }
