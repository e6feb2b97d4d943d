"""Payments out of lines, thousands in a few statements: what receiving.receive does for one, to the same rows.

A test compares the two. The invoices are held by the caller (standing.hold_invoices) until commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.billing.bank.bulk import Bulk
from app.billing.bank.movements import Movement
from app.billing.ledger.posting import Entry, Posting, post
from app.billing.months import Books
from app.billing.payments import posting, telling
from app.billing.payments.standing import Due
from app.db import Statement
from app.events.outbox import insert_events
from app.ids import new_id

_PAYMENTS = Statement("""
    INSERT INTO payment (uid, operator_id, party_id, source, provider, kind, amount_cents, currency, state, mode,
                         settled_cents, requested_at, settled_at)
    SELECT p.uid, :operator_id, p.party_id, p.source, 'bank', p.kind, p.cents, :currency, 'settled', 'received',
           p.cents, :now, :now
    FROM unnest(:uids::uuid[], :party_ids::bigint[], :sources::text[], :kinds::text[], :cents::bigint[])
         AS p(uid, party_id, source, kind, cents)
    RETURNING id, uid
""")
_AIMS = Bulk("payment_aim", payment_id="bigint", invoice_id="bigint", cents="bigint")
_ALLOCATIONS = Bulk(
    "allocation", operator_id="bigint", payment_id="bigint", invoice_id="bigint", cents="bigint", source="text",
    created_at="timestamptz",
)  # fmt: skip
_FORGET_PLANS = Statement("DISCARD PLANS")
_NO_SCANS = Statement("SET LOCAL enable_seqscan = off")
_SCANS = Statement("SET LOCAL enable_seqscan = on")
_PARTIES = Statement("SELECT id, uid FROM party WHERE id = ANY(:ids)")
_TASKS = Statement("""
    INSERT INTO money_task (uid, operator_id, kind, key, party_id, payment_id, invoice_id, cents, currency, opened_at)
    SELECT t.uid, :operator_id, t.kind, t.key, t.party_id, t.payment_id, t.invoice_id, t.cents, :currency, :now
    FROM unnest(:uids::uuid[], :kinds::text[], :keys::text[], :party_ids::bigint[], :payment_ids::bigint[],
                :invoice_ids::bigint[], :cents::bigint[])
         AS t(uid, kind, key, party_id, payment_id, invoice_id, cents)
    ON CONFLICT (key) DO NOTHING
""")


@dataclass(frozen=True, slots=True)
class House:
    """The operator that lines are taken for, and the days its books take. `uid` is its public id."""

    id: int
    uid: UUID
    currency: str
    books: Books
    today: date

    def day(self, booked_on: date) -> date:
        return self.books.posting_day(min(booked_on, self.today), today=self.today)


@dataclass(slots=True)
class Taken:
    """A line, or a part of it, that becomes a payment of `party_id`, meant for `aims` (cents by invoice). `origin` is
    the line's public id, and which part."""

    origin: str
    line: Movement
    party_id: int
    kind: str
    aims: Mapping[int, int]
    uid: UUID
    payment_id: int = 0


def taken(origin: str, line: Movement, party_id: int, kind: str, aims: Mapping[int, int]) -> Taken:
    return Taken(origin, line, party_id, kind, aims, new_id())


def take(session: Session, house: House, payments: Sequence[Taken], dues: Mapping[int, Due], *, now: datetime) -> None:
    """Write payments with what they are meant for, post them, give them to their invoices, tell. Sets `payment_id`.

    `dues` are the invoices as they stand, held; each takes first from those that come first.
    """
    if not payments:
        return
    _write_payments(session, house, payments, now)
    aims = [
        {"payment_id": each.payment_id, "invoice_id": key, "cents": each.aims[key]}
        for each in payments
        for key in sorted(each.aims)
    ]
    _AIMS.insert(session, aims)
    post(session, [posting.settled(_money(house, each), gross_cents=each.line.cents, fee_cents=0) for each in payments],
         now=now)  # fmt: skip
    _allocate(session, house, payments, dues, now)
    _tell(session, house, payments, now)


