"""The doctor compares charges with the ledger, long before a closing seals either."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from app.billing.invoices.at_once import invoice_at_once
from app.db import raw
from app.doctor.finding import Fault
from app.doctor.owed import OWED_CHECKS
from app.network.parties.models import Party
from tests.billing.charges.till import NINE, Till, Told

BY_HAND = {
    "a cent more on an earned charge": (
        "UPDATE charge SET net_cents = net_cents + 1, gross_cents = gross_cents + 1 WHERE earned_on IS NOT NULL",
        "took for income",
    ),
    "an earned charge less": ("DELETE FROM charge WHERE earned_on IS NOT NULL AND invoice_id IS NULL", "come to"),
    "an earned charge on another's account": (
        "UPDATE charge SET party_id = (SELECT id FROM party WHERE name = 'Other') WHERE invoice_id IS NULL",
        "come to",
    ),
    "the posting of what was earned less": ("DELETE FROM posting WHERE kind = 'earn'", "took for income"),
    "the posting of a document less": ("DELETE FROM posting WHERE kind = 'invoice'", "not in the ledger"),
}


@pytest.fixture
def books(session: Session) -> Session:
    """Two bookings: one on an invoice, one earned and on none."""
    till = Till(session)
    invoiced, used = Told(till), Told(till)
    invoiced.made().tell("cancelled", reason="member", fee_cents=3025)
    party = session.get_one(Party, invoiced.charges[0].party_id)
    invoice_at_once(session, till.operator.id, party.uid, now=till.now)
    used.made(net=3000)
    till.now = NINE + timedelta(hours=4)
    used.tell("completed")
    session.add(Party(name="Other", country="BE"))
    session.flush()
    return session


def examined(session: Session) -> str:
    return dict(OWED_CHECKS)["what is owed"](session.connection())


def test_books_as_they_were_written_have_no_fault(books: Session) -> None:
    assert examined(books) == "charges, documents and the ledger say the same"


@pytest.mark.parametrize("change", BY_HAND)
def test_what_was_changed_by_hand_is_named(books: Session, change: str) -> None:
    statement, words = BY_HAND[change]
    books.connection().execute(raw("SET LOCAL session_replication_role = replica"))
    books.connection().execute(raw(statement))
    with pytest.raises(Fault, match=words):
        examined(books)
