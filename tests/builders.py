"""Builders of rows for tests: `a_space(session, country="FR")`. Each makes what it needs around it.

Names, numbers and addresses are generated and belong to nobody; check digits are valid.
"""

from __future__ import annotations

import itertools
import secrets
from datetime import date, datetime, time
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from app.booking.models import (
    OCCUPYING,
    Booking,
    BookingRule,
    Occupancy,
    OpeningHours,
    PriceList,
    Resource,
    ResourceUnit,
    Unit,
)
from app.network.memberships.models import Membership, Plan, PlanVersion
from app.network.models import ApiToken, Member, Network, Operator, RoleGrant, Space, VatRegime
from app.network.people import hash_secret

_numbers = itertools.count(1)
LONG_AGO = date(2020, 1, 1)
Row = TypeVar("Row")


def saved(session: Session, row: Row) -> Row:
    session.add(row)
    session.flush()
    return row


def a_network(session: Session, **values: Any) -> Network:
    n = next(_numbers)
    return saved(session, Network(**{"slug": f"network-{n}", "name": f"Network {n}", "country": "BE", **values}))


def an_operator(session: Session, *, country: str = "BE", regime: str = "standard", **values: Any) -> Operator:
    n = next(_numbers)
    network = values.pop("network", None) or a_network(session, country=country)
    company = be_company_number(n) if country == "BE" else siren(n)
    operator = Operator(
        **{
            "network_id": network.id,
            "name": f"Operator {n}",
            "country": country,
            "company_number": company,
            "vat_number": f"BE{company}"
            if country == "BE"
            else f"FR{(12 + 3 * (int(company) % 97)) % 97:02d}{company}",
            "iban": f"{country}00{n:012d}",
            **values,
        }
    )
    saved(session, operator)
    saved(session, VatRegime(operator_id=operator.id, valid_from=LONG_AGO, regime=regime))
    return operator


def be_company_number(n: int) -> str:
    body = 20_000_000 + n
    return f"{body:08d}{97 - body % 97:02d}"


