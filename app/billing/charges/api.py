"""Charges over HTTP: an operator's for who keeps its books, and one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import Blueprint

from app.billing.charges import listing, manual, schemas
from app.billing.charges.models import Charge
from app.http.operation import Call, operation
from app.http.paging import Page, Paged, cut, page_of
from app.http.schemas import PageQuery
from app.network.operators import kept_operator
from app.network.parties import customers

blueprint = Blueprint("charges", __name__)


@operation(
    blueprint, "GET", "/operators/<operator_id>/charges", query=schemas.ChargesQuery, returns=schemas.ChargeShape,
    many=True, paged=True, problems=(403,),
)  # fmt: skip
def list_charges(call: Call, operator_id: UUID, query: dict[str, Any]) -> Paged:
    """What the operator supplied and is owed for, or owes back, newest first. For who keeps its books."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    page, before = _page(query)
    found = listing.of_operator(
        call.session, operator, before=before, limit=page.limit + 1, month=schemas.first_day(query["month"]),
        party=query["party_id"], invoiced=query["invoiced"],
    )  # fmt: skip
    customers.note(call.session, call.person, operator, "charges.viewed", operator.uid, now=call.now)
    return _shown(call, found, page)


@operation(
    blueprint, "POST", "/operators/<operator_id>/charges", body=schemas.NewCharge, returns=schemas.ChargeShape,
    status=201, idempotent=True, problems=(403, 409),
)  # fmt: skip
def add_charge(call: Call, operator_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Charge something by hand: a key lost, coffee for twenty. Its VAT is decided, and it is invoiced with its month;
    one that is closed is 409 `month_closed`. What is owed back is a credit note, not a negative charge."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    charge = manual.add_charge(call.session, operator, manual.Wish(**body), now=call.now)
    customers.note(call.session, call.person, operator, "charge.added", charge.uid, now=call.now)
    return _described(call, [charge])[0]


@operation(
    blueprint, "GET", "/operators/<operator_id>/unbilled", query=schemas.UnbilledQuery, returns=schemas.UnbilledShape,
    problems=(403,),
)  # fmt: skip
def show_unbilled(call: Call, operator_id: UUID, query: dict[str, Any]) -> dict[str, Any]:
    """What is on no document yet, of all months or up to `until`: by month, party and kind. For who keeps its books."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    lines = listing.unbilled(call.session, operator, until=schemas.first_day(query["until"]))
    customers.note(call.session, call.person, operator, "charges.viewed", operator.uid, now=call.now)
    return schemas.describe_unbilled(lines)


@operation(blueprint, "GET", "/me/charges", query=PageQuery, returns=schemas.ChargeShape, many=True, paged=True)
def list_my_charges(call: Call, query: dict[str, Any]) -> Paged:
    """What stands on my own account, at whichever operator, newest first; also before there is an invoice."""
    page, before = _page(query)
    found = listing.of_member(call.session, call.person.member_id, before=before, limit=page.limit + 1)
    return _shown(call, found, page)


def _page(query: dict[str, Any]) -> tuple[Page, int | None]:
    page = page_of(query["limit"], query["cursor"], key=(int,))
    return page, page.after[0] if page.after else None


def _shown(call: Call, found: Sequence[Charge], page: Page) -> Paged:
    rows, last = cut(found, page, lambda charge: [charge.id])
    return Paged(_described(call, rows), last)


def _described(call: Call, charges: Sequence[Charge]) -> list[dict[str, Any]]:
    return [schemas.describe(each) for each in listing.shown(call.session, charges)]
