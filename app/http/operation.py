"""An endpoint in one sentence. `@operation(...)` reads and checks the request, opens the one transaction, knows the
caller, replays what was already answered, calls the view, commits, and documents all of it for OpenAPI.

A view takes a `Call`, path parameters, and what it declared (`body`, `query`); it returns something that JSON can
carry, a `Paged`, or a `Reply` when the answer needs headers. Documentation and checks come from the same schemas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, Response, g, request
from sqlalchemy.orm import Session

from app import tenancy
from app.db import retrying
from app.errors import Invalid, NotAllowed, NotFound, Unauthenticated
from app.http import idempotency, preconditions
from app.http.paging import Paged, write_cursor
from app.http.schemas import load
from app.http.services import Services, services
from app.http.strict_json import clean_text, read_object
from app.network.people import Person, find_person

PREFIX = "/api/v1"
OPERATIONS: list[Operation] = []
_CANONICAL_ID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class UnsupportedMediaType(Invalid):
    code = "unsupported_media_type"
    status = 415
    title = "This address takes JSON."


@dataclass(frozen=True, slots=True)
class Call:
    """One request in its transaction."""

    session: Session
    caller: Person | None
    now: datetime
    services: Services

    @property
    def person(self) -> Person:
        if self.caller is None:
            raise Unauthenticated()
        return self.caller

    def check_match(self, current: str) -> None:
        preconditions.check(request.headers.get("If-Match"), current)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with headers of its own."""

    body: Any
    status: int | None = None
    etag: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """What OpenAPI needs to know about one endpoint."""

    blueprint: Blueprint
    method: str
    path: str
    name: str
    doc: str
    status: int
    body: Any = None
    query: Any = None
    returns: Any = None
    many: bool = False
    paged: bool = False
    signed_in: bool = True
    idempotent: bool = False
    if_match: bool = False
    problems: tuple[int, ...] = field(default=())
    media: str = "application/json"
    reads: bool = False
    etag: bool = False
    located: bool = False
    also: tuple[str, ...] = ()

    @property
    def needs(self) -> str:
        """The scope a token must have."""
        return "read" if self.reads or self.method == "GET" else "write"

    @property
    def endpoint(self) -> str:
        """What Flask calls it."""
        return f"{self.blueprint.name}.{self.name}"

    @property
    def address(self) -> str:
        """The path from the root, as Flask writes it: a blueprint mounted at the root spells it out itself."""
        return self.path if self.path.startswith(PREFIX) else PREFIX + self.path


