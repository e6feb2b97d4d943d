"""What the page of a space's day shows: the table, the form, and what the form's question is answered with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from app.booking.catalogue.offers import Offer
from app.booking.catalogue.remembering import offer_of
from app.booking.finding.directory import Listing
from app.booking.finding.timeline import occupancy
from app.booking.localtime import local_day, parse_instant
from app.booking.quoting import quote
from app.booking.wishes import Wish
from app.errors import Invalid
from app.web import wording
from app.web.days import Table, table_of
from app.web.visits import Visit
from app.web.wishing import Form, button, form_for, form_of, offer_in, wish_of


@dataclass(frozen=True, slots=True)
class Offered:
    """A booking that could be made with one click: where, when, for how much, and its button's hidden fields."""

    offer: Offer
    form: Form
    wish: Wish
    quote: dict[str, Any] | None
    button: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DayView:
    """All that the page of a space's day shows."""

    listing: Listing
    day: date
    today: date
    table: Table | None
    form: Form
    offered: Offered | None = None
    refusal: str | None = None
    alternatives: tuple[Offered, ...] = ()

    @property
    def before(self) -> date:
        return self.day - timedelta(days=1)

    @property
    def after(self) -> date:
        return self.day + timedelta(days=1)


def asked(visit: Visit, listing: Listing, values: Mapping[str, str]) -> DayView:
    """The day, and what the form in `values` asks about: a price with a button, or why not and what instead."""
    form = form_of(values, today=local_day(visit.now, listing.hours.zone))
    if not form.asked or visit.person is None:
        return day_view(visit, listing, form)
    offer = offer_in(listing, form.resource)
    try:
        wish = wish_of(form, offer)
    except Invalid as problem:
        return day_view(visit, listing, form, refusal=wording.sentence(problem, offer.zone))
    quoted = quote(visit.session, wish, person=visit.member, now=visit.now)
    if quoted["refusal"] is None:
        return day_view(visit, listing, form, offered=_offered(offer, wish, quoted))
    return refused(visit, listing, form, wish, quoted["refusal"])


def day_view(visit: Visit, listing: Listing, form: Form, **more: Any) -> DayView:
    timeline = occupancy(visit.session, listing, first=form.day, days=1, person=visit.person, now=visit.now)
    today = local_day(visit.now, listing.hours.zone)
    return DayView(listing, form.day, today, table_of(timeline), form, **more)


def refused(visit: Visit, listing: Listing, form: Form, wish: Wish, refusal: dict[str, Any]) -> DayView:
    """The day with the refusal in words, and its alternatives, priced, as buttons."""
    alternatives = tuple(_alternative(visit, wish, each) for each in refusal["alternatives"])
    words = wording.words(refusal["code"], refusal["rule"], refusal["limit"], listing.hours.zone)
    return day_view(visit, listing, form, refusal=words, alternatives=alternatives)


def _alternative(visit: Visit, wish: Wish, found: dict[str, Any]) -> Offered:
    start, end = (parse_instant(found[name], field=name) for name in ("start", "end"))
    offer = offer_of(visit.session, found["resource_id"])
    other = Wish(resource_id=offer.resource_uid, start=start, end=end, title=wish.title)
    return _offered(offer, other, quote(visit.session, other, person=visit.member, now=visit.now))


def _offered(offer: Offer, wish: Wish, quoted: dict[str, Any]) -> Offered:
    return Offered(offer, form_for(wish, offer), wish, quoted, button(wish))
