"""Shapes of mandates and SEPA files on the wire. IBANs are shown whole in a file itself, and nowhere else."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from app.billing.sepa.models import ITEM_STATES, KINDS, SepaFile, SepaItem, SepaMandate
from app.events.envelope import instant
from app.http.schemas import PageQuery, Strict, not_blank, one_line


class FilesQuery(PageQuery):
    kind = fields.String(load_default=None, validate=validate.OneOf(KINDS))


class NewFiles(Strict):
    """`format` pain.001.001.09 or .03 for transfers, pain.008.001.08 or .02 for debits; without it the newer."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    execution_on = fields.Date(required=True)
    format = fields.String(load_default=None, validate=validate.Length(max=20))


class SepaFileShape(Schema):
    id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    state = fields.String(required=True, validate=validate.OneOf(("sealed", "handed_over", "cancelled")))
    format = fields.String(required=True)
    sha256 = fields.String(required=True)
    items = fields.Integer(required=True)
    amount_cents = fields.Integer(required=True)
    currency = fields.String(required=True)
    execution_on = fields.Date(required=True)
    made_at = fields.AwareDateTime(required=True)
    cancel_reason = fields.String(required=True)


class SepaItemShape(Schema):
    """`end_to_end_id` is what the file, and the bank, call it; `return_reason` a code, as the bank gives it."""

    id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    state = fields.String(required=True, validate=validate.OneOf(ITEM_STATES))
    end_to_end_id = fields.String(required=True)
    name = fields.String(required=True)
    remittance = fields.String(required=True)
    amount_cents = fields.Integer(required=True)
    currency = fields.String(required=True)
    return_reason = fields.String(required=True, allow_none=True)


class RejectionShape(Strict):
    """The reason as the bank gives it: a code of ISO 20022, such as AC01 or AM04."""

    reason = fields.String(required=True, validate=[validate.Length(1, 35), one_line, not_blank])


class CancellationShape(Strict):
    reason = fields.String(required=True, validate=[validate.Length(1, 200), one_line, not_blank])


class NewMandate(Strict):
    party_id = fields.UUID(required=True)
    reference = fields.String(required=True, validate=[validate.Length(1, 35), one_line])
    scheme = fields.String(load_default="CORE", validate=validate.OneOf(("CORE", "B2B")))
    signed_on = fields.Date(required=True)
    debtor_name = fields.String(required=True, validate=[validate.Length(1, 70), one_line, not_blank])
    iban = fields.String(required=True, validate=[validate.Length(max=50), one_line])
    bic = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=11))


class MandateShape(Schema):
    """`account` is the IBAN but for its middle."""

    id = fields.UUID(required=True)
    reference = fields.String(required=True)
    scheme = fields.String(required=True)
    signed_on = fields.Date(required=True)
    debtor_name = fields.String(required=True)
    account = fields.String(required=True)
    used = fields.Boolean(required=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)


def describe_file(file: SepaFile) -> dict[str, Any]:
    return {
        "id": str(file.uid),
        "kind": file.kind,
        "state": "cancelled" if file.cancelled_at else "handed_over" if file.handed_over_at else "sealed",
        "format": file.format,
        "sha256": file.sha256,
        "items": file.items,
        "amount_cents": file.cents,
        "currency": file.currency,
        "execution_on": file.execution_on.isoformat(),
        "made_at": instant(file.made_at),
        "cancel_reason": file.cancel_reason,
    }


def describe_item(item: SepaItem) -> dict[str, Any]:
    return {
        "id": str(item.uid),
        "kind": item.kind,
        "state": item.state,
        "end_to_end_id": item.end_to_end_id,
        "name": item.name,
        "remittance": item.remittance,
        "amount_cents": item.cents,
        "currency": item.currency,
        "return_reason": item.return_reason,
    }


def describe_mandate(mandate: SepaMandate) -> dict[str, Any]:
    return {
        "id": str(mandate.uid),
        "reference": mandate.reference,
        "scheme": mandate.scheme,
        "signed_on": mandate.signed_on.isoformat(),
        "debtor_name": mandate.debtor_name,
        "account": f"{mandate.iban[:4]}…{mandate.iban[-4:]}",
        "used": mandate.used,
        "revoked_at": instant(mandate.revoked_at) if mandate.revoked_at else None,
    }
