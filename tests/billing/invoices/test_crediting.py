"""Credit notes by hand: by amount, by percent, all that is left; never more, and not the same twice unasked."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from app.billing.charges.models import Charge
from app.billing.invoices.at_once import NothingToInvoice, NotOpen, invoice_at_once
from app.billing.invoices.chain import verify_chain
from app.billing.invoices.crediting import CreditedAlready, MoreThanLeft, Part, credit
from app.billing.invoices.models import Invoice
from app.billing.invoices.standing import settled_cents
from app.billing.ledger.models import LedgerEntry
from app.db import TenantSession
from app.errors import Invalid, WrongState
from app.ids import new_id
from app.network.parties.models import Party
from tests.billing.charges.builders import APRIL, a_charge, a_party
from tests.billing.invoices.house import APRIL_1, MAY_1, a_correction, a_house, closed, content
from tests.builders import a_space


@pytest.fixture
def invoice(session: Session) -> Invoice:
    """EUR 100.00, EUR 9.99 with VAT in it, and EUR 20.00 at another rate, to one party."""
    space = a_space(session)
    party = a_party(session)
    own: dict[str, Any] = {"operator_id": space.operator_id, "party": party, "space_id": space.id}
    a_charge(session, **own, net=10000, kind="booking", subject_uid=new_id())
    a_charge(session, **own, net=826, vat_cents=173, includes_vat=True)
    a_charge(session, **own, net=2000, vat_cents=400, vat_permille=200)
    (made,) = invoice_at_once(session, space.operator_id, party.uid, now=APRIL_1)
    return session.get_one(Invoice, made.id)


def note(session: Session, invoice: Invoice, *parts: Part, **more: Any) -> Invoice:
    return session.get_one(Invoice, credit(session, invoice, parts, now=APRIL_1, **more).id)


def owed(session: Session, invoice: Invoice) -> int:
    party = LedgerEntry.party_id == invoice.party_id
    found = select(func.sum(LedgerEntry.cents)).where(LedgerEntry.account == "receivable", party)
    return int(session.scalars(found).one())


def test_half_a_line_at_its_own_rate(session: Session, invoice: Invoice) -> None:
    made = note(session, invoice, Part(3, percent=50), reason="Salle sans chauffage")
    said = content(made)
    assert (made.net_cents, made.vat_cents, made.number) == (1000, 200, "ATH-C2026-000001")
    assert [(tax["permille"], tax["net_cents"], tax["vat_cents"]) for tax in said["taxes"]] == [(200, 1000, 200)]
    assert said["lines"][0]["text"].endswith("– Salle sans chauffage")
    assert owed(session, invoice) == invoice.gross_cents - 1200
    assert list(verify_chain(session, invoice.operator_id)) == []


def test_all_that_is_left_brings_the_invoice_to_nothing(session: Session, invoice: Invoice) -> None:
    note(session, invoice, Part(1, cents=3333), Part(2, cents=333))
    note(session, invoice, Part(2, percent=33), Part(3, cents=1))
    note(session, invoice)
    assert settled_cents(session, [invoice]) == {invoice.id: invoice.gross_cents}
    assert owed(session, invoice) == 0
    assert session.execute(select(func.sum(Charge.net_cents), func.sum(Charge.vat_cents))).one() == (0, 0)
    with pytest.raises(WrongState):
        note(session, invoice)


def test_never_more_than_what_is_left_of_a_line(session: Session, invoice: Invoice) -> None:
    note(session, invoice, Part(1, cents=9000))
    with pytest.raises(MoreThanLeft) as refused:
        note(session, invoice, Part(1, cents=1001))
    assert refused.value.facts == {"line": 1, "left_cents": 1000, "asked_cents": 1001}


def test_what_an_event_has_taken_back_already_is_not_left(session: Session, invoice: Invoice) -> None:
    """A booking cancelled after its invoice: the credit is on its way, and is not given by hand as well."""
    first = session.scalars(select(Charge).order_by(Charge.id)).first()
    a_correction(session, first, -10000, month=APRIL)
    with pytest.raises(MoreThanLeft):
        note(session, invoice, Part(1, percent=10))
    assert note(session, invoice).net_cents == 2826


def test_the_same_once_more_has_to_be_meant(session: Session, invoice: Invoice) -> None:
    note(session, invoice, Part(1, percent=10))
    with pytest.raises(CreditedAlready) as refused:
        note(session, invoice, Part(1, cents=1000))
    assert refused.value.facts["number"] == "ATH-C2026-000001"
    assert note(session, invoice, Part(1, percent=10), again=True).number == "ATH-C2026-000002"


@pytest.mark.parametrize("parts", [[Part(9, cents=1)], [Part(1, cents=1), Part(1, cents=2)], [Part(2, percent=0)]])
def test_lines_that_cannot_be_credited_are_refused(session: Session, invoice: Invoice, parts: list[Part]) -> None:
    with pytest.raises(Invalid):
        note(session, invoice, *parts)


def test_a_credit_note_is_not_corrected(session: Session, invoice: Invoice) -> None:
    with pytest.raises(WrongState):
        note(session, note(session, invoice))


def test_a_line_that_was_earned_lowers_what_was_earned(session: Session, invoice: Invoice) -> None:
    first = session.scalars(select(Charge).order_by(Charge.id)).first()
    first.earned_on = APRIL_1.date()
    session.flush()
    note(session, invoice, Part(1, cents=1000))
    entries = select(LedgerEntry.account, func.sum(LedgerEntry.cents)).group_by(LedgerEntry.account)
    sums = dict(session.execute(entries).all())
    assert (sums["revenue_booking"], sums["unbilled"], sums["vat_pending"]) == (1000, 0, 0)


def test_an_invoice_at_once_takes_future_charges_and_what_lowers_them(session: Session) -> None:
    space, party = a_space(session), a_party(session)
    own: dict[str, Any] = {"operator_id": space.operator_id, "party": party}
    wanted = a_charge(session, **own, net=5000, month=APRIL)
    a_correction(session, wanted, -1000, month=APRIL)
    a_charge(session, **own, net=700)
    (made,) = invoice_at_once(session, space.operator_id, party.uid, charges=[wanted.uid], terms_days=0, now=APRIL_1)
    found = session.get_one(Invoice, made.id)
    assert (found.kind, found.net_cents, found.due_on) == ("now", 4000, APRIL_1.date())
    (rest,) = invoice_at_once(session, space.operator_id, party.uid, now=APRIL_1)
    assert session.get_one(Invoice, rest.id).net_cents == 700
    with pytest.raises(NothingToInvoice):
        invoice_at_once(session, space.operator_id, party.uid, now=APRIL_1)
    with pytest.raises(NotOpen):
        invoice_at_once(session, space.operator_id, party.uid, charges=[wanted.uid], now=APRIL_1)


def test_less_than_nothing_waits_until_there_is_more(
    session: Session, make_session: sessionmaker[TenantSession]
) -> None:
    space = a_house(session, charges=[[-500]])
    assert closed(make_session, space).waiting == 1
    party = session.scalars(select(Party)).one()
    a_charge(session, operator_id=space.operator_id, party=party, net=2000, month=APRIL)
    session.commit()
    done = closed(make_session, space, APRIL, now=MAY_1)
    assert (dict(done.documents), done.charges) == ({"monthly": 1}, 2)
