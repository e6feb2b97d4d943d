"""The shapes of what a space offers, and of its managers' changes."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from marshmallow import fields, validate

from app.booking.cancellation import terms_to_json
from app.booking.catalogue.loading import RULE_FIELDS, TARIFF_FIELDS
from app.booking.catalogue.offers import Offer
from app.booking.catalogue.resources import MOST_UNITS
from app.booking.models import KINDS, HoursException, OpeningHours, Unit
from app.booking.prices import AUDIENCES as PRICE_AUDIENCES
from app.booking.prices import Tariff
from app.booking.rules import AUDIENCES
from app.http.schemas import Strict, not_blank, one_line
from app.network.memberships.offers.schemas import describe_letting, letting
from app.vat.places import PLACES_OF_SUPPLY

LONGEST_MINUTES = 366 * 24 * 60
MOST_CENTS = 100_000_000  # a million, in any currency we meet


def name(**kwargs: Any) -> fields.String:
    return fields.String(validate=[validate.Length(1, 100), not_blank, one_line], **kwargs)


def minutes(lowest: int, highest: int = LONGEST_MINUTES, **kwargs: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(lowest, highest), **kwargs)


def cents(**kwargs: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(0, MOST_CENTS), **kwargs)


def amenities(**kwargs: Any) -> fields.List:
    words = fields.String(validate=[validate.Length(1, 50), one_line])
    return fields.List(words, validate=validate.Length(max=30), **kwargs)


def description(**kwargs: Any) -> fields.String:
    return fields.String(validate=validate.Length(max=2000), **kwargs)


def unit_ids(**kwargs: Any) -> fields.List:
    doc = {"description": "Existing units of the space; rooms A and B opened into one take `all` of two."}
    return fields.List(fields.UUID(), validate=validate.Length(1, MOST_UNITS), metadata=doc, **kwargs)


def capacity(**kwargs: Any) -> fields.Integer:
    doc = {"description": "People who fit. A desk pool holds one per unit."}
    return fields.Integer(strict=True, validate=validate.Range(1, 10_000), metadata=doc, **kwargs)


def position(**kwargs: Any) -> fields.Integer:
    doc = {"description": "Its place in the space's plan."}
    return fields.Integer(strict=True, validate=validate.Range(0, 10_000), metadata=doc, **kwargs)


class NewResource(Strict):
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    takes = fields.String(load_default="any", validate=validate.OneOf(("any", "all")))
    name = name(required=True)
    description = description(load_default="")
    amenities = amenities(load_default=list)
    capacity = capacity(load_default=None, allow_none=True)
    position = position(load_default=0)
    letting = letting(load_default=None)
    units = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, MOST_UNITS),
        metadata={"description": "So many new units; or give unit_ids."},
    )
    unit_ids = unit_ids(load_default=None, allow_none=True)


class ResourceChange(Strict):
    name = name()
    description = description()
    amenities = amenities()
    capacity = capacity()
    position = position()
    letting = letting()
    unit_ids = unit_ids()


class NewUnits(Strict):
    names = fields.List(name(), required=True, validate=validate.Length(1, MOST_UNITS))


class UnitChange(Strict):
    name = name(required=True)


class UnitShape(Strict):
    id = fields.UUID(required=True)
    name = fields.String(required=True)


class CancellationStep(Strict):
    hours_before = fields.Integer(required=True, strict=True, validate=validate.Range(0, 8784))
    percent = fields.Integer(required=True, strict=True, validate=validate.Range(0, 100))


def cancellation_steps(**kwargs: Any) -> fields.List:
    return fields.List(fields.Nested(CancellationStep), validate=validate.Length(1, 20), **kwargs)


class CancellationFor(Strict):
    """Other terms for some; of several that fit a person, the first of staff, members, network."""

    staff = cancellation_steps()
    members = cancellation_steps()
    network = cancellation_steps()


class RulesShape(Strict):
    """Minutes and days; null: no such limit. Quotas are per person."""

    lead_minutes = minutes(0, load_default=0)
    horizon_days = fields.Integer(strict=True, load_default=365, validate=validate.Range(0, 1830))
    min_minutes = minutes(1, load_default=30)
    max_minutes = minutes(1, load_default=1440)
    step_minutes = minutes(1, 1440, load_default=15)
    buffer_before_minutes = minutes(0, 1440, load_default=0)
    buffer_after_minutes = minutes(0, 1440, load_default=0)
    audience = fields.String(load_default="anyone", validate=validate.OneOf(AUDIENCES))
    quota_day_minutes = minutes(0, load_default=None, allow_none=True)
    quota_week_minutes = minutes(0, load_default=None, allow_none=True)
    quota_month_minutes = minutes(0, load_default=None, allow_none=True)
    approval = fields.Boolean(load_default=False, truthy={True}, falsy={False})
    pay_first = fields.Boolean(
        load_default=False,
        truthy={True},
        falsy={False},
        metadata={
            "description": "Whoever owes money for a booking pays it first: the booking is held for half an hour."
        },
    )
    no_show_after_minutes = minutes(1, 1440, load_default=None, allow_none=True)
    cancellation = cancellation_steps(
        load_default=lambda: [{"hours_before": 0, "percent": 0}],
        metadata={"description": "Cancelling so many hours before keeps so many percent; the last step is at 0 hours."},
    )
    cancellation_for = fields.Nested(CancellationFor, load_default=dict)


class Tier(Strict):
    up_to_minutes = minutes(1, required=True, allow_none=True)
    cents_per_hour = cents(required=True)


class NewPrice(Strict):
    audience = fields.String(load_default="anyone", validate=validate.OneOf(PRICE_AUDIENCES))
    valid_from = fields.Date(required=True)
    valid_until = fields.Date(load_default=None, allow_none=True, metadata={"description": "The first day without."})
    includes_vat = fields.Boolean(required=True, truthy={True}, falsy={False})
    hour_tiers = fields.List(
        fields.Nested(Tier),
        load_default=list,
        validate=validate.Length(max=20),
        metadata={"description": "The first prices the first minutes of a day; the last has no limit (null)."},
    )
    half_day_cents = cents(load_default=None, allow_none=True)
    half_day_minutes = minutes(1, 1440, load_default=240)
    day_cents = cents(load_default=None, allow_none=True)
    day_minutes = minutes(1, 1440, load_default=480)
    cap_cents = cents(load_default=None, allow_none=True)
    minimum_cents = cents(load_default=0)
    place_of_supply = fields.String(
        load_default="IMMOVABLE",
        validate=validate.OneOf(PLACES_OF_SUPPLY),
        metadata={"description": "Where its VAT is due: where the space is, or where the business customer is."},
    )


class PriceListShape(NewPrice):
    currency = fields.String(required=True)


class ResourceShape(Strict):
    id = fields.UUID(required=True)
    space_id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    takes = fields.String(required=True, validate=validate.OneOf(("any", "all")))
    name = fields.String(required=True)
    description = fields.String(required=True)
    capacity = fields.Integer(required=True)
    amenities = fields.List(fields.String(), required=True)
    letting = letting(required=True)
    units = fields.List(fields.Nested(UnitShape), required=True)
    rules = fields.Nested(RulesShape, required=True)
    prices = fields.List(fields.Nested(PriceListShape), required=True)


TIME_OF_DAY = {"description": "Local time, HH:MM. Closing at 00:00 is the end of the day.", "example": "08:30"}


class LocalTime(fields.Time):
    """HH:MM on the wall."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="%H:%M", **kwargs)


