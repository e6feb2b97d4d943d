"""Everything around a payment: customers, saved methods, refunds, disputes, checkout, transfers, payouts, lists."""

from __future__ import annotations

import pytest
import stripe

from tests.fakes.clients import client_of, customer_with, pay
from tests.fakes.stripe import ControlFailed, Fake
from tests.fakes.stripe.books import Books, BooksBroken

BACK = "https://example.test/back"


def test_customers_are_created_changed_listed_and_deleted(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create({"email": "a@example.test", "metadata": {"member": "1"}})
    changed = client.v1.customers.update(made.id, {"name": "A", "metadata": {"member": "", "other": "2"}})
    assert (changed.name, changed.email, changed.metadata.to_dict()) == ("A", "a@example.test", {"other": "2"})
    assert [one.id for one in client.v1.customers.list({"email": "a@example.test"})] == [made.id]
    assert client.v1.customers.delete(made.id).deleted is True
    assert client.v1.customers.retrieve(made.id).deleted is True
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.customers.retrieve("cus_none")
    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")


def test_a_method_belongs_to_one_customer_and_once_detached_to_none(client: stripe.StripeClient) -> None:
    customer, method = customer_with(client)
    other, _ = customer_with(client)
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        client.v1.payment_methods.attach(method, {"customer": other})
    with pytest.raises(stripe.InvalidRequestError, match="belongs to another"):
        pay(client, payment_method=method, customer=other)
    assert [one.id for one in client.v1.customers.payment_methods.list(customer, {"type": "card"})] == [method]
    assert client.v1.payment_methods.detach(method).customer is None
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        client.v1.payment_methods.attach(method, {"customer": customer})
    assert client.v1.payment_methods.list({"customer": customer}).data == []
    with pytest.raises(stripe.CardError):
        customer_with(client, "pm_card_visa_chargeDeclined")


def test_a_debit_is_saved_with_a_mandate_and_charged_off_session_until_the_mandate_ends(
    client: stripe.StripeClient, fake: Fake
) -> None:
    customer = client.v1.customers.create().id
    asked = {
        "customer": customer,
        "confirm": True,
        "allowed_payment_method_types": ["sepa_debit"],
        "payment_method_data": {
            "type": "sepa_debit",
            "sepa_debit": {"iban": iban("AT", "0000000000003201")},
            "billing_details": {"name": "A", "email": "a@example.test"},
        },
    }
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.setup_intents.create(asked)
    assert refusal.value.param == "mandate_data"
    accepted = {"mandate_data": {"customer_acceptance": {"type": "offline"}}}
    setup = client.v1.setup_intents.create({**asked, **accepted, "expand": ["mandate", "payment_method"]})
    assert (setup.status, setup.usage, setup.mandate.status) == ("succeeded", "off_session", "active")
    assert (setup.payment_method.customer, setup.payment_method.sepa_debit.last4) == (customer, "3201")
    later = {"amount": 2000, "currency": "eur", "customer": customer, "payment_method": setup.payment_method.id}
    later |= {"confirm": True, "off_session": True}
    assert client.v1.payment_intents.create(later).status == "processing"
    fake.control("POST", f"mandates/{setup.mandate.id}/deactivate")
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.payment_intents.create(later)
    assert refusal.value.code == "payment_intent_mandate_invalid"


def iban(country: str, account: str) -> str:
    """An IBAN that belongs to nobody, with right check digits."""
    digits = "".join(str(int(letter, 36)) for letter in account + country + "00")
    return f"{country}{98 - int(digits) % 97:02d}{account}"


def test_a_card_that_was_set_up_with_its_payer_is_charged_without(client: stripe.StripeClient, fake: Fake) -> None:
    customer = client.v1.customers.create().id
    given = {"customer": customer, "payment_method": "pm_card_authenticationRequiredOnSetup", "confirm": True}
    setup = client.v1.setup_intents.create({**given, "return_url": BACK})
    assert (setup.status, setup.next_action.type) == ("requires_action", "redirect_to_url")
    fake.control("POST", f"setup_intents/{setup.id}/authenticate")
    setup = client.v1.setup_intents.retrieve(setup.id)
    assert setup.status == "succeeded"
    assert pay(client, customer=customer, payment_method=setup.payment_method, off_session=True).status == "succeeded"
    refused = client.v1.setup_intents.create({**given, "return_url": BACK})
    fake.control("POST", f"setup_intents/{refused.id}/authenticate", outcome="fail")
    assert client.v1.setup_intents.retrieve(refused.id).last_setup_error.code == "setup_intent_authentication_failure"
    assert client.v1.setup_intents.cancel(refused.id).status == "canceled"


def test_refunds_are_partial_and_never_above_what_is_left(client: stripe.StripeClient, fake: Fake) -> None:
    intent = pay(client, amount=5000)
    first = client.v1.refunds.create({"payment_intent": intent.id, "amount": 2000, "metadata": {"why": "x"}})
    assert (first.status, first.amount, first.charge) == ("succeeded", 2000, intent.latest_charge)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount") as refusal:
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 3001})
    assert (refusal.value.http_status, refusal.value.param) == (400, "amount")
    assert client.v1.refunds.create({"charge": intent.latest_charge}).amount == 3000
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert refusal.value.code == "charge_already_refunded"
    charge = client.v1.charges.retrieve(intent.latest_charge, {"expand": ["refunds"]})
    assert (charge.refunded, charge.amount_refunded, len(charge.refunds.data)) == (True, 5000, 2)
    (line,) = fake.control("GET", "books")["charges"]
    assert (line["charged"], line["refunded"], line["fee"]) == (5000, 5000, 100)


