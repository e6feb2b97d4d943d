"""VIES, the European Commission's service that knows whether a VAT number is in use: one question, three answers.

"No" is an answer of the number's own member state. Everything else that is not a yes is no answer: the service or the
state is away, we ask too often, or what came back cannot be understood. The two are never mixed up, because a "no"
takes the reverse charge away from a customer, and "no answer" must not.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple, Protocol

from app.errors import Problem
from app.outside.client import Outside

YES, NO, NONE = "yes", "no", "none"
DEADLINE_S = 15.0  # some states take that long
KEEP = 16 * 1024
LONGEST_DETAIL = 200
# What is said beside `valid: false` where a state has answered; any other word beside it tells of a fault.
ANSWERED = {None, "", "VALID", "INVALID"}


class Answer(NamedTuple):
    """`answer` is yes, no or none; `detail` says why there is none; `consultation` is the evidence that was given."""

    answer: str
    detail: str = ""
    consultation: str | None = None


class Authority(Protocol):
    """Who knows about VAT numbers."""

    def ask(self, vat_number: str) -> Answer:
        """Whether a number, with its letters, is in use. Never raises for anything that the other side does."""
        ...


class Vies:
    """Over HTTPS, at `url`. With the VAT number of a `requester` each yes comes with a consultation number."""

    def __init__(self, outside: Outside, url: str, *, requester: str | None = None) -> None:
        self._outside = outside
        self._url = url
        self._requester = requester

    def ask(self, vat_number: str) -> Answer:
        body = {"countryCode": vat_number[:2], "vatNumber": vat_number[2:]}
        if self._requester:
            body |= {"requesterMemberStateCode": self._requester[:2], "requesterNumber": self._requester[2:]}
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "Passerelle/1"}
        try:
            heard = self._outside.post(self._url, json.dumps(body).encode(), headers, keep=KEEP)
        except Problem as error:
            return _no_answer(error.facts.get("reason") or error.code)
        return understood(heard.status, heard.body, vat_number)


def understood(status: int, body: bytes, vat_number: str) -> Answer:
    """What an answer of the service says about `vat_number`."""
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return _no_answer(f"HTTP {status}")
    if faults := _faults(said):
        return _no_answer(faults)
    about = f"{said.get('countryCode', vat_number[:2])}{said.get('vatNumber', vat_number[2:])}"
    if status != 200 or about != vat_number or type(said.get("valid")) is not bool:
        return _no_answer(f"HTTP {status}")
    given = said.get("requestIdentifier")
    consultation = str(given)[:LONGEST_DETAIL] if given else None
    return Answer(YES if said["valid"] else NO, consultation=consultation)


def _faults(said: dict[str, Any]) -> str:
    """The codes of what went wrong, such as MS_UNAVAILABLE; empty when nothing did."""
    wrappers = said.get("errorWrappers")
    codes = [str(each.get("error")) for each in wrappers or () if isinstance(each, dict)]
    if said.get("actionSucceed") is False and not codes:
        codes = ["actionSucceed is false"]
    if said.get("userError") not in ANSWERED:
        codes.append(str(said["userError"]))
    return ", ".join(codes)


def _no_answer(why: object) -> Answer:
    return Answer(NONE, str(why)[:LONGEST_DETAIL])
