"""Shapes of bookings, quotes, waiting list and closures on the wire."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, post_load, validate, validates_schema

from app.booking.localtime import parse_instant
from app.booking.models import STATUSES
from app.booking.recurrence import FREQUENCIES, MAX_OCCURRENCES, Recurrence
from app.booking.wishes import SOURCES
from app.errors import Invalid
from app.http.schemas import MoneyShape, PageQuery, PriceShape, Strict, one_line

TITLE = validate.And(validate.Length(max=200), one_line)
MOST_ATTENDEES, MOST_EXTRAS = 100, 5


class Instant(fields.Field[datetime]):
    """An instant in RFC 3339 with its offset; kept in UTC."""

    openapi = {"type": "string", "format": "date-time"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            return parse_instant(value, field=attr or "instant")
        except Invalid as error:
            raise ValidationError([each["message"] for each in error.facts["errors"]]) from None


class IsoDate(fields.Field[date]):
    """A day as YYYY-MM-DD."""

    openapi = {"type": "string", "format": "date"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        try:
            if not isinstance(value, str) or len(value) != 10:
                raise ValueError
            return date.fromisoformat(value)
        except ValueError:
            raise ValidationError("write a day as YYYY-MM-DD, for example 2026-03-02") from None


class WholeNumber(fields.Integer):
    """A JSON integer: no quotes, no fraction."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)

    def _validated(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid", input=value)
        return value


class RecurrenceShape(Strict):
    """Every `interval` days, weeks or months, `count` times or until a day; without the days in `except_days`."""

    freq = fields.String(required=True, validate=validate.OneOf(FREQUENCIES))
    interval = WholeNumber(load_default=1, validate=validate.Range(1, 12))
    weekdays = fields.List(WholeNumber(validate=validate.Range(0, 6)), load_default=[], validate=validate.Length(max=7))
    count = WholeNumber(load_default=None, allow_none=True, validate=validate.Range(1, MAX_OCCURRENCES))
    until = IsoDate(load_default=None, allow_none=True)
    except_days = fields.List(IsoDate(), load_default=[], validate=validate.Length(max=MAX_OCCURRENCES))

    @post_load
    def recurrence(self, values: dict[str, Any], **_: Any) -> Recurrence:
        return Recurrence(
            **{
                **values,
                "weekdays": tuple(sorted(set(values["weekdays"]))),
                "except_days": frozenset(values["except_days"]),
            }
        )


class BookingRequest(Strict):
    """`cover` is the order in which to pay; without it plan credits come first, then money."""

    resource_id = fields.UUID(required=True)
    start = Instant(required=True)
    end = Instant(required=True)
    title = fields.String(load_default="", validate=TITLE)
    attendees = fields.List(fields.Email(), load_default=[], validate=validate.Length(max=MOST_ATTENDEES))
    extras = fields.List(fields.UUID(), load_default=[], validate=validate.Length(max=MOST_EXTRAS))
    cover = fields.List(
        fields.String(validate=validate.OneOf(SOURCES)), load_default=list(SOURCES), validate=validate.Length(min=1)
    )
    recurrence = fields.Nested(RecurrenceShape, load_default=None, allow_none=True)
    member_id = fields.UUID(load_default=None, allow_none=True, metadata={"description": "Staff: book for a member."})

    @validates_schema
    def in_order(self, values: dict[str, Any], **_: Any) -> None:
        if values["end"] <= values["start"]:
            raise ValidationError("must be after start", "end")
        for name in ("extras", "cover"):
            if len(set(values[name])) != len(values[name]):
                raise ValidationError("name each once", name)


class QuotedBookingRequest(BookingRequest):
    quote_id = fields.UUID(
        load_default=None,
        allow_none=True,
        metadata={"description": "The quote whose price and terms to book at, before it expires; see POST /quotes."},
    )


class BookingChange(Strict):
    """What to change; a new start alone keeps the length."""

    resource_id = fields.UUID()
    start = Instant()
    end = Instant()
    title = fields.String(validate=TITLE)
    attendees = fields.List(fields.Email(), validate=validate.Length(max=MOST_ATTENDEES))

    @validates_schema
    def something(self, values: dict[str, Any], **_: Any) -> None:
        if not values:
            raise ValidationError("give at least one of resource_id, start, end, title, attendees")


class CoverPart(Schema):
    source = fields.String(required=True)
    amount = fields.Nested(MoneyShape, required=True)
    minutes = fields.Integer()


class NamedUnit(Schema):
    id = fields.UUID(required=True)
    name = fields.String(required=True)


class NamedMember(NamedUnit):
    """Shown to staff of the space only."""


class CancellationStep(Schema):
    hours_before = fields.Integer(required=True)
    percent = fields.Integer(required=True)


class CancellingShape(Schema):
    """What cancelling would cost its member now, whether plan credit would come back, and until when it is free."""

    fee = fields.Nested(MoneyShape, required=True)
    free_until = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "Null when it never is, and while the space has not said yes: it costs nothing then."},
    )
    credit_returns = fields.Boolean(required=True)


