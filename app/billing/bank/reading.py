"""What lines are compared with, read in a handful of statements however many lines there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.billing.bank import references
from app.billing.bank.matching import keys_of, message_of
from app.billing.bank.movements import Movement
from app.billing.bank.owing import Came, Facts, Item, Owed, Register, name_key
from app.billing.invoices.communications import structured
from app.db import Statement

_HEADS = Statement("""
    SELECT DISTINCT prefix FROM invoice_series WHERE operator_id = :operator_id AND series LIKE 'I%'
""")
_OWED = Statement("""
    SELECT i.id, i.party_id, i.number, i.communication,
           greatest(0, i.gross_cents - coalesce(s.settled_cents, 0))::bigint AS open_cents
    FROM invoice i LEFT JOIN invoice_settlement s ON s.invoice_id = i.id
    WHERE i.operator_id = :operator_id AND i.corrects_id IS NULL AND i.currency = :currency
      AND (i.gross_cents > coalesce(s.settled_cents, 0) OR i.number = ANY(:numbers)
           OR i.communication = ANY(:communications) OR i.id = ANY(:invoices))
""")
_PARTIES = Statement("SELECT id, name FROM party WHERE id = ANY(:ids)")
_ACCOUNTS = Statement("""
    SELECT DISTINCT counterparty_iban AS iban, party_id FROM bank_line
    WHERE operator_id = :operator_id AND counterparty_iban = ANY(:ibans) AND party_id IS NOT NULL
      AND state = 'matched'
    UNION SELECT iban, party_id FROM sepa_mandate WHERE operator_id = :operator_id AND iban = ANY(:ibans)
""")
_ITEMS = Statement("""
    SELECT end_to_end_id, id, kind, state, cents, party_id, invoice_id FROM sepa_item
    WHERE operator_id = :operator_id AND end_to_end_id = ANY(:ids)
""")
_BATCHES = Statement("""
    SELECT f.uid, i.id, i.kind, i.state, i.cents, i.party_id, i.invoice_id, i.end_to_end_id, i.sequence
    FROM sepa_file f JOIN sepa_item i ON i.file_id = f.id
    WHERE f.operator_id = :operator_id AND f.uid = ANY(:files::uuid[]) AND i.state = 'in_file' ORDER BY i.id
""")
_CAME = Statement("""
    SELECT l.id, l.payment_id, l.party_id, l.cents, l.end_to_end_id, l.bank_ref FROM bank_line l
    WHERE l.operator_id = :operator_id AND l.cents > 0 AND l.payment_id IS NOT NULL
      AND (l.end_to_end_id = ANY(:ids) OR l.bank_ref = ANY(:refs))
      AND NOT EXISTS (SELECT FROM bank_line b WHERE b.payment_id = l.payment_id AND b.cents < 0)
    UNION ALL
    SELECT -i.id, p.id, p.party_id, i.cents, i.end_to_end_id, NULL FROM sepa_item i JOIN bank_line l ON l.id = i.line_id
    JOIN payment p ON p.source = 'bank:' || l.uid || ':' || i.end_to_end_id
    WHERE i.operator_id = :operator_id AND i.end_to_end_id = ANY(:ids) AND i.state = 'settled' AND l.rule = 'own_file'
""")
_IN_TRANSIT = Statement("""
    SELECT coalesce(sum(cents), 0)::bigint AS cents FROM ledger_entry
    WHERE operator_id = :operator_id AND account = 'payments_in_transit'
""")


def facts_for(session: Session, operator_id: int, lines: Sequence[Movement], *, currency: str) -> Facts:
    """Everything of an operator that these lines may be about. For who keeps its books."""
    own = {"operator_id": operator_id}
    items = _items(session, own, [line.end_to_end_id for line in lines if line.end_to_end_id])
    batches = _batches(session, own, lines)
    ours = {each.invoice_id for each in chain(items.values(), *batches.values()) if each.invoice_id}
    register = _register(session, own, lines, currency, ours)
    return Facts(
        register=register,
        items=items,
        batches=batches,
        parties_by_iban=_by_iban(session, own, lines),
        parties_by_name=_by_name(session, register),
        came=_came(session, own, [line for line in lines if line.cents < 0]),
        in_transit_cents=_IN_TRANSIT.run(session, own).one().cents,
    )


def _register(
    session: Session, own: dict[str, Any], lines: Iterable[Movement], currency: str, ours: Iterable[int]
) -> Register:
    heads = frozenset(row.prefix for row in _HEADS.run(session, own).fetchall())
    texts = [references.written([line.structured, line.text]) for line in lines if line.cents > 0]
    said = {twelve for text in texts for twelve in references.communications(text)}
    behind = {each for text in texts for each in references.creditor_references(text)}
    tens = {digits[:10] for digits in said | {each for each in behind if each.isdigit()} if len(digits) >= 10}
    asked = {
        **own,
        "currency": currency,
        "invoices": sorted(ours),
        "numbers": sorted(
            {number for text in texts for number in references.numbers(text, heads)}
            | {number for each in behind for number in references.numbers(each, heads)}
        ),
        "communications": sorted(structured(int(ten)) for ten in tens),
    }
    return Register.of((Owed(*row) for row in _OWED.run(session, asked).fetchall()), heads)


def _items(session: Session, own: dict[str, Any], ids: list[str]) -> dict[str, Item]:
    rows = _ITEMS.run(session, {**own, "ids": ids}).fetchall()
    return {row.end_to_end_id: Item(*row[1:]) for row in rows}


def _batches(session: Session, own: dict[str, Any], lines: Iterable[Movement]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = defaultdict(list)
    if messages := {message for line in lines if (message := message_of(line.batch))}:
        files = [UUID(message) for message in sorted(messages)]
        for row in _BATCHES.run(session, {**own, "files": files}).fetchall():
            found[row.uid.hex].append(Item(*row[1:]))
    return found


def _by_iban(session: Session, own: dict[str, Any], lines: Iterable[Movement]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    ibans = sorted({line.iban for line in lines if line.iban})
    for row in _ACCOUNTS.run(session, {**own, "ibans": ibans}).fetchall():
        found[row.iban].add(row.party_id)
    return found


def _by_name(session: Session, register: Register) -> dict[frozenset[str], set[int]]:
    found: dict[frozenset[str], set[int]] = defaultdict(set)
    for row in _PARTIES.run(session, {"ids": sorted(register.by_party)}).fetchall():
        if key := name_key(row.name):
            found[key].add(row.id)
    return found


def _came(session: Session, own: dict[str, Any], lines: Iterable[Movement]) -> dict[str, list[Came]]:
    found: dict[str, list[Came]] = defaultdict(list)
    ids, refs = set(), set()
    for line in lines:
        ids.add(line.end_to_end_id)
        refs.add(line.bank_ref)
    asked = {**own, "ids": sorted(each for each in ids if each), "refs": sorted(each for each in refs if each)}
    for row in _CAME.run(session, asked).fetchall():
        for key in keys_of(row.end_to_end_id, row.bank_ref):
            found[key].append(Came(row.id, row.payment_id, row.party_id, row.cents))
    return found