def test_a_pending_refund_arrives_or_comes_back(client: stripe.StripeClient, fake: Fake) -> None:
    intent = pay(client, "pm_card_pendingRefund")
    good = client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000})
    bad = client.v1.refunds.create({"payment_intent": intent.id, "amount": 500})
    assert (good.status, good.pending_reason) == ("pending", "processing")
    fake.control("POST", f"refunds/{bad.id}/settle", outcome="fail")
    fake.control("POST", "clock", advance=601)
    assert client.v1.refunds.retrieve(good.id).status == "succeeded"
    bad = client.v1.refunds.retrieve(bad.id, {"expand": ["failure_balance_transaction"]})
    assert (bad.status, bad.failure_balance_transaction.net) == ("failed", 500)
    assert client.v1.charges.retrieve(intent.latest_charge).amount_refunded == 1000
    late = client.v1.refunds.create({"payment_intent": pay(client, "pm_card_refundFail").id})
    assert late.status == "succeeded"
    fake.control("POST", "clock", advance=601)
    assert client.v1.refunds.retrieve(late.id).status == "failed"


def test_a_dispute_takes_the_money_and_a_fee_and_gives_back_the_money_alone(
    client: stripe.StripeClient, fake: Fake
) -> None:
    won, lost = pay(client), pay(client, "pm_card_createDispute")
    dispute = fake.control("POST", "disputes", charge=won.id, reason="duplicate")
    assert client.v1.charges.retrieve(won.latest_charge).disputed is True
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.refunds.create({"payment_intent": won.id})
    assert refusal.value.code == "charge_disputed"
    sent = client.v1.disputes.update(dispute["id"], {"evidence": {"uncategorized_text": "x"}})
    assert sent.status == "under_review"
    fake.control("POST", f"disputes/{dispute['id']}/close", outcome="won")
    (other,) = client.v1.disputes.list({"payment_intent": lost.id}).data
    assert client.v1.disputes.close(other.id).status == "lost"
    lines = {line["payment_intent"]: line for line in fake.control("GET", "books")["charges"]}
    assert (lines[won.id]["disputed"], lines[won.id]["dispute_fee"]) == (0, 2000)
    assert (lines[lost.id]["disputed"], lines[lost.id]["dispute_fee"]) == (5000, 2000)
    balance = client.v1.balance.retrieve()
    assert balance.available[0].amount == 5000 - 100 - 2000 - 100 - 2000


def test_only_what_is_left_of_a_charge_is_disputed_and_once(client: stripe.StripeClient, fake: Fake) -> None:
    intent = pay(client, amount=5000)
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 2000})
    with pytest.raises(ControlFailed):
        fake.control("POST", "disputes", charge=intent.id, amount=3001)
    assert fake.control("POST", "disputes", charge=intent.id)["amount"] == 3000
    with pytest.raises(ControlFailed):
        fake.control("POST", "disputes", charge=intent.id)


