"""The ledger's shapes over HTTP. Cents are signed: debit > 0, credit < 0."""

from __future__ import annotations

from datetime import date
from typing import Any

from marshmallow import fields, validate

from app.billing.ledger.accounts import ACCOUNTS
from app.billing.ledger.balances import TrialRow
from app.billing.ledger.exporting import FORMATS
from app.billing.ledger.statement import StatementLine
from app.http.schemas import PageQuery, Strict

DAYS = validate.Range(date(1970, 1, 1), date(2999, 12, 31))
LOCALES = validate.OneOf(("fr", "nl", "en", "de"))


class PeriodQuery(Strict):
    """Both days belong to it. Without `to` today, without `from` the first day of that year."""

    since = fields.Date(data_key="from", validate=DAYS, load_default=None)
    until = fields.Date(data_key="to", validate=DAYS, load_default=None)


class StatementQuery(PeriodQuery, PageQuery):
    party = fields.UUID(load_default=None)


class ExportQuery(PeriodQuery):
    format = fields.String(validate=validate.OneOf(FORMATS), load_default="csv")
    locale = fields.String(validate=LOCALES, load_default="fr")


class TrialRowShape(Strict):
    account = fields.String(required=True, metadata={"description": "receivable, vat_due, ..."})
    number = fields.String(required=True, metadata={"description": "In the plan of the operator's country."})
    label = fields.String(required=True)
    opening_cents = fields.Integer(required=True)
    debit_cents = fields.Integer(required=True)
    credit_cents = fields.Integer(required=True)
    closing_cents = fields.Integer(required=True)


class TrialBalanceShape(Strict):
    operator_id = fields.UUID(required=True)
    currency = fields.String(required=True)
    since = fields.Date(required=True, data_key="from")
    until = fields.Date(required=True, data_key="to")
    accounts = fields.List(fields.Nested(TrialRowShape), required=True)


class StatementLineShape(Strict):
    posting_id = fields.UUID(required=True)
    day = fields.Date(required=True)
    kind = fields.String(required=True)
    reference = fields.String(required=True, metadata={"description": "What was posted: one posting each."})
    document = fields.String(required=True, allow_none=True)
    party_id = fields.UUID(required=True, allow_none=True)
    currency = fields.String(required=True)
    cents = fields.Integer(required=True)
    balance_cents = fields.Integer(required=True, metadata={"description": "Of the account after this line."})


def describe_trial_row(row: TrialRow, *, country: str, locale: str) -> dict[str, Any]:
    account = ACCOUNTS[row.account]
    return {
        "account": row.account,
        "number": account.number(country),
        "label": account.label(locale),
        "opening_cents": row.opening,
        "debit_cents": row.debit,
        "credit_cents": row.credit,
        "closing_cents": row.closing,
    }


def describe_line(line: StatementLine, *, currency: str) -> dict[str, Any]:
    return {
        "posting_id": str(line.posting),
        "day": line.place.day.isoformat(),
        "kind": line.kind,
        "reference": line.key,
        "document": line.document,
        "party_id": line.party and str(line.party),
        "currency": currency,
        "cents": line.cents,
        "balance_cents": line.balance,
    }
