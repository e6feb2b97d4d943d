"""The shapes of plans and their versions, of teams, and of evidence."""

from __future__ import annotations

from datetime import date
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.errors import Invalid
from app.events.envelope import instant
from app.http.schemas import Strict, not_blank, one_line
from app.network.memberships.cycles import ANCHORS, CYCLES, LONGEST_TERM
from app.network.memberships.models import Eligibility, Plan, PlanVersion, Team, TeamSeat
from app.network.memberships.pools import ANY_KIND, CENTS, MINUTES, pools_of
from app.vat.lettings import Premises, columns_of, premises_of

FIRST_YEAR, LAST_YEAR = 2000, 2100
MOST_CENTS = 100_000_000  # a million, in any currency we meet
CODE = validate.Regexp(r"[a-z][a-z0-9_]{0,39}\Z", error="Write a code such as student or desk_pool.")


def _a_year_we_know(day: date) -> None:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValidationError(f"Give a day of the years {FIRST_YEAR} to {LAST_YEAR}.")


class Day(fields.Date):
    """A calendar day, local to the space."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=_a_year_we_know, **kwargs)


def name(**kwargs: Any) -> fields.String:
    return fields.String(validate=[validate.Length(1, 100), not_blank, one_line], **kwargs)


def whole(lowest: int, highest: int, **kwargs: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(lowest, highest), **kwargs)


def weekdays(**kwargs: Any) -> fields.List:
    doc = {"description": "0 is Monday; left out: every day."}
    return fields.List(whole(0, 6), validate=validate.Length(1, 7), metadata=doc, **kwargs)


def clock(**kwargs: Any) -> fields.String:
    shape = validate.Regexp(r"(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)\Z", error="Write a local time as HH:MM.")
    return fields.String(validate=shape, metadata={"example": "18:00"}, **kwargs)


class LettingTerms(Strict):
    """An office that one person has to themselves, let rather than served: country, length, equipment, option and
    customer decide whether that is taxed. `equipped`: with furniture and installations and, in Belgium, the services of
    a business centre. Bare premises are taxed by the lessor's choice on the days from `option_from` until before
    `option_until`."""

    equipped = fields.Boolean(required=True, truthy={True}, falsy={False})
    option_from = fields.Date(load_default=None, allow_none=True)
    option_until = fields.Date(load_default=None, allow_none=True)


def letting(**kwargs: Any) -> fields.Nested:
    doc = {"description": "How an office is let, for its VAT. Null: a service, like a desk or a room."}
    return fields.Nested(LettingTerms, allow_none=True, metadata=doc, **kwargs)


class CreditPool(Strict):
    """Hours or money included in each cycle, in a window of the week."""

    kind = fields.String(
        load_default=ANY_KIND,
        validate=[validate.Length(1, 40), one_line],
        metadata={"description": "A kind of resource; `*` is any.", "example": "room"},
    )
    unit = fields.String(required=True, validate=validate.OneOf((MINUTES, CENTS)))
    amount = whole(0, MOST_CENTS, required=True)
    weekdays = weekdays()
    from_time = clock(data_key="from")
    until_time = clock(data_key="until")


class PlanDiscount(Strict):
    kind = fields.String(load_default=ANY_KIND, validate=[validate.Length(1, 40), one_line])
    percent = whole(1, 100, required=True)


class AccessWindow(Strict):
    weekdays = weekdays()
    from_time = clock(required=True, data_key="from")
    until_time = clock(required=True, data_key="until")


class PlanTerms(Strict):
    """What is agreed from `valid_from` on. The price is for one cycle; what is begun is charged by day."""

    valid_from = Day(required=True)
    price_cents = whole(0, MOST_CENTS, required=True)
    currency = fields.String(
        load_default=None, allow_none=True, validate=validate.Length(3, 3),
        metadata={"description": "The operator's; another is refused."},
    )  # fmt: skip
    includes_vat = fields.Boolean(required=True, truthy={True}, falsy={False})
    cycle = fields.String(load_default="month", validate=validate.OneOf(CYCLES))
    cycle_months = whole(1, LONGEST_TERM, load_default=1, metadata={"description": "The length of a term."})
    anchor = fields.String(
        load_default="calendar", validate=validate.OneOf(ANCHORS),
        metadata={"description": "Where cycles begin: on the calendar's boundary, or on the first day's."},
    )  # fmt: skip
    credits = fields.List(fields.Nested(CreditPool), load_default=list, validate=validate.Length(max=20))
    discounts = fields.List(fields.Nested(PlanDiscount), load_default=list, validate=validate.Length(max=20))
    access = fields.List(
        fields.Nested(AccessWindow), load_default=None, allow_none=True, validate=validate.Length(1, 20),
        metadata={
            "description": "When the plan holds: a booking not wholly in these hours has nothing of it (no credits,"
            " discount, members' price or terms), and is refused (rule `access_hours`) where members only may book."
            " Local time; what ends no later than it begins ends the day after. Null: whenever the space is open."
        },
    )  # fmt: skip
    deposit_cents = whole(0, MOST_CENTS, load_default=0)
    notice_days = whole(0, 366, load_default=0)
    trial_days = whole(0, 366, load_default=0)
    seats = whole(1, 1000, load_default=1)
    eligibility = fields.List(
        fields.String(validate=CODE), load_default=list, validate=validate.Length(max=20),
        metadata={"description": "Statuses of which evidence of one is asked for; none: for everybody."},
    )  # fmt: skip

    letting = letting(load_default=None)

    @validates_schema
    def pools_make_sense(self, data: dict[str, Any], **_: Any) -> None:
        try:
            pools_of(written(data.get("credits") or []), {})
        except Invalid as wrong:
            raise ValidationError({"credits": [error["message"] for error in wrong.facts["errors"]]}) from None


class NewPlan(PlanTerms):
    name = name(required=True)
    space_id = fields.UUID(
        load_default=None, allow_none=True, metadata={"description": "Null: at all spaces of the operator."}
    )


class PlanVersionShape(PlanTerms):
    id = fields.UUID(required=True)
    version = fields.Integer(required=True, strict=True)
    currency = fields.String(required=True)


class PlanShape(Strict):
    id = fields.UUID(required=True)
    name = fields.String(required=True)
    space_id = fields.UUID(required=True, allow_none=True)
    versions = fields.List(
        fields.Nested(PlanVersionShape),
        required=True,
        metadata={"description": "The one in force, if any, and those published for later."},
    )


class PlanMove(Strict):
    from_day = Day(required=True)


class MovedShape(Strict):
    memberships = fields.List(fields.UUID(), required=True, metadata={"description": "Those that are moved."})


class NewTeam(Strict):
    operator_id = fields.UUID(required=True)
    name = name(required=True)
    payer_id = fields.UUID(load_default=None, allow_none=True, metadata={"description": "The party that pays."})


class NewSeat(Strict):
    member_id = fields.UUID(required=True, metadata={"description": "The id that the member's own account shows."})
    from_day = Day(load_default=None, allow_none=True, metadata={"description": "Null: today."})


class SeatShape(Strict):
    member_id = fields.UUID(required=True)
    from_day = fields.Date(required=True)
    until_day = fields.Date(required=True, allow_none=True)


class TeamShape(Strict):
    id = fields.UUID(required=True)
    operator_id = fields.UUID(required=True)
    name = fields.String(required=True)
    seats = fields.List(fields.Nested(SeatShape), required=True)


class NewEvidence(Strict):
    """What staff have seen, never a copy of it."""

    member_id = fields.UUID(required=True, metadata={"description": "The id that the member's own account shows."})
    status = fields.String(required=True, validate=CODE, metadata={"example": "student"})
    evidence = fields.String(
        required=True, validate=[validate.Length(1, 200), not_blank, one_line],
        metadata={"description": "A kind of document and its reference."},
    )  # fmt: skip
    valid_from = Day(required=True)
    expires_on = Day(required=True)


class EvidenceShape(Strict):
    id = fields.UUID(required=True)
    space_id = fields.UUID(required=True)
    member_id = fields.UUID(required=True)
    status = fields.String(required=True)
    evidence = fields.String(required=True)
    valid_from = fields.Date(required=True)
    expires_on = fields.Date(required=True)
    recorded_at = fields.AwareDateTime(required=True)


def written(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Windows as they are kept: `from` and `until`."""
    renamed = {"from_time": "from", "until_time": "until"}
    return [{renamed.get(key, key): value for key, value in row.items()} for row in rows]


