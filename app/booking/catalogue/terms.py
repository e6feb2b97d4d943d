"""What a resource asks of a booking, and what it costs from a day on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.booking.cancellation import terms_from_json
from app.booking.catalogue.loading import TARIFF_FIELDS
from app.booking.models import BookingRule, CancellationStep, PriceList, Resource
from app.booking.prices import Tariff
from app.booking.rules import Rules
from app.errors import Invalid
from app.network.models import Operator, Space

Steps = list[dict[str, int]]


def set_rules(
    session: Session, resource: Resource, *, cancellation: Steps, cancellation_for: Mapping[str, Steps] | None = None,
    **rules: Any,
) -> None:  # fmt: skip
    """Replace the rules of a resource. Bookings made before keep the terms they were made under. Raises Invalid."""
    Rules(**rules)  # judges what fits together
    _set_own_terms(session, resource, cancellation_for or {})
    steps = [[step.hours_before, step.percent] for step in terms_from_json(cancellation).steps]
    row = session.get(BookingRule, resource.id) or BookingRule(resource_id=resource.id)
    for name, value in rules.items():
        setattr(row, name, value)
    row.cancellation = steps
    session.add(row)


def _set_own_terms(session: Session, resource: Resource, terms: Mapping[str, Steps]) -> None:
    """The cancellation terms of classes of people: those named, and no others."""
    judged = {audience: terms_from_json(steps).steps for audience, steps in terms.items()}
    session.execute(delete(CancellationStep).where(CancellationStep.resource_id == resource.id))
    session.add_all(
        CancellationStep(
            resource_id=resource.id, audience=audience, hours_before=step.hours_before, percent=step.percent
        )
        for audience, steps in judged.items()
        for step in steps
    )


def add_price(session: Session, space: Space, resource: Resource, *, today: date, **values: Any) -> PriceList:
    """A new version of a resource's prices, in the operator's currency; the version without end before it ends there.

    Bookings made before keep their price. Raises Invalid for a start in the past, or a period that another version has.
    """
    currency = session.scalars(select(Operator.currency).where(Operator.id == space.operator_id)).one()
    tiers = [tuple(tier) for tier in values.pop("hour_tiers")]
    tariff = Tariff(currency=currency, hour_tiers=tuple(tiers), **values)  # judges what fits together
    if tariff.valid_from < today:
        raise Invalid.field("valid_from", "prices do not change backwards: give today or later")
    if tariff.valid_until is not None and tariff.valid_until <= tariff.valid_from:
        raise Invalid.field("valid_until", "must be after valid_from; leave it out for no end")
    for other in _versions(session, resource, tariff.audience):
        _make_way(other, tariff)
    session.flush()
    row = PriceList(resource_id=resource.id, hour_tiers=[list(tier) for tier in tiers])
    for name in TARIFF_FIELDS:
        setattr(row, name, getattr(tariff, name))
    session.add(row)
    return row


def _versions(session: Session, resource: Resource, audience: str) -> list[PriceList]:
    mine = select(PriceList).where(PriceList.resource_id == resource.id, PriceList.audience == audience)
    return list(session.scalars(mine.execution_options(populate_existing=True)))


def _make_way(other: PriceList, tariff: Tariff) -> None:
    if other.valid_from < tariff.valid_from and other.valid_until is None:
        other.valid_until = tariff.valid_from
    begins_before_other_ends = other.valid_until is None or tariff.valid_from < other.valid_until
    ends_after_other_begins = tariff.valid_until is None or other.valid_from < tariff.valid_until
    if begins_before_other_ends and ends_after_other_begins:
        until = other.valid_until.isoformat() if other.valid_until else "no end"
        raise Invalid.field(
            "valid_from", f"another version holds from {other.valid_from} to {until}: choose other days"
        )
