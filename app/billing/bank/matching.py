"""What a line is, where a rule says it exactly: who paid what; what of ours went out, came back, was charged. Pure.

Rules are tried in order, and the first that knows decides. None guesses: what is ambiguous is left to proposing.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.billing.bank import codes, references
from app.billing.bank.movements import Movement
from app.billing.bank.owing import Came, Facts, Item, Register

MOST_NAMED = 10
PROVIDERS = frozenset({"STRIPE"})
_OURS = re.compile("([0-9a-fA-F]{32})(?:-[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`rule` says which rule knew. A payment has a party and `aims` (cents by invoice, as they are open); a line of
    ours an `item`, or the `items` of a file that it books in one sum; what goes back the line that it `undoes`; a fee,
    interest or a payout its `account`."""

    rule: str
    party_id: int | None = None
    aims: tuple[tuple[int, int], ...] = ()
    item: Item | None = None
    items: tuple[Item, ...] = ()
    undoes: Came | None = None
    account: str | None = None


def exact(line: Movement, facts: Facts) -> Verdict | None:
    """The verdict on one line, or None where nothing is certain. Takes what a payment pays out of the register."""
    rules = CREDIT_RULES if line.cents > 0 else DEBIT_RULES
    verdict = next((found for rule in rules if (found := rule(line, facts)) is not None), None)
    if verdict is not None:
        _take(line, verdict, facts.register)
    return verdict


def _take(line: Movement, verdict: Verdict, register: Register) -> None:
    left = line.cents
    for invoice_id, cents in verdict.aims:
        taken = min(left, cents, register.open_cents[invoice_id])
        register.take(invoice_id, taken)
        left -= taken


# --- credits and debits


def own_file(line: Movement, facts: Facts) -> Verdict | None:
    """A file of ours that the bank books in one sum, or the first or recurrent debits of it, by the name of its message
    or block and to the cent. What makes the sum must be certain."""
    message = message_of(line.batch)
    if message is None or _goes_back(line):
        return None
    kind = "debit" if line.cents > 0 else "transfer"
    live = [each for each in facts.batches.get(message, ()) if each.kind == kind and each.state == "in_file"]
    parts = (live, *([each for each in live if each.sequence == name] for name in ("FRST", "RCUR")))
    found = {tuple(part) for part in parts if part and sum(each.cents for each in part) == abs(line.cents)}
    if len(found) != 1:
        return None
    (items,) = found
    if kind == "debit" and not all(_can_pay(each, facts.register) for each in items):
        return None
    booked = {each.id for each in items}
    facts.batches[message] = [each for each in live if each.id not in booked]  # once
    aims = tuple((each.invoice_id, each.cents) for each in items if kind == "debit" and each.invoice_id)
    return Verdict("own_file", aims=aims, items=items)


def _can_pay(item: Item, register: Register) -> bool:
    return item.party_id is not None and item.invoice_id in register.open_cents


def message_of(batch: str | None) -> str | None:
    """The message that a block is of, or that is named itself: files of ours have 32 digits, and their blocks a number
    behind them."""
    found = _OURS.fullmatch(batch or "")
    return found.group(1).lower() if found else None


# --- credits


def own_debit(line: Movement, facts: Facts) -> Verdict | None:
    """A debit that we asked the bank to collect, by its end-to-end id and to the cent."""
    item = facts.items.get(line.end_to_end_id or "")
    if item is None or item.kind != "debit" or item.state != "in_file" or item.cents != line.cents or _goes_back(line):
        return None
    aims = ((item.invoice_id, item.cents),) if item.invoice_id in facts.register.open_cents else ()
    return Verdict("own_debit", party_id=item.party_id, aims=aims, item=item) if item.party_id and aims else None


def returned_transfer(line: Movement, facts: Facts) -> Verdict | None:
    """A transfer of ours that came back, by its end-to-end id and to the cent."""
    item = facts.items.get(line.end_to_end_id or "")
    if item is None or item.kind != "transfer" or item.cents != line.cents:
        return None
    return Verdict("returned_transfer", party_id=item.party_id, item=item)


def interest(line: Movement, _facts: Facts) -> Verdict | None:
    return Verdict("interest", account="bank_interest") if codes.is_interest(line.code) else None


def payout(line: Movement, facts: Facts) -> Verdict | None:
    """The provider pays out what it collected; never more than what it owes."""
    first = (line.name or "").upper().split(" ")[0]
    if first not in PROVIDERS or not line.cents <= facts.in_transit_cents:
        return None
    facts.in_transit_cents -= line.cents
    return Verdict("payout", account="payments_in_transit")