class LettingVat(Schema):
    permille = fields.Integer(required=True)
    category = fields.String(required=True)
    ground = fields.String(required=True)
    mention = fields.String(required=True, allow_none=True)


class LettingShape(Schema):
    """An office let to one person: what decides its VAT, and how that was decided. Both days count."""

    equipped = fields.Boolean(required=True)
    option = fields.Boolean(required=True)
    from_day = fields.Date(required=True)
    until_day = fields.Date(required=True)
    vat = fields.Nested(LettingVat, required=True)


class OccurrenceShape(Schema):
    id = fields.UUID(required=True)
    start = fields.AwareDateTime(required=True)
    end = fields.AwareDateTime(required=True)
    status = fields.String(required=True)


class BookingShape(Schema):
    id = fields.UUID(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    space_id = fields.UUID(required=True)
    resource_id = fields.UUID(required=True)
    start = fields.AwareDateTime(required=True)
    end = fields.AwareDateTime(required=True)
    title = fields.String(required=True)
    attendees = fields.List(fields.String(), required=True)
    extras = fields.List(fields.UUID(), required=True)
    units = fields.List(fields.Nested(NamedUnit), required=True)
    price = fields.Nested(PriceShape, required=True)
    cover = fields.List(fields.Nested(CoverPart), required=True)
    cancellation = fields.List(fields.Nested(CancellationStep), required=True)
    fee = fields.Nested(MoneyShape, required=True)
    cancelling = fields.Nested(
        CancellingShape, required=True, allow_none=True, metadata={"description": "Null when it is too late to cancel."}
    )
    least_fee = fields.Nested(
        MoneyShape,
        required=True,
        metadata={"description": "What its member pays at least for cancelling, because they moved it late; else 0."},
    )
    change_fee = fields.Nested(
        MoneyShape,
        required=True,
        metadata={
            "description": "Owed beside the price, whether or not anybody comes, for what its member gave up of it too"
            " late: what cancelling that part would have cost. 0 once it has ended early: `fee` says all that is owed."
        },
    )
    letting = fields.Nested(
        LettingShape, required=True, allow_none=True, metadata={"description": "Null: a service, no letting."}
    )
    forfeited_minutes = fields.Integer(
        required=True, metadata={"description": "Credits drawn that a late change or cancellation did not give back."}
    )
    reason = fields.String(required=True, allow_none=True)
    series_id = fields.UUID(required=True, allow_none=True)
    hold_expires_at = fields.AwareDateTime(required=True, allow_none=True)
    checked_in_at = fields.AwareDateTime(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)
    changed_at = fields.AwareDateTime(required=True)
    member = fields.Nested(NamedMember)
    occurrences = fields.List(fields.Nested(OccurrenceShape))


class BookingQuery(PageQuery):
    """Mine and, for staff, those of the spaces they look after; `mine=true` leaves the latter out."""

    space = fields.UUID()
    resource = fields.UUID()
    status = fields.String(validate=validate.OneOf(STATUSES))
    since = Instant(metadata={"description": "Bookings that end after this instant."})
    until = Instant(metadata={"description": "Bookings that start before this instant."})
    mine = fields.Boolean(load_default=False)


class AlternativeShape(Schema):
    resource_id = fields.UUID(required=True)
    start = fields.AwareDateTime(required=True)
    end = fields.AwareDateTime(required=True)


class RefusalShape(Schema):
    """What booking it now would answer, with the facts of the case."""

    class Meta:
        unknown = INCLUDE

    code = fields.String(required=True)
    rule = fields.String(required=True, allow_none=True)
    limit = fields.Raw(required=True, allow_none=True)
    alternatives = fields.List(fields.Nested(AlternativeShape), required=True)


class QuoteLine(Schema):
    """A resource at its price; with `percent_off`, what the plan of that name takes off the line before."""

    resource_id = fields.UUID(required=True)
    name = fields.String(required=True)
    start = fields.AwareDateTime(required=True)
    end = fields.AwareDateTime(required=True)
    price = fields.Nested(PriceShape, required=True)
    percent_off = fields.Integer()


class OutsideAccess(Schema):
    """A plan of the person's that gives nothing to the booking: no credits, no discount, no members' price or terms,
    because not all of the booking lies in the plan's access hours. `access` are those of its first day."""

    plan = fields.String(required=True)
    access = fields.List(fields.List(fields.AwareDateTime(), validate=validate.Length(equal=2)), required=True)


class QuotedDate(Schema):
    """One date of a recurrence; its cover is shown as if it alone were booked."""

    day = fields.Date(required=True)
    start = fields.AwareDateTime(required=True)
    end = fields.AwareDateTime(required=True)
    price = fields.Nested(PriceShape, required=True, allow_none=True)
    cover = fields.List(fields.Nested(CoverPart), required=True)
    outside_access = fields.List(fields.Nested(OutsideAccess), required=True)
    refusal = fields.Nested(RefusalShape, required=True, allow_none=True)


class QuoteShape(Schema):
    """With an `id`, price, terms and cover hold until `expires_at` for who books with it as `quote_id`. There is none
    when nothing can be booked, or for a token that may only read."""

    id = fields.UUID(required=True, allow_none=True)
    expires_at = fields.AwareDateTime(required=True, allow_none=True)
    cancellation = fields.List(fields.Nested(CancellationStep), required=True)
    free_until = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "Cancelling costs nothing until then."}
    )
    lines = fields.List(fields.Nested(QuoteLine), required=True)
    total = fields.Nested(PriceShape, required=True, allow_none=True)
    cover = fields.List(fields.Nested(CoverPart), required=True)
    letting = fields.Nested(
        LettingShape, required=True, allow_none=True, metadata={"description": "Null: a service, or a recurrence."}
    )
    outside_access = fields.List(fields.Nested(OutsideAccess), required=True)
    refusal = fields.Nested(RefusalShape, required=True, allow_none=True)
    dates = fields.List(fields.Nested(QuotedDate))


