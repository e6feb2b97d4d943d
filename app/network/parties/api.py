"""Billing details over HTTP: one's own, an employer's, and an operator's customers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint

from app.http.operation import Call, Reply, operation
from app.http.paging import Paged, cut, page_of
from app.http.preconditions import etag
from app.http.schemas import PageQuery
from app.network.accounts import own_member
from app.network.operators import kept_operator
from app.network.parties import customers, details, schemas
from app.network.parties import personal as personal  # registers what erasure and export need of parties
from app.network.parties.checking import last_answer
from app.network.parties.models import Party

blueprint = Blueprint("parties", __name__)


@operation(blueprint, "GET", "/me/billing-details", returns=schemas.BillingDetailsShape, etag=True)
def show_billing_details(call: Call) -> Reply:
    """What documents say of me, and whether I count as a business for VAT."""
    member = own_member(call.session, call.person.member_id)
    return _shown(call, member, details.party_of(call.session, member))


@operation(
    blueprint, "PUT", "/me/billing-details", body=schemas.BillingDetails, returns=schemas.BillingDetailsShape,
    if_match=True, etag=True,
)  # fmt: skip
def replace_billing_details(call: Call, body: dict[str, Any]) -> Reply:
    """Say what documents are to say of me. A new VAT number is asked about; documents already made do not change."""
    member = own_member(call.session, call.person.member_id, lock=True)
    return _changed(call, member, body)


@operation(
    blueprint, "GET", "/employers/<employer_id>/billing-details", returns=schemas.BillingDetailsShape, etag=True,
)  # fmt: skip
def show_employer_billing_details(call: Call, employer_id: UUID) -> Reply:
    """What documents say of an employer. For its administrators."""
    employer = details.employer_of(call.session, employer_id)
    return _shown(call, employer, details.party_of(call.session, employer))


@operation(
    blueprint, "PUT", "/employers/<employer_id>/billing-details", body=schemas.BillingDetails,
    returns=schemas.BillingDetailsShape, if_match=True, etag=True,
)  # fmt: skip
def replace_employer_billing_details(call: Call, employer_id: UUID, body: dict[str, Any]) -> Reply:
    """Say what documents are to say of an employer. For its administrators."""
    employer = details.employer_of(call.session, employer_id, lock=True)
    return _changed(call, employer, body)


@operation(
    blueprint, "GET", "/operators/<operator_id>/customers", query=PageQuery, returns=schemas.BillingDetailsShape,
    many=True, paged=True, problems=(403,),
)  # fmt: skip
def list_customers(call: Call, operator_id: UUID, query: dict[str, Any]) -> Paged:
    """Whom the operator has charged, with what is known of their VAT numbers. For who keeps its books."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    page = page_of(query["limit"], query["cursor"], key=(int,))
    after = page.after[0] if page.after else 0
    rows = customers.customers(call.session, operator, after=after, limit=page.limit + 1)
    shown, last = cut(rows, page, lambda party: [party.id])
    if any(party.member_id != call.person.member_id for party in shown):  # one's own data is nobody's business
        customers.note(call.session, call.person, operator, "customers.viewed", operator.uid, now=call.now)
    return Paged([_described(call, party) for party in shown], last)


@operation(
    blueprint, "POST", "/operators/<operator_id>/customers/<party_id>/vat-confirmations",
    body=schemas.VatConfirmation, returns=schemas.BillingDetailsShape, idempotent=True, problems=(403,),
)  # fmt: skip
def confirm_vat_number(call: Call, operator_id: UUID, party_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Write down what you found out about a customer's VAT number yourself, where VIES is not asked or cannot know."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    party = customers.customer(call.session, operator, party_id)
    customers.confirm_by_hand(call.session, call.person, party, now=call.now, **body)
    customers.note(call.session, call.person, operator, "customer.vat_confirmed", party.uid, now=call.now)
    return _described(call, party)


def _changed(call: Call, owner: details.Owner, body: dict[str, Any]) -> Reply:
    def check(party: Party | None) -> None:
        call.check_match(_version(owner, party))

    return _shown(call, owner, details.change_details(call.session, owner, body, now=call.now, check=check))


def _shown(call: Call, owner: details.Owner, party: Party | None) -> Reply:
    shown = _described(call, party) if party else schemas.describe_details(details.draft(owner), None)
    return Reply(shown, etag=_version(owner, party))


def _version(owner: details.Owner, party: Party | None) -> str:
    """What nobody has said yet has a version, too."""
    return etag(owner.uid, party.revision if party else -1)


def _described(call: Call, party: Party) -> dict[str, Any]:
    return schemas.describe_details(party, last_answer(call.session, party))
