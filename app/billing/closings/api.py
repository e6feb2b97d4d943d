"""Closings over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint

from app.billing.closings import schemas
from app.billing.closings.listing import closings_of
from app.http.operation import Call, operation
from app.http.paging import Paged, cut, page_of

blueprint = Blueprint("closings", __name__)


@operation(
    blueprint, "GET", "/operators/<operator_id>/closings", query=schemas.ClosingQuery, returns=schemas.ClosingShape,
    many=True, paged=True, problems=(403,),
)  # fmt: skip
def list_closings(call: Call, operator_id: UUID, query: dict[str, Any]) -> Paged:
    """An operator's closings of a kind (days unless told), newest first, for who keeps its books."""
    page = page_of(query["limit"], query["cursor"], key=(int,))
    before = page.after[0] if page.after else None
    found = closings_of(call.session, call.person, operator_id, kind=query["kind"], before=before, limit=page.limit + 1)
    shown, last = cut(found, page, lambda closing: [closing.number])
    return Paged([schemas.describe(closing) for closing in shown], last)
