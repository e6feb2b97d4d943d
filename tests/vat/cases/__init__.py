"""Cases of law and arithmetic: what is sold, to whom, when; and what the document must say, worked out by hand.

Every expected number was computed on paper from the source named beside it, none by the product.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from app.vat.decide import Decision, decide, price_with_vat
from app.vat.totals import Item

DAY = date(2026, 11, 2)
Tax = tuple[str, int, int, int, str | None]
"""(category, rate in permille, net cents, VAT cents, mention)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a list price in cents, with VAT or without, and the facts that decide its VAT."""

    cents: int
    includes_vat: bool
    facts: dict[str, Any]
    given: Decision | None = None

    @property
    def decision(self) -> Decision:
        return self.given or decide(**{"day": DAY, **self.facts})

    @property
    def item(self) -> Item:
        """As it stands on a document: a customer who owes the VAT at home pays the list price less the VAT in it."""
        decided = self.decision
        cents, includes_vat = self.cents, self.includes_vat
        if decided.waived_permille:
            cents, includes_vat = price_with_vat(cents, includes_vat, decided).net, False
        return Item(cents, includes_vat, decided.rate_permille, decided.category, decided.ground, decided.mention_code)


@dataclass(frozen=True, slots=True)
class Case:
    """`nets` are the cents of each line without VAT; `taxes` the document's groups, highest rate first."""

    situation: str
    lines: tuple[Line, ...]
    nets: tuple[int, ...]
    taxes: tuple[Tax, ...]
    source: str


def net(cents: int, country: str = "BE", **facts: Any) -> Line:
    """A line priced without VAT."""
    return Line(cents, False, {"country": country, **facts})


def gross(cents: int, country: str = "BE", **facts: Any) -> Line:
    """A line priced with VAT."""
    return Line(cents, True, {"country": country, **facts})


def outside(cents: int, ground: str) -> Line:
    """A sum that pays for no supply: no VAT is decided, because there is nothing to tax."""
    return Line(cents, True, {}, Decision(0, "O", ground))


def case(situation: str, lines: Line | tuple[Line, ...], nets: tuple[int, ...], taxes: Any, source: str) -> Case:
    """`taxes` is one group or a tuple of them."""
    several = taxes if not taxes or isinstance(taxes[0], tuple) else (taxes,)
    return Case(situation, (lines,) if isinstance(lines, Line) else lines, nets, several, source)


def to_business(country: str) -> dict[str, Any]:
    """A customer that is a business established in `country`, under the rule that follows it."""
    return {"place_of_supply": "GENERAL_B2B", "customer_country": country, "customer_is_business": True}