class ChangeQuoteShape(Schema):
    """The booking as it would be, or what changing it now would answer."""

    booking = fields.Nested(BookingShape, required=True, allow_none=True)
    refusal = fields.Nested(RefusalShape, required=True, allow_none=True)


class WaitRequest(Strict):
    resource_id = fields.UUID(required=True)
    start = Instant(required=True)
    end = Instant(required=True)

    @validates_schema
    def in_order(self, values: dict[str, Any], **_: Any) -> None:
        if values["end"] <= values["start"]:
            raise ValidationError("must be after start", "end")


class WaitShape(Schema):
    """`booking_id` is the hold on offer; accept it with POST /bookings/{id}/accept before it expires."""

    id = fields.UUID(required=True)
    status = fields.String(required=True)
    resource_id = fields.UUID(required=True)
    start = fields.AwareDateTime(required=True)
    end = fields.AwareDateTime(required=True)
    booking_id = fields.UUID(required=True, allow_none=True)


class ClosureRequest(Strict):
    """Without `unit_ids` the whole space closes."""

    start = Instant(required=True)
    end = Instant(required=True)
    kind = fields.String(load_default="closure", validate=validate.OneOf(("closure", "maintenance")))
    reason = fields.String(load_default="", validate=TITLE)
    unit_ids = fields.List(fields.UUID(), load_default=None, allow_none=True, validate=validate.Length(1, 500))

    @validates_schema
    def in_order(self, values: dict[str, Any], **_: Any) -> None:
        if values["end"] <= values["start"]:
            raise ValidationError("must be after start", "end")


class DisplacedShape(Schema):
    booking = fields.Nested(BookingShape, required=True)
    alternatives = fields.List(fields.Nested(AlternativeShape), required=True)


class ClosureShape(Schema):
    id = fields.UUID(required=True, allow_none=True)
    kind = fields.String(required=True)
    start = fields.AwareDateTime(required=True)
    end = fields.AwareDateTime(required=True)
    reason = fields.String(required=True)
    lifted_at = fields.AwareDateTime(required=True, allow_none=True)
    displaced = fields.List(fields.Nested(DisplacedShape))
