"""The doctor compares money that came with the ledger, and what it pays with what is owed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.billing.payments.refunding import refund_given, request_refund
from app.db import TenantSession, raw, transaction
from app.doctor.finding import Fault
from app.doctor.paid import PAID_CHECKS
from app.tenancy import SYSTEM
from tests.billing.charges.builders import a_party
from tests.billing.payments.counter import an_invoice_of, money_of
from tests.builders import a_space

NOW = datetime(2026, 3, 20, 10, tzinfo=UTC)
BY_HAND = {
    "a cent more on a payment": ("UPDATE payment SET settled_cents = settled_cents + 1", "took for it"),
    "another's payment": ("UPDATE payment SET party_id = party_id + 1", "took for it"),
    "a cent less on a refund": ("UPDATE refund SET amount_cents = amount_cents - 1", "refund .* took for it"),
    "a refund that went out taken for failed": (
        "UPDATE refund SET state = 'failed', failed_at = now(), settled_at = NULL", "refund .* took for it",
    ),
    "the posting of a payment less": (
        "WITH gone AS (DELETE FROM ledger_entry WHERE posting_id IN (SELECT id FROM posting WHERE kind = 'payment'))"
        " DELETE FROM posting WHERE kind = 'payment'", "took for it",
    ),
    "a payment less": (
        "WITH gone AS (DELETE FROM refund), given AS (DELETE FROM allocation) DELETE FROM payment", "was removed",
    ),
    "a cent more given": ("UPDATE allocation SET cents = cents + 401 WHERE cents = 600", "pays 1001 cents"),
    "a cent less on an invoice": (
        "UPDATE invoice SET gross_cents = 599, net_cents = 599 WHERE gross_cents = 600", "is paid 600 cents, of 599",
    ),
    "a cent taken back that was not given": ("UPDATE allocation SET cents = -1 WHERE cents = 600", "took back"),
}  # fmt: skip


@pytest.fixture
def house(make_session: sessionmaker[TenantSession]) -> Iterator[Session]:
    """An invoice of EUR 6 paid out of EUR 12, of which EUR 2 went back."""
    with transaction(make_session, SYSTEM) as session:
        space, party, _ = a_space(session), a_party(session), a_party(session)
        an_invoice_of(session, space, a_party(session), gross=50, now=NOW)
        invoice = an_invoice_of(session, space, party, gross=600, now=NOW)
        payment = money_of(session, space, party, 1200, aims={invoice: 600}, now=NOW)
        refund = request_refund(session, payment, cents=200, reason="x", source="r", now=NOW)
        refund_given(session, refund, now=NOW)
        session.flush()
        yield session


def examined(session: Session) -> list[str]:
    return [check(session.connection()) for _, check in PAID_CHECKS]


def test_money_as_it_was_written_has_no_fault_and_what_was_changed_by_hand_is_named(house: Session) -> None:
    assert examined(house)[0] == "1 payments are what the ledger took for them"
    for change, (statement, words) in BY_HAND.items():
        with house.begin_nested() as savepoint:
            house.connection().execute(raw("SET LOCAL session_replication_role = replica"))
            house.connection().execute(raw(statement))
            with pytest.raises(Fault, match=words):
                pytest.fail(f"{change}: {examined(house)}")
            savepoint.rollback()
    assert len(examined(house)) == 2
