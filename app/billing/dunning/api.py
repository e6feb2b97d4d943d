"""Dunning over HTTP: an operator's schedule, a preview of any day, the button that stops it, and what was done."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint

from app.billing.dunning import listing, policies, schemas, stopping
from app.billing.dunning.proposing import propose
from app.http.operation import Call, operation
from app.http.paging import Paged, cut, page_of
from app.http.schemas import PageQuery
from app.network.models import Operator
from app.network.operators import kept_operator
from app.network.parties import customers

blueprint = Blueprint("dunning", __name__)


@operation(blueprint, "GET", "/operators/<operator_id>/dunning", returns=schemas.PolicyBody, problems=(403,))
def show_dunning(call: Call, operator_id: UUID) -> dict[str, Any]:
    """How the operator reminds: what it chose, or the usual schedule, which is off until somebody turns it on."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    return schemas.describe_policy(policies.policy_of(call.session, operator.id))


@operation(
    blueprint, "PUT", "/operators/<operator_id>/dunning", body=schemas.PolicyBody, returns=schemas.PolicyBody,
    problems=(403,),
)  # fmt: skip
def replace_dunning(call: Call, operator_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Choose the schedule. While it is active it is run each morning at eight; look at the preview before."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    chosen = policies.choose_policy(call.session, operator.id, body, now=call.now)
    _note(call, operator, "dunning.changed", operator.uid)
    return schemas.describe_policy(chosen)


@operation(
    blueprint, "GET", "/operators/<operator_id>/dunning/preview", query=schemas.PreviewQuery,
    returns=schemas.ProposalShape, many=True, problems=(403,),
)  # fmt: skip
def preview_dunning(call: Call, operator_id: UUID, query: dict[str, Any]) -> list[dict[str, Any]]:
    """What the schedule would do on a day, with what is open now, and what it holds back and why. Writes nothing."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    policy = policies.policy_of(call.session, operator.id)
    day = query["day"] or policies.today(call.session, operator.id, now=call.now)
    _note(call, operator, "dunning.viewed", operator.uid)
    return [schemas.describe_proposal(each) for each in propose(call.session, operator.id, policy, day=day)]


@operation(
    blueprint, "GET", "/operators/<operator_id>/dunning/acts", query=schemas.ActsQuery, returns=schemas.ActShape,
    many=True, paged=True, problems=(403,),
)  # fmt: skip
def list_dunning_acts(call: Call, operator_id: UUID, query: dict[str, Any]) -> Paged:
    """The steps that were taken, newest first."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    page = page_of(query["limit"], query["cursor"], key=(int,))
    before = page.after[0] if page.after else None
    found = listing.acts(
        call.session, operator, invoice_uid=query["invoice_id"], before=before, limit=page.limit + 1
    )  # fmt: skip
    _note(call, operator, "dunning.viewed", operator.uid)
    rows, last = cut(found, page, lambda row: [row[0].id])
    return Paged([schemas.describe_act(act, invoice) for act, invoice in rows], last)


@operation(
    blueprint, "POST", "/operators/<operator_id>/dunning/stops", body=schemas.NewStop, returns=schemas.StopShape,
    status=201, idempotent=True, problems=(403,),
)  # fmt: skip
def stop_dunning(call: Call, operator_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Stop it: for an invoice, a party, or everybody. Suspensions that it led to end at once."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    made = stopping.stop(
        call.session, operator, call.person, party_uid=body["party_id"], invoice_uid=body["invoice_id"],
        until=body["until"], reason=body["reason"], now=call.now,
    )  # fmt: skip
    _note(call, operator, "dunning.stopped", made.uid)
    return schemas.describe_stop(made, party_uid=body["party_id"], invoice_uid=body["invoice_id"])


@operation(
    blueprint, "GET", "/operators/<operator_id>/dunning/stops", query=PageQuery, returns=schemas.StopShape, many=True,
    paged=True, problems=(403,),
)  # fmt: skip
def list_dunning_stops(call: Call, operator_id: UUID, query: dict[str, Any]) -> Paged:
    """What was stopped, newest first, with what is lifted again."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    page = page_of(query["limit"], query["cursor"], key=(int,))
    found = listing.stops(
        call.session, operator, before=page.after[0] if page.after else None, limit=page.limit + 1
    )  # fmt: skip
    rows, last = cut(found, page, lambda row: [row[0].id])
    return Paged(
        [schemas.describe_stop(stop, party_uid=party, invoice_uid=invoice) for stop, party, invoice in rows], last
    )


@operation(
    blueprint, "DELETE", "/operators/<operator_id>/dunning/stops/<stop_id>", status=204, problems=(403,),
)  # fmt: skip
def lift_dunning_stop(call: Call, operator_id: UUID, stop_id: UUID) -> None:
    """Let the schedule go on. Repeating it succeeds."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    lifted = stopping.lift(call.session, operator, stop_id, now=call.now)
    _note(call, operator, "dunning.resumed", lifted.uid)


def _note(call: Call, operator: Operator, action: str, subject: UUID) -> None:
    customers.note(call.session, call.person, operator, action, subject, now=call.now)
