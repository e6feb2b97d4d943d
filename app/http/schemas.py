"""Shapes that every endpoint shares, and the one way from outside values to checked ones."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

from marshmallow import INCLUDE, RAISE, Schema, ValidationError, fields, validate

from app.errors import Invalid
from app.http.paging import LARGEST


class Strict(Schema):
    """Unknown fields are an error that names them: a typo must not be silently ignored."""

    class Meta:
        unknown = RAISE


def one_line(value: str) -> str:
    """Names and titles go into mail headers and calendars: no line breaks or other invisible controls."""
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in value):
        raise ValidationError("Keep it on one line.")
    return value


# Letters and symbols that nothing is seen of: fillers of Hangul, and braille without a dot.
_UNSEEN = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def not_blank(value: str) -> str:
    """Something of a name must be seen: no blanks, marks of direction or letters of no width alone."""
    if not any(unicodedata.category(character)[0] in "LNPS" and character not in _UNSEEN for character in value):
        raise ValidationError("Do not leave it blank.")
    return value


class MoneyShape(Strict):
    amount_cents = fields.Integer(required=True, strict=True)
    currency = fields.String(required=True)


class PriceShape(MoneyShape):
    """Gross, with its net and VAT beside it."""

    net_cents = fields.Integer(required=True, strict=True)
    vat_cents = fields.Integer(required=True, strict=True)


class FieldError(Schema):
    field = fields.String(required=True)
    message = fields.String(required=True)


class ProblemShape(Schema):
    """RFC 9457 problem+json; refusals add rule, limit and alternatives, others the facts of their case."""

    class Meta:
        unknown = INCLUDE

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True)
    request_id = fields.String()
    errors = fields.List(fields.Nested(FieldError))
    rule = fields.String()
    limit = fields.Raw(allow_none=True)
    alternatives = fields.List(fields.Dict())


class PageQuery(Strict):
    limit = fields.Integer(validate=validate.Range(1, LARGEST), load_default=None)
    cursor = fields.String(load_default=None)


def load(schema: Any, values: Any) -> dict[str, Any]:
    """Checked values, or Invalid with one `{field, message}` for each thing wrong."""
    try:
        return dict(_instance(schema).load(values))
    except ValidationError as error:
        raise Invalid(errors=list(_flattened(error.messages, ""))) from None


@cache
def _instance(schema: Any) -> Schema:
    """Making a schema costs more than loading with it; loading changes nothing in it."""
    return schema if isinstance(schema, Schema) else schema()


def _flattened(messages: Any, prefix: str) -> Any:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            field = prefix if name == "_schema" else f"{prefix}.{name}" if prefix else str(name)
            yield from _flattened(inner, field)
    else:
        for message in messages:
            yield {"field": prefix or "body", "message": str(message)}
