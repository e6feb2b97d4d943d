"""Reading the mail that says that a mail could not be delivered: RFC 3464 reports, plain notices of old servers.

Whatever is sent to the address for bounces arrives here, from anybody: nothing in it is believed but a Message-ID that
only the recipient of our mail has seen (bounces.py looks it up), and nothing in it can do worse than be no report.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from uuid import UUID

LARGEST = 256 * 1024  # octets looked at: what matters comes first, before the mail that is returned
MOST_PARTS = 60
MOST_IDS = 40
LONGEST_TEXT = 300
UNKNOWN = "4.0.0"  # it failed, and nobody says why: not for good, then

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_REPLY = re.compile(r"(?<![\d.])([45]\d\d)(?=[ -])")
_OUR_ID = re.compile(rb"\b([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@", re.I)
_POSTMASTER = re.compile(r"\b(mailer-daemon|mail-daemon|postmaster)@", re.I)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a report says: `status` is an RFC 3463 code, class 4 or 5; `named` are what may be ids of our mails;
    `recipient` is the address that we had given, where the report knows it."""

    status: str
    named: tuple[UUID, ...]
    recipient: str | None
    text: str


def read_report(octets: bytes) -> Failure | None:
    """The failure that a mail reports; None when it reports none: late or done deliveries, absences, other mail."""
    try:
        return _read(octets[:LARGEST])
    except Exception:  # hostile by nature: the parser has known faults, and none may keep the mail queue busy
        return None


def _read(octets: bytes) -> Failure | None:
    message = message_from_bytes(octets)
    if _header(message, "Auto-Submitted").lower().startswith("auto-replied"):
        return None  # somebody is away
    parts = list(_parts(message))
    fields = [block for part in parts for block in _status_blocks(part)]
    outcomes = [block for block in fields if block["Action"] or block["Status"]]
    if outcomes:
        return _of_report(outcomes, _named(octets, parts))
    if _header(message, "X-Failed-Recipients") or _POSTMASTER.search(_header(message, "From")):
        return _of_notice("\n".join(_text(part) for part in parts), _named(octets, parts))
    return None


def _of_report(outcomes: list[Message], named: tuple[UUID, ...]) -> Failure | None:
    failed = next((block for block in outcomes if _header(block, "Action").strip().lower() in ("failed", "")), None)
    if failed is None:
        return None  # delayed, delivered, relayed, expanded: not failed, or not yet
    said = _header(failed, "Diagnostic-Code")
    status = status_in(_header(failed, "Status")) or status_in(said) or UNKNOWN
    if status.startswith("2."):
        return None
    recipient = _header(failed, "Original-Recipient").rpartition(";")[2].strip() or None
    return Failure(status, named, recipient, _one_line(said))


def _of_notice(text: str, named: tuple[UUID, ...]) -> Failure | None:
    status = status_in(text)
    if status is None or status.startswith("2."):
        return None
    line = next((line for line in text.splitlines() if status_in(line)), "")
    return Failure(status, named, None, _one_line(line))


def status_in(text: str) -> str | None:
    """The first enhanced status code in a text, else what its first SMTP reply code amounts to (550: 5.0.0)."""
    if found := _STATUS.search(text):
        return found[1]
    if reply := _REPLY.search(text):
        return f"{reply[1][0]}.2.2" if reply[1][1:] == "52" else f"{reply[1][0]}.0.0"  # x52: no room in the mailbox
    return None


def _parts(message: Message) -> Iterator[Message]:
    """The message and what it contains, outermost first, a few dozen of them."""
    waiting = deque([message])
    for _ in range(MOST_PARTS):
        if not waiting:
            return
        part = waiting.popleft()
        yield part
        held = part.get_payload()
        if isinstance(held, list) and part.get_content_type() != "message/delivery-status":
            waiting.extend(inner for inner in held if isinstance(inner, Message))


def _status_blocks(part: Message) -> list[Message]:
    """The groups of fields of a delivery-status part: the first about the mail, one more for each recipient."""
    held = part.get_payload()
    if part.get_content_type() != "message/delivery-status" or not isinstance(held, list):
        return []
    return [block for block in held if isinstance(block, Message)]


def _text(part: Message) -> str:
    """A text part as far as ASCII matters; whatever its charset is said to be, codes and ids are ASCII."""
    if part.is_multipart() or part.get_content_maintype() not in ("text", "message"):
        return ""
    decoded = part.get_payload(decode=True)
    return decoded.decode("utf-8", "replace") if isinstance(decoded, bytes) else ""


def _named(octets: bytes, parts: list[Message]) -> tuple[UUID, ...]:
    decoded = b"\n".join(_text(part).encode() for part in parts)
    found = dict.fromkeys(match[1].lower() for text in (octets, decoded) for match in _OUR_ID.finditer(text))
    return tuple(UUID(each.decode()) for each in list(found)[:MOST_IDS])


def _header(message: Message, name: str) -> str:
    return str(message.get(name, ""))[:2000]


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST_TEXT]
