"""Answers as they come in files: a small JSON, or a UBL ApplicationResponse. Pure; a stranger wrote them.

JSON: `{"id": the electronic invoice's, or "number": the document's, "status": a code, "reason"?, "at"?}`, texts all (a
French code may be a number). What is no sign to print is a blank, and what is too long is cut. Of UBL,
Peppol's Invoice Response (UNCL 4343 in its subset: AB, IP, UQ, CA, RE, AP, PD) and its Message Level Response, whose AP
says no more than that the message was readable.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID
from xml.etree import ElementTree

from app.billing.einvoices.port import Answer

MOST_OCTETS = 1_000_000
LONGEST_NUMBER, LONGEST_CODE, LONGEST_REASON = 100, 40, 500
_UNPRINTABLE = {"Cc", "Cs"}  # control characters (PostgreSQL stores no NUL), halves of surrogate pairs
_AGGREGATE = "{urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2}"
_BASIC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2}"


class Meaning(NamedTuple):
    """The state that a code leads to, and whether a person must look at it."""

    state: str
    for_a_person: bool = False


# By code: Peppol's (UNCL 4343), those of the French life cycle (XP Z12-012, annexe B), and plain words.
CODES: dict[str, Meaning] = {
    "AB": Meaning("delivered"), "IP": Meaning("delivered"), "UQ": Meaning("delivered", True),
    "CA": Meaning("accepted", True), "RE": Meaning("rejected", True), "AP": Meaning("accepted"),
    "PD": Meaning("accepted"),
    "200": Meaning("handed_over"), "201": Meaning("handed_over"), "202": Meaning("delivered"),
    "203": Meaning("delivered"), "204": Meaning("delivered"), "205": Meaning("accepted"),
    "206": Meaning("accepted", True), "207": Meaning("delivered", True), "208": Meaning("delivered", True),
    "209": Meaning("delivered"), "210": Meaning("rejected", True), "211": Meaning("accepted"),
    "212": Meaning("accepted"), "213": Meaning("rejected", True),
    "DELIVERED": Meaning("delivered"), "ACCEPTED": Meaning("accepted"), "REJECTED": Meaning("rejected", True),
}  # fmt: skip


class Unreadable(ValueError):
    """A file that is no answer; what it says is why."""


def meaning(answer: Answer) -> Meaning:
    """Of a code that `parse` let through."""
    told = CODES[answer.code]
    return Meaning("delivered") if answer.at_message_level and told.state == "accepted" else told


def parse(octets: bytes, *, operator_uid: UUID) -> Answer:
    """The answer in a file. Raises Unreadable."""
    if len(octets) > MOST_OCTETS:
        raise Unreadable(f"longer than {MOST_OCTETS} octets")
    key = hashlib.sha256(octets).hexdigest()
    try:
        said = _json(octets) if octets.lstrip()[:1] == b"{" else _ubl(octets)
    except RecursionError:
        raise Unreadable("nested too deep") from None
    answer = Answer(key=key, operator_uid=operator_uid, **said)
    if answer.code not in CODES:
        raise Unreadable(f"unknown status {answer.code!r}")
    if answer.einvoice_uid is None and not answer.number:
        raise Unreadable("it names no document")
    return answer


def _json(octets: bytes) -> dict[str, Any]:
    try:
        said = json.loads(octets)
        uid = UUID(said["id"]) if said.get("id") else None
        at = _instant(said.get("at"))
        status = str(said["status"]) if type(said["status"]) is int else said["status"]
        texts = {
            "number": _text(said.get("number") or "", LONGEST_NUMBER) or None,
            "code": _text(status, LONGEST_CODE).upper(),
            "reason": _text(said.get("reason") or "", LONGEST_REASON),
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"not an answer in JSON: {error}") from None
    return {"einvoice_uid": uid, "at_message_level": False, "at": at, **texts}


def _ubl(octets: bytes) -> dict[str, Any]:
    try:
        root = ElementTree.fromstring(octets)
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # the latter two: an encoding it cannot read
        raise Unreadable(f"neither JSON nor XML: {error}") from None
    response = root.find(f"{_AGGREGATE}DocumentResponse/{_AGGREGATE}Response")
    number = root.findtext(f"{_AGGREGATE}DocumentResponse/{_AGGREGATE}DocumentReference/{_BASIC}ID")
    if not root.tag.endswith("}ApplicationResponse") or response is None:
        raise Unreadable("not a UBL ApplicationResponse")
    texts = [*response.iter(f"{_BASIC}StatusReason"), *response.iter(f"{_BASIC}Description")]
    day = root.findtext(f"{_BASIC}IssueDate")
    time = root.findtext(f"{_BASIC}IssueTime")
    return {
        "einvoice_uid": None, "number": _text(number or "", LONGEST_NUMBER) or None,
        "code": _text(response.findtext(f"{_BASIC}ResponseCode") or "", LONGEST_CODE).upper(),
        "at_message_level": ":mlr:" in (root.findtext(f"{_BASIC}CustomizationID") or ""),
        "reason": _text(" ; ".join(text.text.strip() for text in texts if text.text), LONGEST_REASON),
        "at": _instant(f"{day}T{time}") if day and time else None,
    }  # fmt: skip


def _text(said: Any, most: int) -> str:
    """Raises TypeError for what is no text."""
    if not isinstance(said, str):
        raise TypeError(f"{said!r:.40} is no text")
    return "".join(" " if unicodedata.category(sign) in _UNPRINTABLE else sign for sign in said.strip()[:most]).strip()


def _instant(text: str | None) -> datetime | None:
    """Without a zone it is UTC. Raises ValueError."""
    if not text:
        return None
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
