"""The languages of the pages: which one a visitor gets, and its catalogue of sentences."""

from __future__ import annotations

from datetime import date, datetime
from gettext import NullTranslations
from pathlib import Path

from flask import Flask, g, request

from app import languages as known_languages
from app.languages import DEFAULT, LANGUAGES, SOURCE, clock, compiled

__all__ = ["LANGUAGES", "SOURCE", "clock"]

FOLDER = Path(__file__).parent / "translations"
COOKIE = "lang"


def catalogue(language: str) -> NullTranslations:
    return compiled(FOLDER, language)


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
    app.jinja_env.filters |= {
        "money": money,
        "clock": clock,
        "long_day": long_day,
        "short_day": short_day,
        "day_of_year": day_of_year,
        "month_of_year": month_of_year,
        "rate": rate,
    }


def long_day(day: datetime) -> str:
    return known_languages.long_day(day, language())


def short_day(day: datetime) -> str:
    return known_languages.short_day(day, language())


def day_of_year(day: date | str) -> str:
    """Of a date, or of one as documents store it."""
    told = date.fromisoformat(day) if isinstance(day, str) else day
    return known_languages.day_of_year(told, language())


def month_of_year(day: date) -> str:
    return known_languages.month_of_year(day, language())


def money(amount: dict[str, object]) -> str:
    cents, currency = amount["amount_cents"], str(amount["currency"])
    assert isinstance(cents, int)
    return known_languages.money(cents, currency, language())


def rate(permille: int) -> str:
    """Thousandths as percent."""
    return known_languages.rate(permille, language())


def duration(minutes: int) -> str:
    """`2 hours 30 minutes`, in the visitor's language (Babel 2.18 has no hours in Dutch)."""
    hours, rest = divmod(minutes, 60)
    parts = [ngettext("%(num)s hour", "%(num)s hours", hours) % {"num": hours}] if hours else []
    if rest or not hours:
        parts.append(ngettext("%(num)s minute", "%(num)s minutes", rest) % {"num": rest})
    return " ".join(parts)


def days(number: int) -> str:
    return ngettext("%(num)s day", "%(num)s days", number) % {"num": number}
