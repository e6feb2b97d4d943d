"""What the memberships that cover a person at a space on a day give them: credit, a discount, and who pays.

The rows come from one statement (app.booking.situation), which has chosen the memberships and the version of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from app.network.memberships.cycles import cycle_of
from app.network.memberships.pools import ANY_KIND, CENTS, Balance, balances_of, pools_of


class Customer(NamedTuple):
    """A party, as far as a price depends on it. A business is one whose VAT number is known to be valid."""

    uid: str
    country: str
    is_business: bool

    @classmethod
    def of(cls, row: Sequence[Any]) -> Customer:
        """Of `[uid, country, is_business, vat_status]`."""
        return cls(row[0], row[1], row[2] and row[3] == "valid")


class Discount(NamedTuple):
    """What a plan takes off a price, in percent."""

    plan: str
    percent: int


@dataclass(frozen=True, slots=True)
class Held:
    """A membership on a day, with the plan version it follows then. `entries` are the sums drawn, by cycle and pool:
    `[cycle, pool, kind, minutes, cents]`. `payer` is null where its member pays."""

    membership_id: int
    plan: str
    starts_on: date
    ends_on: date | None
    cycle: str
    cycle_months: int
    anchor: str
    currency: str
    credits: Sequence[Mapping[str, Any]] | None = None
    included: Mapping[str, int] | None = None
    discounts: Sequence[Mapping[str, Any]] = ()
    access: Sequence[Mapping[str, Any]] | None = None
    payer: Customer | None = None
    entries: Sequence[Sequence[Any]] = ()

    @classmethod
    def of(cls, row: Sequence[Any]) -> Held:
        """Of a JSON array in the order of the fields."""
        (membership_id, plan, starts, ends, cycle, months, anchor, currency, credits, included, discounts, access,
         payer, entries) = row  # fmt: skip
        return cls(
            membership_id, plan, date.fromisoformat(starts), date.fromisoformat(ends) if ends else None,
            cycle, months, anchor, currency, credits, included, discounts or (), access,
            Customer.of(payer) if payer else None, entries or (),
        )  # fmt: skip

    def balances(self, day: date, *, kind: str, currency: str) -> list[Balance]:
        """What is left for a booking of `kind` on `day`, in the cycle of that day; cents in `currency` alone.

        Credit does not survive the membership: it expires with the cycle, or on the membership's last day.
        """
        cycle = cycle_of(
            day, cycle=self.cycle, cycle_months=self.cycle_months, anchor=self.anchor, starts_on=self.starts_on
        )
        drawn = [(entry[1], entry[2], entry[3], entry[4]) for entry in self.entries if entry[0] == str(cycle.first)]
        last = min(cycle.last, self.ends_on) if self.ends_on else cycle.last
        pools = pools_of(self.credits, self.included or {})
        balances = balances_of(pools, drawn, membership_id=self.membership_id, cycle=cycle.first, last=last)
        usable = (each for each in balances if each.pool.is_for(kind))
        return [each for each in usable if each.pool.unit != CENTS or self.currency == currency]


def largest_percent(discounts: Iterable[Sequence[Mapping[str, Any]]], kind: str) -> int:
    """The largest discount on `kind` among those of several plan versions; 0 without any."""
    return max((_percent(each, kind) for each in discounts), default=0)


def _percent(discounts: Sequence[Mapping[str, Any]], kind: str) -> int:
    fitting = (written["percent"] for written in discounts if written["kind"] in (ANY_KIND, kind))
    return max(fitting, default=0)


def discount_of(held: Iterable[Held], kind: str) -> Discount | None:
    """The largest discount on `kind` among the memberships."""
    offered = (Discount(each.plan, _percent(each.discounts, kind)) for each in held)
    return max((each for each in offered if each.percent), key=lambda each: each.percent, default=None)
