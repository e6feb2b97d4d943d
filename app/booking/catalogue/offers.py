"""An offer: everything about one resource that a booking or a price needs, in one immutable value.

Offers are kept by the process and shared between threads. One is right as long as its `space_revision` is the space's,
because the database raises that number in the very transaction that changes anything an offer is made of.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from threading import Lock
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from app.booking.cancellation import Step, Terms
from app.booking.hours import HoursException, Opening, WeeklyHours
from app.booking.localtime import local_day
from app.booking.models import BookingRule, CancellationStep, OpeningHours, PriceList, Resource, ResourceUnit, Unit
from app.booking.models import HoursException as HoursExceptionRow
from app.booking.prices import Price, Tariff, discounted, minutes_by_local_day, priced, select_tariff, tariff_cents
from app.booking.rules import Rules
from app.errors import NotFound, Refused
from app.network.memberships.holding import Customer
from app.network.models import Operator, Space, VatRegime
from app.vat.decide import Decision, decide
from app.vat.rates import VatUndecided

LARGEST_CACHE = 4096
Value = TypeVar("Value")


class OfferedUnit(NamedTuple):
    uid: UUID
    name: str


class Regime(NamedTuple):
    """The VAT regime of the operator from a day on."""

    valid_from: date
    regime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A resource as it is offered. `takes` any one of its units, or all of them; `units` are the unarchived ones."""

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

    def regime_on(self, day: date) -> str:
        """The operator's VAT regime on a day. Raises VatUndecided before the first."""
        in_force = [row for row in self.regimes if row.valid_from <= day]
        if not in_force:
            raise VatUndecided(country=self.country, regime=None, day=day.isoformat())
        return max(in_force).regime


def tariff_in_force(offer: Offer, day: date, audience: str) -> Tariff | None:
    """The list that prices a day for `audience` (anyone, members); None for a resource without any, which is free.

    Raises Refused (rule `price`) where there are lists, but none for that day and audience.
    """
    tariff = select_tariff(offer.tariffs, day=day, audience=audience)
    if tariff is None and offer.tariffs:
        raise Refused(rule="price", limit={"audience": audience, "day": day.isoformat()})
    return tariff


def vat_of(offer: Offer, place_of_supply: str, day: date, customer: Customer | None = None) -> Decision:
    """The VAT on what is offered there on a day. Raises VatUndecided where the tables have no answer."""
    return decide(
        country=offer.country,
        postcode=offer.postcode,
        regime=offer.regime_on(day),
        place_of_supply=place_of_supply,
        day=day,
        customer_country=customer.country if customer else None,
        customer_is_business=customer is not None and customer.is_business,
    )


def quote_price(
    offer: Offer, *, start: datetime, end: datetime, audience: str, percent_off: int = 0,
    customer: Customer | None = None, as_part_of: Price | None = None,
) -> Price:  # fmt: skip
    """The price of `[start, end)` for `audience`, by the tariff and VAT of its first local day, less a discount.

    What only comes along is taxed like what it comes with (`as_part_of`): an ancillary supply shares the treatment of
    the principal one (CJEU C-349/96, Card Protection Plan). Raises Refused (rule `price`), VatUndecided.
    """
    day = local_day(start, offer.zone)
    tariff = tariff_in_force(offer, day, audience)
    if tariff is None:
        return Price(0, 0, 0, offer.currency, 0)
    cents = discounted(tariff_cents(tariff, minutes_by_local_day(start, end, offer.zone)), percent_off)
    decision = (as_part_of and as_part_of.vat) or vat_of(offer, tariff.place_of_supply, day, customer)
    return priced(cents, tariff, decision)


class _Cache:
    """The offers used last, by public id."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._lock = Lock()
        self._offers: OrderedDict[UUID, Offer] = OrderedDict()

    def get(self, resource_uid: UUID) -> Offer | None:
        with self._lock:
            offer = self._offers.get(resource_uid)
            if offer is not None:
                self._offers.move_to_end(resource_uid)
            return offer

    def put(self, offer: Offer) -> None:
        with self._lock:
            self._offers[offer.resource_uid] = offer
            self._offers.move_to_end(offer.resource_uid)
            if len(self._offers) > self._largest:
                self._offers.popitem(last=False)

    def drop(self, resource_uid: UUID) -> None:
        with self._lock:
            self._offers.pop(resource_uid, None)


_cache = _Cache(LARGEST_CACHE)


def cached_offer(resource_uid: UUID) -> Offer | None:
    """What the process remembers of a resource. Right only if its `space_revision` is the space's of this moment."""
    return _cache.get(resource_uid)


def known_offer(session: Session, resource_uid: UUID) -> Offer:
    """The offer as it is remembered, right or not, or else loaded: for what never changes of it, such as its space.

    Raises NotFound for an unknown resource.
    """
    return _cache.get(resource_uid) or load_offer(session, resource_uid)


