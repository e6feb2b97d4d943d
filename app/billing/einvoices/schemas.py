"""Shapes of electronic invoices on the wire."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from app.billing.einvoices.listing import Shown
from app.billing.einvoices.models import FORMATS, STATES, EInvoicing
from app.billing.vat_return.schemas import DAYS, Period
from app.events.envelope import instant
from app.http.schemas import PageQuery, Strict

XML_FORMATS = ("peppol", "ubl-fr", "ubl", "cii")
SENT_FORMATS = ("peppol", "ubl-fr", "factur-x")

Reported = Period


class DocumentQuery(Strict):
    profile = fields.String(
        load_default=None,
        validate=validate.OneOf(XML_FORMATS),
        metadata={
            "description": "Of XML: Peppol BIS 3.0, UBL as French platforms want it, plain EN 16931 in UBL or CII."
        },
    )


class EInvoicesQuery(PageQuery):
    state = fields.String(load_default=None, validate=validate.OneOf(STATES))
    format = fields.String(load_default=None, validate=validate.OneOf(FORMATS))


class NewEInvoice(Strict):
    format = fields.String(
        load_default=None,
        validate=validate.OneOf(SENT_FORMATS),
        metadata={"description": "Default: the one that its parties' countries want."},
    )


class Step(Schema):
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    code = fields.String(required=True, metadata={"example": "AP"})
    detail = fields.String(required=True)
    at = fields.AwareDateTime(required=True)


class EInvoiceShape(Schema):
    """`route` is the way it goes: null where it was made to be read. `history` is told of one document's alone.
    `history` and `last_error` are for who keeps the books: others get none and null."""

    id = fields.UUID(required=True)
    invoice_id = fields.UUID(required=True)
    number = fields.String(required=True)
    format = fields.String(required=True, validate=validate.OneOf(FORMATS))
    route = fields.String(required=True, allow_none=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    round = fields.Integer(required=True)
    sha256 = fields.String(required=True, allow_none=True)
    made_at = fields.AwareDateTime(required=True, allow_none=True)
    handed_over_at = fields.AwareDateTime(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    last_error = fields.String(required=True, allow_none=True)
    history = fields.List(fields.Nested(Step), required=True)


class EInvoicingShape(Strict):
    """By each way the first day of issue of what is sent by it; null: nothing is."""

    peppol_from = fields.Date(required=True, allow_none=True, validate=DAYS)
    platform_from = fields.Date(required=True, allow_none=True, validate=DAYS)
    platform_format = fields.String(load_default="ubl-fr", validate=validate.OneOf(("ubl-fr", "factur-x")))


class ReportedTotal(Strict):
    day = fields.Date(required=True)
    kind = fields.String(required=True)
    transaction = fields.String(required=True, metadata={"example": "TPS1"})
    category = fields.String(required=True)
    rate_permille = fields.Integer(required=True)
    net_cents = fields.Integer(required=True)
    vat_cents = fields.Integer(required=True)
    documents = fields.Integer(required=True)


class EReportingShape(Strict):
    country = fields.String(required=True)
    owed = fields.Boolean(required=True)
    from_ = fields.Date(data_key="from", required=True)
    to = fields.Date(required=True)
    currency = fields.String(required=True)
    totals = fields.List(fields.Nested(ReportedTotal), required=True)
    not_reported = fields.List(fields.Nested(ReportedTotal), required=True)


def describe(shown: Shown, *, with_errors: bool) -> dict[str, Any]:
    """Exceptions speak of paths and hosts: they are told to who keeps the books alone."""
    row = shown.einvoice
    return {
        "id": str(row.uid),
        "invoice_id": str(shown.invoice.uid),
        "number": shown.invoice.number,
        "format": row.format,
        "route": row.route,
        "state": row.state,
        "round": row.round,
        "sha256": row.sha256,
        "made_at": _instant(row.made_at),
        "handed_over_at": _instant(row.handed_over_at),
        "reason": row.reason,
        "last_error": row.last_error if with_errors else None,
        "history": [
            {"state": step.state, "code": step.code, "detail": step.detail, "at": _instant(step.at)}
            for step in shown.steps
        ],
    }


def describe_settings(chosen: EInvoicing) -> dict[str, Any]:
    days = {name: getattr(chosen, name) for name in ("peppol_from", "platform_from")}
    told = {name: day.isoformat() if day else None for name, day in days.items()}
    return {**told, "platform_format": chosen.platform_format}


def _instant(at: Any) -> str | None:
    return instant(at) if at else None
