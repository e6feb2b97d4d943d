"""The VAT return over HTTP, for who keeps the books."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint

from app.billing.vat_return import schemas
from app.billing.vat_return.returns import vat_return
from app.http.operation import Call, operation
from app.network.operators import kept_operator

blueprint = Blueprint("vat_return", __name__)


@operation(
    blueprint, "GET", "/operators/<operator_id>/vat-return", query=schemas.Period, returns=schemas.VatReturnShape,
    problems=(403, 422),
)  # fmt: skip
def show_vat_return(call: Call, operator_id: UUID, query: dict[str, Any]) -> dict[str, Any]:
    """The boxes of an operator's VAT return for a period, from the documents issued in it."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    last = query["to"] or call.now.date()
    return vat_return(call.session, operator, first=query["from_"] or last.replace(month=1, day=1), last=last)
