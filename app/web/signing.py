"""Signing in and out: a password becomes a browser's session, which is a row that can be ended."""

from __future__ import annotations

import re

from flask import Response, flash, redirect, request, url_for
from flask import session as form_session
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from app.errors import Problem
from app.http import rate_limits, signing_in
from app.network import accounts, tokens
from app.network.models import ApiToken
from app.web import wording
from app.web.site import ZONE, blueprint
from app.web.visits import SESSION_COOKIE, SESSION_LASTS, Visit, keep, page, visiting

# One slash: a second one would begin the name of a host, and to browsers a backslash is a slash.
_OWN_PATH = re.compile(r"/(?:[^/\\][^\\]*)?")


@blueprint.get("/sign-in")
def sign_in() -> Response:
    person = visiting(lambda visit: visit.person)
    return page("sign_in.html", person, next=_safe(request.args.get("next")), email="", message=None)


@blueprint.post("/sign-in")
def open_session() -> AnyResponse:
    email, back = request.form.get("email", ""), _safe(request.form.get("next"))
    try:
        secret = _issue(email, request.form.get("password", ""))
    except (accounts.BadCredentials, rate_limits.TooManyRequests) as problem:
        message = wording.sentence(problem, ZONE)
        return page("sign_in.html", None, status=_status(problem), next=back, email=email, message=message)
    form_session.clear()  # whoever prepared a form before has nothing of this session
    response = redirect(back, 303)
    keep(response, SESSION_COOKIE, secret, lasts=SESSION_LASTS)  # type: ignore[arg-type]
    return response


def _status(problem: Problem) -> int:
    """A wrong password on a page is a form to fill in again, not a challenge for a bearer token."""
    return 422 if problem.status == 401 else problem.status


def _issue(email: str, password: str) -> str:
    def issue(visit: Visit) -> str:
        member_id = signing_in.sign_in(visit.session, email=email, password=password)
        until = visit.now + SESSION_LASTS
        issued = tokens.issue_token(
            visit.session, member_id=member_id, now=visit.now, kind="session", name="browser", expires_at=until
        )
        return issued.secret

    return visiting(issue)


@blueprint.post("/sign-out")
def sign_out() -> AnyResponse:
    def end(visit: Visit) -> None:
        if visit.person is None:
            return
        uid = visit.session.scalars(select(ApiToken.uid).where(ApiToken.id == visit.person.token_id)).one()
        tokens.revoke_token(visit.session, member_id=visit.person.member_id, token_uid=uid, now=visit.now)

    visiting(end)
    form_session.clear()
    flash("signed_out")
    response = redirect(url_for("pages.spaces"), 303)
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="Lax")
    return response


def _safe(address: str | None) -> str:
    """A path of this site, or the first page: never another site, however it is written."""
    return address if address and address.isprintable() and _OWN_PATH.fullmatch(address) else "/"
