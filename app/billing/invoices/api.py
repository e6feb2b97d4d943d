"""Documents over HTTP: for the customers they are to, and for who keeps an operator's books."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request

from app.billing.einvoices.api import xml_of
from app.billing.einvoices.schemas import DocumentQuery
from app.billing.invoices import at_once, closing, crediting, delivery, finishing, issuers, listing, schemas, sending
from app.billing.invoices.models import Invoice
from app.billing.papers import files, wanting
from app.errors import Problem
from app.http import problems
from app.http.operation import Call, Reply, operation
from app.http.paging import Paged, cut, page_of
from app.http.schemas import PageQuery
from app.network import audit
from app.network.operators import kept_operator

blueprint = Blueprint("invoices", __name__)

JSON, PDF, XML = "application/json", "application/pdf", "application/xml"
DRAWN_WITHIN_S = 3


class NotAcceptable(Problem):
    code = "not_acceptable"
    status = 406
    title = "It is not written in what you accept."


class NotDrawnYet(Problem):
    """The document is final; only its PDF is still being drawn."""

    code = "pdf_not_drawn_yet"
    status = 503
    title = "Its PDF is being drawn; ask again in a moment."


@operation(
    blueprint, "GET", "/invoices", query=schemas.InvoicesQuery, returns=schemas.InvoiceShape, many=True, paged=True,
    problems=(403,),
)  # fmt: skip
def list_invoices(call: Call, query: dict[str, Any]) -> Paged:
    """Invoices and credit notes to you, or to employers that you administer; with `operator_id` those that this
    operator issued, for who keeps its books. Newest first. `undelivered` asks for those whose mail came to nothing."""
    page = page_of(query["limit"], query["cursor"], key=(int,))
    asked: dict[str, Any] = {
        "before": page.after[0] if page.after else None, "limit": page.limit + 1,
        "kind": query["kind"], "party": query["party_id"], "only_undelivered": query["undelivered"],
    }  # fmt: skip
    if query["operator_id"] is None:
        found = listing.mine(call.session, call.person, **asked)
    else:
        found = listing.of_operator(call.session, call.person, query["operator_id"], **asked)
    rows, last = cut(found, page, lambda invoice: [invoice.id])
    return Paged([schemas.describe(each) for each in listing.shown(call.session, rows, now=call.now)], last)


@operation(
    blueprint, "GET", "/invoices/<invoice_id>", query=DocumentQuery, returns=schemas.DocumentShape, problems=(406, 409),
    also=(PDF, XML),
)  # fmt: skip
def show_invoice(call: Call, invoice_id: UUID, query: dict[str, Any]) -> Any:
    """One document, in what Accept asks for: its content and status (JSON), as people receive it (PDF), or as machines
    do (XML, in the `profile` of the operator's country unless another is named; 409 `einvoice_impossible` says what it
    lacks). PDF and XML answer 503 with Retry-After while they are being made."""
    invoice = listing.find(call.session, invoice_id)
    _note(call, invoice)
    accepted = request.accept_mimetypes
    wanted = accepted.best_match([JSON, PDF, XML]) if accepted.provided else JSON
    if wanted == PDF:
        return _pdf(call, invoice)
    if wanted == XML:
        return xml_of(call, invoice, query["profile"])
    if wanted != JSON:
        raise NotAcceptable(accepts=[JSON, PDF, XML], remedy=f"send Accept: {JSON}, {PDF} or {XML}")
    (shown,) = listing.shown(call.session, [invoice], now=call.now)
    return schemas.describe_whole(shown)


def _note(call: Call, invoice: Invoice) -> None:
    """A look at somebody else's document is in the trail."""
    if invoice.operator_id in call.person.scope.books_ids:
        audit.note(call.session, call.person, "invoice.viewed", None, str(invoice.uid), call.now)


def _pdf(call: Call, invoice: Invoice) -> Response:
    path = files.stored(call.session, invoice.id, home=Path(call.services.config.home))
    if path is None:
        wanting.want(call.session, invoice.id, now=call.now)
        response = problems.answer(NotDrawnYet())
        response.headers["Retry-After"] = str(DRAWN_WITHIN_S)
        return response
    response = Response(path.read_bytes(), mimetype=PDF)
    response.headers["Content-Disposition"] = f'inline; filename="{invoice.number}.pdf"'
    response.headers["Cache-Control"] = "no-store"
    return response


@operation(
    blueprint, "POST", "/invoices/<invoice_id>/credit-notes", body=schemas.NewCreditNote,
    returns=schemas.DocumentShape, status=201, idempotent=True, problems=(403, 409), located=True,
)  # fmt: skip
def create_credit_note(call: Call, invoice_id: UUID, body: dict[str, Any]) -> Reply:
    """Take back some of an invoice, at its own VAT: lines by amount or percent, or without lines all that is left.
    Never more than what is left of a line (409 `more_than_left`); the same once more only when told that it is meant
    (409 `credited_already`)."""
    invoice = listing.find(call.session, invoice_id)
    call.person.require_books(invoice.operator_id)
    parts = [crediting.Part(line["no"], line.get("amount_cents"), line.get("percent")) for line in body["lines"]]
    made = crediting.credit(call.session, invoice, parts, reason=body["reason"], again=body["again"], now=call.now)
    return _made(call, made.uid)


