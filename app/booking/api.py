"""Bookings over HTTP: quote, make, look, change, cancel; approve, check in; wait; close."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint
from sqlalchemy import select

from app.booking import (
    cancelling,
    change_quotes,
    closing,
    deciding,
    listing,
    making,
    moving,
    quoting,
    repeating,
    schemas,
    waiting,
)
from app.booking import personal as personal  # registers what erasure and export need of bookings
from app.booking.catalogue.remembering import offer_of
from app.booking.changing import find_booking
from app.booking.describing import booking_etag
from app.booking.models import Booking, Closure
from app.booking.wishes import Wish
from app.errors import Invalid, NotFound
from app.events.envelope import instant
from app.http.operation import Call, Reply, operation
from app.http.paging import LARGEST, Paged, page_of
from app.http.schemas import PageQuery
from app.network import audit
from app.network.models import Member, Space
from app.network.people import Person, acting_for, person_of
from app.network.roles import FRONT_DESK, MANAGE

blueprint = Blueprint("booking", __name__)
REFUSALS = (409, 422)


@operation(
    blueprint, "POST", "/quotes", body=schemas.BookingRequest, returns=schemas.QuoteShape, problems=(422,), reads=True
)
def create_quote(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """What a booking would cost, what would cover it, and whether it would be refused; books nothing.

    What it says holds for five minutes for a booking made with its `id` as `quote_id`.
    """
    owner, wish = _wish(call, body)
    if owner.member_id != call.person.member_id:
        _note(call, "booking.quoted_for", offer_of(call.session, wish.resource_id).space_id, owner.uid)
    may_book = "write" in call.person.token_scopes
    return quoting.quote(call.session, wish, person=owner, now=call.now, promise=may_book)


@operation(
    blueprint, "POST", "/bookings", body=schemas.QuotedBookingRequest, returns=schemas.BookingShape, status=201,
    idempotent=True, problems=REFUSALS, etag=True, located=True,
)  # fmt: skip
def create_booking(call: Call, body: dict[str, Any]) -> Reply:
    """Book a place. A recurrence books all its dates or none, and answers with the first and all `occurrences`."""
    quote_id = body.pop("quote_id")
    owner, wish = _wish(call, body)
    if wish.recurrence is None:
        made = [making.make_booking(call.session, wish, person=owner, now=call.now, quote_id=quote_id)]
        described = made[0].describe()
    else:
        made = repeating.make_series(call.session, wish, person=owner, now=call.now, quote_id=quote_id)
        described = made[0].describe() | {"occurrences": [_occurrence(each) for each in made]}
    if owner.member_id != call.person.member_id:
        for each in made:
            _note(call, "booking.made_for", each.row["space_id"], each.row["uid"])
    return Reply(described, etag=f'"{described["id"]}.0"', location=f"/api/v1/bookings/{described['id']}")


@operation(
    blueprint, "GET", "/bookings", query=schemas.BookingQuery, returns=schemas.BookingShape, many=True, paged=True
)
def list_bookings(call: Call, query: dict[str, Any]) -> Paged:
    """My bookings by start; for staff also those of their spaces."""
    page = page_of(query.pop("limit"), query.pop("cursor"))
    return listing.list_bookings(call.session, query, page, person=call.person, now=call.now)


@operation(blueprint, "GET", "/bookings/<booking_id>", returns=schemas.BookingShape, etag=True)
def get_booking(call: Call, booking_id: UUID) -> Reply:
    """One booking, with its ETag."""
    return _shown(call, find_booking(call.session, booking_id))


@operation(
    blueprint, "PATCH", "/bookings/<booking_id>", body=schemas.BookingChange, returns=schemas.BookingShape,
    if_match=True, problems=REFUSALS, etag=True,
)  # fmt: skip
def change_booking(call: Call, booking_id: UUID, body: dict[str, Any]) -> Reply:
    """Move a booking, or change its title or attendees. Refused, it stays exactly as it was."""
    changed = moving.change_booking(
        call.session, booking_id, _change(body), person=call.person, now=call.now, check=_version(call)
    )
    return _shown(call, changed, did="booking.changed")


@operation(
    blueprint, "POST", "/bookings/<booking_id>/quotes", body=schemas.BookingChange, returns=schemas.ChangeQuoteShape,
    problems=(409,), reads=True,
)  # fmt: skip
def quote_change(call: Call, booking_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """What moving a booking would make of it, or why it would be refused; changes nothing.

    Made smaller later than its terms allow for free, it owes the same `change_fee` that cancelling the part given up
    would cost, never more than the price before.
    """
    return change_quotes.quote_change(call.session, booking_id, _change(body), person=call.person, now=call.now)


@operation(
    blueprint,
    "DELETE",
    "/bookings/<booking_id>",
    returns=schemas.BookingShape,
    if_match=True,
    problems=(409,),
    etag=True,
)
def cancel_booking(call: Call, booking_id: UUID) -> Reply:
    """Cancel a booking under its terms; `fee` says what it costs. Repeating it succeeds, whatever If-Match says."""
    cancelled = cancelling.cancel_booking(
        call.session, booking_id, person=call.person, now=call.now, check=_version(call)
    )
    return _shown(call, cancelled, did="booking.cancelled")


@operation(
    blueprint, "POST", "/bookings/<booking_id>/check-in", returns=schemas.BookingShape, problems=REFUSALS, etag=True
)
def check_in(call: Call, booking_id: UUID) -> Reply:
    """The member has arrived. From half an hour before the start until the end; repeating it succeeds."""
    arrived = deciding.check_in(call.session, booking_id, person=call.person, now=call.now)
    return _shown(call, arrived, did="booking.checked_in")


@operation(
    blueprint, "POST", "/bookings/<booking_id>/accept", returns=schemas.BookingShape, problems=REFUSALS, etag=True
)
def accept_booking(call: Call, booking_id: UUID) -> Reply:
    """Take up a hold, for instance a place offered from the waiting list, before it expires."""
    return _shown(call, deciding.accept_booking(call.session, booking_id, person=call.person, now=call.now))


@operation(
    blueprint, "POST", "/bookings/<booking_id>/approve", returns=schemas.BookingShape, problems=(403, 409), etag=True
)
def approve_booking(call: Call, booking_id: UUID) -> Reply:
    """Staff: confirm a pending request."""
    decided = deciding.approve_booking(call.session, booking_id, person=call.person, now=call.now)
    return _shown(call, decided, did="booking.approved")


@operation(
    blueprint, "POST", "/bookings/<booking_id>/refuse", returns=schemas.BookingShape, problems=(403, 409), etag=True
)
def refuse_booking(call: Call, booking_id: UUID) -> Reply:
    """Staff: refuse a pending request; its place is free again."""
    decided = deciding.refuse_booking(call.session, booking_id, person=call.person, now=call.now)
    return _shown(call, decided, did="booking.refused")


@operation(
    blueprint, "POST", "/waitlist", body=schemas.WaitRequest, returns=schemas.WaitShape, status=201, problems=REFUSALS
)
def join_waitlist(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """Wait for a place that is taken: it is held for half an hour for the first who waits once it becomes free."""
    entry = waiting.join_waitlist(call.session, Wish(**body), person=call.person, now=call.now)
    return listing.describe_wait(call.session, entry)


@operation(blueprint, "GET", "/waitlist", query=PageQuery, returns=schemas.WaitShape, many=True, paged=True)
def list_waitlist(call: Call, query: dict[str, Any]) -> Paged:
    """What I wait or waited for, newest first."""
    page = page_of(query["limit"], query["cursor"], key=(int,), default=LARGEST)
    return listing.my_waiting(call.session, call.person, page)


@operation(blueprint, "DELETE", "/waitlist/<entry_id>", returns=schemas.WaitShape, problems=(409,))
def leave_waitlist(call: Call, entry_id: UUID) -> dict[str, Any]:
    """Stop waiting; an offer already made is given up. Repeating it succeeds."""
    if waiting.find_entry(call.session, entry_id).member_id != call.person.member_id:
        raise NotFound()
    return listing.describe_wait(call.session, waiting.leave_waitlist(call.session, entry_id, now=call.now))


@operation(
    blueprint, "POST", "/spaces/<space_id>/closures/preview", body=schemas.ClosureRequest, returns=schemas.ClosureShape,
    problems=(403,), reads=True,
)  # fmt: skip
def preview_closure(call: Call, space_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Managers: whom a closure would displace and what each would be offered; changes nothing."""
    space, wish = _managed(call, space_id), _closure_wish(body)
    displaced = closing.preview_closure(call.session, space, wish, now=call.now)
    shape = {name: body[name] for name in ("kind", "reason")}
    period = {"start": instant(wish.start), "end": instant(wish.end)}
    return {"id": None, **shape, **period, "lifted_at": None, "displaced": _displaced(call, displaced)}


