"""The few words a calendar entry says, in the languages of the members."""

from __future__ import annotations

MAIN_LANGUAGE = "fr"  # what a space's and a door's calendar speak: they have many readers

WORDS: dict[str, dict[str, str]] = {
    "fr": {
        "held": "option",
        "pending": "en attente d’accord",
        "confirmed": "confirmée",
        "checked_in": "arrivée enregistrée",
        "completed": "terminée",
        "cancelled": "annulée",
        "refused": "refusée",
        "no_show": "absence",
        "status": "Réservation {status}",
        "people": "{count} pers.",
        "busy": "Occupé",
    },
    "en": {
        "held": "held",
        "pending": "awaiting approval",
        "confirmed": "confirmed",
        "checked_in": "checked in",
        "completed": "completed",
        "cancelled": "cancelled",
        "refused": "refused",
        "no_show": "no-show",
        "status": "Booking {status}",
        "people": "{count} pers.",
        "busy": "Busy",
    },
    "nl": {
        "held": "in optie",
        "pending": "wacht op goedkeuring",
        "confirmed": "bevestigd",
        "checked_in": "aangemeld",
        "completed": "voltooid",
        "cancelled": "geannuleerd",
        "refused": "geweigerd",
        "no_show": "niet opgedaagd",
        "status": "Reservering {status}",
        "people": "{count} pers.",
        "busy": "Bezet",
    },
    "de": {
        "held": "vorgemerkt",
        "pending": "wartet auf Zustimmung",
        "confirmed": "bestätigt",
        "checked_in": "eingecheckt",
        "completed": "abgeschlossen",
        "cancelled": "storniert",
        "refused": "abgelehnt",
        "no_show": "nicht erschienen",
        "status": "Buchung {status}",
        "people": "{count} Pers.",
        "busy": "Belegt",
    },
}


def words(locale: str) -> dict[str, str]:
    """The words of `locale` (`nl`, `nl-BE`, `nl_BE`), or those of the main language."""
    return WORDS.get(locale[:2].lower(), WORDS[MAIN_LANGUAGE])
