"""The provider's adapter against what stands for the provider: the same tests, whoever answers.

The stand-in is written from Stripe's documentation by somebody who has not read the product; localstripe is by others,
and is asked what it knows. With STRIPE_TEST_KEY (a key of the test mode) Stripe itself is asked too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from app.billing.payments.port import BadSignature, Charging, Found, GivingBack, Heard, Means, Outcome, Passing, Saving
from app.billing.stripe_provider import Stripe
from app.ids import new_id
from tests.billing.payments.stand_in import KEY, SECRET, StandIn, asked_of, localstripe, stand_in

REAL = os.environ.get("STRIPE_TEST_KEY", "")
THEIRS = "https://api.stripe.com"
BACK = "https://book.example/back"


@dataclass
class Counterpart:
    """Whoever answers; `fees` are those it takes of a payment of EUR 48.40 by card, where that is certain."""

    name: str
    provider: Stripe
    url: str
    key: str

    def card(self, token: str = "pm_card_visa") -> dict[str, str]:
        """A card that a customer saved."""
        ask = partial(asked_of, self.url, self.key, "POST")
        customer = ask("/v1/customers", description="test")["id"]
        return {"customer": customer, "method": ask(f"/v1/payment_methods/{token}/attach", customer=customer)["id"]}


@pytest.fixture(scope="module")
def fake() -> Iterator[StandIn]:
    with stand_in() as fake:
        yield fake


@pytest.fixture(scope="module", params=["stand-in", "localstripe", *(["stripe"] if REAL else [])])
def other(request: pytest.FixtureRequest) -> Iterator[Counterpart]:
    match request.param:
        case "stand-in":
            url = request.getfixturevalue("fake").url
            yield Counterpart("stand-in", Stripe(KEY, api_url=url), url, KEY)
        case "localstripe":
            with localstripe() as url:
                yield Counterpart("localstripe", Stripe(KEY, api_url=url), url, KEY)
        case _:
            yield Counterpart("stripe", Stripe(REAL), THEIRS, REAL)


@pytest.fixture(scope="module")
def stripe(fake: StandIn) -> Stripe:
    return Stripe(KEY, api_url=fake.url, webhook_secrets=["whsec_older", SECRET])


def charging(**values: Any) -> Charging:
    own = {"uid": new_id(), "operator_uid": new_id(), "cents": 4840, "currency": "EUR", "kind": "card"}
    return Charging(**{**own, "mode": "automatic", **values})


def giving(of: Charging, ref: str | None, cents: int) -> GivingBack:
    return GivingBack(new_id(), of.uid, of.operator_uid, ref or "", cents)


def found(heard: Heard) -> Found:
    assert (heard.outcome, heard.means, heard.status) == (Outcome.ANSWERED, Means.DONE, 200), heard
    assert heard.found is not None
    return heard.found


# --- what all of them know


def test_a_saved_card_is_charged_and_looked_up(other: Counterpart) -> None:
    asked = charging(**other.card())
    started = found(other.provider.start(asked))
    assert (started.evidence, started.settled_cents) == ("settled", 4840)
    again = found(other.provider.look_up(replace(asked, ref=started.ref)))
    assert (again.evidence, again.ref, again.fee_cents) == ("settled", started.ref, started.fee_cents)


def test_a_decline_is_refused_for_good_with_its_payment_and_why(other: Counterpart) -> None:
    heard = other.provider.start(charging(**other.card("pm_card_chargeCustomerFail")))
    assert (heard.outcome, heard.means, heard.status) == (Outcome.REFUSED, Means.REFUSED, 402)
    assert heard.code in ("generic_decline", "card_declined")


def test_who_pays_by_themselves_gets_a_secret_that_is_fetched_again(other: Counterpart) -> None:
    asked = charging(mode="present")
    started = found(other.provider.start(asked))
    assert started.evidence == "action" and started.secret is not None
    again = found(other.provider.look_up(replace(asked, ref=started.ref)))
    assert again.secret == started.secret and started.secret not in repr(started)


def test_what_was_begun_is_stopped(other: Counterpart) -> None:
    asked = charging(mode="present")
    ref = found(other.provider.start(asked)).ref
    assert found(other.provider.stop(replace(asked, ref=ref))).evidence == "failed"


def test_some_of_it_goes_back_and_is_looked_up_by_its_name_or_ours(other: Counterpart) -> None:
    asked = charging(**other.card())
    payment = found(other.provider.start(asked)).ref
    refund = giving(asked, payment, 1840)
    gone = found(other.provider.refund(refund))
    assert (gone.evidence, gone.settled_cents) == ("settled", 1840)
    for named in (replace(refund, ref=gone.ref), refund):
        seen = found(other.provider.look_up(named))
        assert (seen.ref, seen.evidence, seen.settled_cents) == (gone.ref, "settled", 1840)
    assert found(other.provider.look_up(giving(asked, payment, 1))).evidence is None


# --- what the stand-in knows besides: keys, pages, debits, what goes wrong, what is contested


def test_the_same_again_is_answered_again_and_not_done_again(fake: StandIn, stripe: Stripe) -> None:
    asked = charging(**saved(fake))
    before = fake.balance
    first, again = found(stripe.start(asked)), found(stripe.start(asked))
    assert first.ref == again.ref and fake.balance - before == 4840 - first.fee_cents
    refund = giving(asked, first.ref, 4840)
    assert found(stripe.refund(refund)).ref == found(stripe.refund(refund)).ref
    assert fake.balance - before == -first.fee_cents
    above = stripe.refund(giving(asked, first.ref, 1))
    assert (above.outcome, above.means) == (Outcome.REFUSED, Means.REFUSED)


@pytest.mark.parametrize(
    ("kind", "outcome", "means", "status", "was_charged"),
    [("lost_before", Outcome.NO_ANSWER, Means.UNHEARD, None, False),
     ("lost_after", Outcome.NO_ANSWER, Means.UNHEARD, None, True),
     ("rate_limit", Outcome.REFUSED, Means.LATER, 429, False),
     ("unavailable", Outcome.NO_ANSWER, Means.UNHEARD, 503, False),
     ("error_after_effect", Outcome.NO_ANSWER, Means.UNHEARD, 500, True),
     ("error_without_effect", Outcome.NO_ANSWER, Means.UNHEARD, 500, False)],
)  # fmt: skip
def test_what_goes_wrong_is_told_apart_and_found_by_our_name(
    fake: StandIn, stripe: Stripe, kind: str, outcome: Outcome, means: Means, status: int | None, was_charged: bool
) -> None:
    asked, before = charging(**saved(fake)), fake.balance
    fake.fails(kind, "/v1/payment_intents", times=1)
    heard = stripe.start(asked)
    fake.forget("faults")
    assert (heard.outcome, heard.means, heard.status, heard.found) == (outcome, means, status, None)
    assert (fake.balance > before) is was_charged
    fake.control("clock", advance=90)  # a search finds what is a minute old
    assert found(stripe.look_up(asked)).evidence == ("settled" if was_charged else None)


def test_a_key_that_is_not_admitted_and_another_request_under_a_key_say_nothing_of_money(
    fake: StandIn, stripe: Stripe
) -> None:
    stranger = Stripe("sk_test_another", api_url=fake.url).start(charging(method="pm_card_visa"))
    assert (stranger.outcome, stranger.means, stranger.status) == (Outcome.REFUSED, Means.LATER, 401)
    asked = charging(**saved(fake))
    stripe.start(asked)
    differs = stripe.start(replace(asked, cents=1))
    assert (differs.outcome, differs.means, differs.status) == (Outcome.REFUSED, Means.UNHEARD, 400)
    unknown = stripe.look_up(replace(asked, ref="pi_none"))
    assert (unknown.outcome, unknown.means, unknown.status) == (Outcome.REFUSED, Means.LATER, 404)


def test_the_payer_authenticates_or_is_told_that_they_must(fake: StandIn, stripe: Stripe) -> None:
    absent = stripe.start(charging(**saved(fake, "pm_card_authenticationRequired")))
    assert (absent.means, absent.code) == (Means.REFUSED, "authentication_required")
    asked = charging(mode="present")
    ref = found(stripe.start(asked)).ref
    assert ref is not None
    fake.api("POST", f"/v1/payment_intents/{ref}/confirm", payment_method="pm_card_threeDSecure2Required",
             return_url=BACK)  # fmt: skip
    asked = replace(asked, ref=ref)
    assert found(stripe.look_up(asked)).evidence == "action"
    fake.control(f"payment_intents/{ref}/authenticate", outcome="fail")
    assert found(stripe.look_up(asked)).evidence == "action"  # another card may do
    fake.api("POST", f"/v1/payment_intents/{ref}/confirm", payment_method="pm_card_visa", return_url=BACK)
    assert found(stripe.look_up(asked)).evidence == "settled"


@pytest.mark.parametrize("token", ["pm_card_visa", "pm_bancontact", "pm_sepaDebit_success", "pm_sepaDebit_failed"])
def test_a_page_of_theirs_is_paid_on(fake: StandIn, stripe: Stripe, token: str) -> None:
    kind = {"card": "card", "banc": "bancontact", "sepa": "sepa_debit"}[token.removeprefix("pm_")[:4]]
    asked = charging(mode="hosted", kind=kind, return_url=BACK, label="ATH-2026-000001")
    page = found(stripe.start(asked))
    assert page.evidence == "action" and page.address is not None and page.address not in repr(page)
    asked = replace(asked, ref=page.ref)
    assert found(stripe.look_up(asked)).address == page.address
    fake.control(f"checkout/sessions/{page.ref}/complete", **payer_with(token))
    if kind == "sepa_debit":
        under_way = found(stripe.look_up(asked))
        assert under_way.evidence == "processing" and (under_way.ref or "").startswith("pi_")
        fake.control("clock", advance=10)
    paid = found(stripe.look_up(asked))
    assert paid.evidence == ("failed" if token.endswith("failed") else "settled")
    if paid.evidence == "settled":
        assert (paid.ref or "").startswith("pi_") and found(stripe.look_up(replace(asked, ref=paid.ref))) == paid


def test_a_page_that_nobody_paid_on_expires_or_is_stopped(fake: StandIn, stripe: Stripe) -> None:
    for left in ("expires", "is stopped"):
        asked = charging(mode="hosted", return_url=BACK)
        asked = replace(asked, ref=found(stripe.start(asked)).ref)
        if left == "expires":
            fake.control(f"checkout/sessions/{asked.ref}/expire")
        else:
            assert found(stripe.stop(asked)).failure == "expired"
        assert (found(stripe.look_up(asked)).evidence, found(stripe.look_up(asked)).failure) == ("failed", "expired")


@pytest.mark.parametrize("kind", ["any", "card", "bancontact"])
def test_what_must_be_paid_soon_has_a_page_that_closes_and_no_means_that_takes_days(
    fake: StandIn, stripe: Stripe, kind: str
) -> None:
    now = fake.api("POST", "/v1/customers", description="test")["created"]
    asked = charging(mode="hosted", kind=kind, return_url=BACK, pay_by=now + 35 * 60)
    page = fake.api("GET", f"/v1/checkout/sessions/{found(stripe.start(asked)).ref}")
    assert page["expires_at"] == now + 35 * 60 and "sepa_debit" not in page["payment_method_types"]
    late = stripe.start(replace(asked, uid=new_id(), pay_by=now + 25 * 60))  # the least is half an hour
    assert (late.outcome, late.means) == (Outcome.REFUSED, Means.REFUSED)
    ref = found(stripe.start(charging(mode="present", kind=kind, pay_by=now + 35 * 60))).ref
    assert "sepa_debit" not in fake.api("GET", f"/v1/payment_intents/{ref}")["payment_method_types"]


@pytest.mark.parametrize(
    ("kind", "mode", "payer", "label"),
    [("card", "present", "pm_card_visa", "visa 4242"), ("card", "hosted", "pm_card_visa", "visa 4242"),
     ("sepa_debit", "present", "pm_sepaDebit_success", "sepa_debit 3201"),
     ("sepa_debit", "hosted", "pm_sepaDebit_success", "sepa_debit 3201"),
     ("bancontact", "hosted", "pm_bancontact", "sepa_debit ")],
)  # fmt: skip
def test_a_means_of_payment_is_saved_and_charged_later(
    fake: StandIn, stripe: Stripe, kind: str, mode: str, payer: str, label: str
) -> None:
    saving = Saving(new_id(), new_id(), kind, mode, BACK)
    begun = found(stripe.save(saving))
    assert begun.evidence == "action" and (begun.address if mode == "hosted" else begun.secret)
    saving = replace(saving, ref=begun.ref, customer=begun.customer)
    if mode == "hosted":
        fake.control(f"checkout/sessions/{begun.ref}/complete", **payer_with(payer))
    else:
        mandate = {"mandate_data[customer_acceptance][type]": "offline"} if kind == "sepa_debit" else {}
        fake.api("POST", f"/v1/setup_intents/{begun.ref}/confirm", payment_method=payer, return_url=BACK, **mandate)
    kept = found(stripe.look_up(saving))
    kind = "sepa_debit" if kind == "bancontact" else kind  # of the account behind it
    assert (kept.evidence, kept.kind) == ("settled", kind) and kept.label.startswith(label)
    later = charging(kind=kind, customer=kept.customer, method=kept.method, mandate=kept.mandate)
    charged = found(stripe.start(later))
    assert charged.evidence == ("settled" if kind == "card" else "processing")
    fake.control("clock", advance=10)
    assert found(stripe.look_up(replace(later, ref=charged.ref))).evidence == "settled"


def test_refunds_and_disputes_come_with_the_payment(fake: StandIn, stripe: Stripe) -> None:
    asked = charging(**saved(fake))
    ref = found(stripe.start(asked)).ref
    asked, refund = replace(asked, ref=ref), giving(asked, ref, 840)
    stripe.refund(refund)
    fake.control("disputes", charge=ref, amount=4000)
    [back], [contested] = (seen := found(stripe.look_up(asked))).refunds, seen.disputes
    assert (back.uid, back.evidence, back.cents) == (refund.uid, "settled", 840)
    assert (contested.state, contested.cents, contested.fee_cents) == ("open", 4000, 2000)
    fake.control(f"disputes/{contested.ref}/close", outcome="won")
    [decided] = found(stripe.look_up(asked)).disputes
    assert (decided.state, decided.ref, decided.fee_back_cents) == ("won", contested.ref, 0)


def test_a_refund_that_comes_back_is_heard_of_though_the_charge_says_nothing_of_it(
    fake: StandIn, stripe: Stripe
) -> None:
    asked = charging(**saved(fake))
    asked = replace(asked, ref=found(stripe.start(asked)).ref, refunded=True)
    refund = giving(asked, asked.ref, 4840)
    gone = found(stripe.refund(refund))
    fake.control(f"refunds/{gone.ref}/settle", outcome="fail")
    [back] = found(stripe.look_up(asked)).refunds
    assert (back.ref, back.uid, back.evidence) == (gone.ref, refund.uid, "failed")


def test_what_it_cost_is_waited_for(fake: StandIn, stripe: Stripe) -> None:
    fake.control("settings", balance_transaction_delay=5.0)
    asked = charging(**saved(fake))
    started = found(stripe.start(asked))
    fake.control("settings", balance_transaction_delay=0.0)
    assert started.evidence == "processing"
    fake.control("clock", advance=10)
    assert found(stripe.look_up(replace(asked, ref=started.ref))).fee_cents == 98


def test_money_of_another_is_passed_on_and_taken_back(fake: StandIn, stripe: Stripe) -> None:
    account = fake.control("accounts")["id"]
    asked = charging(**saved(fake))
    ref = found(stripe.start(asked)).ref or ""
    passing = Passing(asked.uid, asked.operator_uid, 4742, "EUR", ref, account)
    gone = found(stripe.transfer(passing))
    assert found(stripe.transfer(passing)).ref == gone.ref
    back = replace(passing, uid=new_id(), cents=2000, ref=gone.ref)
    assert found(stripe.reverse(back)).ref == found(stripe.reverse(back)).ref
    assert fake.see("books")["totals"][account]["eur"]["balance"] == 2742


def payer_with(token: str) -> dict[str, Any]:
    """What a payer fills in on the page."""
    if token != "pm_bancontact":
        return {"payment_method": token}
    return {"payment_method_data": {"type": "bancontact", "billing_details": {"name": "P", "email": "p@example.org"}}}


def saved(fake: StandIn, token: str = "pm_card_visa") -> dict[str, str]:
    return Counterpart("stand-in", Stripe(KEY), fake.url, KEY).card(token)


# --- notices


def signed(body: bytes, secret: str = SECRET, *, age: float = 0.0) -> str:
    at = int(time.time() - age)
    return f"t={at},v1={hmac.new(secret.encode(), b'%d.' % at + body, hashlib.sha256).hexdigest()}"


def a_notice(about: dict[str, Any]) -> bytes:
    return json.dumps({"id": "evt_1", "object": "event", "type": "charge.updated", "data": {"object": about}}).encode()


def test_a_notice_is_read_when_one_of_our_secrets_signed_it_a_moment_ago(stripe: Stripe) -> None:
    uid = new_id()
    about = {
        "id": "ch_1",
        "payment_intent": "pi_1",
        "metadata": {"payment": str(uid)},
        "client_secret": "pi_1_secret_2",
    }
    body = a_notice(about)
    for secret in (SECRET, "whsec_older"):
        notice = stripe.read(body, signed(body, secret))
        assert (notice.notice_id, notice.type, notice.names, notice.payment) == (
            "evt_1", "charge.updated", ("ch_1", "pi_1"), uid,
        )  # fmt: skip
        assert "secret" not in repr(notice)


@pytest.mark.parametrize(
    ("body", "signature"),
    [(a_notice({}), signed(a_notice({}), "whsec_other")), (a_notice({}), signed(a_notice({}), age=301)),
     (a_notice({}) + b" ", signed(a_notice({}))), (a_notice({}), ""), (a_notice({}), "t=x,v1=y"), (b"\xff", "t=1,v1=y"),
     (b"[]", signed(b"[]")), (b"{}", signed(b"{}"))],
    ids=["another secret", "old", "changed", "none", "nonsense", "no text", "a list", "empty"],
)  # fmt: skip
def test_anything_else_is_no_notice(stripe: Stripe, body: bytes, signature: str) -> None:
    with pytest.raises(BadSignature):
        stripe.read(body, signature)
