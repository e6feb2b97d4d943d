"""An operator's VAT return for a period, from the taxes of the documents issued in it and from nothing else."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from app.billing.vat_return.boxes import FORMS, Declared, fill
from app.db import raw
from app.errors import Invalid, Problem
from app.network.models import Operator

_TAXES = raw(
    """
    SELECT CASE kind WHEN 'credit_note' THEN 'credit_note' ELSE 'invoice' END AS document,
        tax ->> 'category' AS category, (tax ->> 'permille')::int AS permille, tax ->> 'mention' AS mention,
        sum((tax ->> 'net_cents')::bigint)::bigint AS net_cents, sum((tax ->> 'vat_cents')::bigint)::bigint AS vat_cents
    FROM invoice CROSS JOIN LATERAL jsonb_array_elements(snapshot::jsonb -> 'taxes') AS tax
    WHERE operator_id = :operator AND issued_on BETWEEN :first AND :last
    GROUP BY 1, 2, 3, 4 ORDER BY 1 DESC, 3 DESC, 2, 4
    """
)


class NoReturn(Problem):
    """There is no form for this operator's country."""

    code = "no_vat_return"
    status = 422
    title = "Passerelle knows the VAT returns of Belgium and France."


def vat_return(session: Session, operator: Operator, *, first: date, last: date) -> dict[str, Any]:
    """`{country, first, last, currency, boxes: [{box, label, cents}], taxes}`; both days count, by day of issue.

    In France the VAT on services is due when they are paid unless the operator opted for debits (CGI, art. 269, 2, c);
    this is the return of one who did. Raises Invalid, NoReturn.
    """
    if last < first:
        raise Invalid.field("to", "must not be before from")
    if operator.country not in FORMS:
        raise NoReturn(country=operator.country)
    rows = session.execute(_TAXES, {"operator": operator.id, "first": first, "last": last}).all()
    declared = [Declared(*row) for row in rows]
    labels = FORMS[operator.country].labels
    return {
        "country": operator.country,
        "from": first.isoformat(),
        "to": last.isoformat(),
        "currency": operator.currency,
        "boxes": [
            {"box": box, "label": labels.get(box, ""), "amount_cents": cents}
            for box, cents in fill(operator.country, declared).items()
        ],
        "taxes": [_described(each) for each in declared],
    }


def _described(each: Declared) -> dict[str, Any]:
    return {
        "document": each.document,
        "category": each.category,
        "rate_permille": each.permille,
        "mention": each.mention,
        "net_cents": each.net_cents,
        "vat_cents": each.vat_cents,
    }
