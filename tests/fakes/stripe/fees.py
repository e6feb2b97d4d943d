"""What the provider keeps: one table, in hundredths of a per cent and in cents."""

from __future__ import annotations

# kind of payment method -> (hundredths of a per cent, cents)
CHARGES = {"card": (150, 25), "bancontact": (140, 25), "sepa_debit": (0, 35)}
# kind of payment method -> cents, kept when a dispute is opened and not given back
DISPUTES = {"card": 2000, "bancontact": 2000, "sepa_debit": 750}
BASE = 10_000


def for_charge(amount: int, method: str) -> int:
    """The fee in cents on a charge of `amount` cents, half a cent upwards."""
    share, fixed = CHARGES[method]
    return (amount * share + BASE // 2) // BASE + fixed


def for_dispute(method: str) -> int:
    """The fee in cents on a dispute."""
    return DISPUTES[method]
