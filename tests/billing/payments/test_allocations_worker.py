"""The allocations worker: credit pays the next invoice, credit notes free what was paid, and failures let credit in."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.orm import Session, sessionmaker

from app.billing.invoices.crediting import Part, credit
from app.billing.payments.models import Payment, PaymentAim
from app.db import TenantSession, raw, transaction
from app.events.outbox import insert_event
from app.events.payment_facts import PaymentFailed
from app.ids import new_id
from app.tenancy import SYSTEM
from tests.billing.charges.builders import a_party
from tests.billing.payments.counter import an_invoice_of, left_of, money_of, tasks_of
from tests.builders import a_space, saved
from workers import registry
from workers.handle import EventHandler, Outcome
from workers.subscriptions import subscribe

NOW = datetime(2026, 3, 20, 10, tzinfo=UTC)
_RECORDED = raw("SELECT envelope FROM outbox WHERE aggregate_type IN ('invoice', 'payment') AND id > :seen ORDER BY id")
_LAST = raw("SELECT coalesce(max(id), 0) FROM outbox")


def tell(make_session: sessionmaker[TenantSession], *, after: int) -> list[Outcome]:
    """Have the worker hear what was recorded since, each twice."""
    with transaction(make_session, SYSTEM) as session:
        recorded = session.execute(_RECORDED, {"seen": after}).scalars().all()
    handler = EventHandler(registry.load()["allocations"], make_session, clock=lambda: NOW)
    return [handler.handle(envelope).outcome for envelope in recorded for _ in range(2)]


def test_credit_follows_what_happens_to_invoices_and_payments(
    session: Session, make_session: sessionmaker[TenantSession]
) -> None:
    subscribe(make_session, [registry.load()["allocations"]])
    space, party = a_space(session), a_party(session)
    seen = session.execute(_LAST).scalar_one()
    money_of(session, space, party, 1500, now=NOW)
    first = an_invoice_of(session, space, party, gross=1000, now=NOW)
    session.commit()
    assert Outcome.DUPLICATE in (told := tell(make_session, after=seen)) and Outcome.DEAD not in told
    assert left_of(session, first) == 0
    seen = session.execute(_LAST).scalar_one()
    credit(session, first, [Part(1, cents=300)], now=NOW)
    session.commit()
    tell(make_session, after=seen)
    assert tasks_of(session, space) == [("no_invoice", 1500), ("credited", 300)]
    second = an_invoice_of(session, space, party, gross=900, now=NOW)
    whose = {"operator_id": space.operator_id, "party_id": party.id}
    asked = {"source": "asked", "provider": "stripe", "kind": "card", "amount_cents": 900, "currency": "EUR"}
    running = saved(session, Payment(**whose, **asked))
    session.add(PaymentAim(payment_id=running.id, invoice_id=second.id, cents=900))
    session.commit()
    tell(make_session, after=seen)
    assert left_of(session, second) == 900
    seen = session.execute(_LAST).scalar_one()
    running.state, running.failed_at = "failed", NOW
    failed = PaymentFailed(
        payment_id=str(running.uid), operator_id=str(new_id()), party_id=str(party.uid), kind="card", amount_cents=900,
        currency="EUR", failure="card_declined",
    )  # fmt: skip
    insert_event(session, failed, aggregate_id=running.uid, seq=1, at=NOW)
    session.commit()
    assert tell(make_session, after=seen) == [Outcome.DONE, Outcome.DUPLICATE]
    assert left_of(session, second) == 100
