"""Every failure as RFC 9457 problem+json with a stable `code`; nothing about the machine inside leaks out."""

from __future__ import annotations

import json
from typing import Any

import structlog
from flask import Flask, Response
from structlog.contextvars import get_contextvars
from werkzeug.exceptions import HTTPException

from app import LARGEST_BODY
from app.db import connection_lost, sqlstate
from app.errors import Problem
from app.http import metrics
from app.http.idempotency import InFlight

log = structlog.get_logger()

HTTP_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
}
# Lock or statement time-out; out of disk or memory; a deadlock or serialization failure that came back.
TOO_BUSY = {"55P03", "57014", "53100", "53200", "40P01", "40001"}


def describe(problem: Problem) -> dict[str, Any]:
    """The members of problem+json: the standard ones, `code`, and the facts of the case."""
    members: dict[str, Any] = {
        "type": f"urn:passerelle:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        **problem.facts,
    }
    if request_id := get_contextvars().get("request_id"):
        members["request_id"] = request_id
    return members


def answer(problem: Problem) -> Response:
    metrics.refused(problem)
    response = _response(problem.status, describe(problem))
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(problem, InFlight):
        response.headers["Retry-After"] = "1"
    return response


def _response(status: int, members: dict[str, Any]) -> Response:
    # A surrogate that came in with a field's name goes out as the JSON escape it came as.
    body = json.dumps(members, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")
    return Response(body, status=status, mimetype="application/problem+json")


class Unavailable(Problem):
    code = "unavailable"
    status = 503
    title = "The database does not answer just now. Nothing was done; try again."


class Unexpected(Problem):
    code = "internal"
    status = 500
    title = "Something went wrong on our side. Nothing was done."


def unavailable(retry_after: int = 2) -> Response:
    response = answer(Unavailable())
    response.headers["Retry-After"] = str(retry_after)
    return response


def is_unavailable(error: BaseException) -> bool:
    """Whether the database, not the request, is the trouble."""
    return connection_lost(error) or sqlstate(error) in TOO_BUSY


def of_http(error: HTTPException) -> Response:
    status = error.code or 500
    if status == 500:
        return unexpected(error)
    code = HTTP_CODES.get(status, "http_error")
    members = {
        "type": f"urn:passerelle:problem:{code}",
        "title": error.name,
        "status": status,
        "code": code,
    }
    if status == 413:
        members["errors"] = [{"field": "body", "message": f"send at most {LARGEST_BODY // 1024} KiB"}]
    response = _response(status, members)
    allowed = getattr(error, "valid_methods", None)
    if status == 405 and allowed:
        response.headers["Allow"] = ", ".join(allowed)
    return response


def unexpected(error: BaseException) -> Response:
    if is_unavailable(error):
        log.warning("database_unavailable", error=str(error)[:300])
        return unavailable()
    log.error("unexpected_error", exc_info=error)
    return answer(Unexpected())


def register(app: Flask) -> None:
    app.register_error_handler(Problem, answer)
    app.register_error_handler(HTTPException, of_http)
    app.register_error_handler(Exception, unexpected)
