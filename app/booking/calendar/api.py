"""Calendar feeds over HTTP: opening and revoking them, reading one, and one booking as a file."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState

from app.booking.calendar.door import TYPE, FeedDoor
from app.booking.calendar.entries import as_it_is, own_entry, space_entry
from app.booking.calendar.feeds import LONGEST_URL, list_feeds, open_feed, revoke_feed
from app.booking.calendar.icalendar_text import single
from app.booking.calendar.schemas import FeedShape, NewFeed, OpenedFeed, describe_feed
from app.errors import Invalid, NotFound
from app.http.operation import Call, Reply, operation
from app.http.paging import Paged, page_of
from app.http.schemas import PageQuery
from app.http.services import Services
from app.network import audit

blueprint = Blueprint("calendar", __name__)
DOOR = "passerelle.feed_door"


@blueprint.record
def _put_in_the_door(state: BlueprintSetupState) -> None:
    app: Any = state.app
    app.wsgi_app = app.extensions[DOOR] = FeedDoor(app.wsgi_app, lambda: app.extensions["passerelle"])


@operation(blueprint, "POST", "/api/v1/feeds", body=NewFeed, returns=OpenedFeed, status=201, problems=(404, 409))
def create_feed(call: Call, body: dict[str, Any]) -> Reply:
    """Open a calendar subscription: your own bookings (`me`), a space's for its staff (`space`, with `space_id`), or
    what a display at a door shows of a resource (`resource`, with `resource_id`). The `url` is a secret that is shown
    this once. A person has at most 20 live feeds."""
    subjects = {"space_id": body["space_id"], "resource_id": body["resource_id"]}
    feed, secret = open_feed(
        call.session, person=call.person, scope=body["scope"], subjects=subjects, name=body["name"], now=call.now
    )
    return Reply({"id": str(feed.uid), "url": _address(call.services, secret)})


@operation(blueprint, "GET", "/api/v1/feeds", query=PageQuery, returns=FeedShape, many=True, paged=True)
def get_feeds(call: Call, query: dict[str, Any]) -> Paged:
    """Your feeds, oldest first, revoked ones included. Their addresses are not shown again."""
    page = page_of(query["limit"], query["cursor"], key=(int,))
    feeds = list_feeds(call.session, member_id=call.person.member_id, page=page)
    shown = feeds[: page.limit]
    return Paged([describe_feed(feed) for feed in shown], [shown[-1].id] if len(feeds) > page.limit else None)


@operation(blueprint, "DELETE", "/api/v1/feeds/<feed_id>", status=204)
def delete_feed(call: Call, feed_id: UUID) -> None:
    """Revoke a feed: its address answers 410 from now on. Repeating it succeeds. If-Match is not needed: a feed never
    changes, so there is nothing that somebody could overwrite unseen."""
    revoke_feed(call.session, member_id=call.person.member_id, feed_id=feed_id, now=call.now)


@operation(blueprint, "GET", "/api/v1/bookings/<booking_id>/calendar.ics", media="text/calendar")
def download_booking(call: Call, booking_id: UUID) -> Response:
    """One booking as a file for a calendar. Staff of the space get it as the space's feed shows it: without title."""
    booking = as_it_is(call.session, booking_id)
    if booking is None:
        raise NotFound()
    if booking.member_id == call.person.member_id:
        entry = own_entry(booking, public_url=_base(call.services))
    else:
        entry = space_entry(booking)
        audit.note(call.session, call.person, "booking.viewed", booking.space_id, booking.uid, call.now)
    headers = [
        TYPE,
        ("Content-Disposition", f'attachment; filename="booking-{booking.uid}.ics"'),
        ("Cache-Control", "no-store"),
    ]
    return Response(single(entry), headers=headers)


@blueprint.get("/f/<secret>.ics")
def read_feed(secret: str) -> Response:
    """A calendar, to whoever knows its address: 404 unknown, 410 revoked, 304 while nothing has changed.

    What can be answered is answered at the door (door.py); what arrives here mostly cannot.
    """
    door: FeedDoor = current_app.extensions[DOOR]
    answer = door.read(secret, request.environ)
    return Response(answer.octets, status=answer.status, headers=answer.headers)


def _base(own: Services) -> str:
    return own.config.public_url or request.host_url.rstrip("/")


def _address(own: Services, secret: str) -> str:
    address = f"{_base(own)}/f/{secret}.ics"
    if len(address) > LONGEST_URL:
        raise Invalid.field("Host", f"calendar programs take addresses of at most {LONGEST_URL} characters")
    return address
