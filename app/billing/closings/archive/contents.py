"""What goes into the members of an archive, read from the database a thousand rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from app.billing.closings.archive.format import CHARGE_FIELDS
from app.billing.closings.content import canonical, instant
from app.billing.closings.models import Closing
from app.billing.ledger import canonical as ledger
from app.db import raw

AT_A_TIME = 1000
PAYMENT_FIELDS = (
    "of", "posting", "currency", "kind", "payment", "provider", "source", "fee_cents", "provider_ref", "party",
)  # fmt: skip

_DOCUMENTS = raw("""
    SELECT series, sequence, number, hash, previous_hash, snapshot, finalised_at FROM invoice
    WHERE operator_id = :operator_id AND finalised_at >= :starts_at AND finalised_at < :ends_at
    ORDER BY series COLLATE "C", sequence
""")
_HEADS = raw("""
    SELECT series, count(*) AS count, min(sequence) AS first, max(sequence) AS last,
        (array_agg(previous_hash ORDER BY sequence))[1] AS before,
        (array_agg(hash ORDER BY sequence DESC))[1] AS after
    FROM invoice WHERE operator_id = :operator_id AND finalised_at >= :starts_at AND finalised_at < :ends_at
    GROUP BY series ORDER BY series COLLATE "C"
""")
_POSTINGS = raw("""
    SELECT o.uid AS operator, p.day, p.currency, p.kind, p.key, p.document, p.facts, p.created_at,
        encode(p.digest, 'hex') AS digest,
        (SELECT json_agg(json_build_object('account', e.account, 'cents', e.cents, 'party', y.uid) ORDER BY e.no)
         FROM ledger_entry e LEFT JOIN party y ON y.id = e.party_id WHERE e.posting_id = p.id) AS entries
    FROM posting p JOIN operator o ON o.id = p.operator_id
    WHERE p.operator_id = :operator_id AND p.created_at >= :starts_at AND p.created_at < :ends_at
    ORDER BY p.id
""")
_CHARGES = raw("""
    SELECT c.uid, c.source, c.kind, c.service_from, c.service_until, c.quantity_milli, c.unit, c.currency, c.net_cents,
        c.vat_cents, c.gross_cents, c.vat_permille, c.vat_category, c.vat_ground, c.created_at, c.earned_on, c.month,
        c.late, y.uid AS party, (SELECT uid FROM charge w WHERE w.id = c.corrects_id) AS corrects, i.number AS document
    FROM charge c JOIN party y ON y.id = c.party_id LEFT JOIN invoice i ON i.id = c.invoice_id
    WHERE c.operator_id = :operator_id AND c.created_at >= :starts_at AND c.created_at < :ends_at
    ORDER BY c.id
""")
# What came is the payment's own row, beside the posting that was made of it.
_PAYMENTS = raw("""
    SELECT p.kind AS of, p.key AS posting, p.currency, p.created_at,
        coalesce(m.kind, p.facts->>'kind', 'other') AS kind,
        coalesce(r.uid, m.uid) AS uid, m.uid AS payment, m.provider, m.source, m.fee_cents,
        coalesce(r.provider_ref, m.provider_ref) AS provider_ref, coalesce(r.settled_at, m.settled_at) AS settled_at,
        (SELECT uid FROM party y WHERE y.id = m.party_id) AS party,
        CASE WHEN p.key LIKE '%\\:returned' THEN -r.amount_cents WHEN p.kind = 'refund' THEN r.amount_cents
             ELSE m.settled_cents END AS cents,
        (SELECT sum(CASE p.kind WHEN 'payment' THEN -e.cents ELSE e.cents END)::bigint FROM ledger_entry e
         WHERE e.posting_id = p.id AND e.account = 'receivable') AS posted_cents,
        (SELECT json_agg(json_build_object('document', i.number, 'cents', pays.cents) ORDER BY i.id) FROM (
            SELECT a.invoice_id, sum(a.cents)::bigint AS cents FROM allocation a
            WHERE a.payment_id = m.id AND p.kind = 'payment' GROUP BY a.invoice_id HAVING sum(a.cents) <> 0) AS pays
         JOIN invoice i ON i.id = pays.invoice_id) AS pays,
        (SELECT json_agg(json_build_object('verb', c.verb, 'outcome', c.outcome, 'status', c.status, 'answer',
                         encode(sha256(convert_to(c.answer::text, 'UTF8')), 'hex')) ORDER BY c.id)
         FROM provider_call c WHERE c.refund_id = r.id OR (p.kind = 'payment' AND c.payment_id = m.id)) AS evidence
    FROM posting p LEFT JOIN payment m ON m.uid = CAST(p.facts->>'payment_id' AS uuid)
        LEFT JOIN refund r ON r.payment_id = m.id AND p.key IN ('refund:' || r.uid, 'refund:' || r.uid || '\\:returned')
    WHERE p.operator_id = :operator_id AND p.created_at >= :starts_at AND p.created_at < :ends_at
      AND p.kind IN ('payment', 'refund')
    ORDER BY p.id