def test_a_method_that_nobody_keeps_is_good_for_one_payment(client: stripe.StripeClient) -> None:
    card = {"type": "card", "card": {"token": "tok_visa"}}
    method = client.v1.payment_methods.create(card).id
    pay(client, payment_method=method)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        pay(client, payment_method=method)


def test_a_debit_that_is_disputed_is_lost_at_once(client: stripe.StripeClient, fake: Fake) -> None:
    intent = pay(client, "pm_sepaDebit_disputed")
    fake.control("POST", "clock", advance=601)
    (dispute,) = client.v1.disputes.list({"payment_intent": intent.id}).data
    assert (dispute.status, dispute.balance_transactions[0]["fee"]) == ("lost", 750)


def test_checkout_takes_a_payment_or_saves_a_method_and_expires(client: stripe.StripeClient, fake: Fake) -> None:
    sessions = client.v1.checkout.sessions
    item = {"price_data": {"currency": "eur", "unit_amount": 1500, "product_data": {"name": "Day"}}, "quantity": 2}
    asked = {"mode": "payment", "success_url": BACK, "line_items": [item]}
    session = sessions.create({**asked, "payment_intent_data": {"metadata": {"charge": "9"}}, "metadata": {"m": "1"}})
    assert (session.amount_total, session.payment_status, session.payment_intent) == (3000, "unpaid", None)
    assert session.url.startswith("https://") and session.ui_mode == "hosted_page"
    complete = f"checkout/sessions/{session.id}/complete"
    with pytest.raises(ControlFailed, match="insufficient funds"):
        fake.control("POST", complete, payment_method="pm_card_visa_chargeDeclinedInsufficientFunds")
    assert sessions.retrieve(session.id).status == "open"
    fake.control("POST", complete, payment_method="pm_card_authenticationRequired")
    session = sessions.retrieve(session.id, {"expand": ["payment_intent", "line_items"]})
    assert (session.status, session.payment_status, session.url) == ("complete", "paid", None)
    assert session.payment_intent.metadata["charge"] == "9"
    saving = {"mode": "setup", "success_url": BACK, "customer": client.v1.customers.create().id}
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        sessions.create(saving)
    assert refusal.value.param == "currency"
    saved = sessions.create({**saving, "currency": "eur", "setup_intent_data": {"metadata": {"m": "2"}}})
    fake.control("POST", f"checkout/sessions/{saved.id}/complete", payment_method="pm_sepaDebit_success")
    assert client.v1.setup_intents.retrieve(saved.setup_intent).mandate.startswith("mandate_")
    over, late = sessions.create(asked), sessions.create(asked)
    assert sessions.expire(over.id).status == "expired"
    fake.control("POST", "clock", advance=86_401)
    assert sessions.retrieve(late.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError):
        sessions.expire(session.id)


def test_transfers_move_what_a_charge_took_to_a_connected_account_and_back(
    client: stripe.StripeClient, fake: Fake
) -> None:
    account = client.v1.accounts.create({"type": "express", "country": "BE"}).id
    charge = pay(client, amount=5000).latest_charge
    given = {"currency": "eur", "destination": account, "source_transaction": charge}
    transfer = client.v1.transfers.create({**given, "amount": 4000, "transfer_group": "g"})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.transfers.create({**given, "amount": 1001})
    assert refusal.value.param == "amount"
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.transfers.create({"amount": 9999, "currency": "eur", "destination": account})
    assert refusal.value.code == "balance_insufficient"
    client.v1.transfers.reversals.create(transfer.id, {"amount": 1500})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.transfers.reversals.create(transfer.id, {"amount": 2501})
    assert client.v1.transfers.retrieve(transfer.id).amount_reversed == 1500
    there = client.v1.balance.retrieve(options={"stripe_account": account})
    assert there.available[0].amount == 2500
    totals = fake.control("GET", "books")["totals"]
    assert totals["platform"]["eur"]["connected"] == 2500 and totals[account]["eur"]["balance"] == 2500
    (line,) = fake.control("GET", "books")["charges"]
    assert line["transferred"] == 2500


