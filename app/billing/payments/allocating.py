"""Giving money that came to the invoices that it pays, and taking it back: append-only, and never a cent twice.

What a payment was asked for comes first; what came unasked pays the party's oldest invoices of that operator. What is
left over is the party's credit with that operator: a person is told, and the next invoice takes it. Nothing is posted
here: an allocation is within the receivable of one party.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.billing.payments import standing
from app.billing.payments.models import Allocation, Payment
from app.billing.payments.standing import Due, Held, Pair
from app.billing.payments.tasks import close_used, open_task

Row = dict[str, Any]


def allocate_payment(session: Session, payment: Payment, *, now: datetime) -> int:
    """Give what is free of a settled payment to what it was asked for, or, asked for nothing, to the party's oldest
    open invoices of that operator; returns the cents given.

    Once more changes nothing. What came for a booking waits for the booking's invoice.
    """
    [held] = standing.hold_payments(session, [payment.id])
    aims = standing.aims_of(session, held.id)
    if not aims and held.booking_uid is not None:
        return 0
    wanted = aims or standing.open_invoices(session, operator_id=held.operator_id, party_id=held.party_id)
    dues = standing.hold_invoices(session, wanted)
    pairs = {pair.invoice_id: pair for pair in standing.given_by(session, held.id)}
    asked = {due.id: _asked(due, aims, pairs) for due in dues}
    given = _give(session, held, dues, asked, pairs, now)
    _tell(session, held, dues, asked, given, aimed=bool(aims), now=now)
    return given


def use_credit(session: Session, invoice_id: int, *, now: datetime) -> int:
    """Give the party's credit with that operator to an invoice, oldest money first; returns the cents given.

    What running payments were asked for is left to them.
    """
    first_look = standing.look_at_invoice(session, invoice_id)
    if first_look is None or not first_look.left_cents:
        return 0
    whose = {"operator_id": first_look.operator_id, "party_id": first_look.party_id}
    payments = standing.hold_payments(session, standing.payments_with_credit(session, **whose))
    [due] = standing.hold_invoices(session, [invoice_id])
    pairs = {pair.payment_id: pair for pair in standing.given_to(session, invoice_id)}
    left = max(0, due.left_cents - due.awaited_cents)
    rows, emptied = [], []
    for held in payments:
        if (cents := min(left, held.free_cents)) > 0:
            rows.append(_row(held, due.id, cents, _nth("given", held, due, pairs.get(held.id)), now))
            left -= cents
            if cents == held.free_cents:
                emptied.append(held.id)
    close_used(session, emptied, now=now)
    return _write(session, rows)


def release(session: Session, payment: Payment, cents: int, *, source: str, now: datetime) -> int:
    """Make `cents` of a payment free before they go away; returns how many cents of allocations that undid.

    The party's credit goes first; then allocations are undone, newest first: no invoice is open again for what was
    never given to it. Call it before the refund's row is written, or the dispute is marked lost. A `source` undoes
    once.
    """
    [held] = standing.hold_payments(session, [payment.id])
    missing = cents - max(0, held.kept_cents - held.allocated_cents)
    pairs = standing.given_by(session, held.id)
    standing.hold_invoices(session, [pair.invoice_id for pair in pairs])
    rows: list[Row] = []
    for pair in pairs:
        if (taken := min(pair.cents, missing)) > 0:
            rows.append(_row(held, pair.invoice_id, -taken, f"release:{source}:{len(rows)}", now))
            missing -= taken
    if rows and session.scalar(select(Allocation.id).where(Allocation.source == rows[0]["source"])) is not None:
        return 0
    return -_write(session, rows)


def after_credit_note(session: Session, invoice_id: int, *, now: datetime) -> int:
    """Give back as credit what an invoice is settled above its gross, newest money first; returns those cents."""
    paying = [pair.payment_id for pair in standing.given_to(session, invoice_id)]
    payments = {held.id: held for held in standing.hold_payments(session, paying)}
    dues = standing.hold_invoices(session, [invoice_id])
    excess = sum(due.settled_cents - due.gross_cents for due in dues)
    freed = 0
    for pair in standing.given_to(session, invoice_id):
        if pair.payment_id in payments and (cents := min(pair.cents, excess - freed)) > 0:
            _take_back(session, payments[pair.payment_id], dues[0], pair, cents, now)
            freed += cents
    return freed


def _asked(due: Due, aims: Mapping[int, int], pairs: Mapping[int, Pair]) -> int:
    """What a payment is to give to an invoice: what it was asked for and has not given yet; unasked, what nobody else
    was asked for."""
    if aims:
        return max(0, aims[due.id] - (pairs[due.id].cents if due.id in pairs else 0))
    return max(0, due.left_cents - due.awaited_cents)


def _give(
    session: Session, held: Held, dues: Sequence[Due], asked: Mapping[int, int], pairs: Mapping[int, Pair],
    now: datetime,
) -> int:  # fmt: skip
    """What was asked for, as far as the money goes and something is left to pay, first due first."""
    free, rows = held.free_cents, []
    for due in dues:
        if (cents := min(free, asked[due.id], due.left_cents)) > 0:
            rows.append(_row(held, due.id, cents, _nth("given", held, due, pairs.get(due.id)), now))
            free -= cents
    return _write(session, rows)


def _take_back(session: Session, held: Held, due: Due, pair: Pair, cents: int, now: datetime) -> None:
    source = _nth("credited", held, due, pair)
    _write(session, [_row(held, due.id, -cents, source, now)])
    open_task(
        session, operator_id=held.operator_id, kind="credited", key=source, cents=cents, currency=held.currency,
        party_id=held.party_id, payment_id=held.id, invoice_id=due.id, now=now,
    )  # fmt: skip


def _tell(
    session: Session, held: Held, dues: Sequence[Due], asked: Mapping[int, int], given: int, *, aimed: bool,
    now: datetime,
) -> None:  # fmt: skip
    """A person looks at money that is left over, and at money that was asked for and did not come."""
    over = held.free_cents - given
    missing = sum(min(asked[due.id], due.left_cents) for due in dues) - given
    if over > 0:
        paid_before = any(due.left_cents < asked[due.id] for due in dues)
        kind, key = ("double" if paid_before else "overpaid") if aimed or given else "no_invoice", "left_over"
    elif aimed and missing > 0 and held.settled_cents:
        kind, key, over = "underpaid", "underpaid", missing
    else:
        return
    open_task(
        session, operator_id=held.operator_id, kind=kind, key=f"{key}:payment:{held.uid}", cents=over,
        currency=held.currency, party_id=held.party_id, payment_id=held.id,
        invoice_id=dues[0].id if len(dues) == 1 else None, now=now,
    )  # fmt: skip


def _nth(what: str, held: Held, due: Due, pair: Pair | None) -> str:
    """A name for the next allocation of a payment to an invoice: both rows are held, so nobody else takes it."""
    return f"{what}:{held.uid}:{due.uid}:{pair.times if pair else 0}"


def _row(held: Held, invoice_id: int, cents: int, source: str, now: datetime) -> Row:
    return {
        "operator_id": held.operator_id, "payment_id": held.id, "invoice_id": invoice_id, "cents": cents,
        "source": source, "created_at": now,
    }  # fmt: skip


def _write(session: Session, rows: Iterable[Row]) -> int:
    """Write allocations; returns their sum."""
    listed = list(rows)
    if listed:
        session.execute(insert(Allocation), listed)
    return sum(row["cents"] for row in listed)
