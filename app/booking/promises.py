"""What a quote promises of one date, and holding a booking to it: its prices, its terms, what covers it.

A promise is about the price. What is scarce (the place, the credit) is looked at again when booking, and said to be
gone when it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from app.booking.cancellation import Terms, terms_from_json, terms_to_json
from app.booking.cover import Cover
from app.booking.prices import Price
from app.errors import Refused
from app.events.envelope import instant
from app.network.credits import Drawn
from app.network.memberships.pools import Balance
from app.vat.decide import Decision


@dataclass(frozen=True, slots=True)
class Promised:
    """One date: the price of the resource and of each extra, the cancellation terms, and the cover.

    Without a cover (a date of a recurrence) it is found when booking, at these prices.
    """

    start: datetime
    end: datetime
    prices: tuple[Price, ...]
    cancellation: Terms
    cover: Cover | None = None

    def cover_from(self, balances: Iterable[Balance]) -> Cover | None:
        """The cover promised. Raises Refused (rule `quote_changed`) when its credit has been used elsewhere since."""
        if self.cover is None:
            return None
        left = {Drawn.place_of(balance): balance.left for balance in balances}
        for drawn in self.cover.drawn:
            if left.get(drawn.place, 0) < drawn.amount:
                raise Refused(
                    rule="quote_changed", limit={"unit": drawn.unit, "left": left.get(drawn.place, 0)},
                    remedy="the plan's credit it counted on has been used since: ask for a new quote",
                )  # fmt: skip
        return self.cover

    def to_json(self) -> dict[str, Any]:
        return {
            "start": instant(self.start),
            "end": instant(self.end),
            "prices": [_price_to_json(price) for price in self.prices],
            "cancellation": terms_to_json(self.cancellation),
            "cover": None if self.cover is None else self.cover.parts,
            "drawn": [] if self.cover is None else [_drawn_to_json(drawn) for drawn in self.cover.drawn],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Promised:
        drawn = tuple(map(_drawn_from_json, data["drawn"]))
        return cls(
            datetime.fromisoformat(data["start"]),
            datetime.fromisoformat(data["end"]),
            tuple(_price_from_json(row) for row in data["prices"]),
            terms_from_json(data["cancellation"]),
            None if data["cover"] is None else Cover(data["cover"], drawn),
        )


def _drawn_to_json(drawn: Drawn) -> list[Any]:
    membership_id, cycle, *where_and_how_much = drawn
    return [membership_id, cycle.isoformat(), *where_and_how_much]


def _drawn_from_json(row: list[Any]) -> Drawn:
    membership_id, cycle, *where_and_how_much = row
    return Drawn(membership_id, date.fromisoformat(cycle), *where_and_how_much)


def _price_to_json(price: Price) -> list[Any]:
    """The fields in their order; the decision on VAT as a list in its place."""
    return [
        price.gross_cents, price.net_cents, price.vat_cents, price.currency, price.rate_permille,
        None if price.vat is None else list(price.vat), price.includes_vat,
    ]  # fmt: skip


def _price_from_json(row: list[Any]) -> Price:
    gross, net, vat_cents, currency, permille, vat, includes_vat = row
    return Price(gross, net, vat_cents, currency, permille, None if vat is None else Decision(*vat), includes_vat)
