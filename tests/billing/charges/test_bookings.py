"""A booking's story, event by event, and what is charged, taken back and earned at each: in the database, posted."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.billing import months
from app.billing.charges.models import BillingMonth, Charge
from app.network.models import Member
from app.network.parties.models import Party
from tests.billing.charges.builders import APRIL, MARCH, VAT_BE, a_party, an_invoice
from tests.billing.charges.till import NINE, Till, Told, a_price

DAY = date(2026, 3, 10)


@pytest.fixture
def till(session: Session) -> Till:
    return Till(session)


@pytest.fixture
def booking(till: Till) -> Told:
    return Told(till)


def test_a_confirmed_booking_is_charged_when_made_and_earned_when_over(till: Till, booking: Told) -> None:
    booking.made()
    (charge,) = booking.charges
    assert (charge.gross_cents, charge.net_cents, charge.vat_cents) == (3025, 2500, 525)
    assert (charge.kind, charge.service_from, charge.service_until, charge.month) == ("booking", DAY, DAY, MARCH)
    assert (charge.quantity_milli, charge.unit, charge.facts["resource_kind"]) == (4000, "hour", "room")
    assert (charge.vat_permille, charge.vat_category, charge.includes_vat) == (210, "S", False)
    assert (charge.earned_on, charge.late, charge.member_id) == (None, False, till.member.id)
    assert till.balances() == {}, "nothing is income before it is supplied"
    till.now = NINE + timedelta(hours=4)
    booking.tell("completed")
    assert [charge.earned_on for charge in booking.charges] == [DAY]
    assert till.balances() == {"unbilled": 3025, "revenue_booking": -2500, "vat_pending": -525}


@pytest.mark.parametrize("status", ["held", "pending"])
def test_what_is_not_confirmed_yet_owes_nothing(booking: Told, status: str) -> None:
    assert booking.made(status).cents == []
    assert booking.tell("cancelled", reason="expired", fee_cents=0).cents == []


@pytest.mark.parametrize(
    ("status", "event", "data"),
    [("pending", "approved", {}), ("held", "accepted", {}), ("held", "accepted", {"status": "confirmed"})],
)
def test_approved_or_accepted_it_is_charged(booking: Told, status: str, event: str, data: dict[str, str]) -> None:
    assert booking.made(status).tell(event, **data).cents == [3025]


def test_a_hold_accepted_where_the_space_approves_waits_for_that(booking: Told) -> None:
    assert booking.made("held").tell("accepted", status="pending").cents == []
    assert booking.tell("approved").cents == [3025]


def test_a_refused_request_owes_nothing(booking: Told) -> None:
    assert booking.made("pending").tell("refused").cents == []


def test_refused_after_a_late_move_it_owes_the_fee_and_that_is_earned_at_once(till: Till, booking: Told) -> None:
    booking.made().tell("moved", **a_price(net=2500), status="pending")
    booking.tell("refused", fee_cents=1513)
    assert (sum(booking.cents), booking.charges[-1].kind) == (1513, "fee")
    assert [charge.earned_on for charge in booking.charges] == [date(2026, 3, 2)] * len(booking.charges)
    assert till.balances() == {"unbilled": 1513, "revenue_fee": -1250, "vat_pending": -263}


def test_credits_are_not_charged_again_and_money_is_with_the_vat_in_it(till: Till, booking: Told) -> None:
    assert booking.made(money=0).tell("completed").cents == []
    partly = Told(till).made(money=1000)
    assert [(c.gross_cents, c.net_cents, c.vat_cents) for c in partly.charges] == [(1000, 826, 174)]


def test_who_does_not_come_owes_the_price_on_the_day(till: Till, booking: Told) -> None:
    booking.made()
    till.now = NINE + timedelta(minutes=20)
    assert (booking.tell("no_show").cents, booking.earned) == ([3025], 2500)
    assert booking.charges[0].earned_on == DAY


def test_cancelled_for_free_it_is_taken_back_and_never_earned(till: Till, booking: Told) -> None:
    booking.made().tell("cancelled", reason="member", fee_cents=0)
    charge, back = booking.charges
    assert (back.gross_cents, back.corrects_id, back.month) == (-3025, charge.id, MARCH)
    assert (back.facts["reason"], back.quantity_milli, back.unit) == ("cancelled", 4000, "hour")
    assert (booking.earned, till.balances()) == (0, {})


def test_cancelled_late_the_fee_stays_and_is_earned_at_once(till: Till, booking: Told) -> None:
    booking.made().tell("cancelled", reason="member", fee_cents=1513)
    assert booking.cents == [3025, -1512]
    assert [(c.net_cents, c.vat_cents) for c in booking.charges] == [(2500, 525), (-1250, -262)]
    assert [c.earned_on for c in booking.charges] == [date(2026, 3, 2)] * 2
    assert till.balances() == {"unbilled": 1513, "revenue_booking": -1250, "vat_pending": -263}


def test_a_fee_above_what_money_covers_now_is_a_charge_of_its_own(till: Till, booking: Told) -> None:
    booking.made().tell("moved", **a_price(net=500), status="confirmed")
    booking.tell("cancelled", reason="member", fee_cents=1513)
    assert [(c.kind, c.gross_cents) for c in booking.charges][-1] == ("fee", 1513 - 605)
    assert sum(booking.cents) == 1513
    assert till.balances()["unbilled"] == 1513


def test_moved_before_any_invoice_it_is_charged_anew_so_that_the_line_says_when(booking: Told) -> None:
    later = a_price(net=3000, start=NINE + timedelta(days=30))
    charge, back, new = booking.made().tell("moved", **later, status="confirmed").charges
    assert [charge.gross_cents, back.gross_cents, new.gross_cents] == [3025, -3025, 3630]
    assert (back.corrects_id, back.month, new.corrects_id, new.month) == (charge.id, MARCH, None, APRIL)
    assert new.service_from == date(2026, 4, 9)


def invoice(till: Till) -> None:
    """All so far is on a document: by the row alone, which is what billing looks at."""
    document = an_invoice(till.session, operator_id=till.operator.id, party_id=till.charges()[0].party_id)
    till.session.execute(update(Charge).where(Charge.invoice_id.is_(None)).values(invoice_id=document.id))


def test_moved_after_its_invoice_only_the_difference_is_charged_or_credited(till: Till, booking: Told) -> None:
    booking.made()
    invoice(till)
    dearer = booking.tell("moved", **a_price(net=3000, start=NINE + timedelta(days=1)), status="confirmed")
    assert dearer.cents == [3025, 605] and dearer.charges[1].corrects_id is None
    booking.tell("moved", **a_price(net=2400), status="confirmed")
    assert booking.cents == [3025, 605, -605, -121]
    first, more, *back = booking.charges
    assert [c.corrects_id for c in back] == [more.id, first.id]


def test_cancelled_after_its_invoice_the_credit_names_the_charge_at_its_rate(till: Till, booking: Told) -> None:
    booking.made()
    invoice(till)
    booking.tell("cancelled", reason="closure", fee_cents=0)
    charge, back = booking.charges
    assert (back.corrects_id, back.gross_cents, back.vat_permille, back.invoice_id) == (charge.id, -3025, 210, None)
    till.now = NINE
    earned = Told(till).made()
    invoice(till)
    earned.tell("completed")
    assert till.balances() == {"deferred": 2500, "revenue_booking": -2500}, "the invoice had deferred it"


def test_another_rate_or_payer_is_charged_anew_at_its_own(till: Till, booking: Told) -> None:
    payer = a_party(till.session, is_business=True)
    exempt = {**VAT_BE, "permille": 0, "category": "E", "mention": "be_small_business_56bis"}
    booking.made()
    invoice(till)
    booking.tell("moved", **a_price(vat=exempt, permille=0, payer_id=str(payer.uid)), status="confirmed")
    _, back, new = booking.charges
    assert (back.gross_cents, back.vat_permille, back.party_id) == (-3025, 210, booking.charges[0].party_id)
    assert (new.gross_cents, new.vat_permille, new.vat_mention, new.party_id) == (
        2500, 0, "be_small_business_56bis", payer.id,
    )  # fmt: skip


def test_moved_to_where_the_space_must_approve_it_owes_nothing_until_then(booking: Told) -> None:
    booking.made().tell("moved", **a_price(), status="pending")
    assert booking.cents == [3025, -3025]
    assert sum(booking.tell("approved").cents) == 3025


def test_what_comes_after_its_month_was_closed_goes_to_the_next_marked_late(till: Till, booking: Told) -> None:
    till.now = NINE + timedelta(days=30)
    months.close(till.session, till.operator.id, MARCH, till.now)
    booking.made().tell("completed")
    (charge,) = booking.charges
    assert (charge.month, charge.late, charge.service_from) == (APRIL, True, DAY)
    assert charge.earned_on == date(2026, 4, 9), "the ledger of March is closed too"
    booking_of_april = Told(till).made(start=NINE + timedelta(days=40))
    assert [(c.month, c.late) for c in booking_of_april.charges] == [(APRIL, False)]


def test_what_began_before_billing_did_was_billed_elsewhere(till: Till, booking: Told) -> None:
    till.session.add(BillingMonth(operator_id=till.operator.id, begins=APRIL))
    assert booking.made().tell("completed").cents == []
    ahead = Told(till).made(start=NINE + timedelta(days=40))
    assert ahead.cents == [3025]


def test_of_what_was_billed_elsewhere_nothing_is_asked(till: Till, booking: Told) -> None:
    """Neither the VAT of a year before the tables begin, nor who would pay."""
    till.session.add(BillingMonth(operator_id=till.operator.id, begins=APRIL))
    old = a_price(vat=None, resource_kind=None, start=NINE.replace(year=1989))
    booking.tell("made", status="confirmed", **old).tell("completed")
    assert (booking.cents, till.session.scalars(select(Party)).all()) == ([], [])
    booking.again(0).again(1)


def test_events_from_before_they_told_their_vat_keep_the_gross_that_was_told(till: Till, booking: Told) -> None:
    old = a_price(vat=None, resource_kind=None)
    booking.tell("made", status="confirmed", **old)
    (charge,) = booking.charges
    assert (charge.gross_cents, charge.net_cents, charge.vat_permille, charge.vat_category) == (3025, 2500, 210, "S")
    assert charge.includes_vat is True
    booking.tell("moved", **a_price(net=2000, vat=None, resource_kind=None))
    assert sum(booking.cents) == 2420


def test_every_event_again_changes_nothing(till: Till, booking: Told) -> None:
    booking.made().again().tell("moved", **a_price(net=2000), status="confirmed").again(0).again()
    booking.tell("cancelled", reason="member", fee_cents=500)
    before, books = booking.cents, till.balances()
    for index in range(3):
        booking.again(index)
    assert (booking.cents, till.balances()) == (before, books)


def test_the_local_day_counts_and_midnight_belongs_to_the_day_before(session: Session) -> None:
    island = Till(session, country="FR", timezone="Indian/Reunion")
    late = Told(island).made(start=NINE.replace(hour=12), hours=8)  # from 16:00 to midnight there
    assert [(c.service_from, c.service_until) for c in late.charges] == [(DAY, DAY)]
    over = Told(island).made(start=NINE.replace(hour=18), hours=4)  # from 22:00 to 02:00
    assert [(c.service_from, c.service_until) for c in over.charges] == [(DAY, date(2026, 3, 11))]


def test_who_erased_the_account_before_paying_still_owes_under_a_number_alone(till: Till, booking: Told) -> None:
    erased = update(Member).where(Member.id == till.member.id).values(name="", email=None, erased_at=till.now)
    till.session.execute(erased)
    assert booking.made().tell("completed").cents == [3025]


def test_an_event_of_a_booking_that_was_never_told_is_a_fault_that_somebody_sees(booking: Told) -> None:
    with pytest.raises(KeyError):
        booking.tell("completed")
