"""Bank transaction codes (ISO 20022 external code set: domain, family, sub-family) that say what a line is: rows."""

from __future__ import annotations

# Sub-families of charges, whatever the family: account, cash management, transfers, debits.
_CHARGES = frozenset({"CHRG", "FEES", "COMM", "COME", "COMT", "COMI", "LBCA", "BRKF"})
_INTEREST = frozenset({"INTR", "OVRD", "OVRI"})
# Families in which our own debits go back to the debtor (issued direct debits), and their sub-families.
_RETURNED_DEBITS = frozenset({"UPDD", "PRDD", "RCDD", "RRTN"})


def is_charge(code: str) -> bool:
    """A fee of the bank's own."""
    return _sub_family(code) in _CHARGES


def is_interest(code: str) -> bool:
    return _sub_family(code) in _INTEREST


def is_returned_debit(code: str) -> bool:
    """A debit that was collected and goes back: unpaid, reversed, refunded."""
    parts = code.split(".")
    return len(parts) == 3 and parts[1] == "IDDT" and parts[2] in _RETURNED_DEBITS


def _sub_family(code: str) -> str:
    parts = code.split(".")
    return parts[2] if len(parts) == 3 else ""