def test_a_debit_that_has_not_come_in_may_be_transferred(client: stripe.StripeClient, fake: Fake) -> None:
    charge = pay(client, "pm_sepaDebit_success", amount=5000).latest_charge
    given = {"currency": "eur", "destination": fake.control("POST", "accounts")["id"], "source_transaction": charge}
    client.v1.transfers.create({**given, "amount": 4000})
    fake.control("POST", "clock", advance=601)
    assert fake.control("GET", "books")["charges"][0]["transferred"] == 4000


def test_the_account_header_charges_in_the_connected_account(client: stripe.StripeClient, fake: Fake) -> None:
    account = fake.control("POST", "accounts", id="acct_member1")["id"]
    theirs = client_of(fake, stripe_account=account)
    intent = pay(theirs)
    assert client.v1.payment_intents.list().data == [] and theirs.v1.payment_intents.list().data[0].id == intent.id
    assert theirs.v1.events.list().data[0].account == account
    assert theirs.v1.accounts.retrieve_current().id == account
    with pytest.raises(stripe.PermissionError) as refusal:
        client_of(fake, stripe_account="acct_none").v1.customers.list()
    assert refusal.value.error.code == "account_invalid"


def test_payouts_are_listed_with_the_transactions_that_they_pay(client: stripe.StripeClient, fake: Fake) -> None:
    intent = pay(client, expand=["latest_charge"])
    payout = fake.control("POST", "payouts")
    assert [one.amount for one in client.v1.payouts.list()] == [4900]
    inside = client.v1.balance_transactions.list({"payout": payout["id"]})
    assert {entry.type for entry in inside} == {"charge", "payout"}
    assert client.v1.balance_transactions.list({"source": intent.latest_charge.id}).data[0].net == 4900
    assert client.v1.balance.retrieve().available[0].amount == 0
    assert fake.control("GET", "books")["totals"]["platform"]["eur"]["bank"] == 4900


def test_lists_are_newest_first_by_cursor_and_by_time(client: stripe.StripeClient, fake: Fake) -> None:
    made = []
    for _ in range(5):
        made.append(client.v1.customers.create().id)
        fake.control("POST", "clock", advance=10)
    first = client.v1.customers.list({"limit": 2})
    assert ([one.id for one in first], first.has_more) == (made[:2:-1], True)
    last = client.v1.customers.list({"limit": 4, "starting_after": made[3]})
    assert ([one.id for one in last], last.has_more) == (made[2::-1], False)
    assert [one.id for one in client.v1.customers.list({"ending_before": made[3]})] == [made[4]]
    assert len(list(client.v1.customers.list({"limit": 2}).auto_paging_iter())) == 5
    middle = client.v1.customers.retrieve(made[2]).created
    assert [one.id for one in client.v1.customers.list({"created": {"gt": middle}})] == made[:2:-1]
    assert [one.id for one in client.v1.customers.list({"created": middle})] == [made[2]]
    for wrong in ({"limit": 101}, {"starting_after": "cus_none"}, {"created": {"after": 1}}):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.customers.list(wrong)


def test_a_wrong_key_is_no_key(fake: Fake) -> None:
    with pytest.raises(stripe.AuthenticationError) as refusal:
        client_of(fake, key="sk_test_other").v1.customers.list()
    assert refusal.value.http_status == 401


def test_the_books_themselves_refuse_to_give_back_more_than_was_taken() -> None:
    books = Books()
    books.open_charge("ch_1", "platform", "eur")
    books.charged("ch_1", 0, 1000, 40)
    books.refunded("ch_1", "re_1", 0, 700)
    with pytest.raises(BooksBroken):
        books.refunded("ch_1", "re_2", 0, 301)
    with pytest.raises(BooksBroken):
        books.open_charge("ch_1", "platform", "eur")
    assert len(books.broken) == 2 and books.totals()["platform"]["eur"]["balance"] == 260


def test_the_check_sees_an_object_that_does_not_agree(client: stripe.StripeClient, fake: Fake) -> None:
    charge = fake.store.get("platform", "charge", pay(client).latest_charge)
    assert charge is not None
    charge["amount_refunded"] = 1
    assert fake.control("GET", "books")["differences"] == [f"{charge['id']} refunded: books 0, object 1"]
    charge["amount_refunded"] = 0