""")


def documents(session: Session, month: Closing) -> Iterator[str]:
    for row in _streamed(session, _DOCUMENTS, month):
        line = {name: row[name] for name in ("series", "sequence", "number", "hash", "previous_hash", "snapshot")}
        yield canonical(line | {"recorded_at": instant(row["finalised_at"])})


def series_heads(session: Session, month: Closing) -> list[dict[str, Any]]:
    """Where each series' chain stood before the month's first document, and stands after its last."""
    return [dict(row) for row in session.execute(_HEADS, _between(month)).mappings()]


def postings(session: Session, month: Closing) -> Iterator[str]:
    for row in _streamed(session, _POSTINGS, month):
        lines = [ledger.Line(entry["account"], entry["party"], entry["cents"]) for entry in row["entries"] or ()]
        names = ("operator", "day", "currency", "kind", "key", "document", "facts")
        posting = ledger.canonical(**{name: row[name] for name in names}, lines=lines)
        yield canonical({"digest": row["digest"], "recorded_at": instant(row["created_at"]), "posting": posting})


def charges(session: Session, month: Closing) -> Iterator[str]:
    for row in _streamed(session, _CHARGES, month):
        line = {name: _plain(row[name]) for name in CHARGE_FIELDS if name != "id"}
        line |= {name: _plain(row[name]) for name in ("party", "corrects", "document", "earned_on", "month", "late")}
        yield canonical(line | {"id": str(row["uid"]), "recorded_at": instant(row["created_at"])})


def payments(session: Session, month: Closing) -> Iterator[str]:
    for row in _streamed(session, _PAYMENTS, month):
        line = {name: _plain(row[name]) for name in PAYMENT_FIELDS}
        line |= {"cents": row["posted_cents"] if row["cents"] is None else row["cents"], "id": _plain(row["uid"])}
        line |= {"settled_at": row["settled_at"] and instant(row["settled_at"]), "pays": row["pays"] or []}
        yield canonical(line | {"evidence": row["evidence"] or [], "recorded_at": instant(row["created_at"])})


def closing_line(closing: Closing) -> str:
    return canonical({"hash": closing.hash, "snapshot": closing.snapshot})


def _streamed(session: Session, statement: Any, month: Closing) -> Iterator[Any]:
    streaming = statement.execution_options(stream_results=True, yield_per=AT_A_TIME)
    yield from session.execute(streaming, _between(month)).mappings()


def _between(month: Closing) -> dict[str, Any]:
    return {"operator_id": month.operator_id, "starts_at": month.starts_at, "ends_at": month.ends_at}


def _plain(value: Any) -> Any:
    """As JSON carries it: whole numbers, texts, truths and nulls; ids and days as text."""
    return value if value is None or isinstance(value, int | str) else str(value)
