"""How an operator's documents look: its colour, logo and words, chosen by who keeps its books."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, flash, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.billing.papers.branding import LONGEST_TEXT, choose_look, look_of
from app.network import audit
from app.network.operators import kept_operator
from app.web.site import blueprint
from app.web.visits import Visit, page, visiting


@blueprint.get("/books/<uuid:operator_id>/look")
def documents_look(operator_id: UUID) -> Response:
    def look(visit: Visit) -> dict[str, Any]:
        operator = kept_operator(visit.session, operator_id, person=visit.member)
        return {"person": visit.member, "operator": operator, "look": look_of(visit.session, operator.id)}

    return page("look.html", longest=LONGEST_TEXT, **visiting(look))


@blueprint.post("/books/<uuid:operator_id>/look")
def choose_documents_look(operator_id: UUID) -> AnyResponse:
    """No file chosen leaves the logo; the box takes it away."""
    file = request.files.get("logo")
    logo = file.read() if file and file.filename else None
    if logo is None and "without_logo" in request.form:
        logo = b""

    def choose(visit: Visit) -> None:
        person = visit.member
        operator = kept_operator(visit.session, operator_id, person=person)
        choose_look(
            visit.session,
            operator.id,
            person=person,
            accent=request.form.get("accent", ""),
            text=request.form.get("text", ""),
            logo=logo,
            home=visit.services.config.home,
            now=visit.now,
        )
        audit.note(visit.session, person, "look.chosen", None, str(operator.uid), visit.now)

    visiting(choose)
    flash("preferences_kept")
    return redirect(url_for("pages.documents_look", operator_id=operator_id), 303)
