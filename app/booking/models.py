"""What can be booked, and what is booked: the rows, and who sees them."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BigInteger, Integer, LargeBinary, Text

from app.db import Base, Key, PublicId
from app.network.memberships.models import OPTION
from app.tenancy import by_everyone, by_owner, by_owner_or_staff, by_staff, seen

KINDS = ("desk_pool", "desk", "room", "office", "equipment")
STATUSES = ("held", "pending", "confirmed", "checked_in", "completed", "cancelled", "refused", "no_show")
OCCUPYING = ("held", "pending", "confirmed", "checked_in", "completed")


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


@seen(by_everyone)
class Unit(Base):
    """The indivisible physical thing that is occupied: one desk, one room, one projector."""

    __tablename__ = "unit"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"), index=True)
    name: Mapped[str]
    archived_at: Mapped[datetime | None]


@seen(by_everyone)
class Resource(Base):
    """What is offered for booking: takes any one of its units (`takes` = any), or all of them (all).

    An office may be let: `letting_equipped` says how (app.vat.lettings.Premises), null is a service like any other.
    """

    __tablename__ = "resource"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"), index=True)
    kind: Mapped[str]
    takes: Mapped[str]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    capacity: Mapped[int] = mapped_column(Integer)  # people who fit: in a pool, desks in all
    amenities: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    position: Mapped[int] = mapped_column(Integer, server_default="0")
    letting_equipped: Mapped[bool | None]
    option_from: Mapped[date | None]
    option_until: Mapped[date | None]
    archived_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("letting_equipped IS NULL OR kind = 'office'", name="letting"),
        CheckConstraint(OPTION, name="option"),
        one_of("kind", KINDS),
        one_of("takes", ("any", "all")),
        CheckConstraint("capacity > 0", name="capacity"),
    )


@seen(by_everyone)
class ResourceUnit(Base):
    __tablename__ = "resource_unit"
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True, index=True)


@seen(by_everyone)
class OpeningHours(Base):
    """A weekly opening in local time; weekday 0 is Monday; `closes` 00:00 means the end of the day."""

    __tablename__ = "opening_hours"
    id: Mapped[Key]
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"), index=True)
    weekday: Mapped[int] = mapped_column(Integer)
    opens: Mapped[time]
    closes: Mapped[time]
    __table_args__ = (CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),)


@seen(by_everyone)
class HoursException(Base):
    """Other hours on one day; without `opens` the space is closed. Several rows of a day add up."""

    __tablename__ = "hours_exception"
    id: Mapped[Key]
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"))
    day: Mapped[date]
    opens: Mapped[time | None]
    closes: Mapped[time | None]
    reason: Mapped[str] = mapped_column(server_default="")
    __table_args__ = (Index("ix_hours_exception_space_id_day", "space_id", "day"),)


@seen(by_everyone)
class BookingRule(Base):
    """The rules of one resource. Quotas are minutes per person on this resource; None means no limit."""

    __tablename__ = "booking_rule"
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id"), primary_key=True)
    lead_minutes: Mapped[int] = mapped_column(Integer, server_default="0")
    horizon_days: Mapped[int] = mapped_column(Integer, server_default="365")
    min_minutes: Mapped[int] = mapped_column(Integer, server_default="30")
    max_minutes: Mapped[int] = mapped_column(Integer, server_default="1440")
    step_minutes: Mapped[int] = mapped_column(Integer, server_default="15")
    buffer_before_minutes: Mapped[int] = mapped_column(Integer, server_default="0")
    buffer_after_minutes: Mapped[int] = mapped_column(Integer, server_default="0")
    audience: Mapped[str] = mapped_column(server_default="anyone")
    quota_day_minutes: Mapped[int | None] = mapped_column(Integer)
    quota_week_minutes: Mapped[int | None] = mapped_column(Integer)
    quota_month_minutes: Mapped[int | None] = mapped_column(Integer)
    approval: Mapped[bool] = mapped_column(server_default="false")
    pay_first: Mapped[bool] = mapped_column(server_default="false")
    no_show_after_minutes: Mapped[int | None] = mapped_column(Integer)
    cancellation: Mapped[list[Any]] = mapped_column(JSONB, server_default="[[0, 0]]")  # [[hours before, fee %], ...]
    __table_args__ = (one_of("audience", ("anyone", "network", "members", "staff")),)


@seen(by_everyone)
class PriceList(Base):
    """What a resource costs from a day on. `hour_tiers` is [[up to minutes or null, cents per hour], ...]."""

    __tablename__ = "price_list"
    id: Mapped[Key]
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id"), index=True)
    audience: Mapped[str] = mapped_column(server_default="anyone")
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    currency: Mapped[str] = mapped_column(server_default="EUR")
    includes_vat: Mapped[bool] = mapped_column(server_default="false")
    hour_tiers: Mapped[list[Any]] = mapped_column(JSONB, server_default="[]")
    half_day_cents: Mapped[int | None]
    half_day_minutes: Mapped[int] = mapped_column(Integer, server_default="240")
    day_cents: Mapped[int | None]
    day_minutes: Mapped[int] = mapped_column(Integer, server_default="480")
    cap_cents: Mapped[int | None]
    minimum_cents: Mapped[int] = mapped_column(server_default="0")
    place_of_supply: Mapped[str] = mapped_column(server_default="IMMOVABLE")
    __table_args__ = (
        UniqueConstraint("resource_id", "audience", "valid_from"),
        one_of("audience", ("anyone", "members")),
        one_of("place_of_supply", ("IMMOVABLE", "GENERAL_B2B")),
    )


@seen(by_everyone)
class CancellationStep(Base):
    """A step of the cancellation terms of one class of people; BookingRule.cancellation holds for everybody else.

    Cancelling at least `hours_before` hours before the start keeps `percent` of the price.
    """

    __tablename__ = "cancellation_step"
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id"), primary_key=True)
    audience: Mapped[str] = mapped_column(primary_key=True)
    hours_before: Mapped[int] = mapped_column(Integer, primary_key=True)
    percent: Mapped[int] = mapped_column(Integer)
    __table_args__ = (
        one_of("audience", ("network", "members", "staff")),
        CheckConstraint("hours_before >= 0 AND percent BETWEEN 0 AND 100", name="step"),
    )


@seen(by_owner_or_staff)
class Quote(Base):
    """What a person was promised until `expires_at`: for this wish, these prices, terms and cover of each date.

    `member_id` is whose booking it would be.
    """

    __tablename__ = "quote"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), index=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"))
    wish: Mapped[dict[str, Any]] = mapped_column(JSONB)
    dates: Mapped[list[Any]] = mapped_column(JSONB)
    expires_at: Mapped[datetime] = mapped_column(index=True)


@seen(by_owner)
class BookingSeries(Base):
    """A recurrence as it was asked for; each date is a booking of its own."""

    __tablename__ = "booking_series"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    recurrence: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


@seen(by_owner_or_staff)
class Booking(Base):
    """A member's claim on a resource for `[starts_at, ends_at)`.

    Price, terms and cover are frozen when it is made. `unit_ids` says which units it took; they are occupied while the
    status is one of OCCUPYING. `revision` counts changes people see (SEQUENCE of the feed, ETag); `event_seq` counts
    the domain events recorded about it.
    """

    __tablename__ = "booking"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"))
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    series_id: Mapped[int | None] = mapped_column(ForeignKey("booking_series.id"), index=True)
    status: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    unit_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    title: Mapped[str] = mapped_column(server_default="")
    attendees: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    extras: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")  # resources of kind equipment
    currency: Mapped[str]
    gross_cents: Mapped[int]
    net_cents: Mapped[int]
    vat_cents: Mapped[int]
    vat_permille: Mapped[int] = mapped_column(Integer)
    cover: Mapped[list[Any]] = mapped_column(JSONB, server_default="[]")
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    fee_cents: Mapped[int] = mapped_column(server_default="0")  # owed for a late cancellation
    reason: Mapped[str | None]  # why it was cancelled or refused: member, staff, closure, expired, no_show ...
    hold_expires_at: Mapped[datetime | None]
    checked_in_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revision: Mapped[int] = mapped_column(Integer, server_default="0")
    event_seq: Mapped[int] = mapped_column(server_default="0")
    draw_no: Mapped[int] = mapped_column(Integer, server_default="1")
    __table_args__ = (
        one_of("status", STATUSES),
        CheckConstraint("starts_at < ends_at", name="period"),
        CheckConstraint("net_cents + vat_cents = gross_cents", name="price"),
        Index("ix_booking_member_id_resource_id_starts_at", "member_id", "resource_id", "starts_at"),
        Index("ix_booking_member_id_id", "member_id", "id"),
        Index("ix_booking_space_id_starts_at", "space_id", "starts_at"),
    )


@seen(by_staff)
class Closure(Base):
    """A period in which a space, or some of its units, cannot be booked: closed, or under maintenance."""

    __tablename__ = "closure"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"), index=True)
    kind: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    unit_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    reason: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    lifted_at: Mapped[datetime | None]
    __table_args__ = (one_of("kind", ("closure", "maintenance")), CheckConstraint("starts_at < ends_at", name="period"))


@seen(lambda entity, scope: entity.unit_id.in_(select(Unit.id).where(Unit.space_id.in_(scope.space_ids))))
class Occupancy(Base):
    """One unit, one period. The exclusion constraint is the judge: two occupancies of a unit never overlap.

    An empty range would slip through it, and an infinite one would never end: both are refused. The second index
    answers "who is occupied then" over all units.
    """

    __tablename__ = "occupancy"
    id: Mapped[Key]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    period: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    kind: Mapped[str]
    booking_id: Mapped[int | None] = mapped_column(
        ForeignKey("booking.id", deferrable=True, initially="DEFERRED"), index=True
    )
    closure_id: Mapped[int | None] = mapped_column(ForeignKey("closure.id"), index=True)
    __table_args__ = (
        ExcludeConstraint(
            (text("int8range(unit_id, unit_id, '[]')"), "&&"),
            ("period", "&&"),
            name="no_two_occupancies_of_a_unit_overlap",
            using="gist",
        ),
        CheckConstraint(
            "NOT isempty(period) AND NOT lower_inf(period) AND NOT upper_inf(period) "
            "AND isfinite(lower(period)) AND isfinite(upper(period))",
            name="period",
        ),
        CheckConstraint("lower_inc(period) AND NOT upper_inc(period)", name="half_open"),
        CheckConstraint("(kind = 'booking') = (booking_id IS NOT NULL)", name="booking"),
        one_of("kind", ("booking", "closure", "maintenance", "external")),
        Index("ix_occupancy_period", "period", postgresql_using="gist", postgresql_include=["unit_id"]),
    )


@seen(by_owner_or_staff)
class WaitlistEntry(Base):
    """A person who wants a resource for a period that is taken. Offered in the order of asking."""

    __tablename__ = "waitlist_entry"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"))
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), index=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(server_default="waiting")
    booking_id: Mapped[int | None] = mapped_column(ForeignKey("booking.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    event_seq: Mapped[int] = mapped_column(server_default="0")
    __table_args__ = (
        one_of("status", ("waiting", "offered", "taken", "lapsed", "cancelled")),
        CheckConstraint("starts_at < ends_at", name="period"),
        Index("ix_waitlist_entry_waiting", "resource_id", "starts_at", postgresql_where=text("status = 'waiting'")),
    )


@seen(by_owner)
class Feed(Base):
    """A named, revocable calendar subscription; only the SHA-256 of its secret address is kept."""

    __tablename__ = "feed"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), index=True)
    scope: Mapped[str]
    scope_id: Mapped[int]  # of the member, the space or the resource
    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
    __table_args__ = (one_of("scope", ("me", "space", "resource")),)


@seen(by_owner_or_staff)
class CalendarFragment(Base):
    """The folded VEVENT of one booking at one revision, as its owner, its space and a door display see it."""

    __tablename__ = "calendar_fragment"
    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id"), primary_key=True)
    booking_uid: Mapped[UUID]
    member_id: Mapped[int]
    space_id: Mapped[int]
    resource_id: Mapped[int]
    revision: Mapped[int] = mapped_column(Integer)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    cancelled_at: Mapped[datetime | None]
    own_text: Mapped[str]
    space_text: Mapped[str]
    busy_text: Mapped[str]
    __table_args__ = (
        Index("ix_calendar_fragment_member_id", "member_id", "starts_at"),
        Index("ix_calendar_fragment_space_id", "space_id", "starts_at"),
        Index("ix_calendar_fragment_resource_id", "resource_id", "starts_at"),
    )


@seen(by_everyone)
class CalendarStamp(Base):
    """How often the calendar of a member, space or resource has changed: a feed's document is right for one version."""

    __tablename__ = "calendar_stamp"
    scope: Mapped[str] = mapped_column(primary_key=True)
    scope_id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(server_default="0")
    changed_at: Mapped[datetime]
