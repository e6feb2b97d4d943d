"""SEPA files and mandates over HTTP, for who keeps an operator's books."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Blueprint, Response
from sqlalchemy import select

from app.billing.sepa import making, mandates, schemas, shown
from app.billing.sepa.models import SepaFile, SepaItem
from app.http.operation import Call, operation
from app.http.paging import Paged, cut, page_of
from app.http.schemas import PageQuery
from app.network import audit
from app.network.operators import kept_operator

blueprint = Blueprint("sepa", __name__)

XML = "application/xml"


@operation(
    blueprint, "POST", "/operators/<operator_id>/sepa-files", body=schemas.NewFiles, returns=schemas.SepaFileShape,
    many=True, status=201, idempotent=True, problems=(403,),
)  # fmt: skip
def make_sepa_files(call: Call, operator_id: UUID, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Seal what waits: refunds of money that came by transfer, or invoices due of customers with a mandate. An empty
    list where nothing waits; each refund and debit is in one file, once."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    home = Path(call.services.config.home)
    made = making.make_files(
        call.session, operator, body["kind"], home=home, execution_on=body["execution_on"], format=body["format"],
        by_id=call.person.member_id, now=call.now,
    )  # fmt: skip
    return [schemas.describe_file(each) for each in made]


@operation(
    blueprint, "GET", "/operators/<operator_id>/sepa-files", query=schemas.FilesQuery, returns=schemas.SepaFileShape,
    many=True, paged=True, problems=(403,),
)  # fmt: skip
def list_sepa_files(call: Call, operator_id: UUID, query: dict[str, Any]) -> Paged:
    """Files that were made, newest first."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    page = page_of(query["limit"], query["cursor"], key=(int,))
    wanted = select(SepaFile).where(SepaFile.operator_id == operator.id)
    if page.after:
        wanted = wanted.where(SepaFile.id < page.after[0])
    if query["kind"] is not None:
        wanted = wanted.where(SepaFile.kind == query["kind"])
    found = call.session.scalars(wanted.order_by(SepaFile.id.desc()).limit(page.limit + 1)).all()
    rows, last = cut(found, page, lambda file: [file.id])
    return Paged([schemas.describe_file(each) for each in rows], last)


@operation(
    blueprint, "POST", "/sepa-files/<file_id>/hand-over", returns=schemas.SepaFileShape, problems=(403, 409)
)  # fmt: skip
def hand_over_sepa_file(call: Call, file_id: UUID) -> dict[str, Any]:
    """Have the file for the bank: from now on it can be taken, and not be cancelled any more. Once more changes
    nothing; one that was cancelled is not given out (409 `wrong_state`)."""
    file = making.find_file(call.session, file_id, person=call.person)
    handed = making.hand_over(call.session, file, home=Path(call.services.config.home), now=call.now)
    audit.note(call.session, call.person, "sepa_file.handed_over", None, str(file.uid), call.now)
    return schemas.describe_file(handed)


@operation(blueprint, "GET", "/sepa-files/<file_id>", media=XML, problems=(403, 409))
def take_sepa_file(call: Call, file_id: UUID) -> Response:
    """The file for the bank, as it was sealed, once it is handed over; before that 409 `wrong_state`."""
    file = making.find_file(call.session, file_id, person=call.person)
    octets = making.content(file, home=Path(call.services.config.home))
    audit.note(call.session, call.person, "sepa_file.taken", None, str(file.uid), call.now)
    response = Response(octets, mimetype=XML)
    response.headers["Content-Disposition"] = f'attachment; filename="{file.uid}.xml"'
    response.headers["Cache-Control"] = "no-store"
    return response


@operation(
    blueprint, "GET", "/sepa-files/<file_id>/items", query=PageQuery, returns=schemas.SepaItemShape, many=True,
    paged=True, problems=(403,),
)  # fmt: skip
def list_sepa_items(call: Call, file_id: UUID, query: dict[str, Any]) -> Paged:
    """The transfers or debits in a file, and what became of each."""
    file = making.find_file(call.session, file_id, person=call.person)
    page = page_of(query["limit"], query["cursor"], key=(int,))
    wanted = select(SepaItem).where(SepaItem.file_id == file.id, SepaItem.id > (page.after[0] if page.after else 0))
    found = call.session.scalars(wanted.order_by(SepaItem.id).limit(page.limit + 1)).all()
    rows, last = cut(found, page, lambda item: [item.id])
    return Paged([schemas.describe_item(each) for each in rows], last)


@operation(
    blueprint, "POST", "/sepa-items/<item_id>/rejection", body=schemas.RejectionShape, returns=schemas.SepaItemShape,
    problems=(403, 409),
)  # fmt: skip
def reject_sepa_item(call: Call, item_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Say that the bank refused one transfer or debit of a file, and why: no statement will show it. A refund is the
    customer's credit again; an invoice is still to be paid. The same reason once more changes nothing."""
    item = making.find_item(call.session, item_id, person=call.person)
    rejected = shown.rejected(call.session, item, body["reason"], now=call.now)
    audit.note(call.session, call.person, "sepa_item.rejected", None, str(item.uid), call.now)
    return schemas.describe_item(rejected)


@operation(
    blueprint, "POST", "/sepa-files/<file_id>/cancellation", body=schemas.CancellationShape,
    returns=schemas.SepaFileShape, problems=(403, 409),
)  # fmt: skip
def cancel_sepa_file(call: Call, file_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Cancel a file that is not handed over yet: what is in it is collected anew for another."""
    file = making.find_file(call.session, file_id, person=call.person)
    cancelled = making.cancel(call.session, file, body["reason"], now=call.now)
    audit.note(call.session, call.person, "sepa_file.cancelled", None, str(file.uid), call.now)
    return schemas.describe_file(cancelled)


@operation(
    blueprint, "POST", "/operators/<operator_id>/mandates", body=schemas.NewMandate, returns=schemas.MandateShape,
    status=201, idempotent=True, problems=(403, 404, 409),
)  # fmt: skip
def sign_mandate(call: Call, operator_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Keep a mandate that a customer signed on paper or elsewhere: their invoices are collected by it when due."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    mandate = mandates.sign(call.session, operator, **body, now=call.now)
    audit.note(call.session, call.person, "mandate.signed", None, str(mandate.uid), call.now)
    return schemas.describe_mandate(mandate)


@operation(
    blueprint, "POST", "/mandates/<mandate_id>/revocation", returns=schemas.MandateShape, problems=(403,)
)  # fmt: skip
def revoke_mandate(call: Call, mandate_id: UUID) -> dict[str, Any]:
    """Collect nothing by it any more. Once more changes nothing."""
    mandate = mandates.revoke(call.session, mandates.find(call.session, mandate_id, person=call.person), now=call.now)
    audit.note(call.session, call.person, "mandate.revoked", None, str(mandate.uid), call.now)
    return schemas.describe_mandate(mandate)
