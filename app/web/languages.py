"""The languages of the pages: which one a visitor gets, and its catalogue of sentences.

Sentences are English in code and templates; translations/<language>.po hold the others. Catalogues are compiled in
memory when first needed, so that there is no build step and a .po file is all there is to edit.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale, dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, g, request

FOLDER = Path(__file__).parent / "translations"
LANGUAGES = {"fr": "Français", "nl": "Nederlands", "de": "Deutsch", "en": "English"}
SOURCE = "en"
DEFAULT = "fr"
COOKIE = "lang"


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> NullTranslations:
    if language == SOURCE:
        return NullTranslations()
    compiled = BytesIO()
    with (FOLDER / f"{language}.po").open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


def chosen() -> str | None:
    """The language asked for with this very request."""
    asked = request.args.get("lang", "")
    return asked if asked in LANGUAGES else None


def language() -> str:
    """Asked for now, else chosen before (a cookie), else the browser's wish, else French."""
    if "language" not in g:
        kept = request.cookies.get(COOKIE, "")
        g.language = chosen() or (kept if kept in LANGUAGES else _wished())
    return str(g.language)


def _wished() -> str:
    """The browser's wishes in their order; nl-BE is a wish for Dutch."""
    wishes = (tag.partition("-")[0].lower() for tag in request.accept_languages.values())
    return next((wish for wish in wishes if wish in LANGUAGES), DEFAULT)


def gettext(sentence: str) -> str:
    return catalogue(language()).gettext(sentence)


def ngettext(one: str, many: str, number: int) -> str:
    return catalogue(language()).ngettext(one, many, number)


def _(sentence: str, **values: object) -> str:
    """The sentence in the visitor's language, with its %(name)s filled in."""
    return gettext(sentence) % values if values else gettext(sentence)


def install(app: Flask) -> None:
    """Give the templates `_()`, `ngettext()` and the filters for times and money."""
    for known in LANGUAGES:
        catalogue(known)
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.filters |= {"money": money, "clock": clock, "long_day": long_day, "short_day": short_day}


def clock(instant: datetime) -> str:
    """The time on the wall; the instant must be in the space's zone already."""
    return f"{instant:%H:%M}"


def long_day(day: datetime) -> str:
    return dates.format_date(day, format="full", locale=_locale())


def short_day(day: datetime) -> str:
    return dates.format_skeleton("MMMEd", day, locale=_locale())


def money(amount: dict[str, object]) -> str:
    cents, currency = amount["amount_cents"], str(amount["currency"])
    assert isinstance(cents, int)
    return str(numbers.format_currency(Decimal(cents) / 100, currency, locale=_locale()))


def duration(minutes: int) -> str:
    """`2 hours 30 minutes`, in the visitor's language (Babel 2.18 has no hours in Dutch)."""
    hours, rest = divmod(minutes, 60)
    parts = [ngettext("%(num)s hour", "%(num)s hours", hours) % {"num": hours}] if hours else []
    if rest or not hours:
        parts.append(ngettext("%(num)s minute", "%(num)s minutes", rest) % {"num": rest})
    return " ".join(parts)


def days(number: int) -> str:
    return ngettext("%(num)s day", "%(num)s days", number) % {"num": number}


@lru_cache(maxsize=len(LANGUAGES))
def _parsed(known: str) -> Locale:
    return Locale.parse(known)


def _locale() -> Locale:
    return _parsed(language())
