"""Reading offers from the database: many at once, in seven statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from app.booking.cancellation import Step, Terms
from app.booking.catalogue.offers import Offer, OfferedUnit, Regime
from app.booking.hours import HoursException, Opening, WeeklyHours
from app.booking.models import BookingRule, CancellationStep, OpeningHours, PriceList, Resource, ResourceUnit, Unit
from app.booking.models import HoursException as HoursExceptionRow
from app.booking.prices import Tariff
from app.booking.rules import Rules
from app.network.models import Operator, Space, VatRegime
from app.vat.lettings import premises_of

MOST_SHARED = 4096
Value = TypeVar("Value")

# A revision this transaction has raised may yet be rolled back and given to other contents: never to be remembered.
# (Transaction ids of savepoints are above that of their transaction.)
RAISED_HERE: ColumnElement[bool] = literal_column(
    "coalesce(space.xmin::text::bigint >= pg_current_xact_id_if_assigned()::text::bigint % 4294967296, false)"
)


def read_offers(session: Session, resource_ids: Iterable[int]) -> Iterator[tuple[Offer, bool]]:
    """The offers of many resources in seven statements, archived ones too, and whether this transaction has raised
    the revision of the offer's space.

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
    for resource, space, currency, raised_here in rows:
        yield _assemble(resource, space, currency, parts), raised_here


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
        premises=premises_of(resource.letting_equipped, resource.option_from, resource.option_until),
    )


def _terms_by_class(rows: Iterable[tuple[str, int, int]]) -> dict[str, Terms]:
    """The cancellation terms of each class of people that has its own; the rows come from the earliest step on."""
    steps: dict[str, list[Step]] = {}
    for audience, hours, percent in rows:
        steps.setdefault(audience, []).append(Step(hours, percent))
    return {audience: _shared(Terms(tuple(own))) for audience, own in steps.items()}


@lru_cache(maxsize=MOST_SHARED)
def _kept(value: Any) -> Any:
    return value


def _shared(value: Value) -> Value:
    """The first of all equal values: hundreds of desks share their rules, their hours and what was computed of them."""
    kept: Value = _kept(value)
    return kept


RULE_FIELDS = (
    "lead_minutes", "horizon_days", "min_minutes", "max_minutes", "step_minutes", "buffer_before_minutes",
    "buffer_after_minutes", "audience", "quota_day_minutes", "quota_week_minutes", "quota_month_minutes", "approval",
    "pay_first", "no_show_after_minutes",
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
        buffer_after_minutes=0, audience="anyone", approval=False, pay_first=False, cancellation=[[0, 0]],
    )  # fmt: skip
