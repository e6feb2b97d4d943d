"""Payments: is every cent that came, went back or is contested in the ledger, and is any left unknown for too long?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection

from app.db import raw
from app.doctor.finding import Fault, spoken

LONGEST_UNKNOWN = timedelta(hours=24)
LONGEST_OVERDUE = timedelta(minutes=30)

# A payment that has settled has one posting: what came is credited to its party.
_SETTLED = raw("""
    SELECT p.uid FROM payment p
    LEFT JOIN posting t ON t.operator_id = p.operator_id AND t.key = 'payment:' || p.uid
    LEFT JOIN LATERAL (SELECT -sum(e.cents) AS cents FROM ledger_entry e
                       WHERE e.posting_id = t.id AND e.account = 'receivable') AS posted ON true
    WHERE (p.state = 'settled' OR t.id IS NOT NULL)
      AND (p.state <> 'settled' OR coalesce(posted.cents, 0) <> p.settled_cents)
    ORDER BY p.id LIMIT 1
""")
# What payments, refunds and disputes come to, and what their postings made of the money on its way.
_SUMS = raw("""
    SELECT o.name AS operator, coalesce(rows.cents, 0) AS rows, coalesce(posted.cents, 0) AS posted FROM (
        SELECT operator_id, sum(cents)::bigint AS cents FROM (
            SELECT operator_id, settled_cents - fee_cents AS cents FROM payment
            WHERE state = 'settled' AND kind NOT IN ('transfer', 'debit', 'cash')
            UNION ALL
            SELECT r.operator_id, -r.amount_cents FROM refund r JOIN payment p ON p.id = r.payment_id
            WHERE r.state = 'settled' AND p.kind NOT IN ('transfer', 'debit', 'cash')
            UNION ALL
            SELECT operator_id, -fee_cents - CASE state WHEN 'won' THEN 0 ELSE amount_cents END FROM dispute
            WHERE state <> 'won'
        ) AS moved GROUP BY operator_id
    ) AS rows
    FULL JOIN (
        SELECT e.operator_id, sum(e.cents)::bigint AS cents FROM ledger_entry e JOIN posting t ON t.id = e.posting_id
        WHERE e.account = 'payments_in_transit' AND t.kind IN ('payment', 'refund', 'dispute')
          AND NOT EXISTS (SELECT FROM dispute d WHERE d.state = 'won' AND t.key LIKE 'dispute:' || d.uid || ':%')
        GROUP BY e.operator_id
    ) AS posted USING (operator_id)
    JOIN operator o ON o.id = operator_id
    WHERE coalesce(rows.cents, 0) <> coalesce(posted.cents, 0) ORDER BY o.id LIMIT 1
""")
_OPEN = raw("""
    SELECT count(*) FILTER (WHERE state = 'unknown') AS unknown,
        max(clock_timestamp() - requested_at) FILTER (WHERE state = 'unknown') AS longest,
        max(clock_timestamp() - next_look_at) AS overdue
    FROM (SELECT state, requested_at, next_look_at FROM payment WHERE next_look_at IS NOT NULL
          UNION ALL SELECT state, requested_at, next_look_at FROM refund WHERE next_look_at IS NOT NULL) AS looked_for
""")


def _posted(connection: Connection) -> str:
    if (uid := connection.execute(_SETTLED).scalar_one_or_none()) is not None:
        raise Fault(f"payment {uid} is not what the ledger says that came: one of the two was changed")
    if apart := connection.execute(_SUMS).one_or_none():
        raise Fault(
            f"payments, refunds and disputes of {apart.operator} come to {apart.rows} cents with the provider, the "
            f"ledger says {apart.posted}: one of the two was changed"
        )
    return "payments, refunds, disputes and the ledger say the same"


def _known(connection: Connection) -> str:
    looked_for = connection.execute(_OPEN).one()
    if looked_for.overdue and looked_for.overdue > LONGEST_OVERDUE:
        remedy = "does `passerelle worker payments` run, with STRIPE_API_KEY?"
        raise Fault(f"payments should have been looked up {spoken(looked_for.overdue)} ago: {remedy}")
    if looked_for.longest and looked_for.longest > LONGEST_UNKNOWN:
        raise Fault(
            f"of {looked_for.unknown} payments and refunds the provider has said nothing, the longest for "
            f"{spoken(looked_for.longest)}: provider_call.outcome and code say why"
        )
    return f"{looked_for.unknown} payments and refunds wait for the provider's word"


PAYMENT_CHECKS: list[tuple[str, Callable[[Connection], str]]] = [("payments", _posted), ("provider", _known)]
