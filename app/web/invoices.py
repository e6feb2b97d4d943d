"""Documents on pages: a member's own, one of them with its PDF, and a month of the books for who keeps them."""

from __future__ import annotations

import re
from datetime import date
from typing import Any
from uuid import UUID

from flask import Response, make_response, redirect, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from app.billing.invoices import listing
from app.billing.invoices.models import Invoice
from app.billing.papers import files, wanting
from app.billing.papers.document import Document
from app.billing.papers.overview import month_of_books
from app.billing.papers.square_svg import svg
from app.billing.payments.paying import can_pay_online
from app.billing.payments.transfers import transfers_for
from app.errors import Invalid
from app.network import audit
from app.network.models import Operator
from app.network.operators import kept_operator
from app.web.site import ZONE, blueprint
from app.web.visits import Visit, page, visiting

MOST_SHOWN = 50
MONTH = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])")


@blueprint.get("/invoices")
def invoices() -> Response:
    """Mine, and those of employers that I administer; newest first."""

    def look(visit: Visit) -> dict[str, Any]:
        before = request.args.get("before", "")
        after = int(before) if before.isascii() and before.isdigit() and len(before) < 18 else None
        found = listing.mine(visit.session, visit.member, before=after, limit=MOST_SHOWN + 1)
        rows = found[:MOST_SHOWN]
        shown = listing.shown(visit.session, rows, now=visit.now)
        documents = [(each, Document.of(each.invoice.snapshot)) for each in shown]
        older = rows[-1].id if len(found) > MOST_SHOWN else None
        return {"person": visit.member, "documents": documents, "older": older}

    return _private(page("invoices.html", **visiting(look)))


@blueprint.get("/invoices/<uuid:invoice_id>")
def invoice(invoice_id: UUID) -> Response:
    return _private(page("invoice.html", **visiting(lambda visit: _shown(visit, invoice_id))))


def _shown(visit: Visit, invoice_id: UUID) -> dict[str, Any]:
    person, found = visit.member, _looked_at(visit, invoice_id)
    (shown,) = listing.shown(visit.session, [found], now=visit.now)
    operator = visit.session.get_one(Operator, found.operator_id)
    transfer = next(iter(transfers_for(visit.session, operator, [found])), None)
    square = Markup(svg(transfer.epc)) if transfer and transfer.epc else None
    online = transfer is not None and can_pay_online(
        visit.session, found, provider_ready=bool(visit.services.config.stripe_api_key), person=person
    )
    paying = {"transfer": transfer, "square": square, "online": online}
    return {"person": person, "shown": shown, "document": Document.of(found.snapshot), **paying}


@blueprint.get("/invoices/<uuid:invoice_id>.pdf")
def invoice_pdf(invoice_id: UUID) -> Response:
    """The PDF; while it is being drawn, the page of the document, which says so."""

    def look(visit: Visit) -> tuple[Invoice, bytes | None, dict[str, Any]]:
        shown = _shown(visit, invoice_id)
        found: Invoice = shown["shown"].invoice
        path = files.stored(visit.session, found.id, home=visit.services.config.home)
        if path is None:
            wanting.want(visit.session, found.id, now=visit.now)
            return found, None, shown
        return found, path.read_bytes(), shown

    found, octets, shown = visiting(look)
    if octets is None:
        response = page("invoice.html", status=503, being_drawn=True, **shown)
        response.headers["Retry-After"] = "3"
        return _private(response)
    response = make_response(octets)
    response.mimetype = "application/pdf"
    response.headers["Content-Disposition"] = f'inline; filename="{found.number}.pdf"'
    return _private(response)


def _looked_at(visit: Visit, invoice_id: UUID) -> Invoice:
    """A document that the visitor may see; a look at somebody else's is in the trail. Raises NotFound."""
    person, found = visit.member, listing.find(visit.session, invoice_id)
    if found.operator_id in person.scope.books_ids:
        audit.note(visit.session, person, "invoice.viewed", None, str(found.uid), visit.now)
    return found


@blueprint.get("/books")
def books() -> AnyResponse:
    """The operators whose books one keeps; who keeps one's only is there at once."""

    def look(visit: Visit) -> dict[str, Any]:
        person = visit.member
        return {"person": person, "operators": listing.operators(visit.session, person, after=0, limit=500)}

    found = visiting(look)
    if len(found["operators"]) == 1:
        return redirect(url_for("pages.books_of", operator_id=found["operators"][0][0].uid), 303)
    return _private(page("books.html", **found))


@blueprint.get("/books/<uuid:operator_id>")
def books_of(operator_id: UUID) -> Response:
    """A month: what waits for a document, what was issued, the sums."""

    def look(visit: Visit) -> dict[str, Any]:
        person = visit.member
        operator = kept_operator(visit.session, operator_id, person=person)
        month = _month(request.args.get("month", ""), today=visit.now.astimezone(ZONE).date())
        seen = month_of_books(visit.session, operator, month)
        audit.note(visit.session, person, "books.viewed", None, f"{operator.uid}/{month:%Y-%m}", visit.now)
        documents = [(each, Document.of(each.snapshot)) for each in seen.issued]
        return {"person": person, "seen": seen, "documents": documents}

    return _private(page("books_of.html", **visiting(look)))


def _month(asked: str, *, today: date) -> date:
    if not asked:
        return today.replace(day=1)
    if not MONTH.fullmatch(asked):
        raise Invalid.field("month", "a month as 2026-11")
    return date.fromisoformat(f"{asked}-01")


def _private(response: Response) -> Response:
    """Amounts and names: kept by nobody on the way, nor by a browser that others use."""
    response.headers["Cache-Control"] = "no-store"
    return response