def post_others(session: Session, house: House, lines: Sequence[tuple[UUID, Movement, str]], *, now: datetime) -> None:
    """Lines that are nobody's payment: the bank's account against the one that each names."""
    post(
        session,
        [
            Posting(
                operator_id=house.id, day=house.day(line.booked_on), currency=house.currency, kind="bank",
                key=f"bank:{uid}", entries=(Entry("bank", line.cents), Entry(account, -line.cents)),
                facts={"bank_line_id": str(uid)},
            )
            for uid, line, account in lines
        ],
        now=now,
    )  # fmt: skip


def _money(house: House, each: Taken) -> posting.Money:
    return posting.Money(
        uid=each.uid, operator_id=house.id, party_id=each.party_id, kind=each.kind, currency=house.currency,
        day=house.day(each.line.booked_on),
    )  # fmt: skip


def _write_payments(session: Session, house: House, payments: Sequence[Taken], now: datetime) -> None:
    given = {
        "operator_id": house.id,
        "currency": house.currency,
        "now": now,
        "uids": [each.uid for each in payments],
        "party_ids": [each.party_id for each in payments],
        "sources": [f"bank:{each.origin}" for each in payments],
        "kinds": [each.kind for each in payments],
        "cents": [each.line.cents for each in payments],
    }
    ids = {row.uid: row.id for row in _PAYMENTS.run(session, given).fetchall()}
    for each in payments:
        each.payment_id = ids[each.uid]


def _allocate(
    session: Session, house: House, payments: Sequence[Taken], dues: Mapping[int, Due], now: datetime
) -> None:
    left = {key: due.left_cents for key, due in dues.items()}
    order = {key: place for place, key in enumerate(dues)}  # first due first
    rows: list[dict[str, Any]] = []
    tasks: list[tuple[Any, ...]] = []
    for each in payments:
        paid_before = any(left[key] < cents for key, cents in each.aims.items())
        missing, free = sum(min(cents, left[key]) for key, cents in each.aims.items()), each.line.cents
        for key in sorted(each.aims, key=order.__getitem__):
            if (cents := min(free, each.aims[key], left[key])) > 0:
                rows.append(_allocation(house, each, dues[key], cents, now))
                free, missing, left[key] = free - cents, missing - cents, left[key] - cents
        if free or missing:
            tasks.append(_task(each, "double" if paid_before else "overpaid", free, missing))
    _by_index(session, rows)
    if tasks:
        names = ("uids", "kinds", "keys", "party_ids", "payment_ids", "invoice_ids", "cents")
        columns = {name: list(values) for name, values in zip(names, zip(*tasks, strict=True), strict=True)}
        _TASKS.run(session, {"operator_id": house.id, "currency": house.currency, "now": now, **columns})


def _by_index(session: Session, rows: list[dict[str, Any]]) -> None:
    """A trigger sums up what each payment and invoice has, row by row: with a plan made for a table that was small, it
    would read all of it each time."""
    _FORGET_PLANS.run(session, {})
    _NO_SCANS.run(session, {})
    _ALLOCATIONS.insert(session, rows)
    _SCANS.run(session, {})


def _allocation(house: House, each: Taken, due: Due, cents: int, now: datetime) -> dict[str, Any]:
    return {
        "operator_id": house.id, "payment_id": each.payment_id, "invoice_id": due.id, "cents": cents,
        "source": f"given:{each.uid}:{due.uid}:0", "created_at": now,
    }  # fmt: skip


def _task(each: Taken, kind: str, over: int, missing: int) -> tuple[Any, ...]:
    """What is left over, or did not come: as allocating tells it."""
    invoice_id = next(iter(each.aims)) if len(each.aims) == 1 else None
    named = (kind, "left_over", over) if over else ("underpaid", "underpaid", missing)
    return (
        new_id(), named[0], f"{named[1]}:payment:{each.uid}", each.party_id, each.payment_id, invoice_id, named[2],
    )  # fmt: skip


def _tell(session: Session, house: House, payments: Sequence[Taken], now: datetime) -> None:
    rows = _PARTIES.run(session, {"ids": sorted({each.party_id for each in payments})}).fetchall()
    parties = {row.id: row.uid for row in rows}
    facts = [
        (
            telling.settled(
                payment=each.uid, operator=house.uid, party=parties[each.party_id], kind=each.kind,
                cents=each.line.cents, currency=house.currency,
            ),
            each.uid,
            1,
        )
        for each in payments
    ]  # fmt: skip
    insert_events(session, facts, at=now)
