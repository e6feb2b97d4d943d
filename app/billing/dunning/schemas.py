"""Shapes of dunning on the wire."""

from __future__ import annotations

from datetime import date
from typing import Any

from marshmallow import Schema, fields, validate

from app.billing.dunning.models import DunningAct, DunningStop
from app.billing.dunning.policies import MOST_RETRIES, RETRY_DAYS, Policy
from app.billing.dunning.proposing import Proposal
from app.billing.dunning.steps import ACTIONS, LATEST_DAY, MOST_STEPS
from app.events.envelope import instant
from app.http.schemas import PageQuery, Strict, not_blank, one_line


class StepShape(Strict):
    """`after_days` after the due day, do `action`; with `claims` interest and compensation are invoiced."""

    after_days = fields.Integer(required=True, strict=True, validate=validate.Range(1, LATEST_DAY))
    action = fields.String(required=True, validate=validate.OneOf(ACTIONS))
    claims = fields.Boolean(load_default=False)


class PolicyBody(Strict):
    """How an operator reminds. `basis_points` is the yearly interest that its terms agree, in hundredths of a percent;
    null is what the law says. `consumers_agreed`: its terms have private persons owe interest and compensation too."""

    active = fields.Boolean(required=True)
    steps = fields.List(fields.Nested(StepShape), required=True, validate=validate.Length(1, MOST_STEPS))
    basis_points = fields.Integer(load_default=None, allow_none=True, strict=True, validate=validate.Range(0, 3000))
    consumers_agreed = fields.Boolean(load_default=False)
    least_cents = fields.Integer(load_default=100, strict=True, validate=validate.Range(0, 100_000))
    retry_days = fields.List(
        fields.Integer(strict=True),
        load_default=lambda: list(RETRY_DAYS),
        validate=validate.Length(0, MOST_RETRIES),
        metadata={"description": "Days after which a debit that failed for want of money is tried again."},
    )


class PreviewQuery(Strict):
    day = fields.Date(load_default=None, metadata={"description": "Default: today."})


class ProposalShape(Schema):
    """A step that is due. `held` is why it is not taken: stopped, being_paid, disputed, too_little; null: it is.
    `rate_unknown_from` is the first day for which no rate of interest is published yet: none is claimed from then."""

    invoice_id = fields.UUID(required=True)
    number = fields.String(required=True)
    party_id = fields.UUID(required=True)
    due_on = fields.Date(required=True)
    step = fields.Integer(required=True)
    action = fields.String(required=True)
    open_cents = fields.Integer(required=True)
    interest_cents = fields.Integer(required=True)
    compensation_cents = fields.Integer(required=True)
    currency = fields.String(required=True)
    ground = fields.String(required=True, allow_none=True)
    rate_unknown_from = fields.Date(required=True, allow_none=True)
    held = fields.String(required=True, allow_none=True)


class ActsQuery(PageQuery):
    invoice_id = fields.UUID(load_default=None)


class ActShape(Schema):
    id = fields.UUID(required=True)
    invoice_id = fields.UUID(required=True)
    number = fields.String(required=True)
    step = fields.Integer(required=True)
    action = fields.String(required=True)
    day = fields.Date(required=True)
    open_cents = fields.Integer(required=True)
    interest_cents = fields.Integer(required=True)
    compensation_cents = fields.Integer(required=True)
    currency = fields.String(required=True)
    ground = fields.String(required=True, allow_none=True)


class NewStop(Strict):
    """Nothing is named: the whole operator. Until `until`, that day included, or until it is lifted."""

    party_id = fields.UUID(load_default=None)
    invoice_id = fields.UUID(load_default=None)
    until = fields.Date(load_default=None)
    reason = fields.String(required=True, validate=[validate.Length(1, 500), not_blank, one_line])


class StopShape(Schema):
    id = fields.UUID(required=True)
    party_id = fields.UUID(required=True, allow_none=True)
    invoice_id = fields.UUID(required=True, allow_none=True)
    until = fields.Date(required=True, allow_none=True)
    reason = fields.String(required=True)
    stopped_at = fields.DateTime(required=True)
    lifted_at = fields.DateTime(required=True, allow_none=True)


def describe_policy(policy: Policy) -> dict[str, Any]:
    return {
        "active": policy.active,
        "steps": [step._asdict() for step in policy.steps],
        "basis_points": policy.terms.basis_points,
        "consumers_agreed": policy.terms.consumers_agreed,
        "least_cents": policy.least_cents,
        "retry_days": list(policy.retry_days),
    }


def describe_proposal(proposal: Proposal) -> dict[str, Any]:
    invoice, claim = proposal.invoice, proposal.claim
    return {
        "invoice_id": str(invoice.uid),
        "number": invoice.number,
        "party_id": str(invoice.party_uid),
        "due_on": invoice.due_on.isoformat(),
        "step": proposal.no,
        "action": proposal.step.action,
        "open_cents": invoice.open_cents,
        "interest_cents": claim.interest_cents,
        "compensation_cents": claim.compensation_cents,
        "currency": invoice.currency,
        "ground": claim.ground,
        "rate_unknown_from": _day(claim.unknown_from),
        "held": proposal.held,
    }


def describe_act(act: DunningAct, invoice: Any) -> dict[str, Any]:
    names = ("action", "open_cents", "interest_cents", "compensation_cents", "currency", "ground")
    said = {name: getattr(act, name) for name in names}
    of = {"invoice_id": str(invoice.uid), "number": invoice.number}
    return {**said, **of, "id": str(act.uid), "step": act.no, "day": act.day.isoformat()}


def describe_stop(stop: DunningStop, *, party_uid: Any, invoice_uid: Any) -> dict[str, Any]:
    return {
        "id": str(stop.uid),
        "party_id": str(party_uid) if party_uid else None,
        "invoice_id": str(invoice_uid) if invoice_uid else None,
        "until": _day(stop.until),
        "reason": stop.reason,
        "stopped_at": instant(stop.stopped_at),
        "lifted_at": instant(stop.lifted_at) if stop.lifted_at else None,
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
