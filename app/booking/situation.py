"""Everything a booking depends on besides the offer, in one statement: who the person is at that space, what they have
booked and drawn already, and which units are taken around that time.

The statement is raw because it is on the path of every booking; it names the person in every place it reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.booking import assignment, rules
from app.booking.access import access_hours
from app.booking.assignment import Candidate
from app.booking.cancellation import Terms
from app.booking.catalogue.offers import Offer
from app.booking.catalogue.remembering import known_offer, refresh
from app.booking.hours import WeeklyHours
from app.booking.localtime import day_bounds, local_day, month_bounds, week_bounds
from app.booking.rules import Rules, Standing
from app.db import Statement
from app.network.memberships.holding import Customer, Discount, Held, discount_of
from app.network.memberships.pools import Balance
from app.network.people import Person
from app.network.roles import FRONT_DESK

NOBODY = -1

_PARTY = "json_build_array(y.uid, y.country, y.is_business, y.vat_status)"
_HELD = f"""
    SELECT json_agg(json_build_array(m.id, p.name, m.starts_on, m.ends_on, v.cycle, v.cycle_months, v.anchor,
        v.currency, v.credits, v.included, v.discounts, v.access, CASE WHEN y.id IS NOT NULL THEN {_PARTY} END,
        (SELECT json_agg(json_build_array(c.cycle, c.pool, c.resource_kind, c.minutes, c.cents)) FROM (
            SELECT c.cycle, c.pool, c.resource_kind, sum(c.minutes) AS minutes, sum(c.cents) AS cents
            FROM credit_entry c
            WHERE c.membership_id = m.id AND c.cycle <= :day AND c.cycle > :day -
                CASE v.cycle WHEN 'week' THEN 7 WHEN 'term' THEN 31 * v.cycle_months ELSE 31 END
            GROUP BY c.cycle, c.pool, c.resource_kind, c.cents <> 0) AS c)
        ) ORDER BY m.team_id IS NOT NULL, m.id) AS held
    FROM membership m
    JOIN plan_version v ON v.id = coalesce((
        SELECT t.plan_version_id FROM membership_term t WHERE t.membership_id = m.id AND t.from_day <= :day
        ORDER BY t.from_day DESC, t.id DESC LIMIT 1), m.plan_version_id)
    JOIN plan p ON p.id = v.plan_id
    LEFT JOIN team g ON g.id = m.team_id
    LEFT JOIN party y ON y.id = coalesce(m.party_id, g.party_id)
    WHERE m.id = ANY(ARRAY(
        SELECT o.id FROM membership o WHERE o.member_id = :member AND o.space_id = :space AND o.team_id IS NULL
        UNION ALL
        SELECT o.id FROM team_seat e JOIN membership o ON o.team_id = e.team_id AND o.space_id = :space
        WHERE e.member_id = :member AND e.from_day <= :day AND (e.until_day IS NULL OR e.until_day >= :day)))
      AND m.starts_on <= :day AND (m.ends_on IS NULL OR m.ends_on >= :day)
      AND NOT EXISTS (SELECT 1 FROM membership_pause z WHERE z.membership_id = m.id AND z.from_day <= :day
                      AND (z.until_day IS NULL OR z.until_day >= :day))
