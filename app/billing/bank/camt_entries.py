"""One entry (Ntry) of a CAMT.053 statement: its movements, with what the bank tells of each.

The versions differ in where a few things stand: the state of an entry, and a party's name. Amounts are read digit by
digit: no float, no cent lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any

from app.billing.bank.movements import Movement, StatementRefused

_AMOUNT = re.compile(r"([0-9]{1,13})(?:\.([0-9]{0,5}))?")
LONGEST_TEXT, LONGEST_NAME, LONGEST_REF = 1400, 140, 70
NOTHING = {"", "NOTPROVIDED", "NOT PROVIDED", "NONREF", "NOTPROVIDED."}


class Shape:
    """The names of one version of the format."""

    def __init__(self, version: str) -> None:
        self.format = version
        self.namespace = f"{{urn:iso:std:iso:20022:tech:xsd:{version}}}"
        self.statement = f"{self.namespace}Stmt"
        self.entry = f"{self.namespace}Ntry"
        self.path = cache(self._path)
        self.party = "/Pty" if version.endswith(".08") else ""

    def _path(self, steps: str) -> str:
        return "/".join(f"{self.namespace}{step}" for step in steps.split("/"))

    def is_booked(self, entry: Any) -> bool:
        state = text_of(entry, self.path("Sts/Cd")) or text_of(entry, self.path("Sts"))
        return state == "BOOK"


def text_of(element: Any, path: str) -> str | None:
    found = element.findtext(path)
    return " ".join(found.split()) or None if found else None


def day(written: str) -> date:
    """The day of a date or an instant, as the bank writes it."""
    try:
        return date.fromisoformat(written.strip()[:10])
    except ValueError:
        raise _refused(f"{written.strip()[:10]!r} is no day") from None


def cents_of(written: str) -> int:
    """Raises StatementRefused for what is no amount, or holds less than a cent."""
    found = _AMOUNT.fullmatch(written.strip())
    fraction = (found.group(2) or "") if found else ""
    if found is None or fraction[2:].strip("0"):
        raise _refused(f"{written.strip()[:20]!r} is no amount in cents")
    return int(found.group(1)) * 100 + int(fraction[:2].ljust(2, "0"))


def amount(element: Any, shape: Shape) -> tuple[str, int]:
    """Currency and signed cents of what has an amount and a sign of its own."""
    found = element.find(shape.path("Amt"))
    if found is None or not found.text:
        raise _refused("an amount is missing")
    return found.get("Ccy", ""), _sign(text_of(element, shape.path("CdtDbtInd"))) * cents_of(found.text)


def _sign(indicator: str | None) -> int:
    if indicator not in ("CRDT", "DBIT"):
        raise _refused("CdtDbtInd is neither CRDT nor DBIT")
    return 1 if indicator == "CRDT" else -1


def movements_of(entry: Any, shape: Shape, *, position: int) -> list[Movement]:
    """The movements of a booked entry: one for each transaction where their amounts make the entry's, else one."""
    currency, cents = amount(entry, shape)
    booked = entry.find(shape.path("BookgDt"))
    written = next((child.text for child in booked if child.text), None) if booked is not None else None
    if written is None:
        raise _refused("a booked entry has no BookgDt")
    if cents == 0:
        return []
    shared: dict[str, Any] = {
        "position": position,
        "booked_on": day(written),
        "currency": currency,
        "is_reversal": text_of(entry, shape.path("RvslInd")) in ("true", "1"),
    }
    details = entry.findall(shape.path("NtryDtls/TxDtls"))
    parts = _parts(details, shape, cents) if len(details) > 1 else None
    if parts is None:
        return [Movement(cents=cents, **shared, **_told(entry, details[:1], shape, credit=cents > 0))]
    return [
        Movement(cents=part, **shared, **_told(entry, [detail], shape, credit=part > 0))
        for detail, part in zip(details, parts, strict=True)
        if part
    ]


def _parts(details: Sequence[Any], shape: Shape, whole: int) -> list[int] | None:
    """The signed amounts of an entry's transactions; None where they are not told, or do not make the whole."""
    found = []
    for detail in details:
        written = detail.find(shape.path("Amt"))
        if written is None:
            written = detail.find(shape.path("AmtDtls/TxAmt/Amt"))
        if written is None or not written.text:
            return None
        indicator = text_of(detail, shape.path("CdtDbtInd"))
        sign = _sign(indicator) if indicator else (1 if whole > 0 else -1)
        found.append(sign * cents_of(written.text))
    return found if sum(found) == whole else None