def operation(
    blueprint: Blueprint,
    method: str,
    path: str,
    *,
    body: Any = None,
    query: Any = None,
    returns: Any = None,
    many: bool = False,
    paged: bool = False,
    status: int = 200,
    signed_in: bool = True,
    idempotent: bool = False,
    if_match: bool = False,
    problems: tuple[int, ...] = (),
    media: str = "application/json",
    reads: bool = False,
    etag: bool = False,
    located: bool = False,
    also: tuple[str, ...] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Response]]:
    """Make a view of `blueprint` out of a function. `body`, `query` and `returns` are marshmallow schemas.

    `signed_in=False` admits callers without a token; `idempotent` demands an Idempotency-Key; `if_match` documents that
    the view checks If-Match; `problems` are further statuses it may answer; `media` is what the answer is written in,
    for a view that returns a `Response` of its own; `reads` lets a token for reading do it: it changes nothing; `etag`
    and `located` document that the answer has an ETag or a Location; `also` are further media that Accept may choose.
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Response]:
        described = Operation(
            blueprint, method, path, view.__name__, view.__doc__ or "", status,
            body, query, returns, many, paged, signed_in, idempotent, if_match, problems, media,
            reads, etag, located, also,
        )  # fmt: skip
        OPERATIONS.append(described)

        @wraps(view)
        def respond(**path_values: Any) -> Response:
            arguments = _arguments(described, path_values)
            return retrying(lambda: _in_transaction(described, view, arguments))

        blueprint.add_url_rule(path, endpoint=view.__name__, view_func=respond, methods=[method])
        return respond

    return decorate


def _arguments(described: Operation, path_values: dict[str, Any]) -> dict[str, Any]:
    """What the view is called with. An id that is no UUID is unknown, like any other unknown id."""
    arguments: dict[str, Any] = {name: _path_value(name, value) for name, value in path_values.items()}
    if described.query is not None:
        arguments["query"] = load(described.query, _query_values())
    if described.body is not None:
        if request.mimetype != "application/json":
            raise UnsupportedMediaType.field("Content-Type", "send application/json")
        arguments["body"] = load(described.body, read_object(request.get_data()))
    return arguments


def _path_value(name: str, value: str) -> UUID | str:
    """Nothing is called by a text that cannot be printed, and no database keeps NUL."""
    is_id = name.endswith("_id")
    if not (_CANONICAL_ID.fullmatch(value) if is_id else value.isprintable()):
        raise NotFound()
    return UUID(value) if is_id else value


def _query_values() -> dict[str, str]:
    values: dict[str, str] = {}
    for name, given in request.args.lists():
        if len(given) > 1:
            raise Invalid.field(name, "give each parameter once")
        values[clean_text(name, "query")] = clean_text(given[0], name)
    return values


def _in_transaction(described: Operation, view: Callable[..., Any], arguments: dict[str, Any]) -> Response:
    try:
        return _attempt(described, view, arguments)
    except idempotency.LostRace:
        return _attempt(described, view, arguments)


def _attempt(described: Operation, view: Callable[..., Any], arguments: dict[str, Any]) -> Response:
    own = services()
    now = own.clock()
    with own.make_session() as session:
        session.info["scope"] = tenancy.ANONYMOUS
        with session.begin():
            caller = _caller(session, described, now)
            claim = _claim(described, caller)
            if claim and (stored := idempotency.look_up(session, claim, now=now)):
                return _replayed(stored)
            result = view(Call(session, caller, now, own), **arguments)
            if isinstance(result, Response):  # a file, in a format of its own
                return result
            status, headers, text = _rendered(described, result)
            if claim and 200 <= status < 300:
                idempotency.store(session, claim, status=status, headers=json.dumps(headers), body=text, now=now)
    return _response(status, headers, text)


def _caller(session: Session, described: Operation, now: datetime) -> Person | None:
    """Whoever the bearer token belongs to. Where none is needed, a token that opens nothing is as good as none."""
    try:
        person = _bearer(session, described.needs, now)
    except (Unauthenticated, NotAllowed):
        if described.signed_in:
            raise
        return None
    session.info["scope"] = person.scope
    g.member_id = person.member_id
    return person


def _bearer(session: Session, needed: str, now: datetime) -> Person:
    """Raises Unauthenticated without a live token, NotAllowed when it has not the scope needed."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise Unauthenticated(remedy="send Authorization: Bearer <token>; POST /api/v1/tokens gives one")
    person = find_person(session, secret.strip(), now=now)
    if person is None:
        raise Unauthenticated(remedy="the token is unknown, expired or revoked: ask for a new one")
    if needed not in person.token_scopes:
        raise NotAllowed(needed=needed, remedy=f"use a token with the scope {needed}")
    return person


def _claim(described: Operation, caller: Person | None) -> idempotency.Claim | None:
    if not described.idempotent or caller is None:
        return None
    return idempotency.claim(
        member_id=caller.member_id,
        method=request.method,
        path=request.path,
        key=request.headers.get("Idempotency-Key"),
        body=request.get_data(),
    )


def _rendered(described: Operation, result: Any) -> tuple[int, dict[str, str], str]:
    headers: dict[str, str] = {}
    status = described.status
    if isinstance(result, Reply):
        status = result.status or status
        if result.etag:
            headers["ETag"] = result.etag
        if result.location:
            headers["Location"] = result.location
        result = result.body
    if isinstance(result, Paged):
        if result.last is not None:
            headers["Link"] = f'<{_next_address(result.last)}>; rel="next"'
        result = result.items
    text = "" if status == 204 else json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    return status, headers, text


def _next_address(last: list[Any]) -> str:
    return f"{request.path}?{urlencode({**request.args.to_dict(), 'cursor': write_cursor(last)})}"


def _replayed(stored: idempotency.StoredAnswer) -> Response:
    return _response(stored.status, {**stored.headers, "Idempotent-Replayed": "true"}, stored.body)


def _response(status: int, headers: dict[str, str], text: str) -> Response:
    response = Response(text, status=status, mimetype="application/json" if text else None)
    response.headers.extend(headers)
    response.headers["Cache-Control"] = "no-store"
    return response
