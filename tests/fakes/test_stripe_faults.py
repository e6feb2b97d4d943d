"""Keys and faults: what is replayed, what is refused, and what remains when an answer is lost."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from tests.fakes.clients import KEY, client_of, pay, payment
from tests.fakes.stripe import ControlFailed, Fake
from tests.waiting import until

DAY = 24 * 60 * 60


def keyed(key: str) -> Any:
    """Options with an idempotency key."""
    return {"idempotency_key": key}


def test_the_same_key_and_parameters_replay_the_answer(client: stripe.StripeClient) -> None:
    first = client.v1.payment_intents.create(payment(), options=keyed("k"))
    again = client.v1.payment_intents.create(payment(), options=keyed("k"))
    assert first.id == again.id and "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Original-Request"] == first.last_response.headers["Request-Id"]
    assert again.last_response.headers["Request-Id"] != first.last_response.headers["Request-Id"]
    assert len(client.v1.payment_intents.list().data) == 1


def test_a_replay_shows_the_past_and_a_confirmation_is_replayed_too(client: stripe.StripeClient) -> None:
    intents = client.v1.payment_intents
    asked: Any = {"amount": 900, "currency": "eur", "payment_method": "pm_card_visa"}
    asked["allowed_payment_method_types"] = ["card"]
    intent = intents.create(asked, options=keyed("create"))
    first, again = (intents.confirm(intent.id, options=keyed("confirm")) for _ in range(2))
    assert (first.status, again.status, first.latest_charge) == ("succeeded", "succeeded", again.latest_charge)
    assert intents.create(asked, options=keyed("create")).status == "requires_confirmation"


def test_a_key_with_other_parameters_or_another_path_is_an_error(client: stripe.StripeClient) -> None:
    pay_with_key = client.v1.payment_intents.create
    pay_with_key(payment(), options=keyed("k"))
    for other in (
        lambda: pay_with_key(payment(amount=5001), options=keyed("k")),
        lambda: client.v1.customers.create(options=keyed("k")),
    ):
        with pytest.raises(stripe.IdempotencyError) as refusal:
            other()
        assert (refusal.value.http_status, refusal.value.error.type) == (400, "idempotency_error")


def test_errors_are_kept_once_the_work_began_and_not_before(client: stripe.StripeClient) -> None:
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            client.v1.payment_intents.create(payment("pm_card_visa_chargeDeclined"), options=keyed("declined"))
    assert declined.value.headers["Idempotent-Replayed"] == "true"
    assert len(client.v1.payment_intents.list().data) == 1
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create(payment(amount=1), options=keyed("mended"))
    client.v1.payment_intents.confirm(declined.value.error.payment_intent["id"], {"payment_method": "pm_card_visa"})
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.create(payment("pm_card_visa_chargeDeclined"), options=keyed("declined"))
    assert declined.value.error.payment_intent["status"] == "requires_payment_method", "the past is replayed"
    mended = client.v1.payment_intents.create(payment(), options=keyed("mended"))
    assert mended.status == "succeeded"


def test_an_error_that_is_replayed_shows_the_intent_as_it_was(client: stripe.StripeClient, fake: Fake) -> None:
    debit = client.v1.payment_intents.create(payment("pm_sepaDebit_success"))
    shown = []
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            client.v1.payment_intents.cancel(debit.id, options=keyed("cancel"))
        shown.append(refusal.value.error.payment_intent["status"])
        fake.control("POST", "clock", advance=601)
    assert shown == ["processing", "processing"]


def test_a_key_is_forgotten_after_a_day_and_is_per_account(client: stripe.StripeClient, fake: Fake) -> None:
    first = client.v1.customers.create(options=keyed("k"))
    account = fake.control("POST", "accounts")["id"]
    assert client_of(fake, stripe_account=account).v1.customers.create(options=keyed("k")).id != first.id
    fake.control("POST", "clock", advance=DAY - 1)
    assert client.v1.customers.create(options=keyed("k")).id == first.id
    fake.control("POST", "clock", advance=2)
    assert client.v1.customers.create(options=keyed("k")).id != first.id


def test_a_key_in_flight_is_a_conflict(client: stripe.StripeClient, fake: Fake) -> None:
    fake.control("POST", "faults", kind="slow", seconds=0.5, times=1)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(client.v1.payment_intents.create, payment(), keyed("k"))
        until(lambda: fake.keys.kept, within=5)
        with pytest.raises(stripe.APIError) as refusal:
            client.v1.payment_intents.create(payment(), options=keyed("k"))
        assert (refusal.value.http_status, refusal.value.error.code) == (409, "idempotency_key_in_use")
        assert client.v1.customers.create(), "others do not wait"
        done = slow.result(timeout=5)
    assert client.v1.payment_intents.create(payment(), options=keyed("k")).id == done.id


@pytest.mark.parametrize(
    "kind, charged, error, on_retry",
    [
        ("lost_before", 0, stripe.APIConnectionError, "succeeded"),
        ("lost_after", 1, stripe.APIConnectionError, "succeeded"),
        ("timeout_before", 0, stripe.APIConnectionError, "succeeded"),
        ("timeout_after", 1, stripe.APIConnectionError, "succeeded"),
        ("rate_limit", 0, stripe.RateLimitError, "succeeded"),
        ("unavailable", 0, stripe.APIError, "succeeded"),
        ("error_after_effect", 1, stripe.APIError, stripe.APIError),
        ("error_without_effect", 0, stripe.APIError, stripe.APIError),
        ("decline", 0, stripe.CardError, stripe.CardError),
    ],
)
def test_a_fault_happens_once_and_what_it_left_is_known(
    fake: Fake, client: stripe.StripeClient, kind: str, charged: int, error: type[Exception], on_retry: Any
) -> None:
    fake.control("POST", "faults", kind=kind, path="/v1/payment_intents", times=1, seconds=0.1)
    with pytest.raises(error):
        client.v1.payment_intents.create(payment(), options=keyed("k"))
    assert len(fake.control("GET", "books")["charges"]) == charged
    if on_retry == "succeeded":
        assert client.v1.payment_intents.create(payment(), options=keyed("k")).status == "succeeded"
        assert len(fake.control("GET", "books")["charges"]) == 1
    else:
        with pytest.raises(on_retry):
            client.v1.payment_intents.create(payment(), options=keyed("k"))
        assert len(fake.control("GET", "books")["charges"]) == charged
    (first, *_) = fake.control("GET", "requests")["requests"]
    assert (first["key"], first["fault"]) == ("k", kind)


def test_a_client_that_gives_up_first_sees_a_time_out(fake: Fake) -> None:
    fake.control("POST", "faults", kind="timeout_after", times=1, seconds=5)
    hasty = client_of(fake, http_client=stripe.RequestsClient(timeout=0.2))
    began = time.monotonic()
    with pytest.raises(stripe.APIConnectionError):
        hasty.v1.payment_intents.create(payment(), options=keyed("k"))
    assert time.monotonic() - began < 5, "it did not wait for the server"
    assert hasty.v1.payment_intents.create(payment(), options=keyed("k")).status == "succeeded"


def test_the_library_retries_by_itself_with_one_key(fake: Fake) -> None:
    fake.control("POST", "faults", kind="lost_after", times=1)
    assert pay(client_of(fake, retries=2)).last_response.headers["Idempotent-Replayed"] == "true"
    assert len(fake.control("GET", "books")["charges"]) == 1


def test_rules_that_are_none_are_refused(fake: Fake) -> None:
    for wrong in ({"kind": "nothing"}, {"kind": "slow", "colour": "red"}, {}):
        with pytest.raises(ControlFailed):
            fake.control("POST", "faults", **wrong)
    with pytest.raises(ControlFailed):
        fake.control("POST", "settings", colour="red")


def test_many_clients_and_a_fifth_of_the_answers_lost_charge_each_key_once(fake: Fake) -> None:
    """Eight clients try forty payments, each under one key from two clients at once, until there is an answer."""
    for kind, probability in (("lost_after", 0.2), ("lost_before", 0.1), ("rate_limit", 0.05), ("unavailable", 0.05)):
        fake.control("POST", "faults", kind=kind, method="POST", probability=probability)
    clients = [client_of(fake) for _ in range(8)]

    def tried(number: int) -> str:
        client, key = clients[number % 8], str(number // 2)
        for _ in range(60):
            try:
                asked = payment(amount=1000 + number // 2, metadata={"n": key})
                intent = client.v1.payment_intents.create(asked, options=keyed(key))
                client.v1.refunds.create({"payment_intent": intent.id, "amount": 100}, options=keyed(f"refund {key}"))
                return str(intent.id)
            except (stripe.APIConnectionError, stripe.APIError, stripe.RateLimitError):
                continue
        raise AssertionError("no answer at all")

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(tried, range(80)))
    books = fake.control("GET", "books")
    assert sorted(made[::2]) == sorted(made[1::2]) and len(set(made)) == 40
    assert sorted(line["charged"] for line in books["charges"]) == list(range(1000, 1040))
    assert {line["refunded"] for line in books["charges"]} == {100}
    assert sum(rule["applied"] for rule in fake.control("GET", "faults")["rules"]) > 10
    fake.control("DELETE", "faults")


def test_refunds_from_many_at_once_never_give_back_more_than_the_charge(
    fake: Fake, client: stripe.StripeClient
) -> None:
    intent = pay(client, amount=1000)

    def refund(number: int) -> int:
        try:
            return client_of(fake).v1.refunds.create({"payment_intent": intent.id, "amount": 300}).amount
        except stripe.InvalidRequestError:
            return 0

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(refund, range(6))) == 900
    (line,) = fake.control("GET", "books")["charges"]
    assert line["refunded"] == 900


def test_control_is_spoken_over_http_too(fake: Fake) -> None:
    connection = http.client.HTTPConnection(fake.url.removeprefix("http://"), timeout=5)
    for method, path, body, status in (
        ("GET", "/_control/health", None, 200),
        ("POST", "/_control/clock", {"advance": 60}, 200),
        ("POST", "/_control/clock", {"advance": -60}, 400),
        ("POST", "/_control/nothing", {}, 404),
        ("GET", "/v1/nothing", None, 404),
    ):
        headers = {"Authorization": f"Bearer {KEY}"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        json.loads(answer.read())
        assert answer.status == status, path
    connection.close()


def test_the_same_seed_gives_the_same_faults() -> None:
    from tests.fakes.stripe.faults import script

    def picked(seed: int) -> list[bool]:
        made = script(seed)
        made.add(kind="lost_after", probability=0.2)
        return [made.pick(method="POST", path="/v1/refunds") is not None for _ in range(1000)]

    assert picked(1) == picked(1) != picked(2) and 150 < sum(picked(1)) < 250