def _told(entry: Any, details: Sequence[Any], shape: Shape, *, credit: bool) -> dict[str, Any]:
    """What is known of a movement beside its amount: of its transaction, else of the entry."""
    inner = details[0] if details else None
    found: dict[str, Any] = {"code": _code(entry, shape)}
    texts = [entry.findtext(shape.path("AddtlNtryInf"))]
    bank_ref = text_of(entry, shape.path("AcctSvcrRef"))
    if inner is not None:
        found["code"] = _code(inner, shape) or found["code"]
        found["return_reason"] = _return_reason(inner, shape)
        found["end_to_end_id"] = _reference(text_of(inner, shape.path("Refs/EndToEndId")))
        bank_ref = text_of(inner, shape.path("Refs/AcctSvcrRef")) or bank_ref
        found["structured"] = _reference(text_of(inner, shape.path("RmtInf/Strd/CdtrRefInf/Ref")))
        found["name"], found["iban"] = _counterparty(inner, shape, credit=credit)
        texts = [
            *(each.text for each in inner.iterfind(shape.path("RmtInf/Ustrd"))),
            *(each.text for each in inner.iterfind(shape.path("RmtInf/Strd/RfrdDocInf/Nb"))),
            *(each.text for each in inner.iterfind(shape.path("RmtInf/Strd/AddtlRmtInf"))),
            *(each.text for each in list(inner.iterfind(shape.path("RmtInf/Strd/CdtrRefInf/Ref")))[1:]),
            inner.findtext(shape.path("AddtlTxInf")),
            *texts,
        ]
    found["bank_ref"] = _reference(bank_ref)
    found["batch"] = _batch(entry, inner, shape)
    found["text"] = " ".join(" ".join(each.split()) for each in texts if each)[:LONGEST_TEXT]
    return found


def _batch(entry: Any, inner: Any, shape: Shape) -> str | None:
    """Which file of the account's owner it is of: the name of its block, else of its message."""
    for name in ("PmtInfId", "MsgId"):
        for element, path in ((entry, f"NtryDtls/Btch/{name}"), (inner, f"Refs/{name}")):
            if element is not None and (found := _reference(text_of(element, shape.path(path)))):
                return found
    return None


def _reference(given: str | None) -> str | None:
    return None if given is None or given.upper() in NOTHING else given[:LONGEST_REF]


def _code(element: Any, shape: Shape) -> str:
    code = element.find(shape.path("BkTxCd"))
    if code is None:
        return ""
    names = ("Domn/Cd", "Domn/Fmly/Cd", "Domn/Fmly/SubFmlyCd")
    domain = [text_of(code, shape.path(name)) for name in names]
    if domain[0]:
        return ".".join(part for part in domain if part)[:LONGEST_REF]
    return (text_of(code, shape.path("Prtry/Cd")) or "")[:LONGEST_REF]


def _return_reason(detail: Any, shape: Shape) -> str | None:
    returned = detail.find(shape.path("RtrInf"))
    if returned is None:
        return None
    return (text_of(returned, shape.path("Rsn/Cd")) or text_of(returned, shape.path("Rsn/Prtry")) or "NARR")[:35]


def _counterparty(detail: Any, shape: Shape, *, credit: bool) -> tuple[str | None, str | None]:
    """Name and IBAN of the other side: the debtor of a credit, the creditor of a debit; of what goes back, whichever
    is told."""
    first, second = ("Dbtr", "Cdtr") if credit else ("Cdtr", "Dbtr")
    for side in (first, second):
        name = text_of(detail, shape.path(f"RltdPties/{side}{shape.party}/Nm"))
        iban = text_of(detail, shape.path(f"RltdPties/{side}Acct/Id/IBAN"))
        if name or iban:
            return name and name[:LONGEST_NAME], iban and iban.replace(" ", "").upper()[:34]
    return None, None


def _refused(message: str) -> StatementRefused:
    return StatementRefused(errors=[{"field": "file", "message": message}])
