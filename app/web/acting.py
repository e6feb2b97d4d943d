"""What the pages' buttons do: book, cancel, open and revoke a calendar address. The services decide; this says so."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from flask import Response, flash, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.booking.calendar.feeds import open_feed, revoke_feed
from app.booking.cancelling import cancel_booking
from app.booking.catalogue.remembering import offer_of
from app.booking.deciding import accept_booking
from app.booking.finding.directory import listing_of
from app.booking.making import make_booking
from app.booking.quoting import refusal
from app.errors import Problem, Refused, SlotTaken
from app.http import idempotency, metrics
from app.web.day_view import refused
from app.web.mine import live_feeds, own_bookings
from app.web.notifying import returning_address
from app.web.site import blueprint
from app.web.visits import Visit, page, visiting
from app.web.wishing import form_for, sent_wish

LONGEST_NAME = 100
NO_SUBJECT = {"space_id": None, "resource_id": None}


@blueprint.get("/bookings")
def bookings() -> Response:
    return _bookings_page()


def _bookings_page(address: str | None = None) -> Response:
    def look(visit: Visit) -> dict[str, Any]:
        return {
            "person": visit.member,
            "bookings": own_bookings(visit),
            "feeds": live_feeds(visit),
            "returned": returning_address(visit),
        }

    response = page("bookings.html", address=address, **visiting(look))
    if address:
        response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/bookings")
def book() -> AnyResponse:
    """Book what the button said; the same button pressed twice books once."""
    try:
        _once()
    except (Refused, SlotTaken) as problem:
        return _refused(problem)
    flash("booked")
    return redirect(url_for("pages.bookings"), 303)


def _once() -> None:
    try:
        visiting(_book)
    except idempotency.LostRace:
        visiting(_book)


def _book(visit: Visit) -> None:
    wish, person = sent_wish(request.form), visit.member
    sent = {name: value for name, value in sorted(request.form.items()) if name != "csrf_token"}
    claim = idempotency.claim(
        member_id=person.member_id,
        method="POST",
        path=request.path,
        key=request.form.get("key"),
        body=json.dumps(sent).encode(),
    )
    if idempotency.look_up(visit.session, claim, now=visit.now) is None:
        make_booking(visit.session, wish, person=person, now=visit.now)
        idempotency.store(visit.session, claim, status=303, headers="{}", body="", now=visit.now)


def _refused(problem: Problem) -> Response:
    """Nothing was booked: the day as it is now, why not, and what instead."""
    metrics.refused(problem)

    def look(visit: Visit) -> dict[str, Any]:
        wish = sent_wish(request.form)
        offer = offer_of(visit.session, wish.resource_id)
        listing = listing_of(visit.session, offer.space_slug)
        view = refused(visit, listing, form_for(wish, offer), wish, refusal(problem))
        return {"person": visit.person, "view": view}

    return page("space.html", status=problem.status, **visiting(look))


@blueprint.post("/bookings/<uuid:booking_id>/cancel")
def cancel(booking_id: UUID) -> AnyResponse:
    visiting(lambda visit: cancel_booking(visit.session, booking_id, person=visit.member, now=visit.now))
    flash("cancelled")
    return redirect(url_for("pages.bookings"), 303)


@blueprint.post("/bookings/<uuid:booking_id>/accept")
def accept(booking_id: UUID) -> AnyResponse:
    """Take up the place that was offered from the waiting list, as the mail about it says."""
    visiting(lambda visit: accept_booking(visit.session, booking_id, person=visit.member, now=visit.now))
    flash("booked")
    return redirect(url_for("pages.bookings"), 303)


@blueprint.post("/feeds")
def open_calendar() -> Response:
    """A new calendar address, shown this once."""
    typed = " ".join(request.form.get("name", "").split())
    name = "".join(filter(str.isprintable, typed))[:LONGEST_NAME] or "Passerelle"

    def open_own(visit: Visit) -> str:
        _, secret = open_feed(
            visit.session, person=visit.member, scope="me", subjects=dict(NO_SUBJECT), name=name, now=visit.now
        )
        return f"{visit.services.config.public_url or request.host_url.rstrip('/')}/f/{secret}.ics"

    return _bookings_page(visiting(open_own))


@blueprint.post("/feeds/<uuid:feed_id>/revoke")
def revoke_calendar(feed_id: UUID) -> AnyResponse:
    visiting(lambda visit: revoke_feed(visit.session, member_id=visit.member.member_id, feed_id=feed_id, now=visit.now))
    flash("revoked")
    return redirect(url_for("pages.bookings"), 303)
