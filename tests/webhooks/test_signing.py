"""Signatures, judged by the reference library of Standard Webhooks."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from app.webhooks.signing import signed


def secret(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


OLD, NEW, FOREIGN = secret(b"o" * 24), secret(b"n" * 32), secret(b"f" * 64)
BODY = '{"type":"booking.made","data":{"note":"à 9 h ✓"}}'.encode()


def message(*secrets: str, at: datetime | None = None) -> dict[str, str]:
    return signed(secrets, message_id="msg_1", at=at or datetime.now(UTC), body=BODY)


def test_the_example_of_the_specification() -> None:
    headers = signed(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at=datetime.fromtimestamp(1614265330, UTC),
        body=b'{"test": 2432232314}',
    )
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("known", [OLD, NEW])
def test_while_two_secrets_live_either_verifies(known: str) -> None:
    headers = message(NEW, OLD)
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert Webhook(known).verify(BODY, headers)["type"] == "booking.made"


def test_a_foreign_secret_verifies_nothing() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(FOREIGN).verify(BODY, message(NEW, OLD))


@pytest.mark.parametrize("name, value", [("webhook-id", "msg_2"), ("webhook-timestamp", str(2**33))])
def test_another_id_or_instant_breaks_the_signature(name: str, value: str) -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY, message(NEW) | {name: value})


def test_another_body_breaks_it_too() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY + b" ", message(NEW))


def test_an_instant_is_the_same_in_every_zone() -> None:
    here = datetime.now(UTC)
    assert message(NEW, at=here) == message(NEW, at=here.astimezone(timezone(timedelta(hours=5, minutes=30))))


@given(st.binary(min_size=24, max_size=64), st.text(st.characters(exclude_categories=["Cs"])))
def test_the_reference_library_signs_the_same(key: bytes, body: str) -> None:
    at = datetime.now(UTC)
    headers = signed([secret(key)], message_id="msg_x", at=at, body=body.encode())
    assert headers["webhook-signature"] == Webhook(secret(key)).sign("msg_x", at, body)


@pytest.mark.parametrize("wrong", ["", "MfKQ9r8G", "whsec_é", "whsec_not base64!"])
def test_what_is_no_secret_signs_nothing(wrong: str) -> None:
    with pytest.raises(ValueError):
        message(NEW, wrong)


def test_nothing_goes_out_unsigned() -> None:
    with pytest.raises(ValueError):
        message()
