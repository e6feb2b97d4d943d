"""Shapes of documents, closings and letterheads on the wire."""

from __future__ import annotations

import json
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.billing.invoices.delivery import STATES, Delivery
from app.billing.invoices.listing import Shown
from app.billing.invoices.models import KINDS, WAYS, Invoice, Letterhead, Sending
from app.billing.invoices.standing import STATUSES
from app.events.envelope import instant
from app.http.schemas import PageQuery, PriceShape, Strict, one_line
from app.network.models import Operator, Space

MOST = 500
LETTERHEAD = ("prefix", "street", "postcode", "town", "terms_days", "by_mail")
MONTH = r"2[0-9]{3}-(0[1-9]|1[0-2])"


class InvoicesQuery(PageQuery):
    operator_id = fields.UUID(
        load_default=None, metadata={"description": "Of this operator, whose books you keep; else those to you."}
    )
    party_id = fields.UUID(load_default=None)
    kind = fields.String(load_default=None, validate=validate.OneOf(KINDS))
    undelivered = fields.Boolean(
        load_default=False,
        metadata={"description": "Those that their customer has not got: no address, sent back, or given up."},
    )


class InvoiceShape(Schema):
    """`total` is what the document says; those of a credit note are owed to the party. `open_cents` is what is left to
    pay of an invoice. `status` overdue and paid follow from the day and from what was settled."""

    id = fields.UUID(required=True)
    operator_id = fields.UUID(required=True)
    party_id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    number = fields.String(required=True, metadata={"example": "ATH-2026-000123"})
    issued_on = fields.Date(required=True)
    due_on = fields.Date(required=True)
    period_from = fields.Date(required=True, allow_none=True)
    period_until = fields.Date(required=True, allow_none=True)
    total = fields.Nested(PriceShape, required=True)
    open_cents = fields.Integer(required=True, strict=True)
    paid_cents = fields.Integer(required=True, strict=True, metadata={"description": "What payments pay of it."})
    communication = fields.String(required=True, metadata={"example": "+++261/0000/12323+++"})
    corrects_id = fields.UUID(required=True, allow_none=True)
    sent_at = fields.AwareDateTime(required=True, allow_none=True)


class PayingShape(Schema):
    """So much of an invoice is paid by a payment."""

    payment_id = fields.UUID(required=True)
    kind = fields.String(required=True)
    settled_at = fields.AwareDateTime(required=True)
    amount_cents = fields.Integer(required=True)


class DocumentShape(InvoiceShape):
    """With `document`, its content as it was finalised (format passerelle.document/1), the SHA-256 of that, and the
    `payments` that pay it."""

    payments = fields.List(fields.Nested(PayingShape), required=True)
    document = fields.Dict(required=True)
    hash = fields.String(required=True)


class CreditedLine(Strict):
    no = fields.Integer(required=True, strict=True, validate=validate.Range(1))
    amount_cents = fields.Integer(
        strict=True,
        validate=validate.Range(1, 10**11),
        metadata={"description": "As the line was priced: with VAT where its price included it, else without."},
    )
    percent = fields.Integer(strict=True, validate=validate.Range(1, 100), metadata={"description": "Of the line."})

    @validates_schema
    def one_of_both(self, values: dict[str, Any], **_: Any) -> None:
        if ("amount_cents" in values) == ("percent" in values):
            raise ValidationError("give amount_cents or percent")


class NewCreditNote(Strict):
    """Without lines, all that is left of the invoice. `again` says that the same credit once more is meant."""

    lines = fields.List(fields.Nested(CreditedLine), load_default=[], validate=validate.Length(max=MOST))
    reason = fields.String(load_default="", validate=[validate.Length(max=200), one_line])
    again = fields.Boolean(load_default=False)


class NewSending(Strict):
    """`paper`: it was handed over, or posted, and the document counts as sent."""

    way = fields.String(load_default="mail", validate=validate.OneOf(WAYS))


class SendingShape(Schema):
    id = fields.UUID(required=True)
    invoice_id = fields.UUID(required=True)
    way = fields.String(required=True, validate=validate.OneOf(WAYS))
    asked_at = fields.AwareDateTime(required=True)


class DeliveryShape(Schema):
    """One mail that brought the document, or told of it, or its handing over on paper. `reason` is why a mail did not
    arrive: a code, or what the mail server answered (RFC 3463)."""

    way = fields.String(required=True, validate=validate.OneOf(WAYS))
    kind = fields.String(required=True, metadata={"example": "invoice"})
    state = fields.String(required=True, validate=validate.OneOf(sorted(set(STATES.values()))))
    reason = fields.String(required=True, allow_none=True, metadata={"example": "no_address"})
    at = fields.AwareDateTime(required=True)
    sent_at = fields.AwareDateTime(required=True, allow_none=True)


