"""What a member is written to about: the page with a box for each kind of mail, and word of mails that came back."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.network.accounts import own_member
from app.notifications.bounces import confirm_address, mails_come_back
from app.notifications.preferences import change_preferences, kinds_for, list_preferences
from app.web.site import blueprint
from app.web.visits import Visit, page, visiting


@blueprint.get("/notifications")
def notifications() -> Response:
    def look(visit: Visit) -> dict[str, Any]:
        preferences = list_preferences(visit.session, visit.member)
        return {"person": visit.member, "preferences": preferences, "returned": returning_address(visit)}

    return page("notifications.html", **visiting(look))


def returning_address(visit: Visit) -> str | None:
    """The member's address, if mails to it come back."""
    email = own_member(visit.session, visit.member.member_id).email
    return email if email and mails_come_back(visit.session, email) else None


@blueprint.post("/notifications")
def keep_notifications() -> AnyResponse:
    """A box that is not ticked is not sent along: all kinds that could have been are said."""

    def keep(visit: Visit) -> None:
        kinds = [kind.name for kind in kinds_for(visit.member) if kind.optional]
        choices = {name: name in request.form for name in kinds}
        change_preferences(visit.session, member_id=visit.member.member_id, choices=choices, now=visit.now)

    visiting(keep)
    flash("preferences_kept")
    return redirect(url_for("pages.notifications"), 303)


@blueprint.post("/notifications/address")
def keep_address() -> AnyResponse:
    """The member says that their address takes mail again."""

    def confirm(visit: Visit) -> None:
        email = own_member(visit.session, visit.member.member_id).email
        if email:
            confirm_address(visit.session, email)

    visiting(confirm)
    flash("address_confirmed")
    return redirect(url_for("pages.notifications"), 303)