@operation(
    blueprint, "POST", "/spaces/<space_id>/closures", body=schemas.ClosureRequest, returns=schemas.ClosureShape,
    status=201, problems=(403, 409),
)  # fmt: skip
def publish_closure(call: Call, space_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Managers: close the space or some units. Displaced bookings are cancelled for free and everybody is told."""
    space = _managed(call, space_id)
    closure, displaced = closing.publish_closure(call.session, space, _closure_wish(body), now=call.now)
    _note(call, "closure.published", space.id, closure.uid)
    return {**listing.describe_closure(closure), "displaced": _displaced(call, displaced)}


@operation(blueprint, "GET", "/spaces/<space_id>/closures", returns=schemas.ClosureShape, many=True, problems=(403,))
def list_closures(call: Call, space_id: UUID) -> list[dict[str, Any]]:
    """Managers: closures and maintenance, the latest first."""
    query = select(Closure).where(Closure.space_id == _managed(call, space_id).id).order_by(Closure.id.desc())
    return [listing.describe_closure(closure) for closure in call.session.scalars(query.limit(200))]


@operation(
    blueprint, "DELETE", "/spaces/<space_id>/closures/<closure_id>", returns=schemas.ClosureShape, problems=(403,)
)
def lift_closure(call: Call, space_id: UUID, closure_id: UUID) -> dict[str, Any]:
    """Managers: open again what is left of a closure. Repeating it succeeds."""
    space = _managed(call, space_id)
    closure = closing.lift_closure(call.session, space, closure_id, now=call.now)
    _note(call, "closure.lifted", space.id, closure.uid)
    return listing.describe_closure(closure)


def _wish(call: Call, body: dict[str, Any]) -> tuple[Person, Wish]:
    """Whose booking it is, and what they wish. Booking for somebody else is for staff, by the rules for staff."""
    member_id = body.pop("member_id")
    wish = Wish(**{**body, **{name: tuple(body[name]) for name in ("attendees", "extras", "cover")}})
    if member_id is None or member_id == call.person.uid:
        return call.person, wish
    found = call.session.scalars(select(Member.id).where(Member.uid == member_id)).one_or_none()
    if found is None or not any(grant.space_ids for grant in call.person.grants):
        raise Invalid.field("member_id", "name a member whom you know from a booking or membership at your space")
    owner = person_of(call.session, found)
    _require_desk_of(call, wish)
    return acting_for(owner, call.person), wish


def _change(body: dict[str, Any]) -> moving.Change:
    if "attendees" in body:
        body["attendees"] = tuple(body["attendees"])
    return moving.Change(**body)


def _require_desk_of(call: Call, wish: Wish) -> None:
    call.person.require(FRONT_DESK, offer_of(call.session, wish.resource_id).space_id)


def _note(call: Call, action: str, space_id: int, subject: UUID) -> None:
    audit.note(call.session, call.person, action, space_id, str(subject), call.now)


def _version(call: Call) -> Any:
    return lambda booking: call.check_match(booking_etag(booking))


def _shown(call: Call, booking: Booking, *, did: str = "booking.viewed") -> Reply:
    """The booking as it is now; what staff `did` to a member's goes into the trail."""
    described = listing.show(call.session, [booking], person=call.person, now=call.now, did=did)[0]
    return Reply(described, etag=booking_etag(booking))


def _occurrence(made: making.Made) -> dict[str, Any]:
    described = made.describe()
    return {name: described[name] for name in ("id", "start", "end", "status")}


def _managed(call: Call, space_id: UUID) -> Space:
    space = call.session.scalars(select(Space).where(Space.uid == space_id)).one_or_none()
    if space is None:
        raise NotFound()
    call.person.require(MANAGE, space.id)
    return space


def _closure_wish(body: dict[str, Any]) -> closing.ClosureWish:
    unit_ids = body["unit_ids"]
    return closing.ClosureWish(**{**body, "unit_ids": None if unit_ids is None else tuple(unit_ids)})


def _displaced(call: Call, displaced: list[closing.Displaced]) -> list[dict[str, Any]]:
    shown = listing.show(call.session, [each.booking for each in displaced], person=call.person, now=call.now)
    return [
        {"booking": booking, "alternatives": each.alternatives} for booking, each in zip(shown, displaced, strict=True)
    ]
