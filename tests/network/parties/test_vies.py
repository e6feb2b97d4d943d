"""The client of VIES against a server that behaves as VIES does, and worse: yes, no and no answer are told apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.network.parties.vies import NO, NONE, YES, Answer, understood
from tests.network.parties.fake_vies import FakeVies, Saying
from tests.outside.receivers import Exchange

NUMBER = "BE0200000043"


def says(body: Any, status: int = 200) -> Saying:
    return lambda exchange: exchange.reply(status, json.dumps(body).encode())


def test_a_number_in_use_is_a_yes_with_its_evidence(vies: FakeVies) -> None:
    vies.says[NUMBER] = "yes"
    assert vies.client(requester="FR46800000010").ask(NUMBER) == Answer(YES, "", "WAPI0200000043")
    assert vies.asked == [
        {
            "countryCode": "BE",
            "vatNumber": "0200000043",
            "requesterMemberStateCode": "FR",
            "requesterNumber": "46800000010",
        }
    ]


def test_without_a_requester_there_is_no_evidence_and_none_is_asked_for(vies: FakeVies) -> None:
    vies.says[NUMBER] = "yes"
    assert vies.client().ask(NUMBER) == Answer(YES)
    assert vies.asked == [{"countryCode": "BE", "vatNumber": "0200000043"}]


def test_a_number_that_is_not_in_use_is_a_no(vies: FakeVies) -> None:
    assert vies.client().ask(NUMBER) == Answer(NO)


@pytest.mark.parametrize(
    ("saying", "detail"),
    [
        *[
            pytest.param(code, code, id=code)
            for code in ("MS_UNAVAILABLE", "SERVICE_UNAVAILABLE", "TIMEOUT", "MS_MAX_CONCURRENT_REQ", "VAT_BLOCKED",
                         "GLOBAL_MAX_CONCURRENT_REQ", "INVALID_REQUESTER_INFO", "INVALID_INPUT")
        ],
        pytest.param(says({"valid": False, "userError": "MS_UNAVAILABLE"}), "MS_UNAVAILABLE", id="a no that is none"),
        pytest.param(says({"valid": True, "errorWrappers": [{"error": "TIMEOUT"}]}), "TIMEOUT", id="a yes, but"),
        pytest.param(says({"actionSucceed": False}), "actionSucceed is false", id="a failure without a code"),
        pytest.param(says({"valid": False}, 500), "HTTP 500", id="a fault of the server"),
        pytest.param(says({"valid": False}, 302), "HTTP 302", id="a redirect, which is not followed"),
        pytest.param(says({"valid": "false"}), "HTTP 200", id="a word for a truth"),
        pytest.param(says({}), "HTTP 200", id="nothing said"),
        pytest.param(says([NUMBER]), "HTTP 200", id="a list"),
        pytest.param(
            says({"countryCode": "BE", "vatNumber": "0999999999", "valid": False}), "HTTP 200", id="about another"
        ),
        pytest.param(lambda exchange: exchange.reply(200, b"<html>"), "HTTP 200", id="a page"),
        pytest.param(lambda exchange: exchange.reply(200, b'{"valid": fal'), "HTTP 200", id="half an answer"),
        pytest.param(lambda exchange: exchange.reply(200, b"{" + b" " * 10**6), "HTTP 200", id="a megabyte"),
        pytest.param(lambda exchange: exchange.channel.close(), "closed", id="hanging up"),
        pytest.param(lambda exchange: exchange.send(b"HELO\r\n\r\n"), "not_http", id="another language"),
    ],
)  # fmt: skip
def test_everything_else_is_no_answer(vies: FakeVies, saying: Saying, detail: str) -> None:
    vies.says[NUMBER] = saying
    assert vies.client().ask(NUMBER) == Answer(NONE, detail)


def test_who_says_nothing_is_not_waited_for_long(vies: FakeVies) -> None:
    vies.says[NUMBER] = Exchange.hang
    assert vies.client(deadline_s=0.3).ask(NUMBER) == Answer(NONE, "timeout")


def test_an_address_inside_the_house_is_not_called() -> None:
    from app.network.parties.vies import Vies
    from app.outside.address import Policy
    from app.outside.client import Outside

    vies = Vies(Outside(Policy(), resolver=lambda *_: ["127.0.0.1"]), "https://vies.example/check")
    assert vies.ask(NUMBER) == Answer(NONE, "address_not_permitted")


def test_evidence_is_kept_to_a_line() -> None:
    said = json.dumps({"valid": True, "requestIdentifier": "x" * 1000}).encode()
    assert understood(200, said, NUMBER).consultation == "x" * 200
