"""VIES as its documentation and its users describe it, on the loopback: asked about numbers, it says what it was told.

    with FakeVies(authority) as vies:
        vies.says["BE0200000043"] = "yes"
        vies.client().ask("BE0200000043")

A number it has not been told about is not in use. What it says may also be the code of a fault, or a function that is
handed the exchange.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self

from app.network.parties.vies import Vies
from app.outside.address import Policy
from app.outside.client import Outside
from tests.outside.receivers import NAME, Authority, Exchange, Receiver, to_the_loopback

PATH = "/taxation_customs/vies/rest-api/check-vat-number"
Saying = str | Callable[[Exchange], None]


class FakeVies:
    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._open = ExitStack()
        self.says: dict[str, Saying] = {}

    def __enter__(self) -> Self:
        self.receiver = self._open.enter_context(Receiver(self._authority.server(NAME), self._answer))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def url(self) -> str:
        return self.receiver.url(PATH)

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The bodies of the questions so far."""
        return [json.loads(exchange.body) for exchange in self.receiver.heard]

    def client(self, *, requester: str | None = None, deadline_s: float = 10.0) -> Vies:
        policy = Policy(places=frozenset({(NAME, self.receiver.port)}), ca_file=self._authority.ca_file)
        outside = Outside(policy, resolver=to_the_loopback, deadline_s=deadline_s)
        return Vies(outside, self.url, requester=requester)

    def _answer(self, exchange: Exchange) -> None:
        asked = json.loads(exchange.body)
        saying = self.says.get(asked["countryCode"] + asked["vatNumber"], "no")
        if callable(saying):
            saying(exchange)
        elif saying in ("yes", "no"):
            _reply(exchange, 200, _found(asked, valid=saying == "yes"))
        else:
            _reply(exchange, 200, {"actionSucceed": False, "errorWrappers": [{"error": saying}]})


def _found(asked: dict[str, Any], *, valid: bool) -> dict[str, Any]:
    known = {"countryCode": asked["countryCode"], "vatNumber": asked["vatNumber"], "valid": valid}
    given = f"WAPI{asked['vatNumber']}" if asked.get("requesterNumber") and valid else ""
    said = {"requestDate": "2026-03-02T08:00:00.000Z", "requestIdentifier": given, "name": "---", "address": "---"}
    return {**known, **said}


def _reply(exchange: Exchange, status: int, body: dict[str, Any]) -> None:
    exchange.reply(status, json.dumps(body).encode(), Content_Type="application/json")
