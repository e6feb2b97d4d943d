"""The pages: the spaces of the networks, a space's day, what a booking would cost."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from flask import Response, request

from app.booking.finding.directory import listing_of
from app.booking.finding.places import parse_point
from app.booking.finding.spaces import FoundSpace, SpaceSearch, find_spaces
from app.errors import NotFound
from app.http.paging import Page
from app.network.models import Network
from app.web import acting, invoices, looks, notifying, outbox, paying, signing, unsubscribing
from app.web.day_view import asked
from app.web.site import blueprint
from app.web.visits import page, visiting

MOST_SPACES = 500
# Their views join the blueprint when they are imported.
__all__ = ["acting", "blueprint", "invoices", "looks", "notifying", "outbox", "paying", "signing", "unsubscribing"]


@blueprint.get("/")
def spaces() -> Response:
    """The spaces by network, or the nearest first around a point; `q` looks in names and towns."""
    q, near = request.args.get("q", "").strip()[:100], request.args.get("near", "")
    search = SpaceSearch(q=q or None, near=parse_point(near, field="near") if near else None)
    person, found = visiting(lambda visit: (visit.person, find_spaces(visit.session, search, Page(MOST_SPACES, None))))
    return page("spaces.html", person, groups=_grouped(found, by_distance=bool(near)), q=q, near=near)


def _grouped(found: Iterable[FoundSpace], *, by_distance: bool) -> list[tuple[Network | None, list[FoundSpace]]]:
    if by_distance:
        return [(None, list(found))]
    ordered = sorted(found, key=lambda space: (space.network.id, *space.key))
    groups = groupby(ordered, key=lambda space: space.network.id)
    return [(of_network[0].network, of_network) for of_network in (list(group) for _, group in groups)]


@blueprint.get("/spaces/<slug>")
def space(slug: str) -> Response:
    """A space's day, and what the form asks about: its price, or why not and what instead."""
    if not slug.isprintable():  # no database keeps NUL
        raise NotFound()
    person, view = visiting(lambda visit: (visit.person, asked(visit, listing_of(visit.session, slug), request.args)))
    return page("space.html", person, view=view)
