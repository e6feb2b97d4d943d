"""Who owes what: payers with accounts, debts with numbers and structured communications. Made up, the same every time.

The check digits are computed here, from their definitions: Febelfin's structured communication and ISO 11649 and 13616.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

_FIRST = ("Atelier", "Studio", "Bureau", "Maison", "Agence", "Comptoir", "Fabrique", "Étude", "Cabinet", "Verger")
_THEN = ("Dupré", "Lemaître", "Vandael", "Noël", "Françoise", "Peeters", "Hélène", "Marchal", "Gérard", "Wouters")
_FORM = ("SRL", "SA", "ASBL", "SCRL", "")


@dataclass(frozen=True)
class Payer:
    name: str
    account: str


@dataclass(frozen=True)
class Debt:
    number: str
    communication: str  # twelve digits
    cents: int
    payer: Payer


def remainder(text: str) -> int:
    """By 97, letters counted from A = 10."""
    return int("".join(str("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ".index(c)) for c in text)) % 97


def account_of(n: int) -> str:
    """A Belgian account of a bank code that no bank has."""
    body = f"999{n:07d}"
    national = body + f"{int(body) % 97 or 97:02d}"
    return f"BE{98 - remainder(national + 'BE00'):02d}{national}"


def twelve_of(sequence: int) -> str:
    ten = f"261{sequence:07d}"
    return ten + f"{int(ten) % 97 or 97:02d}"


def creditor_reference(body: str) -> str:
    return f"RF{98 - remainder(body + 'RF00'):02d}{body}"


def payers(count: int) -> list[Payer]:
    found = []
    for n in range(count):
        words = (_FIRST[n % 10], _THEN[n // 10 % 10], f"N{n:05d}", _FORM[n % 5])
        found.append(Payer(" ".join(word for word in words if word), account_of(1_000_000 + n)))
    return found


def debts(chance: random.Random, *, count: int, prefix: str, first: int = 1) -> list[Debt]:
    """About two thirds as many payers as debts; amounts between EUR 5 and EUR 900, alike now and then."""
    who = payers(max(1, count * 2 // 3))
    return [
        Debt(
            number=f"{prefix}-2026-{first + i:06d}",
            communication=twelve_of(first + i),
            cents=chance.choice((12100, 24200, 6050)) if chance.random() < 0.05 else chance.randint(500, 90_000),
            payer=chance.choice(who),
        )
        for i in range(count)
    ]
