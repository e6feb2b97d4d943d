"""The shapes of memberships and of what is owed for them."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from app.http.schemas import MoneyShape, PageQuery, PriceShape, Strict
from app.network.memberships.changing import CYCLE_END, NOW
from app.network.memberships.offers.schemas import Day, PlanVersionShape
from app.network.memberships.previewing import Preview
from app.network.schemas import SpaceName

STATUSES = ("coming", "running", "paused", "ended")
ACTS = ("change", "pause", "resume", "extend", "end")


class NewMembership(Strict):
    space_id = fields.UUID(required=True)
    plan_version_id = fields.UUID(required=True, metadata={"description": "The one in force on the first day."})
    starts_on = Day(required=True)
    ends_on = Day(load_default=None, allow_none=True, metadata={"description": "Its last day, if one is agreed."})
    member_id = fields.UUID(
        load_default=None, allow_none=True,
        metadata={"description": "The desk: whose it is, by the id that their account shows. Null: mine."},
    )  # fmt: skip
    team_id = fields.UUID(load_default=None, allow_none=True, metadata={"description": "The team that shares it."})
    payer_id = fields.UUID(
        load_default=None, allow_none=True,
        metadata={"description": "The party that pays. Null: the team's, or the member as a private person."},
    )  # fmt: skip


class PlanChange(Strict):
    plan_version_id = fields.UUID(required=True)
    when = fields.String(load_default=NOW, validate=validate.OneOf((NOW, CYCLE_END)))


class NewPause(Strict):
    from_day = Day(load_default=None, allow_none=True, metadata={"description": "Null: today."})
    until_day = Day(load_default=None, allow_none=True, metadata={"description": "Its last day; null: until resumed."})


class NewResumption(Strict):
    from_day = Day(load_default=None, allow_none=True, metadata={"description": "Null: today."})


class NewExtension(Strict):
    until = Day(required=True, allow_none=True, metadata={"description": "Its last day; null: until further notice."})


class PreviewRequest(Strict):
    """What `act` needs of the rest is what it takes by itself."""

    act = fields.String(required=True, validate=validate.OneOf(ACTS))
    plan_version_id = fields.UUID(load_default=None, allow_none=True)
    when = fields.String(load_default=NOW, validate=validate.OneOf((NOW, CYCLE_END)))
    from_day = Day(load_default=None, allow_none=True)
    until_day = Day(load_default=None, allow_none=True, metadata={"description": "Of a pause, an extension, an end."})


class NewNotice(Strict):
    last_day = Day(required=True)


class MembershipQuery(PageQuery):
    space = fields.UUID(load_default=None, metadata={"description": "Of this space only."})


class PauseShape(Strict):
    from_day = fields.Date(required=True)
    until_day = fields.Date(required=True, allow_none=True)


class PlannedChange(Strict):
    from_day = fields.Date(required=True)
    plan_version_id = fields.UUID(required=True)


class MembershipDetail(Strict):
    id = fields.UUID(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    space = fields.Nested(SpaceName, required=True)
    member_id = fields.UUID(required=True)
    team_id = fields.UUID(required=True, allow_none=True)
    payer_id = fields.UUID(required=True, allow_none=True)
    plan = fields.String(required=True)
    terms = fields.Nested(PlanVersionShape, required=True, metadata={"description": "What it follows today."})
    starts_on = fields.Date(required=True)
    ends_on = fields.Date(required=True, allow_none=True)
    charged_until = fields.Date(
        required=True, allow_none=True, metadata={"description": "The last day for which a fee has been asked."}
    )
    pauses = fields.List(fields.Nested(PauseShape), required=True, metadata={"description": "Of today and later."})
    planned = fields.List(fields.Nested(PlannedChange), required=True)


class FeeLine(Strict):
    """Something owed, or owed back where negative."""

    kind = fields.String(required=True, validate=validate.OneOf(("cycle", "adjustment", "deposit", "deposit_return")))
    plan_version_id = fields.UUID(required=True)
    from_day = fields.Date(required=True)
    until_day = fields.Date(required=True)
    days = fields.Integer(required=True, strict=True)
    of_days = fields.Integer(required=True, strict=True)
    price = fields.Nested(PriceShape, required=True)
    vat_permille = fields.Integer(required=True, strict=True)


class NextFees(Strict):
    day = fields.Date(required=True)
    lines = fields.List(fields.Nested(FeeLine), required=True)


class PreviewShape(Strict):
    """What would be asked for at once, and for the next cycle after that."""

    lines = fields.List(fields.Nested(FeeLine), required=True)
    total = fields.Nested(MoneyShape, required=True)
    next = fields.Nested(NextFees, required=True, allow_none=True)


def describe_preview(shown: Preview, currency: str) -> dict[str, Any]:
    lines = [describe_line(line) for line in shown.lines]
    total = {"amount_cents": sum(line["gross_cents"] for line in shown.lines), "currency": currency}
    coming = None
    if shown.next_day is not None:
        coming = {"day": shown.next_day.isoformat(), "lines": [describe_line(line) for line in shown.next_lines]}
    return {"lines": lines, "total": total, "next": coming}


def describe_line(line: dict[str, Any]) -> dict[str, Any]:
    same = {name: line[name] for name in ("kind", "plan_version_id", "from_day", "until_day", "days", "of_days")}
    amounts = {name: line[name] for name in ("currency", "net_cents", "vat_cents")}
    price = {"amount_cents": line["gross_cents"], **amounts}
    return {**same, "price": price, "vat_permille": line["vat"]["permille"]}
