"""Amounts, days, rates and quantities as the reader's country writes them. No float: decimals made of integers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError, dates, numbers

from app.billing.papers.labels import UNITS, unit_name
from app.languages import language_of

CENT, FINEST = Decimal("0.01"), Decimal("0.0001")


@lru_cache(maxsize=64)
def locale_of(language: str, country: str) -> Locale:
    """`fr` in Belgium writes otherwise than in France; a language without ways of its own there, as at home."""
    try:
        return Locale.parse(f"{language_of(language)}_{country.upper()}")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(language_of(language))


@dataclass(frozen=True, slots=True)
class Figures:
    """One document's: a locale and a currency."""

    locale: Locale
    currency: str

    @property
    def language(self) -> str:
        return str(self.locale.language)

    def money(self, cents: int) -> str:
        """Cents of the currency, with its sign: `1.234,56 €`."""
        return str(numbers.format_currency(Decimal(cents) / 100, self.currency, locale=self.locale))

    def amount(self, cents: int) -> str:
        """The same without the sign of the currency, for columns that name it in their head."""
        return str(numbers.format_decimal(Decimal(cents) / 100, format="#,##0.00", locale=self.locale))

    def price(self, net_cents: int, quantity_milli: int) -> str:
        """The price of one unit without VAT, to four decimals where cents do not tell it exactly; empty for none."""
        if not quantity_milli:
            return ""
        exact = Decimal(net_cents) * 10 / Decimal(quantity_milli)
        told = exact.quantize(FINEST, ROUND_HALF_UP)
        pattern = "#,##0.00" if told == told.quantize(CENT) else "#,##0.00##"
        return str(numbers.format_decimal(told, format=pattern, locale=self.locale))

    def rate(self, permille: int) -> str:
        """Thousandths as percent: `21 %`, `5,5 %`."""
        return str(numbers.format_percent(Decimal(permille) / 1000, format=self._percent, locale=self.locale))

    @property
    def _percent(self) -> str:
        return str(self.locale.percent_formats[None].pattern).replace("#,##0", "#,##0.#")

    def quantity(self, milli: int, unit: str) -> str:
        """Thousandths of a unit: `3,5 heures`, `1 jour`; a unit that is not known keeps its code."""
        number = Decimal(milli) / 1000
        told = str(numbers.format_decimal(number, format="#,##0.###", locale=self.locale))
        plural = self.locale.plural_form(abs(number)) != "one"
        return f"{told} {unit_name(unit, self.language, plural=plural) if unit in UNITS else unit}"

    def day(self, iso: str) -> str:
        """`22 novembre 2026`."""
        return str(dates.format_date(date.fromisoformat(iso), format="long", locale=self.locale))

    def short_day(self, iso: str) -> str:
        """`22/11/2026`, or as they write it there; the year in full."""
        pattern = str(self.locale.date_formats["short"].pattern).replace("yyyy", "yy").replace("yy", "y")
        return str(dates.format_date(date.fromisoformat(iso), format=pattern, locale=self.locale))

    def days(self, first: str, last: str) -> str:
        """From the first day to the last, both counted; one day is told once."""
        return self.short_day(first) if first == last else f"{self.short_day(first)} – {self.short_day(last)}"
