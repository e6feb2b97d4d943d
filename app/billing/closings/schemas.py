"""Shapes of closings on the wire."""

from __future__ import annotations

import json
from typing import Any

from marshmallow import Schema, fields, validate

from app.billing.closings.days import KINDS
from app.billing.closings.models import Closing
from app.events.envelope import instant
from app.http.schemas import PageQuery


class ClosingQuery(PageQuery):
    kind = fields.String(load_default="day", validate=validate.OneOf(KINDS))


class AmountsShape(Schema):
    """Sums of a period, in cents."""

    kind = fields.String(required=True, validate=validate.OneOf(["invoice", "credit_note"]))
    currency = fields.String(required=True)


class DocumentsShape(AmountsShape):
    """Documents of a kind; those of a period also of a series, with their first and last number in it. Amounts of
    credit notes are positive, and apart."""

    series = fields.String()
    count = fields.Integer(required=True)
    net_cents = fields.Integer(required=True)
    vat_cents = fields.Integer(required=True)
    gross_cents = fields.Integer(required=True)
    first = fields.Integer()
    last = fields.Integer()


class TaxesShape(AmountsShape):
    category = fields.String(required=True, metadata={"description": "As on documents, by EN 16931: S, Z, E, AE, O."})
    permille = fields.Integer(required=True)
    net_cents = fields.Integer(required=True)
    vat_cents = fields.Integer(required=True)


class LedgerShape(Schema):
    """Postings of the ledger: what was debited and what was credited are the same, always."""

    currency = fields.String(required=True)
    postings = fields.Integer(required=True)
    entries = fields.Integer(required=True)
    debit_cents = fields.Integer(required=True)
    credit_cents = fields.Integer(required=True)


class ChargesShape(Schema):
    currency = fields.String(required=True)
    count = fields.Integer(required=True)
    net_cents = fields.Integer(required=True)
    vat_cents = fields.Integer(required=True)
    gross_cents = fields.Integer(required=True)


class PaymentsShape(Schema):
    source = fields.String(required=True)
    currency = fields.String(required=True)
    count = fields.Integer(required=True)
    cents = fields.Integer(required=True)


class TotalsShape(Schema):
    documents = fields.List(fields.Nested(DocumentsShape), required=True)
    taxes = fields.List(fields.Nested(TaxesShape), required=True)
    ledger = fields.List(fields.Nested(LedgerShape), required=True)
    charges = fields.List(fields.Nested(ChargesShape), required=True)
    payments = fields.List(fields.Nested(PaymentsShape), required=True)


class ClosingShape(Schema):
    """A closed day, month or year: what was recorded in it, and the perpetual grand totals after it.

    `hash` is the SHA-256 of `snapshot`, the canonical content, which holds `previous_hash`, that of the closing before.
    """

    id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    number = fields.Integer(required=True, metadata={"description": "Without gap, per operator and kind."})
    first_day = fields.Date(required=True)
    last_day = fields.Date(required=True)
    starts_at = fields.AwareDateTime(required=True)
    ends_at = fields.AwareDateTime(required=True)
    timezone = fields.String(required=True)
    totals = fields.Nested(TotalsShape, required=True)
    grand_totals = fields.Nested(TotalsShape, required=True)
    snapshot = fields.String(required=True)
    hash = fields.String(required=True)
    previous_hash = fields.String(required=True, allow_none=True)
    sealed_at = fields.AwareDateTime(required=True)


def describe(closing: Closing) -> dict[str, Any]:
    said = json.loads(closing.snapshot)
    return {
        "id": str(closing.uid),
        "kind": closing.kind,
        "number": closing.number,
        "first_day": closing.first_day.isoformat(),
        "last_day": closing.last_day.isoformat(),
        "starts_at": instant(closing.starts_at),
        "ends_at": instant(closing.ends_at),
        "timezone": said["timezone"],
        "totals": said["totals"],
        "grand_totals": said["grand_totals"],
        "snapshot": closing.snapshot,
        "hash": closing.hash,
        "previous_hash": closing.previous_hash,
        "sealed_at": instant(closing.sealed_at),
    }
