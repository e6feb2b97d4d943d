"""A charge to saved means that failed is tried again for a reason that passes, on the days that the operator chose."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.dunning.models import DunningPolicy, DunningStop
from app.billing.dunning.retrying import KIND, retry, retry_later
from app.billing.payments.models import Allocation, Payment, PaymentAccount, PaymentAim, PaymentMethod
from app.events.models import Due
from tests.billing.invoices.house import an_invoice
from tests.builders import a_member, a_space, saved
from tests.conftest import Clock

Failed = Callable[..., Payment]


class Desk:
    """An invoice of EUR 121.00 that was to be charged to a saved means, and was not."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self.session, self.clock = session, clock
        self.member = a_member(session)
        self.invoice = an_invoice(session, a_space(session), self.member, now=clock.now)
        self.whose = {"operator_id": self.invoice.operator_id, "party_id": self.invoice.party_id}
        means = {"provider": "stripe", "kind": "sepa_debit", "state": "active", "automatic": True}
        self.method = saved(session, PaymentMethod(**self.whose, **means, provider_method="pm_1"))
        session.add(PaymentAccount(operator_id=self.invoice.operator_id, provider_mode="own"))

    def failed(self, code: str = "insufficient_funds", **values: Any) -> Payment:
        how = {"provider": "stripe", "kind": "sepa_debit", "mode": "automatic", "currency": "EUR", "state": "failed",
               "failed_at": self.clock.now, "source": f"s{code}", "amount_cents": 12100,
               "payment_method_id": self.method.id, "failure_code": code}  # fmt: skip
        payment = saved(self.session, Payment(**{**self.whose, **how, **values}))
        self.session.add(PaymentAim(payment_id=payment.id, invoice_id=self.invoice.id, cents=12100))
        self.session.flush()
        return payment

    def later(self, payment: Payment) -> Any:
        return retry_later(self.session, payment.uid, now=self.clock.now)

    def tried(self, payment: Payment) -> Payment | None:
        """What comes of the day on which it is tried again."""
        retry(self.session, payment.id, now=self.clock.now)
        self.session.flush()
        return self.session.scalars(select(Payment).where(Payment.retries_id == payment.id)).one_or_none()


@pytest.fixture
def desk(session: Session, clock: Clock) -> Desk:
    return Desk(session, clock)


def test_it_is_tried_again_after_three_days_and_after_seven_and_then_no_more(desk: Desk) -> None:
    first = desk.failed()
    assert desk.later(first) == desk.clock.now + timedelta(days=3)
    desk.clock.pass_by(days=3)
    second = desk.tried(first)
    assert second is not None and (second.amount_cents, second.state) == (12100, "requested")
    assert desk.tried(first) is second, "once for each failure"
    second.state, second.failed_at, second.failure_code = "failed", desk.clock.now, "insufficient_funds"
    desk.session.flush()
    assert desk.later(second) == desk.clock.now + timedelta(days=4)
    third = desk.tried(second)
    assert third is not None
    third.state, third.failed_at, third.failure_code = "failed", desk.clock.now, "insufficient_funds"
    desk.session.flush()
    assert desk.later(third) is None


@pytest.mark.parametrize(
    ("code", "values"),
    [
        ("stolen_card", {}),
        ("authentication_required", {}),
        ("insufficient_funds", {"mode": "present", "payment_method_id": None}),
        ("insufficient_funds", {"state": "requested", "failed_at": None}),
    ],
    ids=["a stolen card", "a payer who must be there", "a payer who was there", "one that has not failed"],
)
def test_what_waiting_does_not_help_is_left_to_people(desk: Desk, code: str, values: dict[str, Any]) -> None:
    assert desk.later(desk.failed(code, **values)) is None
    assert desk.session.scalars(select(Due.kind).where(Due.kind == KIND)).all() == []


def test_an_operator_may_want_no_further_attempts(desk: Desk) -> None:
    desk.session.add(DunningPolicy(operator_id=desk.invoice.operator_id, steps=[], retry_days=[]))
    desk.session.flush()
    assert desk.later(desk.failed()) is None


def test_the_button_that_stops_reminders_stops_further_attempts_too(desk: Desk) -> None:
    first = desk.failed()
    stopped = {"operator_id": desk.invoice.operator_id, "party_id": desk.invoice.party_id, "reason": "Being looked at"}
    stop = saved(desk.session, DunningStop(**stopped, stopped_by_id=desk.member.id, stopped_at=desk.clock.now))
    assert desk.tried(first) is None
    assert desk.session.scalars(select(Due.at).where(Due.kind == KIND)).one() > desk.clock.now, "asked again tomorrow"
    stop.lifted_at = desk.clock.now
    desk.session.flush()
    assert desk.tried(first) is not None


def test_who_takes_no_payments_online_any_more_tries_nothing_again(desk: Desk) -> None:
    first = desk.failed()
    desk.session.get_one(PaymentAccount, desk.invoice.operator_id).provider_mode = "none"
    desk.session.flush()
    assert desk.tried(first) is None


def test_only_what_is_still_open_is_charged(desk: Desk) -> None:
    first = desk.failed()
    ended = {"state": "settled", "settled_at": desk.clock.now, "settled_cents": 5000, "failed_at": None}
    other = desk.failed("x", failure_code=None, amount_cents=5000, mode="received", payment_method_id=None, **ended)
    paid = {"operator_id": desk.invoice.operator_id, "payment_id": other.id, "invoice_id": desk.invoice.id}
    desk.session.add(Allocation(**paid, cents=5000, source="a"))
    desk.session.flush()
    again = desk.tried(first)
    assert again is not None and again.amount_cents == 7100


def test_nothing_is_charged_once_it_is_paid_or_the_means_was_taken_back(desk: Desk) -> None:
    first = desk.failed()
    desk.method.state, desk.method.revoked_at = "revoked", desk.clock.now
    desk.session.flush()
    assert desk.tried(first) is None
