"""What a bank's app reads from the square on an invoice: EPC069-12, version 2, `SCT`.

Only euros, from one cent on, to a valid IBAN: otherwise there is no square, and the invoice says in words where to pay.
"""

from __future__ import annotations

import re

LONGEST_NAME, LONGEST_TEXT, LONGEST_REFERENCE = 70, 140, 35
LARGEST_CENTS = 99_999_999_999  # 999999999.99
LARGEST_OCTETS = 331
CREDITOR_REFERENCE = re.compile(r"RF\d\d[0-9A-Z]{1,21}")  # ISO 11649
IBAN = re.compile(r"[A-Z]{2}\d\d[0-9A-Z]{11,30}")


def payload(
    *, name: str, iban: str, cents: int, currency: str, communication: str, kind: str = "invoice"
) -> str | None:
    """The text of the square that pays `cents`, or None where no square may be drawn.

    A creditor reference of ISO 11649 goes into the field for those; any other communication, a Belgian structured one
    among them, is text that the app passes on. The BIC may be missing within the EEA since version 2.
    """
    account = re.sub(r"\s", "", iban).upper()
    if kind != "invoice" or currency != "EUR" or not 0 < cents <= LARGEST_CENTS or not is_iban(account):
        return None
    reference, text = _remittance(communication)
    named = _plain(name)[:LONGEST_NAME]
    lines = ("BCD", "002", "1", "SCT", "", named, account, _euros(cents), "", reference, text)
    told = "\n".join(lines).rstrip("\n")
    return told if len(told.encode()) <= LARGEST_OCTETS else None


def is_iban(account: str) -> bool:
    """ISO 13616: moved about and with letters counted from A = 10, the number leaves 1 when divided by 97."""
    if not IBAN.fullmatch(account):
        return False
    return int("".join(str(int(character, 36)) for character in account[4:] + account[:4])) % 97 == 1


def _remittance(communication: str) -> tuple[str, str]:
    compact = re.sub(r"\s", "", communication).upper()
    if CREDITOR_REFERENCE.fullmatch(compact):
        return compact, ""
    return "", _plain(communication)[:LONGEST_TEXT]


def _euros(cents: int) -> str:
    """`EUR12.3` is allowed, two decimals are what every app reads."""
    return f"EUR{cents // 100}.{cents % 100:02d}"


def _plain(text: str) -> str:
    """On one line, and nothing in it that is not seen: a line's end would begin another field."""
    return "".join(filter(str.isprintable, " ".join(text.split())))
