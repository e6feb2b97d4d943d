"""Messages on their way out, to real servers on the loopback: what arrives, what is written down, and what follows."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from standardwebhooks import Webhook as Verifier

from app.events.models import OutboxRow
from app.timekeeper import utc_now
from app.webhooks.models import WebhookSecret
from app.webhooks.room import EACH, Kind
from app.webhooks.schedule import PAUSES
from tests.outside.receivers import HOST, NAME, Exchange, resolves
from tests.waiting import until
from tests.webhooks.builders import a_secret
from tests.webhooks.post import DEADLINE_S, Post, fine, ids_heard

pytestmark = pytest.mark.usefixtures("which_server")


@pytest.fixture
def post(make_session, clock, tmp_path) -> Iterator[Post]:
    with ExitStack() as stack:
        yield Post(make_session, clock, tmp_path, stack)


@pytest.fixture
def post_now(make_session, tmp_path) -> Iterator[Post]:
    """A post office that goes by the real hour."""
    with ExitStack() as stack:
        yield Post(make_session, utc_now, tmp_path, stack)


# --- what arrives


def test_a_message_arrives_signed_and_is_written_down(post_now: Post) -> None:
    post = post_now
    receiver = post.receiver()
    old, new = a_secret(), a_secret()
    webhook = post.webhook(receiver, "/hook?a=b", secret=old)
    with post.seeing() as session:
        session.add(WebhookSecret(webhook_id=webhook.id, secret=new))
        session.add(WebhookSecret(webhook_id=webhook.id, secret=a_secret(), expires_at=utc_now() - timedelta(hours=1)))
    delivery = post.delivery(webhook, body='{"type":"booking.made","note":"à 9 h"}')
    post.sends()

    [heard] = receiver.heard
    assert (heard.method, heard.path, heard.headers["content-type"]) == ("POST", "/hook?a=b", "application/json")
    assert heard.headers["webhook-id"] == delivery.message_id
    for secret in (old, new):
        assert Verifier(secret).verify(heard.body, heard.headers)["note"] == "à 9 h"
    assert len(heard.headers["webhook-signature"].split()) == 2

    now = post.now_is(delivery)
    assert (now.state, now.attempts, now.claimed_until) == ("delivered", 1, None)
    [attempt] = post.attempts(delivery)
    assert (attempt.attempt, attempt.status, attempt.error) == (1, 200, None)
    assert (attempt.response_body, attempt.response_headers["x-seen"]) == ("thanks", "yes")
    assert attempt.url == webhook.url and attempt.duration_ms > 0 and attempt.at <= now.delivered_at
    assert set(attempt.request_headers) == {"Content-Type", "User-Agent", "webhook-id", "webhook-timestamp"}


def test_no_secret_and_no_signature_is_kept_in_the_log(post: Post) -> None:
    secret = a_secret()
    delivery = post.delivery(post.webhook(post.receiver(), secret=secret))
    post.sends()
    [attempt] = post.attempts(delivery)
    kept = repr((attempt.request_headers, attempt.response_headers, attempt.response_body, attempt.error))
    assert secret not in kept and "v1," not in kept


def test_any_answer_can_be_kept(post: Post) -> None:
    receiver = post.receiver(
        lambda exchange: exchange.reply(200, b"\x00\xff\xfe{" * 5000, X_Odd="caf\u00e9 \x00 \x01", X_Long="x" * 60_000)
    )
    delivery = post.delivery(post.webhook(receiver))
    post.sends()
    [attempt] = post.attempts(delivery)
    assert post.now_is(delivery).state == "delivered"
    assert attempt.response_body.startswith("\ufffd\ufffd\ufffd{") and len(attempt.response_body) == 2048
    assert "\ufffd" in attempt.response_headers["x-odd"] and len(attempt.response_headers["x-long"]) == 500


def test_messages_that_are_not_due_or_whose_receiver_is_not_active_are_not_sent(post: Post) -> None:
    receiver = post.receiver()
    later = post.delivery(post.webhook(receiver), at=post.clock() + timedelta(seconds=1))
    off = post.delivery(post.webhook(receiver, state="disabled", disabled_reason="by_hand"))
    archived = post.delivery(post.webhook(receiver, archived_at=post.clock()))
    ended = post.delivery(post.webhook(receiver), state="given_up")
    post.sends()
    assert receiver.heard == []
    assert [post.now_is(each).state for each in (later, off, archived, ended)] == ["pending"] * 3 + ["given_up"]


# --- what is no success


def closes(_exchange: Exchange) -> None:
    """Not a word."""


FAILURES = {
    "500": (lambda exchange: exchange.reply(500, b"oops"), 500, "status"),
    "404": (lambda exchange: exchange.reply(404), 404, "status"),
    "a redirect": (lambda exchange: exchange.reply(302, Location="https://elsewhere.example/"), 302, "redirect"),
    "closing early": (closes, None, "closed"),
    "another protocol": (lambda exchange: exchange.send(b"220 mail ready\r\n"), None, "not_http"),
    "silence": (lambda exchange: exchange.hang(), None, "timeout"),
    "a drip": (lambda exchange: exchange.drip(b"HTTP/1.1 200 OK\r\n" * 9, every=0.05), None, "timeout"),
}


@pytest.mark.parametrize("vice", FAILURES)
def test_a_failure_is_named_and_tried_again_five_seconds_later(post: Post, vice: str) -> None:
    answer, status, error = FAILURES[vice]
    webhook = post.webhook(post.receiver(answer))
    delivery = post.delivery(webhook)
    post.sends()
    [attempt] = post.attempts(delivery)
    assert (attempt.status, (attempt.error or "").partition(":")[0]) == (status, error)
    now = post.now_is(delivery)
    assert (now.state, now.next_attempt_at) == ("failed", post.clock() + timedelta(seconds=5))
    assert post.now_is(webhook).failing_since == post.clock()


def test_a_certificate_of_another_is_a_failure_before_anything_is_said(post: Post) -> None:
    receiver = post.receiver(fine, "another.example")
    delivery = post.delivery(post.webhook(receiver))
    post.sends()
    assert post.attempts(delivery)[0].error.startswith("tls: ") and receiver.heard == []


def test_a_redirect_to_a_forbidden_address_leads_nowhere(post: Post) -> None:
    forbidden = post.receiver(allowed=False)
    receiver = post.receiver(lambda exchange: exchange.reply(307, Location=forbidden.url(name=HOST)))
    delivery = post.delivery(post.webhook(receiver))
    post.sends()
    assert (post.now_is(delivery).state, len(receiver.heard), forbidden.connections) == ("failed", 1, 0)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "64:ff9b::7f00:1"])
def test_a_name_that_now_leads_inside_is_not_called(post: Post, address: str) -> None:
    forbidden = post.receiver(allowed=False)
    delivery = post.delivery(post.webhook(f"https://{NAME}:8443/"))
    post.sends(post.sender(resolver=resolves(receiver__example=[address])))
    [attempt] = post.attempts(delivery)
    assert (attempt.status, attempt.error) == (
        None,
        "address_not_permitted: That address is not on the public internet.",
    )
    assert forbidden.connections == 0


def test_an_address_that_was_entered_under_other_rules_is_not_called(post: Post) -> None:
    forbidden = post.receiver(allowed=False)
    delivery = post.delivery(post.webhook(forbidden))
    post.sends()
    assert post.attempts(delivery)[0].error == "address_not_permitted: Use one of the ports 443, 8443."
    assert forbidden.connections == 0


def test_a_name_nobody_knows_is_a_failure(post: Post) -> None:
    delivery = post.delivery(post.webhook("https://unknown.example/"))
    post.sends(post.sender(resolver=resolves()))
    assert post.attempts(delivery)[0].error == "name_not_found: unknown"


def test_without_a_secret_nothing_leaves(post: Post) -> None:
    receiver = post.receiver()
    delivery = post.delivery(post.webhook(receiver, secret="whsec_not base64"))
    post.sends()
    assert (post.attempts(delivery)[0].error, receiver.heard) == ("internal: Error", [])


def test_one_who_is_busy_may_ask_for_a_longer_pause(post: Post) -> None:
    delivery = post.delivery(post.webhook(post.receiver(lambda exchange: exchange.reply(429, Retry_After="90"))))
    post.sends()
    assert post.now_is(delivery).next_attempt_at == post.clock() + timedelta(seconds=90)


# --- the schedule


def test_ten_attempts_come_at_their_instants_and_then_it_is_given_up(post: Post) -> None:
    receiver = post.receiver(lambda exchange: exchange.reply(503))
    delivery = post.delivery(post.webhook(receiver))
    sender = post.sender()
    for number, pause in enumerate(PAUSES, 1):
        if pause:
            post.clock.now += pause - timedelta(seconds=1)
            post.sends(sender)
            assert len(receiver.heard) == number - 1, "not a second too early"
            post.clock.now += timedelta(seconds=1)
        post.sends(sender)
        assert len(receiver.heard) == number
    assert post.now_is(delivery).state == "given_up"
    assert [attempt.attempt for attempt in post.attempts(delivery)] == list(range(1, 11))
    assert set(ids_heard(receiver)) == {delivery.message_id}, "the same message every time"
    post.clock.pass_by(days=30)
    post.sends(sender)
    assert len(receiver.heard) == 10


def test_every_attempt_is_signed_for_its_own_instant(post: Post) -> None:
    receiver = post.receiver(lambda exchange: exchange.reply(500))
    post.delivery(post.webhook(receiver))
    post.sends()
    post.clock.pass_by(seconds=5)
    post.sends()
    first, second = (int(exchange.headers["webhook-timestamp"]) for exchange in receiver.heard)
    assert second - first == 5


def test_a_message_sent_again_by_hand_begins_the_schedule_anew(post: Post) -> None:
    delivery = post.delivery(post.webhook(post.receiver(lambda exchange: exchange.reply(500))), attempts=10, spent=10)
    post.sends()
    now = post.now_is(delivery)
    assert (now.state, now.attempts, now.next_attempt_at) == ("failed", 11, post.clock() + PAUSES[1])


# --- how a receiver does


def test_failing_since_is_the_first_failure_and_a_success_ends_it(post: Post) -> None:
    well = threading.Event()
    webhook = post.webhook(post.receiver(lambda exchange: exchange.reply(200 if well.is_set() else 500)))
    post.delivery(webhook)
    began = post.clock()
    post.sends()
    post.clock.pass_by(seconds=5)
    post.sends()
    assert post.now_is(webhook).failing_since == began
    well.set()
    post.clock.pass_by(minutes=5)
    post.sends()
    assert post.now_is(webhook).failing_since is None
    assert post.states(webhook) == ["delivered"]


def test_one_that_is_gone_is_disabled_and_somebody_is_told(post: Post) -> None:
    receiver = post.receiver(lambda exchange: exchange.reply(410))
    webhook = post.webhook(receiver)
    delivery, waiting = post.delivery(webhook), post.delivery(webhook, at=post.clock() + timedelta(hours=1))
    post.sends()
    now = post.now_is(webhook)
    assert (now.state, now.disabled_reason) == ("disabled", "gone")
    assert [post.now_is(each).state for each in (delivery, waiting)] == ["given_up", "cancelled"]
    with post.seeing() as session:
        assert list(session.scalars(select(OutboxRow.type))) == ["webhook.disabled"]


def test_but_not_when_it_has_another_address_by_now(post: Post) -> None:
    entered, answered = threading.Event(), threading.Event()

    def gone(exchange: Exchange) -> None:
        entered.set()
        answered.wait(10)
        exchange.reply(410)

    webhook = post.webhook(post.receiver(gone))
    post.delivery(webhook)
    sender = post.sender(deadline_s=10)
    sender.round()
    until(entered.is_set)
    with post.seeing() as session:
        session.get(type(webhook), webhook.id).url = post.receiver().url()
    answered.set()
    post.sends(sender)
    assert post.now_is(webhook).state == "active"


def test_five_days_without_success_disable_it(post: Post) -> None:
    webhook = post.webhook(post.receiver(lambda exchange: exchange.reply(500)))
    post.delivery(webhook)
    post.sends()
    since = post.clock()
    post.clock.pass_by(days=4, hours=23)
    post.sends()
    assert post.now_is(webhook).state == "active"
    post.clock.pass_by(hours=2)
    post.sends()
    now = post.now_is(webhook)
    assert (now.state, now.disabled_reason, now.failing_since) == ("disabled", "failing", since)
    assert post.states(webhook) == ["cancelled"]


def test_what_fails_after_its_receiver_was_disabled_is_not_tried_again(post: Post) -> None:
    entered, answered = threading.Event(), threading.Event()

    def slow_failure(exchange: Exchange) -> None:
        entered.set()
        answered.wait(10)
        exchange.reply(500)

    webhook = post.webhook(post.receiver(slow_failure))
    delivery = post.delivery(webhook)
    sender = post.sender(deadline_s=10)
    sender.round()
    until(entered.is_set)
    with post.seeing() as session:
        row = session.get(type(webhook), webhook.id)
        row.state, row.disabled_reason = "disabled", "by_hand"
    answered.set()
    post.sends(sender)
    assert post.now_is(delivery).state == "cancelled"


# --- crashes


def test_a_message_whose_sender_died_after_the_call_comes_again_under_the_same_id(post: Post) -> None:
    receiver = post.receiver()
    delivery = post.delivery(post.webhook(receiver))
    dead = post.sender()
    dead.round()
    until(lambda: receiver.heard)  # and it never writes down what was answered
    post.clock.pass_by(seconds=19)
    post.sends()
    assert len(receiver.heard) == 1, "the claim still holds"
    post.clock.pass_by(seconds=2)
    post.sends()
    assert ids_heard(receiver) == [delivery.message_id] * 2
    assert post.now_is(delivery).state == "delivered"


def test_a_result_that_comes_too_late_changes_nothing_but_a_success_is_one(post: Post) -> None:
    status = iter([500, 200, 200])
    receiver = post.receiver(lambda exchange: exchange.reply(next(status)))
    delivery = post.delivery(post.webhook(receiver))
    first, second = post.sender(), post.sender()
    first.round()
    until(lambda: receiver.heard)
    post.clock.pass_by(seconds=21)
    second.round()  # takes it over
    until(lambda: len(receiver.heard) == 2)
    post.sends(first)
    assert post.now_is(delivery).state == "sending", "the failure of the one that lost its claim says nothing"
    post.sends(second)
    assert post.now_is(delivery).state == "delivered"
    assert [attempt.status for attempt in post.attempts(delivery)] == [500, 200]


def test_a_result_whose_commit_was_not_heard_is_written_down_once(post: Post) -> None:
    delivery = post.delivery(post.webhook(post.receiver()))
    sender = post.sender()
    sender.round()
    until(lambda: not sender._ended.empty())
    sender._gather()
    [result] = sender._results
    sender._write([result])
    sender._record()
    assert len(post.attempts(delivery)) == 1 and post.now_is(delivery).attempts == 1


def test_a_database_that_goes_away_for_a_moment_loses_nothing(post_now: Post, engine) -> None:
    post = post_now
    receiver = post.receiver()
    webhook = post.webhook(receiver)
    with post.running(post.sender(deadline_s=5)):
        for _ in range(5):
            sent = {each.message_id for each in post.deliveries(webhook, 10)}
            with engine.connect() as connection:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )
            until(lambda sent=sent: sent <= set(ids_heard(receiver)), within=30)
        until(lambda: set(post.states(webhook)) == {"delivered"}, within=30)


# --- many receivers


def test_two_senders_share_the_work_and_nothing_is_sent_twice(post_now: Post) -> None:
    post = post_now
    lock, now, most = threading.Lock(), Counter(), Counter()

    def counting(exchange: Exchange) -> None:
        with lock:
            now[exchange.path] += 1
            most[exchange.path] = max(most[exchange.path], now[exchange.path])
        exchange.ended.wait(0.02)
        with lock:
            now[exchange.path] -= 1
        exchange.reply(200)

    receiver = post.receiver(counting)
    sent = [
        delivery.message_id
        for number in range(6)
        for delivery in post.deliveries(post.webhook(receiver, f"/{number}"), 25)
    ]
    with post.running(post.sender(deadline_s=10), post.sender(deadline_s=10)):
        until(lambda: len(receiver.heard) >= len(sent), within=30)
    assert Counter(ids_heard(receiver)) == Counter(sent)
    assert max(most.values()) <= EACH[Kind.QUICK], "the installation as a whole keeps to the limit"


def test_receivers_that_hang_do_not_delay_the_others(post_now: Post) -> None:
    """Forty that never answer, more than there are places among the quick, with a backlog each."""
    post = post_now
    hanging, healthy = post.receiver(lambda exchange: exchange.hang()), post.receiver()
    for number in range(40):
        post.deliveries(post.webhook(hanging, f"/{number}"), 5)
    webhooks = [post.webhook(healthy, f"/{number}") for number in range(5)]
    with post.running(post.sender(deadline_s=8)):
        until(lambda: len(hanging.heard) >= 30, within=10)
        time.sleep(1.5)  # the storm is at its height: those under way are known to be slow by now
        begun = {}
        for _ in range(4):
            for webhook in webhooks:
                for delivery in post.deliveries(webhook, 2):
                    begun[delivery.message_id] = time.time()
            until(lambda: len(healthy.heard) == len(begun), within=10)
    waits = sorted(exchange.at - begun[exchange.headers["webhook-id"]] for exchange in healthy.heard)
    assert waits[int(len(waits) * 0.95)] < 2.0, waits


def test_a_steady_stream_to_good_and_bad_receivers_reaches_the_good_ones_in_time(post_now: Post) -> None:
    """What bench/webhooks.py measures with 10,000 deliveries and real workers, small: two senders, twenty receivers."""
    post = post_now
    forbidden = post.receiver(allowed=False)
    vices = {
        "hang": lambda exchange: exchange.hang(),
        "fail": lambda exchange: exchange.reply(500),
        "redirect": lambda exchange: exchange.reply(302, Location=forbidden.url(name=HOST)),
    }
    bad = {name: post.receiver(vice) for name, vice in vices.items()}
    good = post.receiver()
    webhooks = [post.webhook(bad[name], f"/{number}") for name in ("hang", "fail") for number in range(2)]
    webhooks += [post.webhook(bad["redirect"]), *(post.webhook(good, f"/{number}") for number in range(15))]
    begun = {}
    with post.running(post.sender(deadline_s=8), post.sender(deadline_s=8)):
        for _ in range(15):
            for webhook in webhooks:
                begun[post.delivery(webhook).message_id] = (webhook, time.time())
            time.sleep(0.2)
        ours = {message_id: at for message_id, (webhook, at) in begun.items() if str(good.port) in webhook.url}
        until(lambda: len(good.heard) >= len(ours), within=20)
    assert Counter(ids_heard(good)) == dict.fromkeys(ours, 1), "each once"
    waits = sorted(exchange.at - ours[exchange.headers["webhook-id"]] for exchange in good.heard)
    assert waits[int(len(waits) * 0.95)] < 2.0, waits
    assert forbidden.connections == 0
    assert {state for webhook in webhooks for state in post.states(webhook)} <= {
        "pending", "failed", "sending", "delivered",
    }, "none is lost"  # fmt: skip
    assert {state for webhook in webhooks[5:] for state in post.states(webhook)} == {"delivered"}


def test_no_transaction_is_open_while_somebody_takes_their_time(post: Post, engine) -> None:
    receiver = post.receiver(lambda exchange: exchange.hang())
    post.deliveries(post.webhook(receiver), 3)
    sender = post.sender(deadline_s=2)
    sender.round()
    until(lambda: receiver.heard)
    with engine.connect() as connection:
        states = connection.execute(
            text("SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        ).scalars()
        assert set(states) <= {"idle"}
    assert sender.under_way > 0
    post.sends(sender)


def test_one_that_fails_gets_one_message_at_a_time_until_it_is_well(post: Post) -> None:
    well = threading.Event()
    well.set()
    receiver = post.receiver(lambda exchange: exchange.reply(200) if well.is_set() else exchange.hang())
    webhook = post.webhook(receiver)
    post.delivery(webhook)
    sender = post.sends()
    well.clear()
    post.deliveries(webhook, 11)
    assert sender.round() == EACH[Kind.QUICK]
    until(lambda: sender.round() or not sender.under_way, within=5)
    assert post.now_is(webhook).failing_since is not None
    assert post.states(webhook).count("sending") == 1
    well.set()
    post.sends(sender)
    post.clock.pass_by(seconds=6)
    post.sends(sender)
    assert post.states(webhook) == ["delivered"] * 12


def test_a_receiver_that_somebody_is_changing_does_not_hold_up_the_others(post: Post) -> None:
    receiver = post.receiver()
    held, other = post.webhook(receiver, "/held"), post.webhook(receiver, "/other")
    post.delivery(held)
    post.delivery(other)
    with post.seeing() as session:
        session.get(type(held), held.id, with_for_update=True)
        sender = post.sends()
        assert [exchange.path for exchange in receiver.heard] == ["/other"]
    post.sends(sender)
    assert len(receiver.heard) == 2


# --- stopping


def test_a_stop_lets_what_is_under_way_be_written_down(post_now: Post) -> None:
    post = post_now
    receiver = post.receiver(lambda exchange: exchange.ended.wait(0.4) or exchange.reply(200))
    webhook = post.webhook(receiver)
    post.deliveries(webhook, 3)
    with post.running(post.sender(deadline_s=5)):
        until(lambda: len(receiver.heard) == 3)
    assert post.states(webhook) == ["delivered"] * 3


def test_a_stop_does_not_wait_for_one_that_hangs(post_now: Post) -> None:
    post = post_now
    receiver = post.receiver(lambda exchange: exchange.hang())
    webhook = post.webhook(receiver)
    post.delivery(webhook)
    with post.running(post.sender(deadline_s=30)):
        until(lambda: receiver.heard)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert post.states(webhook) == ["sending"], "its claim runs out by itself"


def test_a_message_is_sent_soon_after_it_was_written_also_after_a_quiet_while(post_now: Post) -> None:
    post = post_now
    receiver = post.receiver()
    webhook = post.webhook(receiver)
    with post.running(post.sender(deadline_s=5)):
        time.sleep(3)  # long enough to have become drowsy
        began = time.time()
        post.delivery(webhook)
        until(lambda: receiver.heard)
    assert receiver.heard[0].at - began < 1.0
    assert DEADLINE_S < 1
