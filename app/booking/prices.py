"""What time costs: dated price lists of graduated hours, half-days and days, in integer cents.

Per local day the cheapest combination counts, so eight hours never cost more than the day, and no booking gets
dearer by being shorter. Sums are kept in sixtieths of a cent (cents per hour × minutes) and rounded half-up once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from app.booking.localtime import ONE_DAY, day_start, local_day
from app.errors import Invalid
from app.money import round_half_up
from app.vat.decide import Decision, price_with_vat
from app.vat.places import PLACES_OF_SUPPLY

Tier = tuple[int | None, int]
"""(up to this many minutes of the day, or None for all the rest; cents per hour)."""

ONE_MINUTE = timedelta(minutes=1)
MINUTES_PER_HOUR = 60
AUDIENCES = ("anyone", "members")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """One version of a price list, valid on the days `[valid_from, valid_until)`.

    `hour_tiers` stack: the first prices the first minutes of a local day, the next those that follow. A half-day is
    up to `half_day_minutes`. The day price covers the local day however long; `day_minutes` is what the list calls a
    day. `cap_cents` and `minimum_cents` hold for the whole booking. Free is one tier of 0 cents. `place_of_supply` says
    where VAT is due: where the space is (IMMOVABLE), or where the business customer is (GENERAL_B2B).
    """

    currency: str = "EUR"
    includes_vat: bool
    hour_tiers: tuple[Tier, ...] = ()
    half_day_cents: int | None = None
    half_day_minutes: int = 240
    day_cents: int | None = None
    day_minutes: int = 480
    cap_cents: int | None = None
    minimum_cents: int = 0
    valid_from: date
    valid_until: date | None = None
    audience: str = "anyone"
    place_of_supply: str = "IMMOVABLE"

    def __post_init__(self) -> None:
        if self.audience not in AUDIENCES:
            raise Invalid.field("audience", f"must be one of {', '.join(AUDIENCES)}")
        if self.place_of_supply not in PLACES_OF_SUPPLY:
            raise Invalid.field("place_of_supply", f"must be one of {', '.join(PLACES_OF_SUPPLY)}")
        if not self.hour_tiers and self.half_day_cents is None and self.day_cents is None:
            raise Invalid.field("hour_tiers", "give an hourly, half-day or day price; free is 0 an hour")
        _check_tiers(self.hour_tiers)
        _check_amounts(self)


@dataclass(frozen=True, slots=True)
class Price:
    """A price in cents, gross = net + VAT at `rate_permille`; one that does not add up cannot exist (ValueError).

    `vat` is how that rate was decided and `includes_vat` whether the list's price contains it; null where nothing is
    charged for at all. Prices of the same amounts are equal.
    """

    gross_cents: int
    net_cents: int
    vat_cents: int
    currency: str
    rate_permille: int
    vat: Decision | None = field(default=None, compare=False)
    includes_vat: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if self.net_cents + self.vat_cents != self.gross_cents:
            raise ValueError(f"net {self.net_cents} + VAT {self.vat_cents} is not gross {self.gross_cents}")


def tariff_cents(tariff: Tariff, minutes_per_local_day: Sequence[int]) -> int:
    """The price in cents, with or without VAT as the list says, of a booking given as minutes of each local day."""
    if not any(minutes_per_local_day):
        return 0
    sixtieths = sum(_day_sixtieths(tariff, minutes) for minutes in minutes_per_local_day)
    cents = max(round_half_up(sixtieths, MINUTES_PER_HOUR), tariff.minimum_cents)
    return cents if tariff.cap_cents is None else min(cents, tariff.cap_cents)


def price_of(tariff: Tariff, *, start: datetime, end: datetime, zone: ZoneInfo, decision: Decision) -> Price:
    """The price of `[start, end)` at a space in `zone`, with its VAT by `decision`."""
    cents = tariff_cents(tariff, minutes_by_local_day(start, end, zone))
    return priced(cents, tariff, decision)


def priced(cents: int, tariff: Tariff, decision: Decision) -> Price:
    """`cents` of a list with their VAT by `decision`."""
    gross, net, vat = price_with_vat(cents, tariff.includes_vat, decision)
    return Price(gross, net, vat, tariff.currency, decision.rate_permille, decision, tariff.includes_vat)


def discounted(cents: int, percent: int) -> int:
    """What is left of `cents` with so many percent off, half-up to the cent. Raises ValueError beyond 0 to 100."""
    if not 0 <= percent <= 100:
        raise ValueError(f"{percent} percent off is no discount")
    return round_half_up(cents * (100 - percent), 100)


def select_tariff(tariffs: Iterable[Tariff], *, day: date, audience: str) -> Tariff | None:
    """The version in force on `day`: a members' list before the general one for members, then the latest started."""
    open_to = AUDIENCES if audience == "members" else ("anyone",)
    in_force = [t for t in tariffs if t.audience in open_to and _in_force(t, day)]
    return max(in_force, key=lambda tariff: (tariff.audience == "members", tariff.valid_from), default=None)


