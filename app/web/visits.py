"""One visit of a page: who came (a session cookie, never a bearer token), in which transaction, and how it is shown.

The cookie holds 256 random bits; only their SHA-256 is kept, as a token of kind `session` that ends after twelve hours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import Response, g, make_response, render_template, request
from sqlalchemy.orm import Session

from app import tenancy
from app.db import retrying, transaction
from app.errors import Unauthenticated
from app.http.services import Services, services
from app.network.people import Person, find_person
from app.web import languages

SESSION_COOKIE = "passerelle_session"
SESSION_LASTS = timedelta(hours=12)
YEAR = timedelta(days=365)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Visit:
    """A page's request in its transaction. `person` is None for whoever has not signed in."""

    session: Session
    person: Person | None
    now: datetime
    services: Services

    @property
    def member(self) -> Person:
        if self.person is None:
            raise Unauthenticated()
        return self.person


def visiting(work: Callable[[Visit], Result]) -> Result:
    """Do `work` in one transaction that sees what the visitor may see; all of it again if a deadlock ended it."""
    own = services()

    def attempt() -> Result:
        now = own.clock()
        with transaction(own.make_session, tenancy.ANONYMOUS) as session:
            person = _visitor(session, now)
            return work(Visit(session, person, now, own))

    return retrying(attempt)


def _visitor(session: Session, now: datetime) -> Person | None:
    """Whose session the cookie is; a bearer token put into the cookie opens nothing."""
    secret = request.cookies.get(SESSION_COOKIE)
    person = find_person(session, secret, now=now, kind="session") if secret else None
    if person is None:
        return None
    session.info["scope"] = person.scope
    g.member_id = person.member_id
    return person


def page(template: str, person: Person | None, *, status: int = 200, **context: Any) -> Response:
    """A page in the visitor's language; what one visitor sees is kept by no shared cache."""
    others = {
        code: f"{request.path}?{urlencode({**request.args.to_dict(), 'lang': code})}" for code in languages.LANGUAGES
    }
    shown = render_template(
        template,
        person=person,
        language=languages.language(),
        languages=languages.LANGUAGES,
        in_language=others if request.method == "GET" else {code: f"/?lang={code}" for code in others},
        **context,
    )
    response = make_response(shown, status)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept-Language, Cookie"
    response.headers["Content-Language"] = languages.language()
    if code := languages.chosen():
        keep(response, languages.COOKIE, code, lasts=YEAR)
    return response


def keep(response: Response, cookie: str, value: str, *, lasts: timedelta) -> None:
    """Set a cookie that scripts cannot read and other sites' forms do not send."""
    response.set_cookie(
        cookie, value, max_age=lasts, httponly=True, samesite="Lax", secure=over_https(), path="/"
    )  # fmt: skip


def over_https() -> bool:
    return request.is_secure or services().config.public_url.startswith("https:")
