"""The shapes of accounts and of the audit trail, and how rows become answers."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import fields, validate

from app.events.envelope import instant
from app.http.schemas import Strict, not_blank, one_line
from app.network.accounts import LOCALES, LONGEST_EMAIL, normalised_email
from app.network.models import ApiToken
from app.network.passwords import LONGEST, SHORTEST
from app.network.tokens import SCOPES

EMAIL = re.compile(r"[^\s@<>()\[\],;:\"\\]{1,64}@[^\s@.<>()\[\],;:\"\\]+(\.[^\s@.<>()\[\],;:\"\\]+)+")


def _an_address(value: str) -> bool:
    """Shape only: whether anybody reads it, only a message to it can tell."""
    email = normalised_email(value)
    return len(email) <= LONGEST_EMAIL and email.isprintable() and EMAIL.fullmatch(email) is not None


class EmailAddress(validate.Validator):
    def __call__(self, value: str) -> str:
        if not _an_address(value):
            raise validate.ValidationError("Give an e-mail address, such as name@example.org.")
        return value


class Name(fields.String):
    """1 to 200 characters on one line, not only blanks."""

    def __init__(self, **kwargs: Any) -> None:
        checks: list[Any] = [validate.Length(1, 200), not_blank, one_line]
        super().__init__(validate=checks, **kwargs)


def locale(**kwargs: Any) -> fields.String:
    doc = {"description": "Language of mails and pages.", "example": "fr"}
    return fields.String(validate=validate.OneOf(LOCALES), metadata=doc, **kwargs)


class SignUp(Strict):
    email = fields.String(required=True, validate=EmailAddress(), metadata={"example": "ana@example.org"})
    password = fields.String(
        required=True,
        validate=validate.Length(SHORTEST, LONGEST),
        load_only=True,
        metadata={"description": "At least 10 characters, and not the e-mail address."},
    )
    name = Name(required=True, metadata={"example": "Ana Dupont"})
    locale = locale(load_default="fr")


class TokenRequest(Strict):
    email = fields.String(
        required=True, validate=validate.Length(1, 400), metadata={"example": "member@passerelle.example"}
    )
    password = fields.String(required=True, validate=validate.Length(1, 400), load_only=True)
    name = fields.String(
        load_default="",
        validate=[validate.Length(0, 100), one_line],
        metadata={"description": "What it is for, to recognise it later."},
    )
    scopes = fields.List(
        fields.String(validate=validate.OneOf(SCOPES)),
        load_default=list(SCOPES),
        validate=validate.Length(1, len(SCOPES)),
        metadata={"description": "What it may do. Default: read and write."},
    )
    expires_in_days = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, 3650),
        metadata={"description": "Null: until it is revoked."},
    )


class TokenGiven(Strict):
    id = fields.UUID(required=True)
    token = fields.String(required=True, metadata={"description": "The bearer secret. It is shown this once."})


class TokenShape(Strict):
    id = fields.UUID(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(("api", "session")))
    scopes = fields.List(fields.String(), required=True)
    created_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True, allow_none=True)
    current = fields.Boolean(required=True, metadata={"description": "Whether this request was made with it."})


class NetworkShape(Strict):
    id = fields.UUID(required=True)
    slug = fields.String(required=True)
    name = fields.String(required=True)


class RoleShape(Strict):
    role = fields.String(required=True)
    scope = fields.String(required=True, metadata={"description": "space, operator, employer, network, funder ..."})
    scope_id = fields.UUID(required=True, allow_none=True, metadata={"description": "Null on the platform."})
    name = fields.String(required=True, metadata={"description": "Of the space, operator, employer ..."})


class SpaceName(Strict):
    id = fields.UUID(required=True)
    slug = fields.String(required=True)
    name = fields.String(required=True)


class MembershipShape(Strict):
    id = fields.UUID(required=True)
    space = fields.Nested(SpaceName, required=True)
    plan = fields.String(required=True)
    starts_on = fields.Date(required=True)
    ends_on = fields.Date(required=True, allow_none=True, metadata={"description": "Its last day, if it has one."})
    included = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "Minutes in each cycle, by kind of resource; `*` is any."},
    )


class AccountShape(Strict):
    id = fields.UUID(required=True)
    email = fields.String(required=True)
    name = fields.String(required=True)
    locale = locale(required=True)


class Me(AccountShape):
    network = fields.Nested(NetworkShape, required=True, allow_none=True)
    roles = fields.List(fields.Nested(RoleShape), required=True)
    memberships = fields.List(fields.Nested(MembershipShape), required=True)


class MeChange(Strict):
    name = Name()
    locale = locale()


class Export(Strict):
    exported_at = fields.AwareDateTime(required=True)
    account = fields.Nested(Me, required=True)
    tokens = fields.List(fields.Nested(TokenShape), required=True)
    other = fields.Dict(required=True, metadata={"description": "Bookings and the like, by name."})


class AuditActor(Strict):
    id = fields.UUID(required=True)
    name = fields.String(required=True)


class AuditShape(Strict):
    at = fields.AwareDateTime(required=True)
    actor = fields.Nested(AuditActor, required=True)
    action = fields.String(required=True, metadata={"example": "booking.viewed"})
    subject = fields.String(required=True, metadata={"description": "The public id of what it was done to."})


def describe_token(token: ApiToken, *, current_id: int) -> dict[str, Any]:
    return {
        "id": str(token.uid),
        "name": token.name,
        "kind": token.kind,
        "scopes": token.scopes,
        "created_at": instant(token.created_at),
        "expires_at": instant(token.expires_at) if token.expires_at else None,
        "current": token.id == current_id,
    }


def describe_audit(entry: Any) -> dict[str, Any]:
    return {
        "at": instant(entry.at),
        "actor": {"id": str(entry.actor_uid), "name": entry.actor_name},
        "action": entry.action,
        "subject": entry.subject,
    }
