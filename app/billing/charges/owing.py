"""From what is owed to the charges that say so: pure. What was charged is never changed, so a change is a difference.

What stands (a charge less all that was taken back of it) may go on standing when it is at the same VAT for the same
party, and says what is true or is on a document already: then only the difference is charged, or taken back, newest
first. Everything else is taken back whole, at its own VAT, and charged anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from app.money import round_half_up


class Vat(NamedTuple):
    """A decision on VAT as it is kept: see app.events.meanings.VAT."""

    permille: int
    category: str
    ground: str
    mention: str | None
    includes_vat: bool

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Vat:
        """As an event says it."""
        return cls(*(said[name] for name in cls._fields))


class Cents(NamedTuple):
    """Signed cents; gross = net + VAT."""

    gross: int = 0
    net: int = 0
    vat: int = 0

    def plus(self, other: Cents) -> Cents:
        return Cents(*(a + b for a, b in zip(self, other, strict=True)))

    def minus(self, other: Cents) -> Cents:
        return Cents(*(a - b for a, b in zip(self, other, strict=True)))

    @property
    def negated(self) -> Cents:
        return Cents(-self.gross, -self.net, -self.vat)


class Supply(NamedTuple):
    """What a charge is for: the days, both counted, and how much of what it was."""

    service_from: date
    service_until: date
    facts: dict[str, Any]
    quantity_milli: int
    unit: str


class Owed(NamedTuple):
    """What a party owes for one thing, altogether."""

    kind: str
    party_id: int
    currency: str
    cents: Cents
    vat: Vat
    supply: Supply


class Standing(NamedTuple):
    """A charge and what of it has not been taken back."""

    charge_id: int
    month: date
    documented: bool
    whole: Cents
    left: Cents
    owed: Owed

    @property
    def base(self) -> int:
        """What is left, in the cents it was priced in: with VAT where the price includes it."""
        return base_of(self.left, self.owed.vat)


class Change(NamedTuple):
    """A charge to be written: `corrects` names what it takes back, and whose party, days and VAT it shares."""

    owed: Owed
    corrects: Standing | None = None


def cents_of(gross: int, vat: Vat) -> Cents:
    """A gross amount and the VAT in it, half-up to the cent."""
    contained = round_half_up(gross * vat.permille, 1000 + vat.permille)
    return Cents(gross, gross - contained, contained)


def base_of(cents: Cents, vat: Vat) -> int:
    return cents.gross if vat.includes_vat else cents.net


def settle(standing: Sequence[Standing], owed: Owed | None) -> list[Change]:
    """The charges that make what stands what is owed; none where it is. `standing` has the oldest first."""
    live = [each for each in standing if each.left != Cents()]
    if owed is None or owed.cents == Cents():
        return [take_back(each) for each in reversed(live)]
    kept = [each for each in live if _may_stand(each, owed)]
    changes = _difference(kept, owed)
    if changes is None:
        kept, changes = [], [Change(owed)]
    return [take_back(each) for each in reversed(live) if each not in kept] + changes


def take_back(standing: Standing, cents: Cents | None = None) -> Change:
    """A correction of what is left of a charge, or of `cents` of it."""
    cents = standing.left if cents is None else cents
    whole = cents == standing.whole
    supply = standing.owed.supply
    if not whole:
        supply = supply._replace(quantity_milli=1000, unit="piece")
    return Change(standing.owed._replace(cents=cents.negated, supply=supply), standing)


def total(several: Iterable[Cents]) -> Cents:
    result = Cents()
    for each in several:
        result = result.plus(each)
    return result


def _may_stand(each: Standing, owed: Owed) -> bool:
    same = (each.owed.party_id, each.owed.currency, each.owed.vat) == (owed.party_id, owed.currency, owed.vat)
    return same and (each.documented or each.owed.supply == owed.supply)


def _difference(kept: Sequence[Standing], owed: Owed) -> list[Change] | None:
    """The charges between what is kept and what is owed; None where only cents of VAT or the net would move."""
    more = owed.cents.minus(total(each.left for each in kept))
    if more.gross > 0:
        return [Change(_rest(owed, more) if kept else owed)]
    changes, less = [], more.negated
    for each in reversed(kept):
        if less.gross <= 0:
            break
        back = each.left if each.left.gross <= less.gross else less
        changes.append(take_back(each, back))
        less = less.minus(back)
    return changes if less == Cents() else None


def _rest(owed: Owed, cents: Cents) -> Owed:
    return owed._replace(cents=cents, supply=owed.supply._replace(quantity_milli=1000, unit="piece"))
