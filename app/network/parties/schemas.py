"""The shapes of billing details and of an operator's customers."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from app.events.envelope import instant
from app.http.schemas import Strict, not_blank, one_line
from app.network.parties.checking import Evidence
from app.network.parties.models import Party
from app.network.parties.standing import BUSINESS, PRIVATE_PERSON, REASONS, standing
from app.network.schemas import EmailAddress, Name, locale

STATUSES = ("unchecked", "valid", "invalid", "unknown")


def _text(longest: int, **kwargs: Any) -> fields.String:
    return fields.String(validate=[validate.Length(0, longest), one_line], **kwargs)


def _optional(longest: int, meaning: str, example: str) -> fields.String:
    checks: list[Any] = [validate.Length(1, longest), one_line, not_blank]
    doc = {"description": meaning, "example": example}
    return fields.String(load_default=None, allow_none=True, validate=checks, metadata=doc)


class BillingDetails(Strict):
    name = Name(required=True, metadata={"example": "Atelier Dupont SRL"})
    street = _text(200, load_default="", metadata={"example": "Grand-Place 1"})
    postcode = _text(20, load_default="", metadata={"example": "7800"})
    town = _text(100, load_default="", metadata={"example": "Ath"})
    country = fields.String(required=True, validate=validate.Length(2, 2), metadata={"example": "BE"})
    is_business = fields.Boolean(
        required=True,
        truthy={True},
        falsy={False},
        metadata={
            "description": "A business needs its whole address, and is one for VAT once its number is confirmed."
        },
    )
    company_number = _optional(
        60, "Numéro BCE, SIREN or SIRET. Taken from a Belgian or French VAT number where it is left out.", "0200000043"
    )
    vat_number = _optional(40, "With or without the letters of its country.", "BE0200000043")
    email = fields.String(
        load_default=None, allow_none=True, validate=EmailAddress(),
        metadata={"description": "Where documents go. Null: to the account's address."},
    )  # fmt: skip
    locale = locale(load_default="fr")
    purchase_order = _optional(100, "A reference that your documents must carry.", "PO-2026-17")


class VatStanding(Strict):
    status = fields.String(
        required=True,
        validate=validate.OneOf(STATUSES),
        metadata={"description": "What is known of the number: unknown means that nobody has answered yet."},
    )
    checked_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "Of the last yes or no."}
    )
    consultation = fields.String(required=True, allow_none=True, metadata={"description": "What proves that answer."})
    treated_as = fields.String(
        required=True,
        validate=validate.OneOf((BUSINESS, PRIVATE_PERSON)),
        metadata={"description": "A business without a VAT number known to be valid pays VAT like a private person."},
    )
    reason = fields.String(required=True, validate=validate.OneOf(REASONS))


class BillingDetailsShape(Strict):
    id = fields.UUID(required=True, allow_none=True, metadata={"description": "Null until something is said or owed."})
    name = fields.String(required=True)
    street = fields.String(required=True)
    postcode = fields.String(required=True)
    town = fields.String(required=True)
    country = fields.String(required=True, allow_none=True)
    is_business = fields.Boolean(required=True)
    company_number = fields.String(required=True, allow_none=True)
    vat_number = fields.String(required=True, allow_none=True)
    email = fields.String(required=True, allow_none=True)
    locale = locale(required=True)
    purchase_order = fields.String(required=True, allow_none=True)
    vat = fields.Nested(VatStanding, required=True)


class VatConfirmation(Strict):
    vat_number = fields.String(
        required=True,
        validate=[validate.Length(4, 40), one_line],
        metadata={"description": "The number looked up, as the customer has it now.", "example": "BE0200000043"},
    )
    answer = fields.String(required=True, validate=validate.OneOf(("yes", "no")), metadata={"example": "yes"})
    consultation = fields.String(
        required=True,
        validate=[validate.Length(1, 100), one_line, not_blank],
        metadata={"description": "The reference of what proves it.", "example": "WAPIAAAAY7c2xZ1p"},
    )


def describe_details(party: Party, answered: Evidence | None) -> dict[str, Any]:
    judged = standing(is_business=party.is_business, vat_number=party.vat_number, vat_status=party.vat_status)
    return {
        "id": str(party.uid) if party.uid else None,
        "name": party.name,
        "street": party.street,
        "postcode": party.postcode,
        "town": party.town,
        "country": party.country or None,
        "is_business": party.is_business,
        "company_number": party.company_number,
        "vat_number": party.vat_number,
        "email": party.email,
        "locale": party.locale,
        "purchase_order": party.purchase_order,
        "vat": {
            "status": party.vat_status,
            "checked_at": instant(answered.asked_at) if answered else None,
            "consultation": answered.consultation if answered else None,
            "treated_as": judged.treated_as,
            "reason": judged.reason,
        },
    }
