"""What a French operator reports of sales that no electronic invoice tells of: to private persons, and across borders.

E-reporting of transactions (CGI, art. 290; décret n° 2022-1299): totals of each day by category and rate, from the
documents issued and from nothing else. With what is not reported they are the taxes of the VAT return of those days.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from app.db import raw
from app.errors import Invalid
from app.network.models import Operator
from app.vat.territories import FISCAL_COUNTRY

B2C, ABROAD, INVOICED, NO_SUPPLY = "b2c", "cross_border", "invoiced", "no_supply"
TAXED_SERVICES, NOT_TAXED = "TPS1", "TNT1"  # categories of transactions of the flux 10.3
REPORTED = (B2C, ABROAD)

_TAXES = raw(
    """
    SELECT issued_on, (snapshot::jsonb -> 'buyer' ->> 'is_business')::boolean AS is_business,
        snapshot::jsonb -> 'buyer' ->> 'country' AS country, snapshot::jsonb ->> 'period' IS NULL AS no_supply,
        tax ->> 'category' AS category, (tax ->> 'permille')::int AS permille, count(DISTINCT invoice.id) AS documents,
        sum(sign * (tax ->> 'net_cents')::bigint)::bigint AS net_cents,
        sum(sign * (tax ->> 'vat_cents')::bigint)::bigint AS vat_cents
    FROM invoice CROSS JOIN LATERAL (SELECT CASE kind WHEN 'credit_note' THEN -1 ELSE 1 END AS sign) AS signed
    CROSS JOIN LATERAL jsonb_array_elements(snapshot::jsonb -> 'taxes') AS tax
    WHERE operator_id = :operator AND issued_on BETWEEN :first AND :last
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 6 DESC, 5, 2, 3
    """
)


class Total(NamedTuple):
    """Net and VAT of one day, kind of sale, category and rate, in cents; credit notes lessen it."""

    day: date
    kind: str
    category: str
    permille: int
    net_cents: int
    vat_cents: int
    documents: int


def e_reporting(session: Session, operator: Operator, *, first: date, last: date) -> dict[str, Any]:
    """`{country, owed, from, to, currency, totals, not_reported}`; both days count, by day of issue.

    `owed` says whether the operator's country asks for it. Of services the VAT on which is due when they are paid, the
    payments are reported too: they are not in here. Raises Invalid.
    """
    if last < first:
        raise Invalid.field("to", "must not be before from")
    totals = _totals(session, operator, first, last)
    return {
        "country": operator.country,
        "owed": operator.country == "FR",
        "from": first.isoformat(),
        "to": last.isoformat(),
        "currency": operator.currency,
        "totals": [_described(each) for each in totals if each.kind in REPORTED],
        "not_reported": [_described(each) for each in totals if each.kind not in REPORTED],
    }


def kind_of(*, seller: str, buyer: str, is_business: bool, no_supply: bool) -> str:
    """Which kind of sale it was, for the tax office of the seller."""
    if no_supply:
        return NO_SUPPLY
    if not is_business:
        return B2C
    home = FISCAL_COUNTRY.get(buyer, buyer) == FISCAL_COUNTRY.get(seller, seller)
    return INVOICED if home else ABROAD


def _totals(session: Session, operator: Operator, first: date, last: date) -> list[Total]:
    sums: dict[tuple[date, str, str, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in session.execute(_TAXES, {"operator": operator.id, "first": first, "last": last}):
        kind = kind_of(seller=operator.country, buyer=row.country, is_business=row.is_business, no_supply=row.no_supply)
        total = sums[row.issued_on, kind, row.category, row.permille]
        for place, value in enumerate((row.net_cents, row.vat_cents, row.documents)):
            total[place] += value
    return [Total(*key, *values) for key, values in sorted(sums.items(), key=lambda item: item[0])]


def _described(total: Total) -> dict[str, Any]:
    return {
        "day": total.day.isoformat(),
        "kind": total.kind,
        "transaction": TAXED_SERVICES if total.category == "S" else NOT_TAXED,
        "category": total.category,
        "rate_permille": total.permille,
        "net_cents": total.net_cents,
        "vat_cents": total.vat_cents,
        "documents": total.documents,
    }