def kept_terms(body: dict[str, Any]) -> dict[str, Any]:
    """The terms of a body as a version keeps them."""
    access = written(body["access"]) if body["access"] is not None else None
    letting = columns_of(Premises(**body["letting"]) if body["letting"] is not None else None)
    others = {name: value for name, value in body.items() if name != "letting"}
    return {**others, "credits": written(body["credits"]), "access": access, **letting}


PLAIN = (
    "version", "price_cents", "currency", "includes_vat", "cycle", "cycle_months", "anchor", "discounts", "access",
    "deposit_cents", "notice_days", "trial_days", "seats", "eligibility",
)  # fmt: skip


def describe_version(version: PlanVersion) -> dict[str, Any]:
    plain = {name: getattr(version, name) for name in PLAIN}
    letting = describe_letting(premises_of(version.letting_equipped, version.option_from, version.option_until))
    own = {"id": str(version.uid), "valid_from": version.valid_from.isoformat(), "letting": letting}
    return {**own, **plain, "credits": _credits(version)}


def describe_letting(premises: Premises | None) -> dict[str, Any] | None:
    if premises is None:
        return None
    days = {"option_from": premises.option_from, "option_until": premises.option_until}
    return {"equipped": premises.equipped, **{name: day.isoformat() if day else None for name, day in days.items()}}


def _credits(version: PlanVersion) -> list[Any]:
    """Also where they are kept in their older form."""
    if version.credits is not None:
        return version.credits
    return [{"kind": kind, "unit": MINUTES, "amount": amount} for kind, amount in sorted(version.included.items())]


def describe_plan(plan: Plan, versions: list[PlanVersion], *, space_uid: Any) -> dict[str, Any]:
    return {
        "id": str(plan.uid),
        "name": plan.name,
        "space_id": str(space_uid) if space_uid else None,
        "versions": [describe_version(version) for version in versions],
    }


def describe_team(team: Team, operator_uid: Any, seats: list[tuple[TeamSeat, Any]]) -> dict[str, Any]:
    return {
        "id": str(team.uid),
        "operator_id": str(operator_uid),
        "name": team.name,
        "seats": [describe_seat(seat, member_uid) for seat, member_uid in seats],
    }


def describe_seat(seat: TeamSeat, member_uid: Any) -> dict[str, Any]:
    until = seat.until_day.isoformat() if seat.until_day else None
    return {"member_id": str(member_uid), "from_day": seat.from_day.isoformat(), "until_day": until}


def describe_evidence(seen: Eligibility, *, space_uid: Any, member_uid: Any) -> dict[str, Any]:
    days = {name: getattr(seen, name).isoformat() for name in ("valid_from", "expires_on")}
    ids = {"id": str(seen.uid), "space_id": str(space_uid), "member_id": str(member_uid)}
    return {**ids, "status": seen.status, "evidence": seen.evidence, **days, "recorded_at": instant(seen.recorded_at)}