def siren(n: int) -> str:
    """Nine digits that pass Luhn's check."""
    body = f"{80_000_000 + n:08d}"
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(body)]
    return body + str(-sum(d // 10 + d % 10 for d in doubled) % 10)


def a_space(
    session: Session, *, country: str = "BE", timezone: str | None = None, opens: str = "08:00", closes: str = "18:00",
    weekdays: range | list[int] = range(7), regime: str = "standard", **values: Any
) -> Space:  # fmt: skip
    """Open every day from 08:00 to 18:00, holidays included, unless told otherwise."""
    n = next(_numbers)
    operator = values.pop("operator", None) or an_operator(session, country=country, regime=regime)
    space = Space(
        **{
            "slug": f"space-{n}",
            "network_id": operator.network_id,
            "operator_id": operator.id,
            "name": f"Space {n}",
            "postcode": "7800",
            "town": "Ath",
            "country": country,
            "timezone": timezone or ("Europe/Brussels" if country == "BE" else "Europe/Paris"),
            "latitude": 50.63,
            "longitude": 3.778,
            "closed_on_holidays": False,
            **values,
        }
    )
    saved(session, space)
    for weekday in weekdays:
        session.add(
            OpeningHours(
                space_id=space.id,
                weekday=weekday,
                opens=time.fromisoformat(opens),
                closes=time.fromisoformat(closes),
            )
        )
    session.flush()
    return space


def a_unit(session: Session, space: Space, name: str | None = None) -> Unit:
    return saved(session, Unit(space_id=space.id, name=name or f"Unit {next(_numbers)}"))


def a_resource(
    session: Session,
    space: Space,
    *,
    kind: str,
    units: list[Unit],
    takes: str = "any",
    rules: dict[str, Any] | None = None,
    price: dict[str, Any] | None = None,
    **values: Any,
) -> Resource:
    """A resource over `units`, with the default rules and EUR 5 an hour, EUR 25 a day ex VAT unless told otherwise."""
    resource = Resource(
        **{
            "space_id": space.id,
            "kind": kind,
            "takes": takes,
            "name": f"{kind} {next(_numbers)}",
            "capacity": len(units),
            **values,
        }
    )
    saved(session, resource)
    session.add_all(ResourceUnit(resource_id=resource.id, unit_id=unit.id) for unit in units)
    session.add(BookingRule(resource_id=resource.id, **(rules or {})))
    tariff = {"valid_from": LONG_AGO, "hour_tiers": [[None, 500]], "day_cents": 2500, **(price or {})}
    session.add(PriceList(resource_id=resource.id, **tariff))
    session.flush()
    return resource


def a_pool(session: Session, space: Space, *, desks: int = 4, **values: Any) -> Resource:
    units = [a_unit(session, space, f"Desk {i + 1}") for i in range(desks)]
    return a_resource(session, space, kind="desk_pool", units=units, **values)


def a_room(session: Session, space: Space, **values: Any) -> Resource:
    unit = values.pop("unit", None) or a_unit(session, space)
    return a_resource(session, space, kind="room", units=[unit], **{"capacity": 8, **values})


def a_member(session: Session, **values: Any) -> Member:
    n = next(_numbers)
    network = values.pop("network", None)
    defaults = {"email": f"member{n}@example.org", "name": f"Member {n}", "network_id": network.id if network else None}
    return saved(session, Member(**{**defaults, **values}))


def a_token(session: Session, member: Member, *, scopes: tuple[str, ...] = ("read", "write")) -> str:
    """A bearer secret of `member`."""
    secret = secrets.token_urlsafe(32)
    saved(session, ApiToken(member_id=member.id, secret_hash=hash_secret(secret), scopes=list(scopes)))
    return secret


def a_role(session: Session, member: Member, role: str, on: Any = None) -> RoleGrant:
    """`on` is a Space, Operator, Network, Employer or Funder; None means the platform."""
    scope_type = type(on).__name__.lower() if on is not None else "platform"
    scope_id = on.id if on is not None else 0
    return saved(session, RoleGrant(member_id=member.id, role=role, scope_type=scope_type, scope_id=scope_id))


def a_manager(session: Session, space: Space, **values: Any) -> Member:
    manager = a_member(session, **values)
    a_role(session, manager, "manager", space)
    return manager


def a_membership(
    session: Session,
    member: Member,
    space: Space,
    *,
    included: dict[str, int] | None = None,
    starts_on: date = LONG_AGO,
    ends_on: date | None = None,
) -> Membership:
    """A membership whose plan includes `included` minutes per kind of resource and month."""
    plan = saved(session, Plan(space_id=space.id, name=f"Plan {next(_numbers)}"))
    version = PlanVersion(plan_id=plan.id, version=1, valid_from=LONG_AGO, price_cents=9900, included=included or {})
    saved(session, version)
    membership = Membership(
        member_id=member.id,
        space_id=space.id,
        plan_version_id=version.id,
        starts_on=starts_on,
        ends_on=ends_on,
    )
    return saved(session, membership)


def a_booking(
    session: Session, resource: Resource, member: Member, *, start: datetime, end: datetime, **values: Any
) -> Booking:
    """A confirmed booking of the resource's first unit (of all of them, where it takes all), and its occupancies.

    Inserted as rows: no rule is asked, no event recorded. Statuses that free the place leave no occupancy.
    """
    units = list(
        session.scalars(select(ResourceUnit.unit_id).filter_by(resource_id=resource.id).order_by(ResourceUnit.unit_id))
    )
    booking = Booking(
        **{
            "space_id": resource.space_id,
            "resource_id": resource.id,
            "member_id": member.id,
            "status": "confirmed",
            "starts_at": start,
            "ends_at": end,
            "unit_ids": units if resource.takes == "all" else units[:1],
            "currency": "EUR",
            "gross_cents": 3025,
            "net_cents": 2500,
            "vat_cents": 525,
            "vat_permille": 210,
            **values,
        }
    )
    saved(session, booking)
    if booking.status in OCCUPYING:
        period = Range(booking.starts_at, booking.ends_at, bounds="[)")
        session.add_all(
            Occupancy(unit_id=unit, period=period, kind="booking", booking_id=booking.id) for unit in booking.unit_ids
        )
        session.flush()
    return booking