def named(line: Movement, facts: Facts) -> Verdict | None:
    """The invoices that the payer names pay for themselves: one by its communication whatever the amount (the part of
    it that came, or the rest as credit), by its number with the very amount; several with their very sum."""
    if _goes_back(line):
        return None
    register = facts.register
    said = named_in(line, register)
    if said.ambiguous or not said.all or len(said.all) > MOST_NAMED:
        return None
    parties = {register.invoices[each].party_id for each in said.all}
    if len(parties) != 1:
        return None
    aims = tuple((each, register.open_cents[each]) for each in sorted(said.all))
    opened = sum(cents for _, cents in aims)
    (party_id,) = parties
    if opened == line.cents:
        return Verdict("communication" if said.certain == said.all else "number", party_id, aims=_without_paid(aims))
    if len(said.all) > 1 or said.certain != said.all:
        return None
    ((invoice_id, left),) = aims
    if left == 0:
        return Verdict("paid_before", party_id, aims=((invoice_id, line.cents),))
    return Verdict("part" if line.cents < left else "more", party_id, aims=aims)


def _without_paid(aims: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple(aim for aim in aims if aim[1])


@dataclass(frozen=True, slots=True)
class Said:
    """Invoices that a line names: `certain` ones by a communication with its check digits, or as its own reference."""

    all: frozenset[int]
    certain: frozenset[int]
    ambiguous: bool


def named_in(line: Movement, register: Register) -> Said:
    text = references.written([line.structured, line.text])
    certain = [register.by_communication.get(each, []) for each in references.communications(text)]
    for behind in references.creditor_references(text):
        certain.append(register.by_number.get(behind, []) or register.by_communication.get(behind, []))
    if line.structured is not None:
        certain.append(register.by_number.get(line.structured.upper().strip(), []))
    loose = [register.by_number.get(each, []) for each in references.numbers(text, register.heads)]
    found = [each for each in (*certain, *loose) if each]
    return Said(
        all=frozenset(each for ids in found for each in ids),
        certain=frozenset(each for ids in certain for each in ids),
        ambiguous=any(len(set(ids)) > 1 for ids in found),
    )


# --- debits


def own_transfer(line: Movement, facts: Facts) -> Verdict | None:
    """A transfer that we asked the bank to make, by its end-to-end id and to the cent."""
    item = facts.items.get(line.end_to_end_id or "")
    if item is None or item.kind != "transfer" or item.state != "in_file" or item.cents != -line.cents:
        return None
    return Verdict("own_transfer", party_id=item.party_id, item=item)


def goes_back(line: Movement, facts: Facts) -> Verdict | None:
    """Money that came and goes back: a debit that the debtor's bank returns, or an entry that ours reverses. Exactly
    one line that came has its end-to-end id or the bank's reference, and its amount."""
    if not _goes_back(line):
        return None
    for key in keys_of(line.end_to_end_id, line.bank_ref):
        told = (each for each in facts.came.get(key, ()) if each.line_id not in facts.undone)
        came = {each.line_id: each for each in told if each.cents == -line.cents}
        if len(came) == 1:
            (original,) = came.values()
            item = facts.items.get(line.end_to_end_id or "")
            facts.undone.add(original.line_id)  # what went back cannot go back again
            return Verdict("returned", party_id=original.party_id, undoes=original, item=item)
    return None


def charge(line: Movement, _facts: Facts) -> Verdict | None:
    """A fee of the bank, or interest that it takes."""
    if codes.is_charge(line.code):
        return Verdict("bank_fee", account="payment_fees")
    return Verdict("interest", account="payment_fees") if codes.is_interest(line.code) else None


def _goes_back(line: Movement) -> bool:
    return line.is_reversal or line.return_reason is not None or codes.is_returned_debit(line.code)


def keys_of(end_to_end_id: str | None, bank_ref: str | None) -> list[str]:
    """Under which names a line is found again when it goes back."""
    named = {"e2e": end_to_end_id, "ref": bank_ref}
    return [f"{name}:{value}" for name, value in named.items() if value]


Rule = Callable[[Movement, Facts], Verdict | None]
CREDIT_RULES: tuple[Rule, ...] = (own_debit, own_file, returned_transfer, interest, payout, named)
DEBIT_RULES: tuple[Rule, ...] = (own_transfer, own_file, goes_back, charge)
