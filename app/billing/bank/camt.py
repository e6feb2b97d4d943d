"""CAMT.053 (ISO 20022, BankToCustomerStatement): a file becomes statements, or is refused as a whole.

Versions 001.02, 001.04 and 001.08. Read entry by entry, so that memory stays small; no entity is expanded, nothing is
fetched, and the parser's own limits bound depth (256) and the length of a text.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from lxml import etree

from app.billing.bank.camt_entries import Shape, amount, day, movements_of, text_of
from app.billing.bank.movements import LARGEST, AccountStatement, Movement, StatementRefused

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
FORMATS = ("camt.053.001.02", "camt.053.001.04", "camt.053.001.08")
MOST_STATEMENTS = 400
OPENING, CLOSING = ("OPBD", "PRCD", "ITBD"), ("CLBD", "ITBD")
_PACKED = {b"\x1f\x8b": "gzip", b"PK": "zip", b"BZ": "bzip2", b"\xfd7": "xz"}
_SAFE = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


def read(octets: bytes) -> list[AccountStatement]:
    """Every statement of a file, its balances checked. Raises StatementRefused, StatementUnbalanced."""
    _refuse_packed(octets)
    try:
        shape = Shape(_format(octets))
        statements = list(_statements(octets, shape))
    except etree.XMLSyntaxError as error:
        raise _refused(f"it is not well-formed XML (line {error.lineno}): send the file as the bank gave it") from None
    if not statements:
        raise _refused("there is no statement in it")
    for statement in statements:
        statement.check_balances()
    return statements


def _refuse_packed(octets: bytes) -> None:
    if not octets.strip():
        raise _refused("it is empty")
    if len(octets) > LARGEST:
        raise _refused(f"it is larger than {LARGEST // 2**20} MiB: ask the bank for shorter periods")
    for magic, name in _PACKED.items():
        if octets.startswith(magic):
            raise _refused(f"it is packed ({name}): unpack it first")


def _format(octets: bytes) -> str:
    """The version that the root's namespace names."""
    for _, root in etree.iterparse(BytesIO(octets), events=("start",), **_SAFE):
        if root.getroottree().docinfo.doctype:
            raise _refused("it has a DOCTYPE, which no bank writes")
        name = etree.QName(root)
        found = (name.namespace or "").removeprefix(NAMESPACE)
        if name.localname != "Document" or found not in FORMATS:
            raise _refused(f"it is not one of {', '.join(FORMATS)}: ask the bank for CAMT.053")
        return found
    raise _refused("it is empty")


def _statements(octets: bytes, shape: Shape) -> Iterator[AccountStatement]:
    booked: list[Movement] = []
    pending, known, found = 0, 0, 0
    for _, element in etree.iterparse(BytesIO(octets), events=("end",), tag=(shape.entry, shape.statement), **_SAFE):
        if element.tag == shape.entry:
            if element.getparent().tag != shape.statement:
                raise _refused("an entry stands outside a statement")
            known += 1
            if shape.is_booked(element):
                booked.extend(movements_of(element, shape, position=known))
            else:
                pending += 1
        else:
            found += 1
            if found > MOST_STATEMENTS:
                raise _refused(f"it has more than {MOST_STATEMENTS} statements: ask the bank for shorter periods")
            yield _statement(element, shape, booked, pending)
            booked, pending, known = [], 0, 0
        element.clear()  # what was read needs no memory any more


def _statement(element: Any, shape: Shape, booked: list[Movement], pending: int) -> AccountStatement:
    reference = text_of(element, shape.path("Id")) or ""
    iban = (text_of(element, shape.path("Acct/Id/IBAN")) or "").replace(" ", "").upper()
    if not reference or not iban:
        raise _refused("a statement has no Id, or its account no IBAN")
    currency, opening, closing = _balances(element, shape)
    own = text_of(element, shape.path("Acct/Ccy")) or currency
    if own != currency:
        raise _refused(f"the account is in {own[:3]}, its balances in {currency}")
    return AccountStatement(
        format=shape.format,
        reference=reference[:70],
        iban=iban,
        currency=currency,
        from_day=_period(element, shape, "FrDtTm"),
        until_day=_period(element, shape, "ToDtTm"),
        opening_cents=opening,
        closing_cents=closing,
        movements=tuple(each for each in booked if each.currency == currency),
        pending=pending,
        foreign=tuple(each for each in booked if each.currency != currency),
    )


def _period(element: Any, shape: Shape, name: str) -> Any:
    found = element.find(shape.path(f"FrToDt/{name}"))
    return None if found is None or not found.text else day(found.text)


def _balances(element: Any, shape: Shape) -> tuple[str, int, int]:
    """Currency, opening and closing. A statement of several pages begins and ends with interim balances (ITBD)."""
    found: dict[str, list[tuple[str, int]]] = {}
    for balance in element.iterfind(shape.path("Bal")):
        kind = text_of(balance, shape.path("Tp/CdOrPrtry/Cd")) or ""
        found.setdefault(kind, []).append(amount(balance, shape))
    opening = next((found[kind][0] for kind in OPENING if kind in found), None)
    closing = next((found[kind][-1] for kind in CLOSING if kind in found), None)
    if opening is None or closing is None:
        raise _refused("a statement has no opening (OPBD) or no closing balance (CLBD)")
    if opening[0] != closing[0]:
        raise _refused("opening and closing balance are in different currencies")
    return opening[0], opening[1], closing[1]


def _refused(message: str) -> StatementRefused:
    return StatementRefused(errors=[{"field": "file", "message": message}])
