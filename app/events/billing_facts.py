"""Events about documents: invoices and credit notes that were finalised, months that were closed."""

from __future__ import annotations

from dataclasses import dataclass

from app.events.catalogue import DomainEvent, event
from app.events.meanings import Meaning, cents, code, id_of
from app.events.membership_facts import day

_OPERATOR = id_of("an operator", "The legal entity that issued it.")
_NUMBER = Meaning(
    "Its number, gapless within the operator's series.", unit="document number", example="ATH-2026-000123"
)


@event(
    "invoice.finalised",
    version=1,
    aggregate="invoice",
    by="billing.invoices.finalising",
    says={
        "invoice_id": id_of("an invoice", "The invoice."),
        "operator_id": _OPERATOR,
        "party_id": id_of("a party", "Who owes it."),
        "number": _NUMBER,
        "kind": code("What it is for: a month, a request at once, a deposit.", "monthly", "now", "deposit"),
        "issued_on": day("The day it was issued."),
        "due_on": day("The day by which it is to be paid.", "2026-03-31"),
    },
)
@dataclass(frozen=True, slots=True)
class InvoiceFinalised(DomainEvent):
    """An invoice has its number and its final content."""

    invoice_id: str
    operator_id: str
    party_id: str
    number: str
    kind: str
    issued_on: str
    due_on: str
    gross_cents: int
    net_cents: int
    vat_cents: int
    currency: str


@event(
    "credit_note.finalised",
    version=1,
    aggregate="invoice",
    by="billing.invoices.finalising",
    says={
        "invoice_id": id_of("a credit note", "The credit note."),
        "corrects_id": id_of("an invoice", "The invoice that it corrects."),
        "operator_id": _OPERATOR,
        "party_id": id_of("a party", "To whom it is owed."),
        "number": _NUMBER,
        "issued_on": day("The day it was issued."),
    },
)
@dataclass(frozen=True, slots=True)
class CreditNoteFinalised(DomainEvent):
    """A credit note has its number and its final content; its amounts are positive and owed to the party."""

    invoice_id: str
    corrects_id: str
    operator_id: str
    party_id: str
    number: str
    issued_on: str
    gross_cents: int
    net_cents: int
    vat_cents: int
    currency: str


@event(
    "invoice.reminded",
    version=1,
    aggregate="invoice",
    by="billing.dunning.acting",
    says={
        "invoice_id": id_of("an invoice", "The invoice that is overdue."),
        "operator_id": _OPERATOR,
        "party_id": id_of("a party", "Who owes it."),
        "step": Meaning("The number of the step of the operator's schedule, from 1.", type="int", example=1),
        "action": code("What was done.", "reminder", "formal_notice", "suspension"),
        "open_cents": cents("What is still open of the invoice.", 12100),
        "interest_cents": cents("Interest claimed on top; on an invoice of its own.", 0),
        "compensation_cents": cents("What is claimed for the trouble; on an invoice of its own.", 4000),
        "pay_by": day("The day by which to pay now.", "2026-05-14"),
    },
)
@dataclass(frozen=True, slots=True)
class InvoiceReminded(DomainEvent):
    """A step of dunning was taken about an overdue invoice."""

    invoice_id: str
    operator_id: str
    party_id: str
    step: int
    action: str
    open_cents: int
    interest_cents: int
    compensation_cents: int
    currency: str
    pay_by: str


@event(
    "invoice.sending_requested",
    version=1,
    aggregate="invoice",
    by="billing.invoices.sending",
    says={
        "invoice_id": id_of("an invoice", "The invoice or credit note."),
        "operator_id": _OPERATOR,
        "party_id": id_of("a party", "Whom it is to."),
        "sending_id": id_of("a sending", "The sending that was asked for."),
    },
)
@dataclass(frozen=True, slots=True)
class InvoiceSendingRequested(DomainEvent):
    """Who keeps the books wants a document mailed to its customer once more."""

    invoice_id: str
    operator_id: str
    party_id: str
    sending_id: str
