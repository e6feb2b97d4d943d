"""The languages people are addressed in: catalogues of sentences, and days, amounts and durations as each writes them.

Sentences are English in the code; translations/<language>.po of each room holds the others. Catalogues are compiled in
memory when first needed, so that there is no build step and a .po file is all there is to edit.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale, dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = {"fr": "Français", "nl": "Nederlands", "de": "Deutsch", "en": "English"}
SOURCE = "en"
DEFAULT = "fr"


@lru_cache(maxsize=32)
def compiled(folder: Path, language: str) -> NullTranslations:
    """The catalogue of one language; the source's sentences are their own translation."""
    if language == SOURCE:
        return NullTranslations()
    octets = BytesIO()
    with (folder / f"{language}.po").open("rb") as source:
        write_mo(octets, read_po(source, locale=language))
    octets.seek(0)
    return GNUTranslations(octets)


def language_of(locale: str) -> str:
    """The language of `nl`, `nl-BE` or `nl_BE`; French when it is none of ours."""
    language = locale[:2].lower()
    return language if language in LANGUAGES else DEFAULT


@lru_cache(maxsize=len(LANGUAGES))
def parsed(language: str) -> Locale:
    return Locale.parse(language)


def clock(instant: datetime) -> str:
    """The time on the wall; the instant must be in the space's zone already."""
    return f"{instant:%H:%M}"


def long_day(day: date, language: str) -> str:
    return dates.format_date(day, format="full", locale=parsed(language))


def short_day(day: date, language: str) -> str:
    return dates.format_skeleton("MMMEd", day, locale=parsed(language))


def day_of_year(day: date, language: str) -> str:
    """`22 nov. 2026`."""
    return dates.format_date(day, format="medium", locale=parsed(language))


def month_of_year(day: date, language: str) -> str:
    """`novembre 2026`."""
    return dates.format_skeleton("yMMMM", day, locale=parsed(language))


def money(cents: int, currency: str, language: str) -> str:
    return str(numbers.format_currency(Decimal(cents) / 100, currency, locale=parsed(language)))


def rate(permille: int, language: str) -> str:
    """Thousandths as percent: `21 %`, `5,5 %`."""
    pattern = str(parsed(language).percent_formats[None].pattern).replace("#,##0", "#,##0.#")
    return str(numbers.format_percent(Decimal(permille) / 1000, format=pattern, locale=parsed(language)))
