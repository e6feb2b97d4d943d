"""The VAT return over HTTP."""

from __future__ import annotations

from datetime import date

from marshmallow import fields, validate

from app.http.schemas import Strict

DAYS = validate.Range(date(1970, 1, 1), date(2999, 12, 31))


class Period(Strict):
    """Both days count. Without them: this year, until today."""

    from_ = fields.Date(data_key="from", validate=DAYS, load_default=None)
    to = fields.Date(validate=DAYS, load_default=None)


class BoxShape(Strict):
    box = fields.String(required=True)
    label = fields.String(required=True)
    amount_cents = fields.Integer(required=True)


class TaxShape(Strict):
    document = fields.String(required=True)
    category = fields.String(required=True)
    rate_permille = fields.Integer(required=True)
    mention = fields.String(required=True, allow_none=True)
    net_cents = fields.Integer(required=True)
    vat_cents = fields.Integer(required=True)


class VatReturnShape(Strict):
    country = fields.String(required=True)
    from_ = fields.Date(data_key="from", required=True)
    to = fields.Date(required=True)
    currency = fields.String(required=True)
    boxes = fields.List(fields.Nested(BoxShape), required=True)
    taxes = fields.List(fields.Nested(TaxShape), required=True)
