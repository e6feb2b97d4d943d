"""What a line of a document says, in the four languages of documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

LOCALES = ("fr", "nl", "de", "en")

RESOURCES: dict[str, tuple[str, str, str, str]] = {
    "desk_pool": ("Poste de travail", "Werkplek", "Arbeitsplatz", "Desk"),
    "desk": ("Poste attitré", "Vaste werkplek", "Fester Arbeitsplatz", "Named desk"),
    "room": ("Salle", "Zaal", "Raum", "Room"),
    "office": ("Bureau", "Kantoor", "Büro", "Office"),
    "equipment": ("Matériel", "Materiaal", "Ausrüstung", "Equipment"),
}
_THING = ("Réservation", "Reservering", "Buchung", "Booking")
_PLAN = ("Formule", "Formule", "Tarif", "Plan")

# What a charge of a kind says: {what} is what was booked or signed.
KINDS: dict[str, tuple[str, str, str, str]] = {
    "booking": ("{what}", "{what}", "{what}", "{what}"),
    "fee": (
        "Frais d’annulation : {what}", "Annuleringskosten: {what}", "Stornogebühr: {what}", "Cancellation fee: {what}",
    ),
    "membership": ("{what}", "{what}", "{what}", "{what}"),
    "adjustment": ("Ajustement : {what}", "Aanpassing: {what}", "Anpassung: {what}", "Adjustment: {what}"),
    "deposit": ("Garantie : {what}", "Waarborg: {what}", "Kaution: {what}", "Deposit: {what}"),
    "deposit_return": (
        "Garantie restituée : {what}", "Terugbetaalde waarborg: {what}", "Erstattete Kaution: {what}",
        "Deposit returned: {what}",
    ),
    "manual": ("{what}", "{what}", "{what}", "{what}"),
    "late_interest": (
        "Intérêts de retard : {what}", "Nalatigheidsinterest: {what}", "Verzugszinsen: {what}",
        "Late-payment interest: {what}",
    ),
    "recovery_fee": (
        "Frais de recouvrement : {what}", "Invorderingskosten: {what}", "Beitreibungskosten: {what}",
        "Recovery costs: {what}",
    ),
}  # fmt: skip
_DAYS = ("{days}/{of_days} jours", "{days}/{of_days} dagen", "{days}/{of_days} Tage", "{days}/{of_days} days")


def locale_of(asked: str) -> str:
    """One of the languages of documents: what was asked where it is one, else French."""
    return asked if asked in LOCALES else LOCALES[0]


def line_text(*, kind: str, facts: Mapping[str, Any], plan: str | None, timezone: str | None, locale: str) -> str:
    """What the line of a charge says; times are those on the wall of its space. A credit's `note` stands behind."""
    said = _said(KINDS.get(kind, KINDS["manual"]), locale).format(what=_what(facts, plan, timezone, locale))
    return f"{said} – {facts['note']}" if facts.get("note") else said


def _what(facts: Mapping[str, Any], plan: str | None, timezone: str | None, locale: str) -> str:
    if text := facts.get("text"):
        return str(text)
    if facts.get("resource_kind") or facts.get("start"):
        return _booked(facts, timezone, locale)
    return _signed(facts, plan, locale)


def _booked(facts: Mapping[str, Any], timezone: str | None, locale: str) -> str:
    thing = _said(RESOURCES.get(str(facts.get("resource_kind")), _THING), locale)
    times = [_wall(facts[end], timezone) for end in ("start", "end") if facts.get(end)]
    return f"{thing}, {'–'.join(times)}" if times else thing


def _signed(facts: Mapping[str, Any], plan: str | None, locale: str) -> str:
    name = plan or _said(_PLAN, locale)
    days, of_days = facts.get("days"), facts.get("of_days")
    if days is None or of_days is None or days == of_days:
        return name
    return f"{name}, {_said(_DAYS, locale).format(days=abs(days), of_days=of_days)}"


def _wall(instant: str, timezone: str | None) -> str:
    at = datetime.fromisoformat(instant)
    return f"{at.astimezone(ZoneInfo(timezone)) if timezone else at:%H:%M}"


def _said(words: tuple[str, str, str, str], locale: str) -> str:
    return words[LOCALES.index(locale)]
