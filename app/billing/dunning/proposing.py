"""What the schedule would do on a day, and what keeps it from doing so: the preview, and what is acted on."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.billing.dunning import overdue as reading
from app.billing.dunning.fees import NOTHING, Claim, Late, claim
from app.billing.dunning.overdue import Overdue, Stops
from app.billing.dunning.policies import Policy
from app.billing.dunning.steps import Done, Step, next_step


class Proposal(NamedTuple):
    """A step about an invoice. `held` is why it is not taken: a code, None where nothing stands in the way."""

    invoice: Overdue
    no: int
    step: Step
    claim: Claim
    held: str | None


def propose(
    session: Session, operator_id: int, policy: Policy, *, day: date, only: int | None = None
) -> list[Proposal]:
    """The steps that are due on a day, by the age of their invoices, or about `only` one; writes nothing."""
    invoices = reading.overdue(session, operator_id, day=day, only=only)
    taken = reading.done(session, [invoice.id for invoice in invoices])
    stopped = reading.stops(session, operator_id, day=day)
    made = (_proposal(invoice, taken[invoice.id], policy, stopped, day=day) for invoice in invoices)
    return [proposal for proposal in made if proposal is not None]


def _proposal(invoice: Overdue, taken: list[Done], policy: Policy, stopped: Stops, *, day: date) -> Proposal | None:
    ripe = next_step(policy.steps, taken, due_on=invoice.due_on, day=day)
    if ripe is None:
        return None
    no, step = ripe
    claimed = claimed_of(invoice, taken, policy, day=day) if step.claims else NOTHING
    return Proposal(invoice, no, step, claimed, _held(invoice, policy, stopped))


def claimed_of(invoice: Overdue, taken: list[Done], policy: Policy, *, day: date) -> Claim:
    """What the law lets the operator claim on top, less what it has claimed; nothing on deposits, or on interest and
    costs themselves."""
    if invoice.for_late or invoice.kind == "deposit":
        return NOTHING
    reminded_on = taken[0].day if taken else None
    late = Late(invoice.country, invoice.to_business, invoice.due_on, invoice.open_cents, reminded_on)
    whole = claim(late, policy.terms, day=day)
    return whole._replace(
        interest_cents=max(0, whole.interest_cents - sum(each.interest_cents for each in taken)),
        compensation_cents=max(0, whole.compensation_cents - sum(each.compensation_cents for each in taken)),
    )


def _held(invoice: Overdue, policy: Policy, stopped: Stops) -> str | None:
    reasons = (
        ("stopped", stopped.hold(invoice)),
        ("being_paid", invoice.being_paid),
        ("disputed", invoice.disputed),
        ("too_little", invoice.open_cents < policy.least_cents),
    )
    return next((code for code, holds in reasons if holds), None)