"""

_LOOK = Statement(
    f"""
    SELECT s.revision, ms.held, usage.day, usage.week, usage.month,
        (SELECT {_PARTY} FROM party y WHERE y.member_id = :member) AS party,
        (SELECT min(x.since) FROM booking_suspension x
          WHERE x.member_id = :member AND x.operator_id = s.operator_id AND x.lifted_at IS NULL) AS suspended_since,
        (SELECT b.unit_ids[1] FROM booking b WHERE b.member_id = :member AND b.resource_id = :resource
          ORDER BY b.starts_at DESC LIMIT 1) AS last_unit,
        (SELECT json_agg(json_build_array(near.unit_id, near.taken, near.before, near.after)) FROM (
            SELECT o.unit_id, bool_or(o.period && tstzrange(:occupied_from, :occupied_to)) AS taken,
                extract(epoch FROM max(upper(o.period)) FILTER (WHERE upper(o.period) <= :occupied_from)) AS before,
                extract(epoch FROM min(lower(o.period)) FILTER (WHERE lower(o.period) >= :occupied_to)) AS after
            FROM occupancy o
            WHERE int8range(o.unit_id, o.unit_id, '[]') && int8range(:first_unit, :last_unit_id, '[]')
              AND o.period && tstzrange(:around_from, :around_to) AND o.unit_id = ANY(:units)
              AND o.booking_id IS DISTINCT FROM :but
            GROUP BY o.unit_id) AS near) AS near
    FROM space s
    CROSS JOIN LATERAL ({_HELD}) AS ms
    CROSS JOIN LATERAL (
        SELECT sum(minutes) FILTER (WHERE starts_at >= :day_from AND starts_at < :day_to) AS day,
               sum(minutes) FILTER (WHERE starts_at >= :week_from AND starts_at < :week_to) AS week,
               sum(minutes) FILTER (WHERE starts_at >= :month_from AND starts_at < :month_to) AS month
        FROM (SELECT b.starts_at, extract(epoch FROM b.ends_at - b.starts_at)::bigint / 60 AS minutes
              FROM booking b
              WHERE b.member_id = :member AND b.resource_id = :resource AND b.id <> :but
                AND b.starts_at >= :usage_from AND b.starts_at < :usage_to
                AND b.status NOT IN ('cancelled', 'refused')) AS used) AS usage
    WHERE s.id = :space
    """
)


class Shut(NamedTuple):
    """A plan that a person holds, at an hour that is none of its access hours."""

    plan: str
    hours: WeeklyHours


@dataclass(frozen=True, slots=True)
class Situation:
    """The facts at one instant. `free_units` come in the order of preference.

    `shut` are the plans held there that do not hold for the period (see app.booking.access): nothing else here has
    anything of them. `audience` is whose price list holds. `cancellation` are the terms for this person: as staff of
    the space (not when they book for somebody), on a plan of it, in its network, or anybody. `balances` are the credit
    for this kind of resource in the cycle that the booking falls in. `payer` is the party that pays instead of the
    member, if one does; `customer` the party that VAT may depend on: the payer, or the member where they are known as
    one.
    """

    offer: Offer
    standing: Standing
    free_units: tuple[int, ...]
    cancellation: Terms
    balances: tuple[Balance, ...] = ()
    discount: Discount | None = None
    payer: Customer | None = None
    customer: Customer | None = None
    audience: str = "anyone"
    shut: tuple[Shut, ...] = ()


def look(
    session: Session, *, resource_uid: UUID, person: Person, start: datetime, end: datetime, but: int = NOBODY,
    buffers_of: Rules | None = None,
) -> Situation:  # fmt: skip
    """The situation of `person` wanting `[start, end)`; the booking with the internal id `but` does not count.

    `buffers_of` are the rules whose buffers surround it: for an extra, those of the resource that it comes with.
    Raises NotFound for an unknown or archived resource. The offer comes from memory when the space's revision, read in
    the same statement, says that it is still right.
    """
    offer = known_offer(session, resource_uid)
    row = _LOOK.run(session, _parameters(offer, person, start, end, but, buffers_of)).one()
    if row.revision != offer.space_revision:
        offer = refresh(session, resource_uid, row.revision)
        row = _LOOK.run(session, _parameters(offer, person, start, end, but, buffers_of)).one()
    occupied = rules.buffered(buffers_of or offer.rules, start, end)
    held, shut, access = _by_access([Held.of(each) for each in row.held or ()], offer.zone, start, end)
    standing = Standing(
        in_network=person.network_id == offer.network_id,
        is_member=bool(held or shut),
        access=access,
        is_staff=person.may(FRONT_DESK, offer.space_id),
        suspended_since=row.suspended_since,
        used_day_minutes=int(row.day or 0),
        used_week_minutes=int(row.week or 0),
        used_month_minutes=int(row.month or 0),
    )
    day, payer = local_day(start, offer.zone), held[0].payer if held else None
    return Situation(
        offer=offer,
        standing=standing,
        cancellation=_terms(offer, standing, is_member=bool(held), by_another=person.by_another),
        free_units=_free_units(offer, row.near or (), row.last_unit, start, end, occupied),
        balances=tuple(
            balance for each in held for balance in each.balances(day, kind=offer.kind, currency=offer.currency)
        ),
        discount=discount_of(held, offer.kind),
        payer=payer,
        customer=payer or (Customer.of(row.party) if row.party else None),
        audience="members" if held else "anyone",
        shut=shut,
    )


def _by_access(
    held: Sequence[Held], zone: ZoneInfo, start: datetime, end: datetime
) -> tuple[list[Held], tuple[Shut, ...], tuple[WeeklyHours, ...]]:
    """The memberships that hold for `[start, end)`, the plans of those that do not, and what Standing.access is."""
    hours = [access_hours(each.access, zone) for each in held]
    shut = [each is not None and not each.is_open(start, end) for each in hours]
    return (
        [each for each, closed in zip(held, shut, strict=True) if not closed],
        tuple(Shut(each.plan, of) for each, of, closed in zip(held, hours, shut, strict=True) if closed and of),
        () if None in hours else tuple(each for each in hours if each is not None),
    )


def _terms(offer: Offer, standing: Standing, *, is_member: bool, by_another: bool) -> Terms:
    classes = (
        ("staff", standing.is_staff and not by_another),
        ("members", is_member),
        ("network", standing.in_network),
    )
    own = (offer.cancellation_for[name] for name, belongs in classes if belongs and name in offer.cancellation_for)
    return next(own, offer.cancellation)


def _parameters(
    offer: Offer, person: Person, start: datetime, end: datetime, but: int, buffers_of: Rules | None
) -> dict[str, Any]:
    day = local_day(start, offer.zone)
    day_from, day_to = day_bounds(day, offer.zone)
    week_from, week_to = week_bounds(day, offer.zone)
    month_from, month_to = month_bounds(day, offer.zone)
    occupied_from, occupied_to = rules.buffered(buffers_of or offer.rules, start, end)
    return {
        "space": offer.space_id,
        "resource": offer.resource_id,
        "member": person.member_id,
        "but": but,
        "day": day,
        "day_from": day_from,
        "day_to": day_to,
        "week_from": week_from,
        "week_to": week_to,
        "month_from": month_from,
        "month_to": month_to,
        "usage_from": min(week_from, month_from),
        "usage_to": max(week_to, month_to),
        "occupied_from": occupied_from,
        "occupied_to": occupied_to,
        "around_from": min(day_from, occupied_from),
        "around_to": max(day_to, occupied_to),
        "units": list(offer.unit_ids),
        "first_unit": offer.unit_ids[0] if offer.unit_ids else 0,
        "last_unit_id": offer.unit_ids[-1] if offer.unit_ids else 0,
    }


def _free_units(
    offer: Offer, near: Sequence[Sequence[Any]], last_unit: int | None, start: datetime, end: datetime,
    occupied: tuple[datetime, datetime],
) -> tuple[int, ...]:  # fmt: skip
    """For a pool the free units, best first; for a combination all units, or none."""
    taken = {unit_id for unit_id, is_taken, _, _ in near if is_taken}
    if offer.takes == "all":
        return () if taken else offer.unit_ids
    opens, closes = _opening_around(offer, start, end)
    started, ended = (instant.timestamp() for instant in occupied)

    def gaps(before: float | None, after: float | None) -> tuple[int, int]:
        since, until = started - max(opens, before or opens), min(closes, after or closes) - ended
        return max(0, int(since // 60)), max(0, int(until // 60))

    beside = {unit_id: gaps(before, after) for unit_id, _, before, after in near}
    alone = gaps(None, None)
    candidates = [Candidate(unit_id, *beside.get(unit_id, alone)) for unit_id in offer.unit_ids if unit_id not in taken]
    return tuple(assignment.prefer(candidates, last_unit_id=last_unit))


def _opening_around(offer: Offer, start: datetime, end: datetime) -> tuple[float, float]:
    """The opening that the booking falls in, in seconds since the epoch; the booking itself where there is none."""
    for opens, closes in offer.hours.opening_of(local_day(start, offer.zone)):
        if opens <= start < closes:
            return opens.timestamp(), closes.timestamp()
    return start.astimezone(UTC).timestamp(), end.astimezone(UTC).timestamp()
