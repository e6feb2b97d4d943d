"""An offer: everything about one resource that a booking or a price needs, in one immutable value.

Read from the database by app.booking.catalogue.loading, kept by the process in app.booking.catalogue.remembering,
priced by app.booking.catalogue.pricing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from app.booking.cancellation import Terms
from app.booking.hours import WeeklyHours
from app.booking.prices import Tariff
from app.booking.rules import Rules
from app.vat.lettings import Premises
from app.vat.rates import VatUndecided


class OfferedUnit(NamedTuple):
    uid: UUID
    name: str


class Regime(NamedTuple):
    """The VAT regime of the operator from a day on."""

    valid_from: date
    regime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A resource as it is offered. `takes` any one of its units, or all of them; `units` are the unarchived ones.

    `premises` says of an office how it is let; None is a service.
    """

    resource_id: int
    resource_uid: UUID
    space_id: int
    space_uid: UUID
    space_slug: str
    space_name: str
    space_town: str
    operator_id: int
    network_id: int
    space_revision: int
    country: str
    postcode: str
    latitude: float
    longitude: float
    kind: str
    takes: str
    name: str
    description: str
    capacity: int
    amenities: tuple[str, ...]
    archived: bool
    currency: str
    zone: ZoneInfo
    unit_ids: tuple[int, ...]
    units: Mapping[int, OfferedUnit] = field(hash=False)
    rules: Rules
    hours: WeeklyHours
    tariffs: tuple[Tariff, ...]
    cancellation: Terms
    cancellation_for: Mapping[str, Terms] = field(default_factory=dict, hash=False)
    regimes: tuple[Regime, ...]
    premises: Premises | None = None

    def regime_on(self, day: date) -> str:
        """The operator's VAT regime on a day. Raises VatUndecided before the first."""
        in_force = [row for row in self.regimes if row.valid_from <= day]
        if not in_force:
            raise VatUndecided(country=self.country, regime=None, day=day.isoformat())
        return max(in_force).regime
