"""Payments: the stand-in does what the provider's documentation says, seen through the real library."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.fakes.clients import client_of, customer_with, pay, payment
from tests.fakes.stripe import Fake, fees

OLDER = "2025-03-31.basil"


def test_a_card_payment_has_a_charge_with_fee_and_net(client: stripe.StripeClient, fake: Fake) -> None:
    intent = pay(client, metadata={"charge": "7"}, expand=["latest_charge.balance_transaction"])
    assert (intent.status, intent.amount_received) == ("succeeded", 5000)
    entry = intent.latest_charge.balance_transaction
    assert (entry.amount, entry.fee, entry.net, entry.source) == (5000, 100, 4900, intent.latest_charge.id)
    (line,) = fake.control("GET", "books")["charges"]
    assert (line["payment_intent"], line["metadata"], line["charged"]) == (intent.id, {"charge": "7"}, 5000)
    assert intent.last_response.headers["Request-Id"].startswith("req_")
    assert intent.client_secret.startswith(intent.id + "_secret_")


def test_fees_are_rounded_half_up() -> None:
    assert [fees.for_charge(amount, "card") for amount in (100, 33, 34, 10_000)] == [27, 25, 26, 175]


def test_an_intent_is_created_changed_confirmed_and_then_neither_confirmed_nor_cancelled(
    client: stripe.StripeClient,
) -> None:
    intents = client.v1.payment_intents
    intent = intents.create({"amount": 1000, "currency": "EUR", "automatic_payment_methods": {"enabled": True}})
    assert (intent.status, intent.currency) == ("requires_payment_method", "eur")
    assert intent.payment_method_types == ["card", "bancontact", "sepa_debit"]
    intents.update(intent.id, {"amount": 1200, "metadata": {"a": "1", "b": "2"}})
    changed = intents.update(intent.id, {"metadata": {"b": ""}, "payment_method": "pm_card_visa"})
    assert (changed.amount, changed.metadata.to_dict(), changed.status) == (1200, {"a": "1"}, "requires_confirmation")
    done = intents.confirm(intent.id, {"return_url": "https://example.test/back"})
    assert done.status == "succeeded"
    for again in (intents.confirm, intents.cancel):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            again(intent.id)
        assert (refusal.value.http_status, refusal.value.code) == (400, "payment_intent_unexpected_state")
        assert refusal.value.error.payment_intent["id"] == intent.id


def test_an_intent_is_cancelled_with_a_reason(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 1000, "currency": "eur"})
    gone = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (gone.status, gone.cancellation_reason) == ("canceled", "abandoned")


@pytest.mark.parametrize(
    "given, code, param",
    [
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": "ten"}, "parameter_invalid_integer", "amount"),
        ({"amount": None}, "parameter_missing", "amount"),
        ({"currency": "xxx"}, None, "currency"),
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"customer": "cus_none"}, "resource_missing", "customer"),
        ({"payment_method": "pm_none"}, "resource_missing", "payment_method"),
        ({"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported", "payment_method_types"),
        ({"metadata": {"k" * 41: "v"}}, None, "metadata[" + "k" * 41 + "]"),
        ({"expand": ["nothing"]}, None, "expand"),
        ({"off_session": True, "payment_method": "pm_bancontact"}, "payment_intent_incompatible_payment_method", None),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "-",
)
def test_wrong_parameters_are_named(
    client: stripe.StripeClient, given: dict[str, Any], code: str | None, param: str | None
) -> None:
    asked = {name: value for name, value in {**payment(), **given}.items() if value is not None}
    if "payment_method_types" in given:
        del asked["allowed_payment_method_types"]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.payment_intents.create(asked)
    assert (refusal.value.http_status, refusal.value.code) == (400, code)
    assert param is None or refusal.value.param == param
    assert client.v1.payment_intents.list().data == []


def test_older_versions_still_take_payment_method_types(fake: Fake) -> None:
    older = client_of(fake, stripe_version=OLDER)
    asked = {name: value for name, value in payment().items() if name != "allowed_payment_method_types"}
    intent = older.v1.payment_intents.create({**asked, "payment_method_types": ["card"]})
    assert intent.status == "succeeded" and intent.last_response.headers["Stripe-Version"] == OLDER
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        older.v1.payment_intents.create(payment())
    assert refusal.value.code == "parameter_unknown"
    with pytest.raises(stripe.InvalidRequestError):
        client_of(fake, stripe_version="yesterday").v1.customers.list()


@pytest.mark.parametrize(
    "token, code, decline",
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
    ],
)
def test_a_declined_card_answers_402_with_all_that_happened(
    client: stripe.StripeClient, token: str, code: str, decline: str
) -> None:
    with pytest.raises(stripe.CardError) as refusal:
        pay(client, token)
    error = refusal.value.error
    assert (refusal.value.http_status, error.type, error.code, error.decline_code) == (402, "card_error", code, decline)
    intent = client.v1.payment_intents.retrieve(error.payment_intent["id"])
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error.payment_method["id"] == error.payment_method["id"]
    charge = client.v1.charges.retrieve(error.charge)
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, code)
    assert client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"}).status == "succeeded"
    assert [one.status for one in client.v1.charges.list({"payment_intent": intent.id})] == ["succeeded", "failed"]


def test_off_session_a_card_that_wants_its_payer_is_declined_until_the_payer_comes(
    client: stripe.StripeClient, fake: Fake
) -> None:
    customer, method = customer_with(client, "pm_card_authenticationRequired")
    with pytest.raises(stripe.CardError) as refusal:
        pay(client, customer=customer, payment_method=method, off_session=True)
    assert (refusal.value.code, refusal.value.error.decline_code) == ("authentication_required",) * 2
    intent = refusal.value.error.payment_intent
    assert intent["status"] == "requires_payment_method"
    back = {"payment_method": method, "return_url": "https://example.test/back"}
    asked = client.v1.payment_intents.confirm(intent["id"], back)
    assert (asked.status, asked.next_action.type) == ("requires_action", "redirect_to_url")
    assert asked.next_action.redirect_to_url.return_url == "https://example.test/back"
    assert fake.control("POST", f"payment_intents/{asked.id}/authenticate")["status"] == "succeeded"


@pytest.mark.parametrize(
    "token, outcome, code",
    [
        ("pm_card_authenticationRequired", "fail", "payment_intent_authentication_failure"),
        ("pm_card_authenticationRequired", "insufficient_funds", "card_declined"),
        ("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", "succeed", "card_declined"),
        ("pm_bancontact", "fail", "payment_intent_authentication_failure"),
    ],
)
def test_a_payer_who_fails_leaves_an_intent_that_wants_another_method(
    client: stripe.StripeClient, fake: Fake, token: str, outcome: str, code: str
) -> None:
    intent = pay(client, token, return_url="https://example.test/back")
    fake.control("POST", f"payment_intents/{intent.id}/authenticate", outcome=outcome)
    after = client.v1.payment_intents.retrieve(intent.id)
    assert (after.status, after.last_payment_error.code) == ("requires_payment_method", code)
    assert fake.control("GET", "books")["charges"] == []


def test_without_a_return_url_the_payer_is_asked_by_the_library_and_may_be_refused_at_once(
    client: stripe.StripeClient,
) -> None:
    assert pay(client, "pm_card_authenticationRequired").next_action.type == "use_stripe_sdk"
    with pytest.raises(stripe.CardError):
        pay(client, "pm_card_authenticationRequired", error_on_requires_action=True)


def test_a_debit_is_processing_until_it_comes_in_or_comes_back(client: stripe.StripeClient, fake: Fake) -> None:
    good, bad = pay(client, "pm_sepaDebit_success"), pay(client, "pm_sepaDebit_failed")
    assert (good.status, bad.status) == ("processing", "processing")
    assert client.v1.charges.retrieve(good.latest_charge).status == "pending"
    fake.control("POST", "clock", advance=601)
    good = client.v1.payment_intents.retrieve(good.id, {"expand": ["latest_charge.balance_transaction"]})
    assert (good.status, good.latest_charge.balance_transaction.fee) == ("succeeded", 35)
    assert good.latest_charge.payment_method_details.sepa_debit.mandate.startswith("mandate_")
    bad = client.v1.payment_intents.retrieve(bad.id)
    assert (bad.status, bad.last_payment_error.code) == ("requires_payment_method", "debit_not_authorized")
    soon = pay(client, "pm_sepaDebit_success")
    assert fake.control("POST", f"payment_intents/{soon.id}/settle", outcome="account_closed")["status"] != "succeeded"


def test_a_debit_needs_a_mandate(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.payment_intents.create(
            {name: value for name, value in payment("pm_sepaDebit_success").items() if name != "mandate_data"}
        )
    assert refusal.value.param == "mandate_data"


def test_bancontact_redirects_and_leaves_a_debit_when_it_is_saved(client: stripe.StripeClient, fake: Fake) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        pay(client, "pm_bancontact")
    assert refusal.value.param == "return_url"
    customer = client.v1.customers.create().id
    asked = pay(
        client, "pm_bancontact", customer=customer, setup_future_usage="off_session", return_url="https://example.test/"
    )
    assert asked.next_action.redirect_to_url.url.startswith("https://")
    fake.control("POST", f"payment_intents/{asked.id}/authenticate")
    charge = client.v1.charges.list({"payment_intent": asked.id}).data[0]
    saved = charge.payment_method_details.bancontact.generated_sepa_debit
    later = client.v1.payment_intents.create(
        {"amount": 900, "currency": "eur", "customer": customer, "payment_method": saved, "confirm": True}
        | {"off_session": True}
    )
    assert later.status == "processing"


def test_search_finds_by_metadata_after_its_delay_where_lists_find_at_once(
    client: stripe.StripeClient, fake: Fake
) -> None:
    mine, other = pay(client, metadata={"charge": "a'7"}), pay(client, metadata={"charge": "8"})
    query = {"query": "metadata['charge']:'a\\'7' AND status:'succeeded'"}
    assert client.v1.payment_intents.search(query).data == []
    assert {intent.id for intent in client.v1.payment_intents.list()} == {mine.id, other.id}
    fake.control("POST", "clock", advance=61)
    assert [intent.id for intent in client.v1.payment_intents.search(query)] == [mine.id]
    either = {"query": "metadata['charge']:'8' OR amount>4000", "limit": 1}
    first = client.v1.payment_intents.search(either)
    assert first.has_more and len(list(first.auto_paging_iter())) == 2
    assert len(client.v1.payment_intents.search({"query": "-metadata['charge']:null"}).data) == 2
    for wrong in ("colour:'red'", "status:", "amount>1 AND amount<9 OR amount:3"):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.payment_intents.search({"query": wrong})


def test_a_balance_transaction_may_come_later_than_its_charge(client: stripe.StripeClient, fake: Fake) -> None:
    fake.control("POST", "settings", balance_transaction_delay=30)
    charge = pay(client, expand=["latest_charge"]).latest_charge
    assert charge.paid and charge.balance_transaction is None
    fake.control("POST", "clock", advance=31)
    assert client.v1.charges.retrieve(charge.id).balance_transaction.startswith("txn_")
