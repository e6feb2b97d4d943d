"""What goes into a SEPA file: refunds of money that came by transfer, and invoices due whose customer signed a mandate.

Each becomes one live item: `source` is unique, and counts the items that were there before. A debit that came back is
collected again where its reason passes, a few times; any other is left for a person, until there is a new mandate.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.billing.dunning.overdue import stops
from app.billing.papers.epc import is_iban
from app.billing.payments.tasks import open_task
from app.billing.sepa.models import SepaItem
from app.db import Statement
from app.ids import new_id

PASSING = ("AM04", "MS03")  # no money there that day; no reason given (ISO 20022, ExternalReturnReason1Code)
MOST_AGAIN = 2  # times that a debit is collected again
NOTICE_DAYS = 14  # from the invoice, which is the notice of the debit, to its day (EPC, SDD Core rulebook 4.3.4)
_REFUNDS = Statement("""
    SELECT r.id, r.uid, r.amount_cents, r.currency, p.party_id, p.id AS payment_id, l.counterparty_iban AS iban,
           coalesce(l.counterparty_name, y.name) AS name,
           (SELECT count(*) FROM sepa_item b WHERE b.refund_id = r.id) AS before
    FROM refund r JOIN payment p ON p.id = r.payment_id JOIN party y ON y.id = p.party_id
    LEFT JOIN LATERAL (SELECT counterparty_iban, counterparty_name FROM bank_line
                       WHERE payment_id = p.id AND cents > 0 ORDER BY id LIMIT 1) AS l ON true
    WHERE r.operator_id = :operator_id AND r.state = 'requested' AND p.provider = 'bank'
      AND NOT EXISTS (SELECT FROM sepa_item i WHERE i.refund_id = r.id AND i.state <> 'cancelled')
    ORDER BY r.id FOR NO KEY UPDATE OF r
""")
_DUE = Statement("""
    SELECT i.id, i.uid, i.number, i.currency, i.party_id, m.id AS mandate_id, m.used, m.debtor_name, m.iban, m.bic,
           i.gross_cents - coalesce(s.settled_cents, 0)::bigint AS cents,
           (SELECT count(*) FROM sepa_item b WHERE b.invoice_id = i.id) AS before,
           t.returned, t.lasting
    FROM invoice i JOIN sepa_mandate m ON m.operator_id = i.operator_id AND m.party_id = i.party_id
    LEFT JOIN invoice_settlement s ON s.invoice_id = i.id
    CROSS JOIN LATERAL (SELECT count(*) AS returned, min(return_reason)
                        FILTER (WHERE NOT return_reason = ANY(:passing)) AS lasting FROM sepa_item
                        WHERE invoice_id = i.id AND mandate_id = m.id AND state = 'returned') AS t
    WHERE i.operator_id = :operator_id AND i.corrects_id IS NULL AND m.revoked_at IS NULL AND i.due_on <= :day
      AND i.issued_on <= :noticed AND i.gross_cents > coalesce(s.settled_cents, 0)
      AND NOT EXISTS (SELECT FROM sepa_item b WHERE b.invoice_id = i.id AND b.state IN ('waiting', 'in_file'))
      AND NOT EXISTS (SELECT FROM payment_aim a JOIN payment p ON p.id = a.payment_id WHERE a.invoice_id = i.id
                      AND p.state IN ('requested', 'action_needed', 'unknown'))
    ORDER BY i.id
""")


def collect_refunds(session: Session, operator_id: int, *, now: datetime) -> None:
    """An item for each refund that a transfer is to give. Where no account is known, a person is asked."""
    rows = []
    for refund in _REFUNDS.run(session, {"operator_id": operator_id}).fetchall():
        if refund.iban is None or not is_iban(refund.iban):
            open_task(
                session, operator_id=operator_id, kind="refund_without_account", key=f"no_account:{refund.uid}",
                cents=refund.amount_cents, currency=refund.currency, party_id=refund.party_id,
                payment_id=refund.payment_id, facts={"refund_id": str(refund.uid)}, now=now,
            )  # fmt: skip
            continue
        told = {"name": refund.name, "iban": refund.iban, "bic": None, "remittance": "Remboursement"}
        what = {"party_id": refund.party_id, "refund_id": refund.id, "cents": refund.amount_cents}
        source = f"refund:{refund.uid}:{refund.before}"
        rows.append(_item(operator_id, "transfer", source, refund.currency, now) | told | what)
    if rows:
        session.execute(insert(SepaItem), rows)


def collect_due(session: Session, operator_id: int, *, day: date, now: datetime) -> None:
    """An item for each invoice that is due on `day`, was sent in time, and whose customer signed a mandate; none where
    reminders are stopped on `day`, or the bank would not collect it."""
    asked = {
        "operator_id": operator_id, "day": day, "noticed": day - timedelta(days=NOTICE_DAYS),
        "passing": list(PASSING),
    }  # fmt: skip
    stopped = stops(session, operator_id, day=day)
    rows = []
    for due in _DUE.run(session, asked).fetchall():
        if stopped.hold(due):
            continue
        if due.lasting is not None or due.returned > MOST_AGAIN:
            _leave(session, operator_id, due, now)
            continue
        told = {"name": due.debtor_name, "iban": due.iban, "bic": due.bic, "remittance": due.number}
        what = {"party_id": due.party_id, "invoice_id": due.id, "cents": due.cents, "mandate_id": due.mandate_id}
        source = f"debit:{due.uid}:{due.before}"
        row = _item(operator_id, "debit", source, due.currency, now) | told | what
        rows.append(row | {"sequence": "RCUR" if due.used else "FRST"})
    if rows:
        session.execute(insert(SepaItem), rows)


def _leave(session: Session, operator_id: int, due: Any, now: datetime) -> None:
    open_task(
        session, operator_id=operator_id, kind="debit_not_collected", key=f"debit:{due.uid}:{due.mandate_id}",
        cents=due.cents, currency=due.currency, party_id=due.party_id, invoice_id=due.id,
        facts={"returned": due.returned, "reason": due.lasting or ""}, now=now,
    )  # fmt: skip


def _item(operator_id: int, kind: str, source: str, currency: str, now: datetime) -> dict[str, Any]:
    uid = new_id()
    return {
        "uid": uid, "operator_id": operator_id, "kind": kind, "source": source, "end_to_end_id": uid.hex,
        "currency": currency, "created_at": now,
    }  # fmt: skip
