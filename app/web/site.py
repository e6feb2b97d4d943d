"""The blueprint of the pages, and what they need of the application: translations, form tokens, errors as pages."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import cast
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import structlog
from flask import Blueprint, Flask, Request, Response, redirect, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from app.booking.models import KINDS
from app.errors import NotFound, Problem, Unauthenticated
from app.http.problems import Unavailable, Unexpected, is_unavailable
from app.web import languages, wording
from app.web.visits import page

STATIC = Path(__file__).parent / "static"
# For sentences about times where no space is known.
ZONE = ZoneInfo("Europe/Brussels")

log = structlog.get_logger()
blueprint = Blueprint("pages", __name__)
csrf = CSRFProtect()


class FormSessions(SecureCookieSessionInterface):
    """The cookie that form tokens live in, for pages only: the API has no cookies, and reading none costs least."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return None if request.path.startswith("/api/") else super().open_session(app, request)


class FormExpired(Problem):
    """The form's token is missing, too old, or of another browser's session."""

    code = "form_expired"
    status = 400
    title = "The form's token is missing or wrong."


@blueprint.record_once
def _install(state: BlueprintSetupState) -> None:
    app = cast(Flask, state.app)
    # Only the pages' own forms are checked (below): the API knows no cookies, so nothing can be forged there.
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    app.config["WTF_CSRF_TIME_LIMIT"] = None  # as long as the browser's session: a page may stay open overnight
    app.config["SESSION_COOKIE_NAME"] = "passerelle_form"
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    app.config["SESSION_COOKIE_SECURE"] = app.extensions["passerelle"].config.public_url.startswith("https:")
    app.session_interface = FormSessions()
    csrf.init_app(app)
    languages.install(app)
    app.jinja_env.globals |= {
        "asset": asset,
        "kinds": KINDS,
        "document_kind_name": wording.document_kind_name,
        "document_status_name": wording.document_status_name,
        "kind_name": wording.kind_name,
        "mail_kind_name": wording.mail_kind_name,
        "mails_stay_here": app.extensions["passerelle"].config.smtp_url is None,
        "status_name": wording.status_name,
    }


# A mail program's own button has seen no form, and brings no cookie: the address is its proof (RFC 8058).
WITHOUT_FORM = {"pages.switch_mails"}


@blueprint.before_request
def _check_form() -> None:
    if request.endpoint not in WITHOUT_FORM:
        csrf.protect()


@blueprint.after_app_request
def _keep_assets(response: Response) -> Response:
    """A style sheet's address holds its hash: whoever has it never asks again."""
    if request.endpoint == "static" and "v" in request.args:
        response.cache_control.no_cache = None
        response.cache_control.public = True
        response.cache_control.max_age = 31_536_000
        response.cache_control.immutable = True
    return response


@lru_cache(maxsize=32)
def _version(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def asset(name: str) -> str:
    return url_for("static", filename=name, v=_version(name))


@blueprint.errorhandler(Problem)
def _problem(problem: Problem) -> AnyResponse:
    """Who has to sign in first is sent there, and comes back to the page they wanted."""
    if isinstance(problem, Unauthenticated):
        back = request.full_path.rstrip("?") if request.method == "GET" else url_for("pages.spaces")
        return redirect(f"{url_for('pages.sign_in')}?{urlencode({'next': back})}", 303)
    return page("problem.html", None, status=problem.status, message=wording.sentence(problem, ZONE))


@blueprint.errorhandler(CSRFError)
def _forged(_error: CSRFError) -> AnyResponse:
    return _problem(FormExpired())


@blueprint.errorhandler(HTTPException)
def _http(error: HTTPException) -> AnyResponse:
    if error.code == 404:
        return _problem(NotFound())
    return error.get_response() if error.code and error.code < 500 else _unexpected(error)


@blueprint.errorhandler(Exception)
def _unexpected(error: Exception) -> AnyResponse:
    if is_unavailable(error):
        answer = _problem(Unavailable())
        answer.headers["Retry-After"] = "2"
        return answer
    log.error("unexpected_error", exc_info=error)
    return _problem(Unexpected())
