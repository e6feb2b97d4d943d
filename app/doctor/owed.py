"""Money that is owed: do charges, documents and the ledger say the same, before a closing has sealed them?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection

from app.db import raw
from app.doctor.finding import Fault

AT_A_TIME = 20_000  # ids of charges

_LAST = raw("SELECT coalesce(max(id), 0) FROM charge")
# A charge that is earned has one posting, with its income; one of nothing at all has none.
_EARNED = raw("""
    SELECT c.uid FROM charge c
    LEFT JOIN posting p ON p.operator_id = c.operator_id AND p.key = 'earn:' || c.uid
    LEFT JOIN LATERAL (
        SELECT -sum(e.cents) AS net FROM ledger_entry e WHERE e.posting_id = p.id AND e.account LIKE 'revenue%'
    ) AS income ON true
    WHERE c.id > :after AND c.id <= :until AND c.earned_on IS NOT NULL
      AND coalesce(income.net, 0) <> c.net_cents
    ORDER BY c.id LIMIT 1
""")
_UNBILLED = raw("""
    SELECT o.name AS operator, coalesce(charged.cents, 0) AS charged, coalesce(posted.cents, 0) AS posted
    FROM (SELECT operator_id, party_id, sum(gross_cents) AS cents FROM charge
          WHERE earned_on IS NOT NULL AND invoice_id IS NULL AND settled_at IS NULL GROUP BY 1, 2) AS charged
    FULL JOIN (SELECT operator_id, party_id, sum(cents) AS cents FROM ledger_entry
               WHERE account = 'unbilled' GROUP BY 1, 2) AS posted USING (operator_id, party_id)
    JOIN operator o ON o.id = operator_id
    WHERE coalesce(charged.cents, 0) <> coalesce(posted.cents, 0) ORDER BY o.id LIMIT 1
""")
_DOCUMENTED = raw("""
    SELECT i.number FROM invoice i
    WHERE NOT EXISTS (SELECT FROM posting p WHERE p.operator_id = i.operator_id AND p.key = 'document:' || i.uid)
    ORDER BY i.id LIMIT 1
""")


def _owed(connection: Connection) -> str:
    for page in _pages(connection.execute(_LAST).scalar_one()):
        if (uid := connection.execute(_EARNED, page).scalar_one_or_none()) is not None:
            raise Fault(f"charge {uid} is not what the ledger took for income: one of the two was changed")
    if apart := connection.execute(_UNBILLED).one_or_none():
        raise Fault(
            f"charges of {apart.operator} on no document come to {apart.charged} cents for a customer, the ledger says "
            f"{apart.posted}: a charge or a posting was changed or removed"
        )
    if (number := connection.execute(_DOCUMENTED).scalar_one_or_none()) is not None:
        raise Fault(f"document {number} is not in the ledger: its posting was removed")
    return "charges, documents and the ledger say the same"


def _pages(last: int) -> Iterator[dict[str, Any]]:
    for after in range(0, last, AT_A_TIME):
        yield {"after": after, "until": after + AT_A_TIME}


OWED_CHECKS: list[tuple[str, Callable[[Connection], str]]] = [("what is owed", _owed)]
