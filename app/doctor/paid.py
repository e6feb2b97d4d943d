"""Money that came: are payments what the ledger took for them, and do they pay no more than they have, and is owed?"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from app.db import raw
from app.doctor.finding import Fault

# What a payment settled is the credit of its posting on the customer's account; a refund that went out is the debit.
_PAYMENT = raw("""
    SELECT p.uid FROM payment p
    LEFT JOIN posting b ON b.operator_id = p.operator_id AND b.key = 'payment:' || p.uid
    LEFT JOIN LATERAL (
        SELECT -sum(e.cents) AS cents FROM ledger_entry e
        WHERE e.posting_id = b.id AND e.account = 'receivable' AND e.party_id = p.party_id
    ) AS posted ON true
    WHERE coalesce(posted.cents, 0) <> p.settled_cents ORDER BY p.id LIMIT 1
""")
_REFUND = raw("""
    SELECT r.uid FROM refund r JOIN payment p ON p.id = r.payment_id
    LEFT JOIN LATERAL (
        SELECT sum(e.cents) AS cents FROM posting b JOIN ledger_entry e ON e.posting_id = b.id
        WHERE b.operator_id = r.operator_id AND e.account = 'receivable' AND e.party_id = p.party_id
          AND b.key IN ('refund:' || r.uid, 'refund:' || r.uid || '\\:returned')
    ) AS posted ON true
    WHERE coalesce(posted.cents, 0) <> CASE r.state WHEN 'settled' THEN r.amount_cents ELSE 0 END
    ORDER BY r.id LIMIT 1
""")
_UNKNOWN = raw("""
    SELECT b.key FROM posting b
    WHERE b.kind IN ('payment', 'refund') AND b.facts->>'payment_id' IS NOT NULL
      AND NOT EXISTS (SELECT FROM payment p WHERE p.operator_id = b.operator_id
                      AND p.uid = CAST(b.facts->>'payment_id' AS uuid))
    ORDER BY b.id LIMIT 1
""")
_TOO_MUCH = raw("""
    SELECT p.uid, given.cents AS given, p.settled_cents - away.cents AS has FROM payment p
    JOIN (SELECT payment_id AS id, sum(cents) AS cents FROM allocation GROUP BY payment_id) AS given USING (id)
    CROSS JOIN LATERAL (
        SELECT coalesce((SELECT sum(amount_cents) FROM refund WHERE payment_id = p.id AND state <> 'failed'), 0)
             + coalesce((SELECT sum(amount_cents) FROM dispute WHERE payment_id = p.id AND state = 'lost'), 0) AS cents
    ) AS away
    WHERE given.cents > p.settled_cents - away.cents ORDER BY id LIMIT 1
""")
# What a credit note frees is taken back a moment later, by a worker.
_OVERPAID = raw("""
    SELECT i.number, given.cents AS given, i.gross_cents - credited.cents AS owed FROM invoice i
    JOIN (SELECT invoice_id AS id, sum(cents) AS cents FROM allocation GROUP BY invoice_id) AS given USING (id)
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(c.gross_cents), 0) AS cents FROM invoice c
        WHERE c.corrects_id = i.id AND c.finalised_at < clock_timestamp() - interval '1 hour'
    ) AS credited
    WHERE given.cents > i.gross_cents - credited.cents ORDER BY id LIMIT 1
""")
_BELOW = raw("""
    SELECT p.uid, i.number FROM (
        SELECT payment_id, invoice_id FROM allocation GROUP BY payment_id, invoice_id HAVING sum(cents) < 0
    ) AS pair JOIN payment p ON p.id = pair.payment_id JOIN invoice i ON i.id = pair.invoice_id
    ORDER BY p.id, i.id LIMIT 1
""")
_COUNT = raw("SELECT count(*) FROM payment WHERE state = 'settled'")


def _received(connection: Connection) -> str:
    if (uid := connection.execute(_PAYMENT).scalar_one_or_none()) is not None:
        raise Fault(f"payment {uid} is not what the ledger took for it: one of the two was changed")
    if (uid := connection.execute(_REFUND).scalar_one_or_none()) is not None:
        raise Fault(f"refund {uid} is not what the ledger took for it: one of the two was changed")
    if (key := connection.execute(_UNKNOWN).scalar_one_or_none()) is not None:
        raise Fault(f"posting {key} is of a payment that is not there: it was removed")
    return f"{connection.execute(_COUNT).scalar_one()} payments are what the ledger took for them"


def _given(connection: Connection) -> str:
    if found := connection.execute(_TOO_MUCH).one_or_none():
        raise Fault(f"payment {found.uid} pays {found.given} cents of invoices, and has {found.has}")
    if found := connection.execute(_OVERPAID).one_or_none():
        raise Fault(f"invoice {found.number} is paid {found.given} cents, of {found.owed} that are owed")
    if found := connection.execute(_BELOW).one_or_none():
        raise Fault(f"payment {found.uid} took back from invoice {found.number} more than it had given")
    return "payments pay what they have, and no invoice more than it asks for"


PAID_CHECKS: list[tuple[str, Callable[[Connection], str]]] = [
    ("money received", _received),
    ("what is paid", _given),
]
