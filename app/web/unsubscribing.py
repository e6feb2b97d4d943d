"""The page and the one click behind the address at a mail's foot (app/notifications/unsubscribing.py).

A look changes nothing: programs that scan mails follow every address. A mail program's own button sends
`List-Unsubscribe=One-Click` (RFC 8058), without cookie or form token, and is answered in plain text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Response, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app.db import retrying, transaction
from app.errors import Invalid
from app.http import rate_limits
from app.http.services import services
from app.notifications import unsubscribing
from app.notifications.preferences import wanted
from app.notifications.unsubscribing import LinkUnknown, Subscription
from app.tenancy import SYSTEM
from app.web.site import blueprint
from app.web.visits import page, visiting

Result = TypeVar("Result")
SWITCH = {"no": False, "yes": True}  # what the page's own button says


@blueprint.get("/u/<token>")
def mails(token: str) -> Response:
    """Whether mails of a kind come, and a button to change it. Whom they go to is not shown: addresses get about."""
    subscription = _named(token)
    visitor = visiting(lambda visit: visit.person)
    on = _for_the_system(
        lambda session: wanted(session, unsubscribing.member_of(session, subscription), subscription.kind)
    )
    response = page("unsubscribe.html", visitor, token=token, kind=subscription.kind, on=on)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


@blueprint.post("/u/<token>")
def switch_mails(token: str) -> AnyResponse:
    """Stop mails of a kind, or have them again; as often as it is sent."""
    subscription = _named(token)
    one_click = request.form.get("List-Unsubscribe") == "One-Click"
    on = False if one_click else SWITCH.get(request.form.get("wanted", ""))
    if on is None:
        raise Invalid.field("List-Unsubscribe", "send One-Click, or press the button of the page")
    rate_limits.take(rate_limits.SWITCHES, token)
    now = services().clock()
    _for_the_system(lambda session: unsubscribing.switch(session, subscription, on=on, now=now))
    if one_click:
        return Response("You are unsubscribed.\n", mimetype="text/plain")
    return redirect(url_for("pages.mails", token=token), 303)


def _named(token: str) -> Subscription:
    """Raises LinkUnknown, and TooManyRequests for who tries many that are none of ours."""
    client = rate_limits.client_address()
    rate_limits.check(rate_limits.LINK_GUESSES, client)
    try:
        return unsubscribing.read(services().config, token)
    except LinkUnknown:
        rate_limits.take(rate_limits.LINK_GUESSES, client)
        raise


def _for_the_system(work: Callable[[Session], Result]) -> Result:
    """The address is the proof: nobody has to be signed in, so nobody's scope is at hand."""
    own = services()

    def attempt() -> Result:
        with transaction(own.make_session, SYSTEM) as session:
            return work(session)

    return retrying(attempt)
