"""Electronic invoices over HTTP: what became of them, making and sending them again, how an operator sends them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Blueprint, Response

from app.billing.einvoices import listing, schemas, sending, wanting
from app.billing.einvoices.needs import default_xml, needs
from app.billing.einvoices.reading import read
from app.billing.einvoices.reporting import e_reporting
from app.billing.invoices.listing import find
from app.billing.invoices.models import Invoice
from app.errors import Invalid, Problem
from app.http import problems
from app.http.operation import Call, operation
from app.http.paging import Paged, cut, page_of
from app.network import audit
from app.network.operators import kept_operator

blueprint = Blueprint("einvoices", __name__)

XML = "application/xml"
MADE_WITHIN_S = 3


class NotMadeYet(Problem):
    """The document is final; only this form of it is still being written."""

    code = "xml_not_made_yet"
    status = 503
    title = "Its electronic form is being written; ask again in a moment."


def xml_of(call: Call, invoice: Invoice, profile: str | None) -> Response:
    """A document in a profile, of the operator's country unless it is told; 503 with Retry-After while it is written.

    Raises CannotBeWritten where it lacks something that the profile demands.
    """
    format = profile or default_xml(read(invoice.snapshot))
    path = listing.stored(call.session, invoice.id, format, home=Path(call.services.config.home))
    if path is None:
        wanting.want(call.session, invoice, format, now=call.now)
        waiting = problems.answer(NotMadeYet())
        waiting.headers["Retry-After"] = str(MADE_WITHIN_S)
        return waiting
    response = Response(path.read_bytes(), mimetype=XML)
    response.headers["Content-Disposition"] = f'inline; filename="{invoice.number}.xml"'
    response.headers["Cache-Control"] = "no-store"
    return response


@operation(
    blueprint, "GET", "/operators/<operator_id>/einvoices", query=schemas.EInvoicesQuery,
    returns=schemas.EInvoiceShape, many=True, paged=True, problems=(403,),
)  # fmt: skip
def list_einvoices(call: Call, operator_id: UUID, query: dict[str, Any]) -> Paged:
    """Electronic invoices of an operator whose books you keep, newest first; `state=rejected` are those to look at."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    page = page_of(query["limit"], query["cursor"], key=(int,))
    found = listing.of_operator(
        call.session, operator.id, state=query["state"], format=query["format"],
        before=page.after[0] if page.after else None, limit=page.limit + 1,
    )  # fmt: skip
    rows, last = cut(found, page, lambda shown: [shown.einvoice.id])
    return Paged([schemas.describe(each, with_errors=True) for each in rows], last)


@operation(blueprint, "GET", "/invoices/<invoice_id>/einvoices", returns=schemas.EInvoiceShape, many=True)
def list_einvoices_of_invoice(call: Call, invoice_id: UUID) -> list[dict[str, Any]]:
    """What a document was written as, where it went, and what was answered."""
    invoice = find(call.session, invoice_id)
    keeps_books = invoice.operator_id in call.person.scope.books_ids
    return [schemas.describe(each, with_errors=keeps_books) for each in listing.of_document(call.session, invoice)]


@operation(
    blueprint, "POST", "/invoices/<invoice_id>/einvoices", body=schemas.NewEInvoice, returns=schemas.EInvoiceShape,
    status=202, idempotent=True, problems=(403, 409),
)  # fmt: skip
def send_einvoice(call: Call, invoice_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Have a document made and sent: for the first time, or again after a rejection or a failure. It goes once the
    operator sends that way; what is on its way or accepted, in whichever of the formats that go that way, does not go
    twice (409 `wrong_state`)."""
    invoice = find(call.session, invoice_id)
    call.person.require_books(invoice.operator_id)
    format = body["format"] or _wanted(call, invoice)
    row = wanting.send_again(call.session, invoice, format, now=call.now)
    audit.note(call.session, call.person, "einvoice.sent", None, str(invoice.uid), call.now)
    return schemas.describe(listing.Shown(row, invoice, ()), with_errors=True)


@operation(blueprint, "GET", "/operators/<operator_id>/einvoicing", returns=schemas.EInvoicingShape, problems=(403,))
def show_einvoicing(call: Call, operator_id: UUID) -> dict[str, Any]:
    """From when on an operator sends its documents, by each way."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    return schemas.describe_settings(sending.settings_of(call.session, operator.id))


@operation(
    blueprint, "PUT", "/operators/<operator_id>/einvoicing", body=schemas.EInvoicingShape,
    returns=schemas.EInvoicingShape, problems=(403,),
)  # fmt: skip
def replace_einvoicing(call: Call, operator_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Choose from which day of issue on documents are sent, by Peppol and by a French platform. Those made already and
    issued since go in a moment."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    chosen = sending.choose(call.session, operator.id, **body, now=call.now)
    audit.note(call.session, call.person, "einvoicing.replaced", None, str(operator.uid), call.now)
    return schemas.describe_settings(chosen)


@operation(
    blueprint, "GET", "/operators/<operator_id>/e-reporting", query=schemas.Reported, returns=schemas.EReportingShape,
    problems=(403, 422),
)  # fmt: skip
def show_e_reporting(call: Call, operator_id: UUID, query: dict[str, Any]) -> dict[str, Any]:
    """Day totals of sales to private persons and across borders, which French operators report; by day of issue."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    last = query["to"] or call.now.date()
    return e_reporting(call.session, operator, first=query["from_"] or last.replace(day=1, month=1), last=last)


def _wanted(call: Call, invoice: Invoice) -> str:
    """The format its parties' countries want; of two the one that the operator's platform takes. Raises Invalid."""
    formats = [need.format for need in needs(read(invoice.snapshot))]
    chosen = sending.settings_of(call.session, invoice.operator_id).platform_format
    if not formats:
        raise Invalid.field("format", "no law wants this document electronic: name a format, or let it be")
    return chosen if chosen in formats else formats[0]
