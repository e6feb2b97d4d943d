"""Whether the letting of an office is taxed: by country, day, equipment, option, duration and customer, as rows.

The first row that fits decides. A desk or a meeting room with what belongs to it is a service and no letting: these
rows are for an office that somebody has to themselves.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from typing import Any, NamedTuple

from app.errors import Invalid
from app.vat.rates import VatUndecided

SHORT_MONTHS = 6


class Letting(NamedTuple):
    """The facts of one letting. `equipped`: with furniture and installations and, in Belgium, the services of a
    business centre; `option`: both sides chose to have it taxed; `starts_on` to `ends_on`, both counted, is the time it
    is agreed for (None: open)."""

    equipped: bool = False
    option: bool = False
    starts_on: date | None = None
    ends_on: date | None = None

    @property
    def is_short(self) -> bool:
        """At most six months: from 31 August to the end of February, too."""
        if self.starts_on is None or self.ends_on is None:
            return False
        return self.ends_on < _months_later(self.starts_on, SHORT_MONTHS)


class Premises(NamedTuple):
    """How an office is let, as the lessor says: bare or `equipped` (see Letting), and on which days
    `[option_from, option_until)` bare premises are let with VAT by the lessor's choice: in France by a declaration that
    takes effect on the first of its month (CGI, art. 260, 2°; ann. II, art. 191 to 195), in Belgium by the contract."""

    equipped: bool
    option_from: date | None = None
    option_until: date | None = None

    def let(self, *, day: date, starts_on: date, ends_on: date | None) -> Letting:
        """The facts that decide the VAT of `day`, of a letting agreed for `starts_on` to `ends_on`, both counted."""
        begun = self.option_from is not None and self.option_from <= day
        option = begun and (self.option_until is None or day < self.option_until)
        return Letting(self.equipped, option, starts_on, ends_on)

    @property
    def ends_after_it_begins(self) -> bool:
        return self.option_from is None or self.option_until is None or self.option_from < self.option_until

    def check(self, country: str) -> None:
        """Raises Invalid on `letting` for an option that makes no sense, and for a country without rows."""
        for holds, remedy in (
            (country in COUNTRIES, f"its VAT is known for {', '.join(COUNTRIES)} only: leave it out"),
            (self.option_from is None or not self.equipped, "an equipped office is taxed anyway: no option_from"),
            (self.option_until is None or self.option_from is not None, "give option_from with option_until"),
            (self.ends_after_it_begins, "option_until must be after option_from"),
        ):
            if not holds:
                raise Invalid.field("letting", remedy)


class LettingRule(NamedTuple):
    """A row: None fits anything. `category` is S (taxed at the standard rate) or E."""

    country: str
    valid_from: date
    equipped: bool | None
    option: bool | None
    short: bool | None
    to_business: bool | None
    category: str
    mention_code: str | None
    source: str


_BE_1996, _BE_2005, _BE_2019, _FR_2000 = date(1996, 1, 1), date(2005, 9, 27), date(2019, 1, 1), date(2000, 4, 1)
_BE_EXEMPT = ("E", "be_letting_exempt_44", "Code de la TVA, art. 44, § 3, 2°")
_BE_SHORT = ("S", None, "Code de la TVA, art. 44, § 3, 2°, a), septième tiret (loi du 14 octobre 2018)")
_BE_OPTION = ("S", None, "Code de la TVA, art. 44, § 3, 2°, d) (loi du 14 octobre 2018)")
_BE_CENTRE = ("S", None, "Code de la TVA, art. 18 ; circulaire AOIF n° 39/2005 (E.T. 108.816) du 27 septembre 2005")

RULES: tuple[LettingRule, ...] = (
    LettingRule("BE", _BE_2005, True, None, None, None, *_BE_CENTRE),
    LettingRule("BE", _BE_2019, None, None, True, True, *_BE_SHORT),
    LettingRule("BE", _BE_2019, None, True, False, True, *_BE_OPTION),
    LettingRule("BE", _BE_1996, None, None, None, None, *_BE_EXEMPT),
    LettingRule("FR", _FR_2000, True, None, None, None, "S", None, "CGI, art. 256 ; art. 261 D, 2° a contrario"),
    LettingRule("FR", _FR_2000, False, True, None, None, "S", None, "CGI, art. 260, 2°"),
    LettingRule("FR", _FR_2000, False, False, None, None, "E", "fr_letting_exempt_261d", "CGI, art. 261 D, 2°"),
)

COUNTRIES = tuple(sorted({row.country for row in RULES}))


def premises_of(equipped: bool | None, option_from: date | None, option_until: date | None) -> Premises | None:
    """Of the columns of a resource or a plan's version; None for what is no letting: a service."""
    return None if equipped is None else Premises(equipped, option_from, option_until)


def columns_of(premises: Premises | None) -> dict[str, Any]:
    """What `premises_of` reads."""
    equipped, option_from, option_until = premises or (None, None, None)
    return {"letting_equipped": equipped, "option_from": option_from, "option_until": option_until}


def letting_rule(letting: Letting, *, country: str, day: date, to_business: bool) -> LettingRule:
    """The row for a letting begun or continued on `day` to a business (which uses it as one), or to anybody else.

    Raises VatUndecided for a country or a day without rows.
    """
    facts = (letting.equipped, letting.option, letting.is_short, to_business)
    for row in RULES:
        if row.country == country and row.valid_from <= day and _fits(row, facts):
            return row
    raise VatUndecided(country=country, letting=True, day=day.isoformat())


def _fits(row: LettingRule, facts: tuple[bool, ...]) -> bool:
    wanted = (row.equipped, row.option, row.short, row.to_business)
    return all(want is None or want == fact for want, fact in zip(wanted, facts, strict=True))


def _months_later(day: date, months: int) -> date:
    """The same day of the month so much later; where that month has none, the first of the next."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    last = monthrange(year, month)[1]
    return date(year, month, day.day) if day.day <= last else date(year, month, last) + timedelta(days=1)
