"""An operator's books for tests of closings: charges, postings and documents recorded at chosen instants, as rows."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.billing.charges.models import Charge
from app.billing.closings.models import Closing
from app.billing.closings.sealing import OPEN
from app.billing.invoices.models import Invoice, InvoiceSeries
from app.billing.ledger.posting import Entry, Posting, post
from app.billing.payments.receiving import receive
from app.billing.payments.refunding import refund_given, request_refund
from app.db import TenantSession, raw, transaction
from app.events.models import Due
from app.ids import new_id
from app.network.models import Operator
from app.network.parties.models import Party
from app.tenancy import SYSTEM
from app.timekeeper import HANDLERS, Timekeeper, schedule
from tests.builders import a_space as a_space_of
from tests.builders import an_operator, saved

_numbers = itertools.count(1)
GENESIS = "0" * 64
Sessions = sessionmaker[TenantSession]
CLOSING = ("closing.open", "closing.next", "archive.month")


def books(session: Session, *, timezone: str = "Europe/Brussels", country: str = "BE") -> Operator:
    """An operator with one space in `timezone`."""
    operator = an_operator(session, country=country)
    a_space_of(session, operator=operator, country=country, timezone=timezone)
    return operator


def a_customer(session: Session) -> Party:
    return saved(session, Party(name=f"Customer {next(_numbers)}", country="BE"))


def record(session: Session, operator: Operator, party: Party, *, net: int, at: datetime, rate: int = 210) -> Charge:
    """Something sold at `at`: its charge, its document and its posting."""
    charge = a_charge(session, operator, party, net=net, at=at, rate=rate)
    a_document(session, operator, party, charge, at=at)
    vat = charge.vat_cents
    entries = (Entry("receivable", net + vat, party.id), Entry("revenue_booking", -net), Entry("vat_due", -vat))
    a_posting(session, operator, entries, at=at, key=f"sale:{charge.uid}")
    return charge


def pay(session: Session, operator: Operator, party: Party, *, at: datetime) -> None:
    """EUR 500 in cash and EUR 800 by transfer come, and EUR 20 of the cash go back."""
    for kind, cents in (("transfer", 80_000), ("cash", 50_000)):
        payment = receive(
            session, operator_id=operator.id, party_id=party.id, kind=kind, provider="desk", cents=cents,
            currency="EUR", aims={}, source=f"test:{next(_numbers)}", day=at.date(), now=at,
        )  # fmt: skip
    refund = request_refund(session, payment, cents=2_000, reason="x", source=f"test:{next(_numbers)}", now=at)
    refund_given(session, refund, now=at)


def a_charge(
    session: Session, operator: Operator, party: Party, *, net: int, at: datetime, rate: int = 210, **values: Any
) -> Charge:
    vat = (net * rate + 500) // 1000
    n = next(_numbers)
    said = {
        "operator_id": operator.id, "party_id": party.id, "kind": "manual", "source": f"manual:{n}",
        "service_from": at.date(), "service_until": at.date(), "quantity_milli": 1000, "unit": "piece",
        "currency": "EUR", "net_cents": net, "vat_cents": vat, "gross_cents": net + vat, "vat_permille": rate,
        "vat_category": "S", "vat_ground": "standard", "includes_vat": False, "month": at.date().replace(day=1),
        "created_at": at, **values,
    }  # fmt: skip
    return saved(session, Charge(**said))


def a_posting(
    session: Session, operator: Operator, entries: tuple[Entry, ...], *, at: datetime, key: str | None = None
) -> None:
    key = key or f"test:{next(_numbers)}"
    posting = Posting(
        operator_id=operator.id, day=at.date(), currency="EUR", kind="test", key=key, entries=entries, facts={"n": 1}
    )
    assert post(session, [posting], now=at) == 1


def a_document(session: Session, operator: Operator, party: Party, charge: Charge, *, at: datetime) -> Invoice:
    """An invoice of one line, next in the year's series; a charge below zero makes a credit note of the first."""
    credit = charge.net_cents < 0
    series = f"{'C' if credit else 'I'}{at.year}"
    last = session.execute(
        select(Invoice.sequence, Invoice.hash)
        .where(Invoice.operator_id == operator.id, Invoice.series == series)
        .order_by(Invoice.sequence.desc())
        .limit(1)
    ).one_or_none()
    sequence, previous = (last.sequence + 1, last.hash) if last else (1, GENESIS)
    number = f"T{operator.id}-{series}-{sequence:06d}"
    net, vat, gross = (abs(cents) for cents in (charge.net_cents, charge.vat_cents, charge.gross_cents))
    first = session.scalars(
        select(Invoice).where(Invoice.operator_id == operator.id).order_by(Invoice.id).limit(1)
    ).first()
    uid, rate = new_id(), {"category": "S", "permille": charge.vat_permille}
    said = {
        "format": "passerelle.document/1", "id": str(uid), "kind": "credit_note" if credit else "invoice",
        "number": number, "series": series, "sequence": sequence, "previous_hash": previous, "currency": "EUR",
        "issued_on": str(at.date()), "due_on": str(at.date()), "payment": {"communication": number},
        "lines": [{"no": 1, "charge_id": str(charge.uid), "net_cents": net, "vat": rate}],
        "taxes": [{**rate, "net_cents": net, "vat_cents": vat}],
        "totals": {"net_cents": net, "vat_cents": vat, "gross_cents": gross, "due_cents": gross},
    }  # fmt: skip
    snapshot = json.dumps(said, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(snapshot.encode()).hexdigest()
    invoice = Invoice(
        uid=uid, operator_id=operator.id, party_id=party.id, kind="credit_note" if credit else "now", series=series,
        sequence=sequence, number=number, issued_on=at.date(), due_on=at.date(), currency="EUR", net_cents=net,
        vat_cents=vat, gross_cents=gross, corrects_id=first.id if credit and first else None, communication=number,
        snapshot=snapshot, hash=digest, previous_hash=previous, run_key=f"charge:{charge.uid}", finalised_at=at,
    )  # fmt: skip
    counter = session.get(InvoiceSeries, (operator.id, series)) or InvoiceSeries(
        operator_id=operator.id, series=series, prefix=f"T{operator.id}-{series}", last_issued_on=at.date()
    )
    counter.last_sequence, counter.last_hash = sequence, digest
    session.add(counter)
    saved(session, invoice)
    charge.invoice_id = invoice.id
    session.flush()
    return invoice


def pass_time(make_session: Sessions, clock: Callable[[], datetime], *, most: int = 5000) -> int:
    """Everything of closings that is due by now, in order; returns how many steps that took."""
    with transaction(make_session, SYSTEM) as session:
        if session.get(Due, (OPEN, 0)) is None:
            schedule(session, OPEN, 0, clock())
    handlers = {kind: HANDLERS[kind] for kind in CLOSING if kind in HANDLERS}
    timekeeper = Timekeeper(make_session, clock=clock, handlers=handlers)
    steps = 0
    while ran := timekeeper.run_due():
        steps += ran
        assert steps <= most, "it does not come to an end"
    with transaction(make_session, SYSTEM) as session:
        failed = list(session.scalars(select(Due.last_error).where(Due.last_error.is_not(None))))
        assert not failed, failed
    return steps


def closings(make_session: Sessions, operator: Operator, kind: str = "day") -> list[Closing]:
    with transaction(make_session, SYSTEM) as session:
        of_kind = select(Closing).filter_by(operator_id=operator.id, kind=kind)
        return list(session.scalars(of_kind.order_by(Closing.number)))


def said(closing: Closing) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(closing.snapshot)
    return found


def by_hand(make_session: Sessions, statement: str, **parameters: Any) -> None:
    """As who has the database's password and switches its triggers off."""
    with transaction(make_session, SYSTEM) as session:
        session.execute(raw("SET LOCAL session_replication_role = replica"))
        assert session.execute(raw(statement), parameters).rowcount > 0  # type: ignore[attr-defined]


def day_of(text: str) -> date:
    return date.fromisoformat(text)


def archive_of(home: Path, operator: Operator, month: str) -> Path:
    return home / "archive" / "books" / str(operator.uid) / f"{month}.zip"
