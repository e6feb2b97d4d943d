"""The booking form: local times as people type them become a wish, and a wish becomes the form again."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from app.booking.catalogue.offers import Offer
from app.booking.finding.directory import Listing
from app.booking.finding.timeline import parse_day
from app.booking.localtime import ONE_DAY, local_day, parse_instant, to_instant
from app.booking.wishes import Wish
from app.errors import Invalid, NotFound

LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Form:
    """What the form shows: text as it was typed, and the day it is about."""

    day: date
    resource: str = ""
    start: str = "09:00"
    end: str = "12:00"
    title: str = ""

    @property
    def asked(self) -> bool:
        return bool(self.resource)


def form_of(values: Mapping[str, str], *, today: date) -> Form:
    """The form as sent, or as it first stands. Raises Invalid on a day that is none."""
    day = parse_day(values["day"]) if values.get("day") else today
    given = {name: values[name] for name in ("resource", "start", "end", "title") if values.get(name)}
    return Form(day, **given)


def offer_in(listing: Listing, resource: str) -> Offer:
    """Raises NotFound for what the space does not offer."""
    found = next((offer for offer in listing.offers if str(offer.resource_uid) == resource), None)
    if found is None:
        raise NotFound()
    return found


def wish_of(form: Form, offer: Offer) -> Wish:
    """Raises Invalid naming the field; an end of 00:00 is the end of the day."""
    start = datetime.combine(form.day, _time(form.start, "start"))
    end = datetime.combine(form.day, _time(form.end, "end"))
    if end.time() == time.min:
        end += ONE_DAY
    zone = offer.zone
    period = (to_instant(start, zone, field="start"), to_instant(end, zone, field="end"))
    return _wish(offer.resource_uid, *period, form.title)


def sent_wish(values: Mapping[str, str]) -> Wish:
    """The wish in a booking button: instants, so that what is booked is what was shown. Raises Invalid, NotFound."""
    try:
        resource_id = UUID(values.get("resource_id", ""))
    except ValueError:
        raise NotFound() from None
    start, end = (parse_instant(values.get(name, ""), field=name) for name in ("start", "end"))
    return _wish(resource_id, start, end, values.get("title", ""))


def form_for(wish: Wish, offer: Offer) -> Form:
    """The form that would have asked for `wish`."""
    start, end = wish.start.astimezone(offer.zone), wish.end.astimezone(offer.zone)
    return Form(local_day(wish.start, offer.zone), str(wish.resource_id), f"{start:%H:%M}", f"{end:%H:%M}", wish.title)


def button(wish: Wish) -> dict[str, Any]:
    """The hidden fields of a button that books `wish`, once however often it is pressed."""
    return {
        "resource_id": str(wish.resource_id),
        "start": wish.start.isoformat(),
        "end": wish.end.isoformat(),
        "title": wish.title,
        "key": secrets.token_urlsafe(16),
    }


def _wish(resource_id: UUID, start: datetime, end: datetime, title: str) -> Wish:
    if end - start <= timedelta(0):
        raise Invalid.field("end", "must be after start")
    title = title.strip()
    if len(title) > LONGEST_TITLE or not title.isprintable():
        raise Invalid.field("title", f"at most {LONGEST_TITLE} characters on one line")
    return Wish(resource_id=resource_id, start=start, end=end, title=title)


def _time(text: str, field: str) -> time:
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 (a time on the wall has no zone)
    except ValueError:
        raise Invalid.field(field, "write a time as 09:30") from None
