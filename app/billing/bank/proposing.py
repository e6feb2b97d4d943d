"""What a line may be: proposals with reasons and a certainty, for a person to decide. Pure.

Asked after every line that is certain has taken its share. Certainties are stated, not measured: they order proposals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, islice

from app.billing.bank import references
from app.billing.bank.matching import named_in
from app.billing.bank.movements import Movement
from app.billing.bank.owing import Facts, Register, name_key

MOST, MOST_SUMMED, LARGEST_PARTY = 3, 3, 40


@dataclass(frozen=True, slots=True)
class Proposal:
    """`aims` are cents by invoice; `certainty` is in percent."""

    party_id: int
    certainty: int
    reasons: tuple[str, ...]
    aims: tuple[tuple[int, int], ...]


def proposals(line: Movement, facts: Facts) -> list[Proposal]:
    """The best few for a line that came in, most certain first; each set of invoices once."""
    if line.cents < 0 or line.is_reversal or line.return_reason is not None:
        return []
    best: dict[tuple[int, ...], Proposal] = {}
    for rule in RULES:
        for one in rule(line, facts):
            key = tuple(invoice_id for invoice_id, _ in one.aims)
            if key not in best or best[key].certainty < one.certainty:
                best[key] = one
    found = sorted(best.values(), key=lambda each: (-each.certainty, each.aims))[:MOST]
    return found or list(amount_alone(line, facts))


def mistyped(line: Movement, facts: Facts) -> Iterator[Proposal]:
    """Twelve digits that fail their check, and one digit (or two that changed places) away from an open invoice's."""
    register = facts.register
    text = references.written([line.structured, line.text])
    for twelve in references.twelves(text):
        if not references.communications(twelve):
            yield from _near(line, register, references.one_digit_off(twelve), register.by_communication, 95, 50)
    for number in (*references.numbers(text, register.heads), *references.short_numbers(text, register.heads)):
        if number not in register.by_number:
            yield from _near(line, register, references.one_digit_off(number), register.by_number, 60, 10)


def _near(
    line: Movement, register: Register, neighbours: Iterator[str], known: dict[str, list[int]], same: int, other: int
) -> Iterator[Proposal]:
    for neighbour in neighbours:
        for invoice_id in known.get(neighbour, ()):
            if (left := register.open_cents[invoice_id]) == line.cents:
                yield _one(register, invoice_id, left, same, "one_digit_off", "amount")
            elif left > 0 and other > 10:
                yield _one(register, invoice_id, min(left, line.cents), other, "one_digit_off")


def without_zeros(line: Movement, facts: Facts) -> Iterator[Proposal]:
    """A number whose leading zeros were left out."""
    register = facts.register
    for number in references.short_numbers(references.written([line.structured, line.text]), register.heads):
        for invoice_id in register.by_number.get(number, ()):
            if (left := register.open_cents[invoice_id]) > 0:
                reasons = ("short_number", "amount") if left == line.cents else ("short_number",)
                yield _one(register, invoice_id, min(left, line.cents), 90 if left == line.cents else 55, *reasons)


def named_otherwise(line: Movement, facts: Facts) -> Iterator[Proposal]:
    """Invoices are named, but their sum is another, or they are of several parties: oldest first, as far as it goes."""
    register = facts.register
    said = named_in(line, register)
    for party_id in sorted({register.invoices[each].party_id for each in said.all}):
        theirs = [each for each in sorted(said.all) if register.invoices[each].party_id == party_id]
        aims = _filled(register, theirs, line.cents)
        if aims:
            yield Proposal(party_id, 40 if said.ambiguous else 70, ("named", "other_amount"), aims)


def known_party(line: Movement, facts: Facts) -> Iterator[Proposal]:
    """The account or the name is a party's: one of its open invoices has the amount, or two or three make it."""
    by_account = facts.parties_by_iban.get(line.iban or "", set())
    by_name = facts.parties_by_name.get(name_key(line.name), set()) if line.name else set()
    for party_id in sorted(by_account | by_name):
        both = party_id in by_account and party_id in by_name
        reasons = tuple(reason for reason, known in (("account", by_account), ("name", by_name)) if party_id in known)
        certainty = 90 if both else 85 if party_id in by_account else 75
        if len(by_account | by_name) > 1:
            certainty -= 30
        yield from _of_party(line, facts.register, party_id, certainty, reasons)


def _of_party(
    line: Movement, register: Register, party_id: int, certainty: int, reasons: tuple[str, ...]
) -> Iterator[Proposal]:
    opened = register.open_of(party_id)[:LARGEST_PARTY]
    same = [each for each in opened if register.open_cents[each] == line.cents]
    for invoice_id in same[:MOST]:
        sure = certainty if len(same) == 1 else certainty - 30
        yield _one(register, invoice_id, line.cents, sure, *reasons, "amount")
    sums = [] if same else list(islice(_sums(register, opened, line.cents), MOST))
    for chosen in sums:
        aims = tuple((each, register.open_cents[each]) for each in chosen)
        sure = certainty - 10 if len(sums) == 1 else certainty - 35
        yield Proposal(party_id, sure, (*reasons, "sum_of_several"), aims)
    if opened and not same and not sums:
        yield Proposal(party_id, 30, (*reasons, "other_amount"), _filled(register, opened, line.cents))


def _sums(register: Register, opened: list[int], cents: int) -> Iterator[tuple[int, ...]]:
    for count in range(2, MOST_SUMMED + 1):
        for chosen in combinations(opened, count):
            if sum(register.open_cents[each] for each in chosen) == cents:
                yield chosen


def amount_alone(line: Movement, facts: Facts) -> Iterator[Proposal]:
    """Where nothing else is known: only one open invoice of all has this amount."""
    found = facts.register.by_amount.get(line.cents, set())
    if len(found) == 1:
        (invoice_id,) = found
        yield _one(facts.register, invoice_id, line.cents, 25, "only_one_of_this_amount")


def _one(register: Register, invoice_id: int, cents: int, certainty: int, *reasons: str) -> Proposal:
    return Proposal(register.invoices[invoice_id].party_id, certainty, reasons, ((invoice_id, cents),))


def _filled(register: Register, invoices: list[int], cents: int) -> tuple[tuple[int, int], ...]:
    aims = []
    for invoice_id in invoices:
        if (part := min(cents, register.open_cents[invoice_id])) > 0:
            aims.append((invoice_id, part))
            cents -= part
    return tuple(aims)


RULES: tuple[Callable[[Movement, Facts], Iterator[Proposal]], ...] = (
    mistyped, without_zeros, named_otherwise, known_party,
)  # fmt: skip
