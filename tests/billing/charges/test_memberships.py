"""Fees of memberships as they are charged, taken back and earned; deposits are held, and given back."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from app.billing.charges.models import BillingMonth, Charge
from app.events.envelope import Envelope
from app.ids import new_id
from tests.billing.charges.builders import APRIL, MARCH, VAT_BE, a_party
from tests.billing.charges.till import Till, a_fee

EXEMPT = {**VAT_BE, "permille": 0, "category": "E"}
NO_SUPPLY = {**VAT_BE, "permille": 0, "category": "O", "ground": "Directive 2006/112/CE, art. 2"}


class Signed:
    """One membership, told event by event."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.uid: UUID = new_id()
        self.seq = 1

    def asks(self, *lines: dict[str, Any], **data: Any) -> Envelope:
        self.seq += 1
        event = self.till.event(
            self.uid, self.seq, "charged", "membership", operator_id=str(self.till.operator.uid), lines=list(lines),
            **data,
        )  # fmt: skip
        return self.till.handle(event)

    @property
    def charges(self) -> list[Charge]:
        return self.till.charges(self.uid)


@pytest.fixture
def till(session: Session) -> Till:
    return Till(session)


@pytest.fixture
def membership(till: Till) -> Signed:
    return Signed(till)


def test_a_cycle_s_fee_is_charged_with_its_month_and_earned_at_once(till: Till, membership: Signed) -> None:
    payer = a_party(till.session)
    event = membership.asks(a_fee(), payer_id=str(payer.uid))
    (charge,) = membership.charges
    assert (charge.kind, charge.gross_cents, charge.party_id, charge.month) == ("membership", 14520, payer.id, MARCH)
    assert (charge.service_from, charge.service_until) == (MARCH, date(2026, 3, 31))
    assert (charge.quantity_milli, charge.unit, charge.source) == (1000, "cycle", f"event:{event.event_id}:0")
    assert charge.earned_on == date(2026, 3, 2)
    books = {"unbilled": 14520, "revenue_membership": -12000, "vat_pending": -2520}
    assert till.balances() == books
    till.handle(event)
    assert (len(membership.charges), till.balances()) == (1, books), "an event twice is one event"


def test_what_a_change_owes_back_takes_back_the_fee_it_was_charged_with(till: Till, membership: Signed) -> None:
    membership.asks(a_fee(version="old"))
    back = a_fee(-6581, kind="adjustment", days=(15, 31), version="old")
    membership.asks(back, a_fee(9871, kind="adjustment", days=(15, 31), version="new"))
    membership.asks(a_fee(-4645, kind="adjustment", days=(24, 31), version="new"))
    fee, first, new, second = membership.charges
    assert [(c.kind, c.corrects_id, c.quantity_milli, c.unit) for c in (first, new, second)] == [
        ("adjustment", fee.id, 17000, "day"),
        ("adjustment", None, 17000, "day"),
        ("adjustment", new.id, 8000, "day"),
    ]
    assert (first.service_from, first.service_until) == (date(2026, 3, 15), date(2026, 3, 31))
    assert till.balances()["revenue_membership"] == -(12000 - 6581 + 9871 - 4645)


def test_more_than_one_charge_gives_is_taken_back_of_the_next(membership: Signed) -> None:
    membership.asks(a_fee(6000, days=(1, 16)), a_fee(5000, kind="adjustment", days=(10, 31)))
    membership.asks(a_fee(-8000, kind="adjustment", days=(12, 31)))
    first, second, *back = membership.charges
    assert [(c.corrects_id, c.net_cents, c.gross_cents) for c in back] == [
        (second.id, -5000, -6050),
        (first.id, -3000, -3630),
    ]


def test_what_finds_nothing_to_take_back_stands_alone(membership: Signed) -> None:
    membership.asks(a_fee(month=4, days=(1, 30), of_days=30))
    membership.asks(a_fee(-1000, kind="adjustment", days=(1, 5)))
    membership.asks(a_fee(-1000, kind="adjustment", month=4, days=(1, 5), vat=EXEMPT, version="v2"))
    _, other_days, other_version = membership.charges
    assert (other_days.corrects_id, other_version.corrects_id) == (None, None)
    assert (other_days.gross_cents, other_version.gross_cents) == (-1210, -1000)


def test_what_is_exempt_by_now_is_owed_back_with_the_vat_that_was_charged(till: Till, membership: Signed) -> None:
    membership.asks(a_fee())
    membership.asks(a_fee(-6000, kind="adjustment", days=(17, 31), vat=EXEMPT))
    fee, back = membership.charges
    assert (back.corrects_id, back.gross_cents, back.vat_permille, back.vat_category) == (fee.id, -7260, 210, "S")
    assert till.balances() == {"unbilled": 7260, "revenue_membership": -6000, "vat_pending": -1260}


def test_who_was_charged_gets_it_back_whoever_pays_by_then(till: Till, membership: Signed) -> None:
    first, second = a_party(till.session), a_party(till.session)
    membership.asks(a_fee(), payer_id=str(first.uid))
    membership.asks(a_fee(-2000, kind="adjustment", days=(25, 31)), payer_id=str(second.uid))
    assert [c.party_id for c in membership.charges] == [first.id, first.id]


def test_a_deposit_is_no_income_and_its_return_takes_it_back(till: Till, membership: Signed) -> None:
    day = (1, 1)
    membership.asks(a_fee(20000, kind="deposit", days=day, of_days=1, vat=NO_SUPPLY))
    till.now = till.now.replace(month=6)
    membership.asks(a_fee(-20000, kind="deposit_return", month=6, days=day, of_days=1, vat=NO_SUPPLY))
    deposit, back = membership.charges
    assert (deposit.kind, deposit.earned_on, deposit.unit) == ("deposit", None, "piece")
    assert (back.kind, back.corrects_id, back.earned_on, back.month) == (
        "deposit_return", deposit.id, None, date(2026, 6, 1),
    )  # fmt: skip
    assert till.balances() == {}, "until there are documents"


def test_a_long_cycle_s_correction_comes_with_the_month_in_which_it_is_known(till: Till, membership: Signed) -> None:
    term = a_fee(144000, of_days=365) | {"until_day": "2027-02-28", "days": 365}
    membership.asks(term)
    till.now = till.now.replace(month=4)
    membership.asks(a_fee(-72000, kind="adjustment", month=9, days=(1, 30)))
    assert [c.month for c in membership.charges] == [MARCH, APRIL]
    assert membership.charges[1].late is False


def test_a_cycle_that_began_before_billing_did_was_billed_elsewhere(till: Till, membership: Signed) -> None:
    till.session.add(BillingMonth(operator_id=till.operator.id, begins=APRIL))
    membership.asks(a_fee(), a_fee(month=4, days=(1, 30), of_days=30))
    assert [c.month for c in membership.charges] == [APRIL]


def test_without_a_payer_the_member_pays(till: Till, membership: Signed) -> None:
    membership.asks(a_fee())
    assert membership.charges[0].member_id == till.member.id


def test_a_free_line_is_no_charge(membership: Signed) -> None:
    membership.asks(a_fee(0))
    assert membership.charges == []
