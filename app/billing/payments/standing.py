"""What is free of payments and left of invoices, locked: payments first, then invoices, each by ascending id.

Whoever gives money of a payment to an invoice, or takes it back, holds both rows until commit; a credit note holds the
invoice that it corrects, and a refund its payment. So no two of them count the same cent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from app.db import Statement

RUNNING = "('requested', 'action_needed', 'unknown')"

_LOCK_PAYMENTS = Statement("SELECT id FROM payment WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
_LOCK_INVOICES = Statement("SELECT id FROM invoice WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
_PAYMENTS = Statement("""
    SELECT p.id, p.uid, p.operator_id, p.party_id, p.currency, p.booking_uid, p.settled_cents,
        (SELECT coalesce(sum(amount_cents), 0)::bigint FROM refund WHERE payment_id = p.id AND state <> 'failed')
            AS refunded_cents,
        (SELECT coalesce(sum(amount_cents), 0)::bigint FROM dispute WHERE payment_id = p.id AND state = 'lost')
            AS lost_cents,
        (SELECT coalesce(sum(amount_cents), 0)::bigint FROM dispute WHERE payment_id = p.id AND state = 'open')
            AS contested_cents,
        (SELECT coalesce(sum(cents), 0)::bigint FROM allocation WHERE payment_id = p.id) AS allocated_cents
    FROM payment p WHERE p.id = ANY(:ids) ORDER BY p.id
""")
_INVOICES = Statement(f"""
    SELECT i.id, i.uid, i.operator_id, i.party_id, i.currency, i.gross_cents,
        coalesce((SELECT settled_cents FROM invoice_settlement WHERE invoice_id = i.id), 0)::bigint AS settled_cents,
        (SELECT coalesce(sum(a.cents), 0)::bigint FROM payment_aim a JOIN payment p ON p.id = a.payment_id
         WHERE a.invoice_id = i.id AND p.state IN {RUNNING})
        + (SELECT coalesce(sum(d.cents), 0)::bigint FROM sepa_item d
           WHERE d.invoice_id = i.id AND d.kind = 'debit' AND d.state IN ('waiting', 'in_file')) AS awaited_cents
    FROM invoice i WHERE i.id = ANY(:ids) AND i.corrects_id IS NULL ORDER BY i.due_on, i.id
""")
_AIMS = Statement("SELECT invoice_id, cents FROM payment_aim WHERE payment_id = :payment_id")
_OPEN = Statement("""
    SELECT i.id FROM invoice i LEFT JOIN invoice_settlement s ON s.invoice_id = i.id
    WHERE i.operator_id = :operator_id AND i.party_id = :party_id AND i.corrects_id IS NULL
      AND i.gross_cents > coalesce(s.settled_cents, 0)
""")
_WITH_CREDIT = Statement("""
    SELECT p.id FROM payment p
    WHERE p.operator_id = :operator_id AND p.party_id = :party_id AND p.state = 'settled'
      AND p.settled_cents > (SELECT coalesce(sum(cents), 0) FROM allocation WHERE payment_id = p.id)
""")
_PAIRS = """
    SELECT payment_id, invoice_id, sum(cents)::bigint AS cents, count(*) AS times, max(id) AS newest FROM allocation
    WHERE {} GROUP BY payment_id, invoice_id
"""
_OF_PAYMENT = Statement(_PAIRS.format("payment_id = :id"))
_OF_INVOICE = Statement(_PAIRS.format("invoice_id = :id"))


class Held(NamedTuple):
    """A payment, whose row this transaction holds. What is contested is away, though not lost yet."""

    id: int
    uid: UUID
    operator_id: int
    party_id: int
    currency: str
    booking_uid: UUID | None
    settled_cents: int
    refunded_cents: int
    lost_cents: int
    contested_cents: int
    allocated_cents: int

    @property
    def kept_cents(self) -> int:
        """What came, and was not given back or lost."""
        return self.settled_cents - self.refunded_cents - self.lost_cents

    @property
    def free_cents(self) -> int:
        """The party's credit: kept, not contested, and paying nothing yet."""
        return max(0, self.kept_cents - self.contested_cents - self.allocated_cents)


class Due(NamedTuple):
    """An invoice, whose row this transaction holds. `awaited_cents` are what running payments were asked for,
    and debits that the bank is to collect."""

    id: int
    uid: UUID
    operator_id: int
    party_id: int
    currency: str
    gross_cents: int
    settled_cents: int
    awaited_cents: int

    @property
    def left_cents(self) -> int:
        return max(0, self.gross_cents - self.settled_cents)


class Pair(NamedTuple):
    """What stands of a payment's allocations to an invoice; `times` rows made it, the `newest` among them."""

    payment_id: int
    invoice_id: int
    cents: int
    times: int
    newest: int


def hold_payments(session: Session, ids: Iterable[int]) -> list[Held]:
    """These payments as they stand, by ascending id; nobody gives, refunds or takes back of them until commit."""
    given = {"ids": sorted(set(ids))}
    session.flush()
    _LOCK_PAYMENTS.run(session, given)
    return [Held(*row) for row in _PAYMENTS.run(session, given).fetchall()]


def hold_invoices(session: Session, ids: Iterable[int]) -> list[Due]:
    """These invoices as they stand, first due first; a credit note is none. After the payments."""
    given = {"ids": sorted(set(ids))}
    session.flush()
    _LOCK_INVOICES.run(session, given)
    return [Due(*row) for row in _INVOICES.run(session, given).fetchall()]


def look_at_invoice(session: Session, invoice_id: int) -> Due | None:
    """An invoice as it stands now, held by nobody; None for a credit note."""
    session.flush()
    row = _INVOICES.run(session, {"ids": [invoice_id]}).one_or_none()
    return Due(*row) if row else None


def aims_of(session: Session, payment_id: int) -> dict[int, int]:
    """What a payment was asked for: cents by invoice."""
    session.flush()
    return {row.invoice_id: row.cents for row in _AIMS.run(session, {"payment_id": payment_id}).fetchall()}


def open_invoices(session: Session, *, operator_id: int, party_id: int) -> list[int]:
    """Those of which something is left to pay: a first look, that `hold_invoices` makes certain."""
    return [row.id for row in _OPEN.run(session, {"operator_id": operator_id, "party_id": party_id}).fetchall()]


def payments_with_credit(session: Session, *, operator_id: int, party_id: int) -> list[int]:
    """Those that may have something free: a first look, that `hold_payments` makes certain."""
    return [row.id for row in _WITH_CREDIT.run(session, {"operator_id": operator_id, "party_id": party_id}).fetchall()]


def given_by(session: Session, payment_id: int) -> list[Pair]:
    """What a payment pays, newest first."""
    return _pairs(session, _OF_PAYMENT, payment_id)


def given_to(session: Session, invoice_id: int) -> list[Pair]:
    """Which payments pay an invoice, newest first."""
    return _pairs(session, _OF_INVOICE, invoice_id)


def _pairs(session: Session, statement: Statement, key: int) -> list[Pair]:
    session.flush()
    found = [Pair(*row) for row in statement.run(session, {"id": key}).fetchall()]
    return sorted(found, key=lambda pair: -pair.newest)