def minutes_by_local_day(start: datetime, end: datetime, zone: ZoneInfo) -> list[int]:
    """The minutes that pass on each local day of `[start, end)`; a started minute counts.

    A whole day is 1380 or 1500 minutes when the clock changes. Empty if the period is.
    """
    minutes, reached, end = [], start.astimezone(UTC), end.astimezone(UTC)
    while reached < end:
        stop = min(end, day_start(local_day(reached, zone) + ONE_DAY, zone))
        minutes.append(-((reached - stop) // ONE_MINUTE))
        reached = stop
    return minutes


def _in_force(tariff: Tariff, day: date) -> bool:
    return tariff.valid_from <= day and (tariff.valid_until is None or day < tariff.valid_until)


def _day_sixtieths(tariff: Tariff, minutes: int) -> int:
    """The cheapest way to pay for `minutes` of one local day, in sixtieths of a cent."""
    if minutes <= 0:
        return 0
    offers = list(_half_days_and_hours(tariff, minutes))
    if tariff.day_cents is not None:
        offers.append(tariff.day_cents * MINUTES_PER_HOUR)
    return min(offers)


def _half_days_and_hours(tariff: Tariff, minutes: int) -> Iterator[int]:
    """The price with no half-day, one, two…, what they leave being paid by the hour, from the first tier."""
    half_day = tariff.half_day_cents
    most = 0 if half_day is None else -(-minutes // tariff.half_day_minutes)
    for count in range(most + 1):
        rest = max(0, minutes - count * tariff.half_day_minutes)
        if tariff.hour_tiers or not rest:
            yield count * (half_day or 0) * MINUTES_PER_HOUR + _hours_sixtieths(tariff.hour_tiers, rest)


def _hours_sixtieths(tiers: tuple[Tier, ...], minutes: int) -> int:
    total = reached = 0
    for up_to, cents_per_hour in tiers:
        stop = minutes if up_to is None else min(minutes, up_to)
        total += (stop - reached) * cents_per_hour
        if stop == minutes:
            break
        reached = stop
    return total


def _check_tiers(tiers: tuple[Tier, ...]) -> None:
    limits = [up_to for up_to, _ in tiers[:-1]]
    bounded = [limit for limit in limits if limit is not None]
    ascending = all(a < b for a, b in zip([0, *bounded], bounded, strict=False))
    if tiers and (tiers[-1][0] is not None or len(bounded) != len(limits) or not ascending):
        raise Invalid.field("hour_tiers", "limits must rise, and only the last tier has none")


def _check_amounts(tariff: Tariff) -> None:
    ceilings = [cents for cents in (tariff.day_cents, tariff.cap_cents) if cents is not None]
    amounts = {
        "hour_tiers": min((cents for _, cents in tariff.hour_tiers), default=0),
        "half_day_cents": tariff.half_day_cents or 0,
        "day_cents": tariff.day_cents or 0,
        "cap_cents": tariff.cap_cents or 0,
    }
    for name, cents in amounts.items():
        if cents < 0:
            raise Invalid.field(name, "prices must not be negative")
    if tariff.minimum_cents < 0 or any(tariff.minimum_cents > ceiling for ceiling in ceilings):
        raise Invalid.field("minimum_cents", "must not be negative, nor above the day price or the cap")
    if tariff.half_day_minutes < 1 or tariff.day_minutes < 1:
        raise Invalid.field("half_day_minutes", "a half-day and a day last at least one minute")
