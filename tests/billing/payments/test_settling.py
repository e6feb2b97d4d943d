"""From a request to money in the books, with a provider that answers, declines, is silent, or says so later."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.billing.payments.models import Payment, ProviderCall, Refund
from app.billing.payments.port import FoundDispute, FoundRefund
from app.events.models import OutboxRow
from app.ids import new_id
from tests.billing.payments.counter import given_by, left_of, tasks_of
from tests.billing.payments.house import House
from tests.billing.payments.scripted import BROKEN, BUSY, DECLINED, SILENCE, Scripted, answered, came
from tests.conftest import Clock


@pytest.fixture
def house(make_session: Any, session: Any, clock: Clock) -> House:
    return House(make_session, session, clock)


def told(house: House) -> list[str]:
    house.session.rollback()
    events = select(OutboxRow.type).where(OutboxRow.aggregate_type == "payment").order_by(OutboxRow.id)
    return [each.partition(".")[2] for each in house.session.scalars(events)]


def test_a_saved_card_is_charged_posted_given_to_the_invoice_and_told(house: House) -> None:
    party = house.party()
    invoice = house.invoice(party, 4840)
    payment = house.asks(party, aims={invoice.id: 4840})
    provider = Scripted(came())
    house.works(provider)

    now = house.now_is(payment)
    assert (now.state, now.settled_cents, now.fee_cents, now.provider_ref) == ("settled", 4840, 98, "pi_1")
    assert house.books() == {"payments_in_transit": 4742, "payment_fees": 98}
    assert given_by(house.session, payment) == {invoice.id: 4840} and left_of(house.session, invoice) == 0
    assert told(house) == ["requested", "settled"]
    [call] = house.session.scalars(select(ProviderCall)).all()
    assert (call.verb, call.outcome, call.idempotency_key) == ("start", "answered", str(payment.uid))
    assert call.request["amount"] == 4840 and call.request["payment_method"] == "pm_1"


def test_a_silence_is_asked_again_with_the_very_same_request_and_key(house: House, clock: Clock) -> None:
    payment = house.asks(house.party(), 4840)
    provider = Scripted(SILENCE, SILENCE, came())
    for state, seconds in (("unknown", 5), ("unknown", 30), ("settled", 0)):
        house.works(provider)
        now = house.now_is(payment)
        assert now.state == state
        clock.pass_by(seconds=seconds)
    assert provider.verbs == ["start"] * 3 and len({subject for _, subject in provider.asked}) == 1
    assert house.books() == {"payments_in_transit": 4742, "payment_fees": 98}


@pytest.mark.parametrize(
    ("heard", "state", "pause"),
    [(SILENCE, "unknown", 5), (BROKEN, "unknown", 5), (BUSY, "requested", 30),
     (answered("processing", ref="pi_1"), "requested", 600), (answered("action", ref="pi_1"), "action_needed", 30)],
    ids=["silence", "broken", "busy", "processing", "action"],
)  # fmt: skip
def test_what_is_not_over_is_looked_at_again_by_schedule(
    house: House, clock: Clock, heard: Any, state: str, pause: int
) -> None:
    payment = house.asks(house.party(), 4840)
    house.works(Scripted(heard))
    now = house.now_is(payment)
    assert (now.state, now.next_look_at, now.claimed_until) == (state, clock.now + timedelta(seconds=pause), None)
    assert house.books() == {"receivable": 4840} and told(house) == ["requested"]


def test_a_decline_is_certain_and_nothing_is_posted(house: House) -> None:
    payment = house.asks(house.party(), 4840)
    house.works(Scripted(DECLINED))
    now = house.now_is(payment)
    assert (now.state, now.failure_code, now.next_look_at) == ("failed", "insufficient_funds", None)
    assert house.books() == {"receivable": 4840} and told(house) == ["requested", "failed"]


def test_an_error_of_theirs_is_looked_for_before_it_is_asked_again(house: House, clock: Clock) -> None:
    """They repeat the error for as long as they know the key, whatever came of the request."""
    house.asks(house.party(), 4840)
    provider = Scripted(BROKEN, answered(None), BROKEN, came())
    for _ in range(4):
        house.works(provider)
        clock.pass_by(minutes=30)
    assert provider.verbs == ["start", "look_up", "start", "look_up"]
    assert house.books()["payments_in_transit"] == 4742


def test_when_the_key_is_too_old_it_is_looked_for_and_never_asked_again(house: House, clock: Clock) -> None:
    payment = house.asks(house.party(), 4840)
    provider = Scripted(SILENCE, SILENCE, answered(None))
    house.works(provider)
    clock.pass_by(hours=23)
    house.works(provider)
    assert house.now_is(payment).state == "unknown"
    clock.pass_by(hours=2)
    house.works(provider)
    assert provider.verbs == ["start", "look_up", "look_up"]
    now = house.now_is(payment)
    assert (now.state, now.failure_code) == ("failed", "never_arrived")


def test_a_person_is_called_when_nothing_is_known_for_a_day(house: House, clock: Clock) -> None:
    house.asks(house.party(), 4840)
    provider = Scripted(*[SILENCE] * 3)
    for _ in range(3):
        house.works(provider)
        clock.pass_by(hours=13)
    house.session.rollback()
    assert tasks_of(house.session, house.space) == [("payment_unknown", 4840)]


def test_what_the_payer_leaves_lying_is_stopped_after_a_day(house: House, clock: Clock) -> None:
    payment = house.asks(house.party(), 4840, mode="present")
    waits = answered("action", ref="pi_1", secret="pi_1_secret_x")
    provider = Scripted(waits, waits, answered("failed", ref="pi_1", failure="abandoned"))
    for hours in (12, 13, 0):
        house.works(provider)
        clock.pass_by(hours=hours)
    assert provider.verbs == ["start", "look_up", "stop"]
    assert (house.now_is(payment).state, house.now_is(payment).failure_code) == ("failed", "abandoned")


def test_where_a_booking_is_held_what_is_left_lying_is_stopped_when_its_time_is_over(
    house: House, clock: Clock
) -> None:
    payment = house.asks(house.party(), 4840, aims={}, mode="present", booking_uid=new_id())
    waits, begun = answered("action", ref="pi_1", secret="pi_1_secret_x"), clock.now
    provider = Scripted(*[waits] * 4, answered("failed", ref="pi_1", failure="abandoned"))
    for _ in range(5):
        house.works(provider)
        clock.now = house.now_is(payment).next_look_at or clock.now
    assert provider.verbs == ["start", *["look_up"] * 3, "stop"]
    assert (house.now_is(payment).state, clock.now - begun) == ("failed", timedelta(minutes=35))
    pay_by = int(clock.now.timestamp())
    assert {subject.pay_by for _, subject in provider.asked} == {pay_by}
    [start, *_] = house.session.scalars(select(ProviderCall).order_by(ProviderCall.id)).all()
    assert start.request["expires_at"] == pay_by


def test_money_that_comes_after_all_is_settled_and_a_person_looks(house: House, clock: Clock) -> None:
    payment = house.asks(house.party(), 4840)
    house.works(Scripted(DECLINED))
    house.looks_now(payment)
    house.works(Scripted(came()))
    house.session.rollback()
    assert house.now_is(payment).state == "settled" and told(house) == ["requested", "failed", "settled"]
    assert tasks_of(house.session, house.space) == [("settled_after_failed", 4840)]


def test_who_died_with_a_claim_is_followed_by_another_and_writes_nothing_late(house: House, clock: Clock) -> None:
    payment = house.asks(house.party(), 4840)
    slow, quick = house.sender(Scripted(DECLINED)), Scripted(came())
    slow._pool.submit = lambda *_: None  # type: ignore[method-assign,assignment]
    assert slow.round() == 1
    house.works(quick)
    assert quick.verbs == []  # it is claimed
    clock.pass_by(seconds=31)
    house.works(quick)
    assert quick.verbs == ["start"] and house.now_is(payment).state == "settled"


def test_who_writes_late_writes_down_what_was_said_and_changes_nothing(house: House, clock: Clock) -> None:
    """Its claim ran out while it waited for the answer; another has asked again and heard."""
    payment = house.asks(house.party(), 4840)
    late, held = house.sender(Scripted(DECLINED)), []
    late._pool.submit = lambda _, asking: held.append(asking)  # type: ignore[method-assign,assignment,misc]
    assert late.round() == 1
    clock.pass_by(seconds=31)
    house.works(Scripted(came()))
    settled, books = house.now_is(payment), house.books()

    late._call(held[0])
    late.finish_calls()
    now = house.now_is(payment)
    assert late.under_way == 0 and now.state == "settled" and told(house) == ["requested", "settled"]
    assert (now.next_look_at, now.looks, now.claims) == (settled.next_look_at, settled.looks, 2)
    assert house.books() == books == {"payments_in_transit": 4742, "payment_fees": 98}
    calls = house.session.scalars(select(ProviderCall).order_by(ProviderCall.id)).all()
    assert [(call.outcome, call.status) for call in calls] == [("refused", 402), ("answered", 200)]
    late.close()


def test_a_notice_that_comes_while_it_is_talked_about_makes_it_looked_at_again(house: House, clock: Clock) -> None:
    payment = house.asks(house.party(), 4840)
    caller = house.sender(Scripted(came(), came()))
    caller.round()
    house.looks_now(payment)
    caller.finish_calls()
    assert house.now_is(payment).next_look_at == clock.now
    caller.round()
    caller.finish_calls()
    assert house.now_is(payment).next_look_at > clock.now
    assert house.books() == {"payments_in_transit": 4742, "payment_fees": 98}


def test_the_same_source_asks_once(house: House) -> None:
    party = house.party()
    invoice = house.invoice(party, 4840)
    first, again = (house.asks(party, aims={invoice.id: 4840}, source="once", mode="present") for _ in range(2))
    assert first.id == again.id
    house.session.rollback()
    assert len(house.session.scalars(select(Payment)).all()) == 1


# --- refunds


def a_settled(house: House, cents: int = 4840) -> Payment:
    payment = house.asks(house.party(), cents)
    house.works(Scripted(came(cents=cents)))
    return payment


def test_a_refund_goes_out_once_is_posted_and_opens_the_invoice_again(house: House) -> None:
    payment = a_settled(house)
    refund = house.refunds(payment, 1840, source="once")
    assert house.refunds(payment, 1840, source="once").id == refund.id
    provider = Scripted(answered("settled", ref="re_1", settled_cents=1840))
    house.works(provider)
    house.session.rollback()
    assert provider.verbs == ["refund"] and house.now_is(refund).state == "settled"
    assert house.books() == {"payments_in_transit": 2902, "payment_fees": 98, "receivable": 1840}
    assert sum(given_by(house.session, payment).values()) == 3000 and told(house)[-1] == "refunded"


def test_no_more_goes_back_than_came(house: House) -> None:
    from app.billing.payments.refunding import RefundTooHigh

    payment = a_settled(house)
    house.refunds(payment, 3000)
    with pytest.raises(RefundTooHigh) as refused:
        house.refunds(payment, 1841)
    assert refused.value.facts == {"left_cents": 1840}


def test_a_refund_that_is_not_heard_is_asked_again_and_one_that_fails_is_told_to_a_person(
    house: House, clock: Clock
) -> None:
    payment = a_settled(house)
    refund = house.refunds(payment, 4840)
    provider = Scripted(
        SILENCE, answered("processing", ref="re_1"), answered("failed", ref="re_1", failure="lost_card")
    )
    for state, passed in (("unknown", 5), ("requested", 6000), ("failed", 0)):
        house.works(provider)
        assert house.now_is(refund).state == state
        clock.pass_by(seconds=passed)
    assert provider.verbs == ["refund", "refund", "look_up"]
    house.session.rollback()
    assert house.books() == {"payments_in_transit": 4742, "payment_fees": 98}
    assert tasks_of(house.session, house.space) == [("refund_failed", 4840)]
    assert sum(given_by(house.session, payment).values()) == 4840  # it pays again what it paid before


def test_a_refund_by_somebody_elses_hand_is_taken_over(house: House, clock: Clock) -> None:
    payment = a_settled(house)
    for evidence in ("settled", "settled", "failed"):
        house.looks_now(payment)
        house.works(Scripted(came(refunds=(FoundRefund("re_9", evidence, 840),))))
        if evidence == "settled":
            assert house.books()["payments_in_transit"] == 4742 - 840
    assert house.books() == {"payments_in_transit": 4742, "payment_fees": 98}


def test_a_refund_that_comes_back_makes_room_for_another(house: House, clock: Clock) -> None:
    """What the provider lists has the newest first: the one that failed was there before."""
    payment = a_settled(house)
    refund = house.refunds(payment, 4840)
    house.works(Scripted(answered("settled", ref="re_1", settled_cents=4840)))
    house.looks_now(payment)
    back = FoundRefund("re_1", "failed", 4840, refund.uid, "expired_or_canceled_card")
    provider = Scripted(came(refunds=(FoundRefund("re_2", "settled", 4800), back)))
    house.works(provider)
    assert provider.asked[0][1].refunded  # whatever the charge says of itself
    first, second = house.session.scalars(select(Refund).order_by(Refund.id)).all()
    assert (first.state, second.state, second.amount_cents) == ("failed", "settled", 4800)
    assert house.books() == {"payments_in_transit": -58, "payment_fees": 98, "receivable": 4800}
    house.session.rollback()
    assert tasks_of(house.session, house.space)[0] == ("refund_failed", 4840)


# --- disputes


@pytest.mark.parametrize(
    ("then", "books"),
    [((), {"payments_in_transit": -2098, "payment_fees": 2098, "disputed": 4840}),
     (("won",), {"payments_in_transit": 2742, "payment_fees": 2098}),
     (("lost",), {"payments_in_transit": -2098, "payment_fees": 2098, "receivable": 4840}),
     (("lost", "won"), {"payments_in_transit": -2098, "payment_fees": 2098, "receivable": 4840})],
    ids=["open", "won", "lost", "decided once"],
)  # fmt: skip
def test_a_dispute_takes_the_money_away_until_it_is_decided(
    house: House, then: tuple[str, ...], books: dict[str, int]
) -> None:
    payment = a_settled(house)
    for state in ("open", *then):
        house.looks_now(payment)
        house.works(Scripted(came(disputes=(FoundDispute("dp_1", state, 4840, 2000),))))
    assert house.books() == books
    house.session.rollback()
    assert tasks_of(house.session, house.space)[0] == ("disputed", 4840)
    assert sum(given_by(house.session, payment).values()) == (0 if "lost" in then else 4840)