@operation(
    blueprint, "POST", "/invoices/<invoice_id>/sendings", body=schemas.NewSending, returns=schemas.SendingShape,
    status=201, idempotent=True, problems=(403,),
)  # fmt: skip
def send_invoice(call: Call, invoice_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Have a document mailed to its customer, once more or for the first time; or note that it was handed over on
    paper. For who keeps the books. Asked again within a minute, it is the same sending; on paper it is only ever
    one."""
    invoice = listing.find(call.session, invoice_id)
    call.person.require_books(invoice.operator_id)
    send = sending.hand_over_on_paper if body["way"] == sending.PAPER else sending.send_again
    made = send(call.session, invoice, asked_by=call.person.member_id, now=call.now)
    audit.note(call.session, call.person, f"invoice.sending_{made.way}", None, str(invoice.uid), call.now)
    return schemas.describe_sending(made, invoice)


@operation(
    blueprint, "GET", "/invoices/<invoice_id>/sendings", returns=schemas.DeliveryShape, many=True, problems=(403,),
)  # fmt: skip
def list_sendings(call: Call, invoice_id: UUID) -> list[dict[str, Any]]:
    """How a document went to its customer, and what became of it, oldest first. For who keeps the books."""
    invoice = listing.find(call.session, invoice_id)
    call.person.require_books(invoice.operator_id)
    return [schemas.describe_delivery(each) for each in delivery.deliveries(call.session, invoice)]


@operation(
    blueprint, "POST", "/operators/<operator_id>/invoices", body=schemas.InvoiceAtOnce, returns=schemas.InvoiceShape,
    many=True, status=201, idempotent=True, problems=(403, 409),
)  # fmt: skip
def invoice_now(call: Call, operator_id: UUID, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Invoice a party before the month is over: all its open charges, or those named, future ones too (prepaid).
    Deposits, and what is outside VAT, come on documents of their own."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    made = at_once.invoice_at_once(
        call.session,
        operator.id,
        body["party_id"],
        charges=body["charges"],
        terms_days=body["terms_days"],
        now=call.now,
    )
    found = [listing.find(call.session, each.uid) for each in made]
    return [schemas.describe(each) for each in listing.shown(call.session, found, now=call.now)]


@operation(
    blueprint, "POST", "/operators/<operator_id>/closed-months", body=schemas.MonthToClose,
    returns=schemas.ClosedMonth, status=202, idempotent=True, problems=(403, 409),
)  # fmt: skip
def close_a_month(call: Call, operator_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Close a month: nothing is charged to it any more, and everything in it gets its document in a moment. Months are
    closed in order, and once they are over (409 `month_out_of_order`, `month_not_over`); closing one again changes
    nothing."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    month = date.fromisoformat(f"{body['month']}-01")
    changed = finishing.close_here(call.session, operator.id, month, now=call.now)
    open_charges = closing.open_count(call.session, operator.id, month)
    return {"month": body["month"], "closed_before": not changed, "open_charges": open_charges}


@operation(blueprint, "GET", "/operators", query=PageQuery, returns=schemas.KeptOperator, many=True, paged=True)
def list_operators(call: Call, query: dict[str, Any]) -> Paged:
    """The operators whose books you keep, with their spaces, oldest first."""
    page = page_of(query["limit"], query["cursor"], key=(int,))
    found = listing.operators(call.session, call.person, after=page.after[0] if page.after else 0, limit=page.limit + 1)
    rows, last = cut(found, page, lambda row: [row[0].id])
    return Paged([schemas.describe_operator(operator, spaces) for operator, spaces in rows], last)


@operation(
    blueprint, "GET", "/operators/<operator_id>/letterhead", returns=schemas.LetterheadShape, problems=(403,),
)  # fmt: skip
def show_letterhead(call: Call, operator_id: UUID) -> dict[str, Any]:
    """What an operator's documents say of it: chosen, or what its first space suggests."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    return schemas.describe_letterhead(issuers.letterhead_of(call.session, operator.id))


@operation(
    blueprint, "PUT", "/operators/<operator_id>/letterhead", body=schemas.LetterheadShape,
    returns=schemas.LetterheadShape, problems=(403,),
)  # fmt: skip
def replace_letterhead(call: Call, operator_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Choose what documents say from now on. Finalised ones stay as they are; a new prefix begins with the next year's
    series, or at once where there is no document of this year yet."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    chosen = issuers.choose_letterhead(call.session, operator.id, **body)
    audit.note(call.session, call.person, "letterhead.replaced", None, str(operator.uid), call.now)
    return schemas.describe_letterhead(chosen)


def _made(call: Call, uid: UUID) -> Reply:
    (shown,) = listing.shown(call.session, [listing.find(call.session, uid)], now=call.now)
    return Reply(schemas.describe_whole(shown), location=f"/api/v1/invoices/{uid}")
