"""Shapes of statements and lines on the wire. Cents of lines are signed: credit > 0."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.billing.bank.importing import Imported
from app.billing.bank.listing import ShownLine
from app.billing.bank.matching import MOST_NAMED
from app.billing.bank.models import STATES, BankStatement
from app.events.envelope import instant
from app.http.schemas import PageQuery, Strict, not_blank, one_line


class ImportedShape(Schema):
    """What became of the lines of a file: `matched` are done; `proposed` and `open` wait for a person; `ignored` were
    known from an earlier statement, are not booked yet, or are in a foreign currency (a task says which)."""

    statements = fields.List(fields.UUID(), required=True)
    matched = fields.Integer(required=True)
    proposed = fields.Integer(required=True)
    open = fields.Integer(required=True)
    ignored = fields.Integer(required=True)


class StateShape(Schema):
    lines = fields.Integer(required=True)
    amount_cents = fields.Integer(required=True)


class BankStatementShape(Schema):
    """`states` count its lines and sum their cents: together they are all lines, and closing less opening where none
    was known from an earlier statement."""

    id = fields.UUID(required=True)
    reference = fields.String(required=True)
    format = fields.String(required=True)
    currency = fields.String(required=True)
    opening_cents = fields.Integer(required=True)
    closing_cents = fields.Integer(required=True)
    lines = fields.Integer(required=True)
    ignored = fields.Integer(required=True)
    imported_at = fields.AwareDateTime(required=True)
    states = fields.Dict(keys=fields.String(), values=fields.Nested(StateShape), required=True)


class LinesQuery(PageQuery):
    state = fields.String(load_default=None, validate=validate.OneOf(STATES))


class AimShape(Strict):
    invoice_id = fields.UUID(required=True)
    amount_cents = fields.Integer(required=True, strict=True, validate=validate.Range(1, 10**13))


class ProposalShape(Schema):
    """`certainty` is stated in percent; `reasons` are codes: account, name, amount, sum_of_several, one_digit_off..."""

    id = fields.UUID(required=True)
    state = fields.String(required=True)
    party_id = fields.UUID(required=True, allow_none=True)
    certainty = fields.Integer(required=True)
    reasons = fields.List(fields.String(), required=True)
    invoices = fields.List(fields.Nested(AimShape), required=True)


class BankLineShape(Schema):
    id = fields.UUID(required=True)
    statement_id = fields.UUID(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    booked_on = fields.Date(required=True)
    amount_cents = fields.Integer(required=True)
    currency = fields.String(required=True)
    bank_code = fields.String(required=True, metadata={"description": "The bank transaction code."})
    rule = fields.String(required=True)
    reasons = fields.List(fields.String(), required=True)
    counterparty_name = fields.String(required=True, allow_none=True)
    counterparty_iban = fields.String(required=True, allow_none=True)
    structured = fields.String(required=True, allow_none=True)
    remittance = fields.String(required=True)
    end_to_end_id = fields.String(required=True, allow_none=True)
    return_reason = fields.String(required=True, allow_none=True)
    party_id = fields.UUID(required=True, allow_none=True)
    payment_id = fields.UUID(required=True, allow_none=True)
    note = fields.String(required=True)
    proposals = fields.List(fields.Nested(ProposalShape), required=True)


class MatchShape(Strict):
    """Either the invoices that the line pays, all of one customer, or a proposal."""

    invoices = fields.List(fields.Nested(AimShape), validate=validate.Length(1, MOST_NAMED))
    proposal_id = fields.UUID()

    @validates_schema
    def one_of_both(self, values: dict[str, Any], **_: Any) -> None:
        if ("invoices" in values) == ("proposal_id" in values):
            raise ValidationError("give invoices or proposal_id")
        named = [aim["invoice_id"] for aim in values.get("invoices", ()) if "invoice_id" in aim]
        if len(named) != len(set(named)):
            raise ValidationError("name each invoice once", "invoices")


class DismissalShape(Strict):
    reason = fields.String(required=True, validate=[validate.Length(1, 200), one_line, not_blank])


def describe_import(done: Imported) -> dict[str, Any]:
    counted = {"matched": done.matched, "proposed": done.proposed, "open": done.open, "ignored": done.ignored}
    return {"statements": [str(uid) for uid in done.statements], **counted}


def describe_statement(statement: BankStatement, states: dict[str, tuple[int, int]]) -> dict[str, Any]:
    return {
        "id": str(statement.uid),
        "reference": statement.reference,
        "format": statement.format,
        "currency": statement.currency,
        "opening_cents": statement.opening_cents,
        "closing_cents": statement.closing_cents,
        "lines": statement.lines,
        "ignored": statement.ignored,
        "imported_at": instant(statement.imported_at),
        "states": {state: {"lines": n, "amount_cents": cents} for state, (n, cents) in sorted(states.items())},
    }


def describe_line(shown: ShownLine) -> dict[str, Any]:
    line = shown.line
    return {
        "id": str(line.uid),
        "statement_id": str(shown.statement_uid),
        "state": line.state,
        "booked_on": line.booked_on.isoformat(),
        "amount_cents": line.cents,
        "currency": line.currency,
        "bank_code": line.code,
        "rule": line.rule,
        "reasons": list(line.reasons),
        "counterparty_name": line.counterparty_name,
        "counterparty_iban": line.counterparty_iban,
        "structured": line.structured,
        "remittance": line.remittance,
        "end_to_end_id": line.end_to_end_id,
        "return_reason": line.return_reason,
        "party_id": shown.party_uid and str(shown.party_uid),
        "payment_id": shown.payment_uid and str(shown.payment_uid),
        "note": line.note,
        "proposals": [
            {
                "id": str(each.uid), "state": each.state, "party_id": party and str(party),
                "certainty": each.certainty, "reasons": list(each.reasons),
                "invoices": [{"invoice_id": str(uid), "amount_cents": cents} for uid, cents in aims],
            }
            for each, party, aims in shown.proposals
        ],
    }  # fmt: skip
