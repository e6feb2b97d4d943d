"""What each space offers: a pool of desks, rooms, what can be opened into one, an office, a projector."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from app.booking.catalogue.offers import Offer
from app.booking.catalogue.remembering import load_offers
from app.booking.models import BookingRule, PriceList, Resource, ResourceUnit, Unit
from app.demo.spaces import LONG_AGO, Site

DEARER_FROM, DEARER_PERCENT = date(2027, 1, 1), 104
MEMBERS_PERCENT = 80

# Names and sizes of rooms, in the order in which a space gets them.
ROOMS = (
    ("Salle Tilleul", 6), ("Salle Chêne", 8), ("Salle Érable", 10), ("Salle Charme", 4), ("Salle Frêne", 12),
    ("Salle Bouleau", 16), ("Salle Hêtre", 4), ("Salle Saule", 6), ("Salle Aulne", 8), ("Salle Orme", 10),
    ("Salle Noyer", 14), ("Salle Merisier", 20),
)  # fmt: skip
EQUIPPED = (["screen", "whiteboard"], ["screen", "whiteboard", "video"], ["whiteboard"], ["screen", "accessible"])

FREE_UNTIL_THE_DAY_BEFORE = [[24, 0], [2, 50], [0, 100]]
FREE_UNTIL_TWO_HOURS = [[2, 0], [0, 100]]
LENIENT: dict[str, Any] = {
    "horizon_days": 400, "min_minutes": 30, "step_minutes": 15, "max_minutes": 1440,
    "cancellation": FREE_UNTIL_TWO_HOURS,
}  # fmt: skip
LENIENT_DESKS = {"ath", "la-cantine"}

RULES: dict[str, dict[str, Any]] = {
    "desk_pool": {
        "horizon_days": 180, "min_minutes": 30, "step_minutes": 30, "max_minutes": 1440,
        "cancellation": FREE_UNTIL_TWO_HOURS,
    },
    "desk": {
        "horizon_days": 180, "min_minutes": 240, "step_minutes": 30, "max_minutes": 1440, "audience": "members",
        "cancellation": FREE_UNTIL_THE_DAY_BEFORE,
    },
    "room": {
        "horizon_days": 120, "min_minutes": 30, "step_minutes": 30, "max_minutes": 480, "buffer_after_minutes": 15,
        "quota_week_minutes": 1200, "cancellation": FREE_UNTIL_THE_DAY_BEFORE,
    },
    "small room": {
        "horizon_days": 90, "min_minutes": 30, "step_minutes": 30, "max_minutes": 480, "quota_day_minutes": 480,
        "cancellation": FREE_UNTIL_THE_DAY_BEFORE,
    },
    # Fourteen seats and more: asked for, not simply taken.
    "combined room": {
        "lead_minutes": 120, "horizon_days": 180, "min_minutes": 60, "step_minutes": 30, "max_minutes": 480,
        "buffer_before_minutes": 15, "buffer_after_minutes": 15, "approval": True,
        "cancellation": FREE_UNTIL_THE_DAY_BEFORE,
    },
    "office": {
        "lead_minutes": 1440, "horizon_days": 365, "min_minutes": 240, "step_minutes": 60, "max_minutes": 1440,
        "audience": "network", "cancellation": [[72, 0], [24, 50], [0, 100]],
    },
    "equipment": {"horizon_days": 120, "min_minutes": 30, "step_minutes": 30, "max_minutes": 1440},
}  # fmt: skip
# Cents without VAT in a Walloon town: (first two hours, each later hour, half-day, day), of a room per seat.
PRICES = {
    "desk_pool": (400, 300, 1200, 2000),
    "desk": (500, 400, 1500, 2500),
    "office": (1800, 1500, 5500, 9000),
    "equipment": (300, 200, 800, 1200),
    "room": (250, 200, 700, 1200),
}


@dataclass(slots=True)
class Draft:
    """A resource about to be inserted."""

    site: Site
    kind: str
    rules: str
    name: str
    capacity: int
    units: list[Unit]
    takes: str = "any"
    seats: int = 1  # by which the price is multiplied
    amenities: list[str] = field(default_factory=list)
    row: Resource | None = None


def add_resources(session: Session, sites: dict[str, Site]) -> dict[str, list[Offer]]:
    """The offers of each space by slug, its desk pool first."""
    drafts = [draft for site in sites.values() for draft in _drafts(site)]
    session.add_all(dict.fromkeys(unit for draft in drafts for unit in draft.units))
    for position, draft in enumerate(drafts):
        draft.row = _resource(draft, position)
        session.add(draft.row)
    session.flush()
    for draft in drafts:
        session.add_all(_parts(draft))
    session.flush()
    offers = load_offers(session, [draft.row.id for draft in drafts if draft.row])
    by_slug: dict[str, list[Offer]] = {slug: [] for slug in sites}
    for offer in offers.values():
        by_slug[offer.space_slug].append(offer)
    return by_slug


def _drafts(site: Site) -> list[Draft]:
    desks = [_unit(site, f"Poste {n + 1}") for n in range(site.desks)]
    drafts = [Draft(site, "desk_pool", "desk_pool", "Postes de travail", site.desks, desks, amenities=["wifi"])]
    if site.desks >= 40:
        drafts += [
            Draft(site, "desk", "desk", f"Poste attitré {letter}", 1, [_unit(site, f"Poste attitré {letter}")])
            for letter in "AB"
        ]
    rooms = [_room(site, n) for n in range(site.rooms)]
    drafts += rooms
    if site.rooms >= 3:
        drafts.append(_opened_into_one(rooms[0], rooms[1]))
    if site.desks >= 40:
        drafts.append(Draft(site, "office", "office", "Bureau fermé", 4, [_unit(site, "Bureau fermé")]))
    drafts.append(Draft(site, "equipment", "equipment", "Projecteur", 1, [_unit(site, "Projecteur")]))
    return drafts


def _unit(site: Site, name: str) -> Unit:
    return Unit(space_id=site.space.id, name=name)


def _room(site: Site, n: int) -> Draft:
    name, seats = ROOMS[n]
    rules = "small room" if seats < 6 else "room"
    amenities = EQUIPPED[n % len(EQUIPPED)]
    return Draft(site, "room", rules, name, seats, [_unit(site, name)], seats=seats, amenities=amenities)


def _opened_into_one(first: Draft, second: Draft) -> Draft:
    seats = first.seats + second.seats
    return replace(
        first,
        rules="combined room",
        name=f"{first.name} + {second.name.removeprefix('Salle ')}",
        capacity=seats,
        seats=seats,
        units=first.units + second.units,
        takes="all",
        amenities=sorted({*first.amenities, *second.amenities}),
    )


def _resource(draft: Draft, position: int) -> Resource:
    return Resource(
        space_id=draft.site.space.id,
        kind=draft.kind,
        takes=draft.takes,
        name=draft.name,
        capacity=draft.capacity,
        amenities=draft.amenities,
        position=position,
    )


def _parts(draft: Draft) -> list[Any]:
    assert draft.row is not None
    rules = RULES[draft.rules]
    if draft.kind == "desk_pool" and draft.site.space.slug in LENIENT_DESKS:
        rules = LENIENT
    return [
        *(ResourceUnit(resource_id=draft.row.id, unit_id=unit.id) for unit in draft.units),
        BookingRule(resource_id=draft.row.id, **rules),
        *_price_lists(draft, draft.row.id),
    ]


def _price_lists(draft: Draft, resource_id: int) -> list[PriceList]:
    """Two lists, for anyone and cheaper for members, each with a change of prices on a day."""
    return [
        PriceList(
            resource_id=resource_id,
            audience=audience,
            valid_from=valid_from,
            valid_until=valid_until,
            **_amounts(draft, for_whom * when // 100),
        )
        for audience, for_whom in (("anyone", 100), ("members", MEMBERS_PERCENT))
        for valid_from, valid_until, when in ((LONG_AGO, DEARER_FROM, 100), (DEARER_FROM, None, DEARER_PERCENT))
    ]


def _amounts(draft: Draft, percent: int) -> dict[str, Any]:
    """In France the list says prices with VAT, as consumers are told them; in Belgium without."""
    france = draft.site.space.country == "FR"
    scale = draft.site.dear_percent * percent * draft.seats * (120 if france else 100)
    first, later, half_day, day = (_rounded(cents * scale // 1_000_000) for cents in PRICES[draft.kind])
    return {
        "includes_vat": france,
        "hour_tiers": [[120, first], [None, later]],
        "half_day_cents": half_day,
        "day_cents": day,
    }


def _rounded(cents: int) -> int:
    """To ten cents: prices that people read."""
    return (cents + 5) // 10 * 10