class InvoiceAtOnce(Strict):
    """Without charges, all that the party owes and is on no document yet, future ones too."""

    party_id = fields.UUID(required=True)
    charges = fields.List(fields.UUID(), load_default=[], validate=validate.Length(max=MOST))
    terms_days = fields.Integer(load_default=None, allow_none=True, strict=True, validate=validate.Range(0, 60))


class MonthToClose(Strict):
    month = fields.String(required=True, validate=validate.Regexp(MONTH + r"\Z"), metadata={"example": "2026-11"})


class ClosedMonth(Schema):
    """`closed_before` says that it was closed already. `open_charges` have no document yet: they get theirs in a
    moment; those that come to less than nothing wait for a later one."""

    month = fields.String(required=True)
    closed_before = fields.Boolean(required=True)
    open_charges = fields.Integer(required=True)


class LetterheadShape(Strict):
    """What an operator's documents say of it. A new prefix is that of the series that begin after it is set.
    `by_mail`: documents are mailed to their customers by themselves."""

    prefix = fields.String(required=True, validate=validate.Regexp(r"[A-Z0-9]{1,8}\Z"), metadata={"example": "ATH"})
    street = fields.String(required=True, validate=[validate.Length(max=200), one_line])
    postcode = fields.String(required=True, validate=[validate.Length(max=20), one_line])
    town = fields.String(required=True, validate=[validate.Length(max=100), one_line])
    terms_days = fields.Integer(required=True, strict=True, validate=validate.Range(0, 60))
    by_mail = fields.Boolean(load_default=True)


class KeptSpace(Schema):
    id = fields.UUID(required=True)
    slug = fields.String(required=True)
    name = fields.String(required=True)


class KeptOperator(Schema):
    """An operator whose books one keeps."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    country = fields.String(required=True)
    currency = fields.String(required=True)
    spaces = fields.List(fields.Nested(KeptSpace), required=True)


def describe(shown: Shown) -> dict[str, Any]:
    each = shown.invoice
    due = 0 if each.kind == "credit_note" else max(0, each.gross_cents - shown.settled_cents)
    return {
        "id": str(each.uid),
        "operator_id": str(shown.operator_uid),
        "party_id": str(shown.party_uid),
        "kind": each.kind,
        "status": shown.status,
        "number": each.number,
        "issued_on": each.issued_on.isoformat(),
        "due_on": each.due_on.isoformat(),
        "period_from": each.period_from and each.period_from.isoformat(),
        "period_until": each.period_until and each.period_until.isoformat(),
        "total": {
            "amount_cents": each.gross_cents,
            "currency": each.currency,
            "net_cents": each.net_cents,
            "vat_cents": each.vat_cents,
        },
        "open_cents": due,
        "paid_cents": sum(paying.cents for paying in shown.paying),
        "communication": each.communication,
        "corrects_id": str(shown.corrects_uid) if shown.corrects_uid else None,
        "sent_at": instant(each.sent_at) if each.sent_at else None,
    }


def describe_whole(shown: Shown) -> dict[str, Any]:
    payments = [
        {
            "payment_id": str(paying.payment_uid), "kind": paying.kind, "settled_at": instant(paying.settled_at),
            "amount_cents": paying.cents,
        }
        for paying in shown.paying
    ]  # fmt: skip
    document = {"document": json.loads(shown.invoice.snapshot), "hash": shown.invoice.hash}
    return {**describe(shown), **document, "payments": payments}


def describe_operator(operator: Operator, spaces: list[Space]) -> dict[str, Any]:
    return {
        "id": str(operator.uid),
        "name": operator.name,
        "country": operator.country,
        "currency": operator.currency,
        "spaces": [{"id": str(space.uid), "slug": space.slug, "name": space.name} for space in spaces],
    }


def describe_letterhead(letterhead: Letterhead) -> dict[str, Any]:
    return {name: getattr(letterhead, name) for name in LETTERHEAD}


def describe_sending(made: Sending, invoice: Invoice) -> dict[str, Any]:
    return {"id": str(made.uid), "invoice_id": str(invoice.uid), "way": made.way, "asked_at": instant(made.asked_at)}


def describe_delivery(each: Delivery) -> dict[str, Any]:
    return {**each._asdict(), "at": instant(each.at), "sent_at": instant(each.sent_at) if each.sent_at else None}
