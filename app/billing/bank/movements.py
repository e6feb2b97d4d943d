"""What a statement says: its movements, signed, as the bank tells them; and how it is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from app.errors import Invalid

LARGEST = 32 * 1024 * 1024  # octets of a file


class StatementRefused(Invalid):
    """The file is no statement that can be taken; nothing of it was written."""

    code = "statement_refused"
    title = "This file is not a bank statement that can be imported."


class StatementUnbalanced(StatementRefused):
    """Opening balance and entries do not make the closing balance: `out_by` signed cents are missing or too many."""

    code = "statement_unbalanced"
    title = "The entries of this statement do not add up to its balances."


@dataclass(frozen=True, slots=True)
class Movement:
    """An entry, or one transaction of an entry that has several. Cents are signed: credit > 0.

    `code` is the bank transaction code, DOMAIN.FAMILY.SUB or the bank's own; `structured` the creditor reference of the
    remittance; `text` everything else that was written. `batch` names the file of ours that it is of, by its block or
    its message; it is no part of what makes a line the same line.
    """

    position: int
    booked_on: date
    cents: int
    currency: str
    code: str = ""
    is_reversal: bool = False
    return_reason: str | None = None
    end_to_end_id: str | None = None
    bank_ref: str | None = None
    structured: str | None = None
    text: str = ""
    name: str | None = None
    iban: str | None = None
    batch: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AccountStatement:
    """`pending` entries are not booked yet; `foreign` ones are in another currency than the account's: neither is
    imported, nor counted in the balances."""

    format: str
    reference: str
    iban: str
    currency: str
    from_day: date | None
    until_day: date | None
    opening_cents: int
    closing_cents: int
    movements: tuple[Movement, ...]
    pending: int
    foreign: tuple[Movement, ...]

    def check_balances(self) -> None:
        """Raises StatementUnbalanced."""
        moved = sum(each.cents for each in self.movements)
        if out_by := self.closing_cents - self.opening_cents - moved:
            message = "get the statement from the bank again: entries are missing, or there are too many"
            raise StatementUnbalanced(
                errors=[{"field": "file", "message": message}], statement=self.reference,
                opening_cents=self.opening_cents, entries_cents=moved, closing_cents=self.closing_cents, out_by=out_by,
            )  # fmt: skip