def remembered_offer(resource_uid: UUID, revision: int) -> Offer | None:
    """What the process remembers of a resource whose space the caller has just read to be at `revision`."""
    offer = _cache.get(resource_uid)
    return offer if offer is not None and offer.space_revision == revision else None


def refresh(session: Session, resource_uid: UUID, revision: int) -> Offer:
    """The offer of a resource whose space the caller has just read to be at `revision`: remembered, or loaded anew.

    Raises NotFound for an unknown or archived resource.
    """
    return remembered_offer(resource_uid, revision) or load_offer(session, resource_uid)


def offer_of(session: Session, resource_uid: UUID) -> Offer:
    """The offer of a resource, by one statement when it is remembered. Raises NotFound for unknown or archived."""
    revision = session.scalar(
        select(Space.revision).join(Resource, Resource.space_id == Space.id).where(Resource.uid == resource_uid)
    )
    if revision is None:
        raise NotFound()
    return refresh(session, resource_uid, revision)


def load_offer(session: Session, resource_uid: UUID) -> Offer:
    """Read an offer from the database. Raises NotFound for an unknown or archived resource."""
    resource_id = session.scalar(
        select(Resource.id).where(Resource.uid == resource_uid, Resource.archived_at.is_(None))
    )
    if resource_id is None:
        _cache.drop(resource_uid)
        raise NotFound()
    return load_offers(session, [resource_id])[resource_id]


# A revision this transaction has raised may yet be rolled back and given to other contents: never to be remembered.
# (Transaction ids of savepoints are above that of their transaction.)
RAISED_HERE: ColumnElement[bool] = literal_column(
    "coalesce(space.xmin::text::bigint >= pg_current_xact_id_if_assigned()::text::bigint % 4294967296, false)"
)


def load_offers(session: Session, resource_ids: Iterable[int]) -> dict[int, Offer]:
    """Read the offers of many resources in seven statements, archived ones too, and remember them.

    The revision is read first: what changes while the rest is read makes the offer newer than its revision says, and
    the next comparison reads it again.
    """
    ids = list(resource_ids)
    owned = (
        select(Resource, Space, Operator.currency, RAISED_HERE)
        .join(Space, Space.id == Resource.space_id)
        .join(Operator, Operator.id == Space.operator_id)
        .where(Resource.id.in_(ids))
        .order_by(Resource.id)
        .execution_options(populate_existing=True)
    )
    rows = session.execute(owned).all()
    parts = _Parts(session, ids, {space.id: space for _, space, _, _ in rows})
    offers = {}
    for resource, space, currency, raised_here in rows:
        offers[resource.id] = offer = _assemble(resource, space, currency, parts)
        if not raised_here and not offer.archived:
            _cache.put(offer)
    return offers


class _Parts:
    """The rows beside resource and space, grouped by what they belong to."""

    def __init__(self, session: Session, ids: list[int], spaces: dict[int, Space]) -> None:
        self.units = _units(session, ids)
        self.rules = _rules(session, ids)
        self.prices = _grouped(session, select(PriceList).where(PriceList.resource_id.in_(ids)), "resource_id")
        operators = {space.operator_id for space in spaces.values()}
        regimes = select(VatRegime).where(VatRegime.operator_id.in_(operators))
        self.regimes = _grouped(session, regimes, "operator_id")
        self.hours = load_hours(session, spaces.values())


def _grouped(session: Session, statement: Any, key: str) -> dict[int, list[Any]]:
    groups: dict[int, list[Any]] = {}
    for row in session.scalars(statement.execution_options(populate_existing=True)):
        groups.setdefault(getattr(row, key), []).append(row)
    return groups


def _rules(session: Session, ids: list[int]) -> dict[int, tuple[BookingRule, Sequence[tuple[str, int, int]]]]:
    """The rules of each resource, and the steps of its cancellation terms by class of people, the earliest first."""
    step = CancellationStep
    steps = (
        select(func.jsonb_agg(aggregate_order_by(
            func.jsonb_build_array(step.audience, step.hours_before, step.percent), step.hours_before.desc()
        )))
        .where(step.resource_id == BookingRule.resource_id)
        .correlate(BookingRule)
        .scalar_subquery()
    )  # fmt: skip
    found = select(BookingRule, steps).where(BookingRule.resource_id.in_(ids))
    rows = session.execute(found.execution_options(populate_existing=True))
    return {rule.resource_id: (rule, own or ()) for rule, own in rows}


def load_hours(session: Session, spaces: Iterable[Space]) -> dict[int, WeeklyHours]:
    """The opening hours of spaces, by internal id, in two statements."""
    by_id = {space.id: space for space in spaces}
    openings = _grouped(session, select(OpeningHours).where(OpeningHours.space_id.in_(by_id)), "space_id")
    changed = select(HoursExceptionRow).where(HoursExceptionRow.space_id.in_(by_id)).order_by(HoursExceptionRow.id)
    exceptions = _grouped(session, changed, "space_id")
    return {id: _hours(space, openings.get(id, []), exceptions.get(id, [])) for id, space in by_id.items()}