class HoursRow(Strict):
    opens = LocalTime(required=True, metadata=TIME_OF_DAY)
    closes = LocalTime(required=True, metadata=TIME_OF_DAY)


class WeekdayRow(HoursRow):
    weekday = fields.Integer(
        required=True, strict=True, validate=validate.Range(0, 6), metadata={"description": "0 is Monday."}
    )


class OpeningHoursShape(Strict):
    openings = fields.List(fields.Nested(WeekdayRow), required=True, validate=validate.Length(max=70))
    closed_on_holidays = fields.Boolean(required=True, truthy={True}, falsy={False})


class ExceptionShape(Strict):
    """Other hours on one day; no openings: closed."""

    day = fields.Date(required=True)
    openings = fields.List(fields.Nested(HoursRow), load_default=list, validate=validate.Length(max=10))
    reason = fields.String(load_default="", validate=[validate.Length(max=200), one_line])


class AllHoursShape(OpeningHoursShape):
    exceptions = fields.List(fields.Nested(ExceptionShape), required=True)


def describe_resource(offer: Offer) -> dict[str, Any]:
    return {
        "id": str(offer.resource_uid),
        "space_id": str(offer.space_uid),
        "kind": offer.kind,
        "takes": offer.takes,
        "name": offer.name,
        "description": offer.description,
        "capacity": offer.capacity,
        "amenities": list(offer.amenities),
        "letting": describe_letting(offer.premises),
        "units": [{"id": str(unit.uid), "name": unit.name} for unit in offer.units.values()],
        "rules": describe_rules(offer),
        "prices": [describe_tariff(tariff) for tariff in offer.tariffs],
    }


def describe_rules(offer: Offer) -> dict[str, Any]:
    rules = {field: getattr(offer.rules, field) for field in RULE_FIELDS}
    own = {audience: terms_to_json(terms) for audience, terms in offer.cancellation_for.items()}
    return {**rules, "cancellation": terms_to_json(offer.cancellation), "cancellation_for": own}


def describe_tariff(tariff: Tariff) -> dict[str, Any]:
    described = {field: getattr(tariff, field) for field in TARIFF_FIELDS}
    described["valid_from"] = tariff.valid_from.isoformat()
    described["valid_until"] = tariff.valid_until.isoformat() if tariff.valid_until else None
    tiers = [{"up_to_minutes": up_to, "cents_per_hour": cents} for up_to, cents in tariff.hour_tiers]
    return {**described, "hour_tiers": tiers}


def describe_unit(unit: Unit) -> dict[str, Any]:
    return {"id": str(unit.uid), "name": unit.name}


def describe_hours(
    rows: list[OpeningHours], exceptions: list[HoursException], *, closed_on_holidays: bool
) -> dict[str, Any]:
    return {
        "openings": [{"weekday": row.weekday, **_row(row)} for row in rows],
        "closed_on_holidays": closed_on_holidays,
        "exceptions": [describe_exception(list(of_day)) for _, of_day in groupby(exceptions, lambda row: row.day)],
    }


def describe_exception(rows: list[HoursException]) -> dict[str, Any]:
    openings = [_row(row) for row in rows if row.opens is not None]
    return {"day": rows[0].day.isoformat(), "openings": openings, "reason": rows[0].reason}


def _row(row: Any) -> dict[str, str]:
    return {"opens": row.opens.strftime("%H:%M"), "closes": row.closes.strftime("%H:%M")}