def _units(session: Session, resource_ids: list[int]) -> dict[int, dict[int, OfferedUnit]]:
    statement = (
        select(ResourceUnit.resource_id, Unit.id, Unit.uid, Unit.name)
        .join(Unit, Unit.id == ResourceUnit.unit_id)
        .where(ResourceUnit.resource_id.in_(resource_ids), Unit.archived_at.is_(None))
        .order_by(Unit.id)
    )
    units: dict[int, dict[int, OfferedUnit]] = {}
    for resource_id, unit_id, uid, name in session.execute(statement):
        units.setdefault(resource_id, {})[unit_id] = OfferedUnit(uid, name)
    return units


def _hours(space: Space, openings: list[OpeningHours], exceptions: list[HoursExceptionRow]) -> WeeklyHours:
    hours = WeeklyHours(
        zone=ZoneInfo(space.timezone),
        openings=tuple(sorted((_opening(row) for row in openings), key=lambda o: (o.weekday, o.opens))),
        exceptions=tuple(HoursException(row.day, row.opens, row.closes) for row in exceptions),
        holiday_calendar=(space.country, space.region) if space.closed_on_holidays else None,
    )
    return _shared(hours)


def _opening(row: OpeningHours) -> Opening:
    return Opening(row.weekday, row.opens, row.closes)


def _assemble(resource: Resource, space: Space, currency: str, parts: _Parts) -> Offer:
    units = parts.units.get(resource.id, {})
    rule, steps = parts.rules.get(resource.id, (_default_rule(), ()))
    regimes = tuple(sorted(Regime(row.valid_from, row.regime) for row in parts.regimes.get(space.operator_id, [])))
    return Offer(
        resource_id=resource.id,
        resource_uid=resource.uid,
        space_id=space.id,
        space_uid=space.uid,
        space_slug=space.slug,
        space_name=space.name,
        space_town=space.town,
        operator_id=space.operator_id,
        network_id=space.network_id,
        space_revision=space.revision,
        country=space.country,
        postcode=space.postcode,
        latitude=space.latitude,
        longitude=space.longitude,
        kind=resource.kind,
        takes=resource.takes,
        name=resource.name,
        description=resource.description,
        capacity=resource.capacity,
        amenities=tuple(resource.amenities),
        archived=resource.archived_at is not None,
        currency=currency,
        zone=parts.hours[space.id].zone,
        unit_ids=tuple(units),
        units=MappingProxyType(units),
        rules=_shared(rules_of(rule)),
        hours=parts.hours[space.id],
        tariffs=_shared(tuple(tariff_of(row) for row in parts.prices.get(resource.id, []))),
        cancellation=_shared(Terms(tuple(Step(hours, percent) for hours, percent in rule.cancellation))),
        cancellation_for=MappingProxyType(_terms_by_class(steps)),
        regimes=_shared(regimes),
    )


def _terms_by_class(rows: Iterable[tuple[str, int, int]]) -> dict[str, Terms]:
    """The cancellation terms of each class of people that has its own; the rows come from the earliest step on."""
    steps: dict[str, list[Step]] = {}
    for audience, hours, percent in rows:
        steps.setdefault(audience, []).append(Step(hours, percent))
    return {audience: _shared(Terms(tuple(own))) for audience, own in steps.items()}


@lru_cache(maxsize=LARGEST_CACHE)
def _kept(value: Any) -> Any:
    return value


def _shared(value: Value) -> Value:
    """The first of all equal values: hundreds of desks share their rules, their hours and what was computed of them."""
    kept: Value = _kept(value)
    return kept


RULE_FIELDS = (
    "lead_minutes", "horizon_days", "min_minutes", "max_minutes", "step_minutes", "buffer_before_minutes",
    "buffer_after_minutes", "audience", "quota_day_minutes", "quota_week_minutes", "quota_month_minutes", "approval",
    "no_show_after_minutes",
)  # fmt: skip
TARIFF_FIELDS = (
    "currency", "includes_vat", "half_day_cents", "half_day_minutes", "day_cents", "day_minutes", "cap_cents",
    "minimum_cents", "valid_from", "valid_until", "audience", "place_of_supply",
)  # fmt: skip


def rules_of(row: BookingRule) -> Rules:
    return Rules(**{name: getattr(row, name) for name in RULE_FIELDS})


def tariff_of(row: PriceList) -> Tariff:
    tiers = tuple((up_to, cents) for up_to, cents in row.hour_tiers)
    return Tariff(hour_tiers=tiers, **{name: getattr(row, name) for name in TARIFF_FIELDS})


@lru_cache(maxsize=1)
def _default_rule() -> BookingRule:
    """The rules of a resource for which none were written: the defaults of the table."""
    return BookingRule(
        lead_minutes=0, horizon_days=365, min_minutes=30, max_minutes=1440, step_minutes=15, buffer_before_minutes=0,
        buffer_after_minutes=0, audience="anyone", approval=False, cancellation=[[0, 0]],
    )  # fmt: skip
