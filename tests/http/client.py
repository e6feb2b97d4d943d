"""The API as the tests meet it: every answer is checked against /api/openapi.json, so that the document cannot lie.

api = Client(app, a_token(session, member))
booked = api.post("/bookings", json={...}).json
api.delete(f"/bookings/{booked['id']}", etag="*")
"""

from __future__ import annotations

import json as jsonlib
import uuid
from functools import cache, partialmethod
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from app.http.openapi import document, template
from app.http.operation import OPERATIONS, PREFIX, Operation

AUTOMATIC = "a new key for each request"
DOCUMENT = "urn:passerelle:openapi"


class DocumentationLies(AssertionError):
    """An answer that /api/openapi.json does not describe."""


class Client:
    """Calls `/api/v1` as whoever `token` belongs to; an operation that needs an Idempotency-Key gets a new one.

    `key=None` leaves it out, `key="..."` sets it. `etag` becomes If-Match. `data` sends raw bytes.
    """

    def __init__(self, app: Flask, token: str | None = None) -> None:
        self.app = app
        self.token = token
        self.flask: FlaskClient = app.test_client(use_cookies=False)

    def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: bytes | None = None,
        query: dict[str, Any] | None = None,
        key: str | None = AUTOMATIC,
        etag: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> TestResponse:
        address = path if path.startswith(PREFIX) else PREFIX + path
        described = operation_at(self.app, method, address)
        sent = dict(headers or {})
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if key is not None and (key is not AUTOMATIC or (described and described.idempotent)):
            sent["Idempotency-Key"] = str(uuid.uuid4()) if key is AUTOMATIC else key
        if etag is not None:
            sent["If-Match"] = etag
        if json is not None:
            data = jsonlib.dumps(json).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        answer = self.flask.open(address, method=method, data=data, query_string=query, headers=sent)
        if described:
            check(described, answer)
        return answer

    get = partialmethod(call, "GET")
    post = partialmethod(call, "POST")
    put = partialmethod(call, "PUT")
    patch = partialmethod(call, "PATCH")
    delete = partialmethod(call, "DELETE")


def operation_at(app: Flask, method: str, address: str) -> Operation | None:
    """The operation an address leads to, if any."""
    try:
        endpoint, _ = app.url_map.bind("localhost").match(address.partition("?")[0], method=method)
    except HTTPException:
        return None
    return next((described for described in OPERATIONS if described.endpoint == endpoint), None)


def check(described: Operation, answer: TestResponse) -> None:
    """Raises DocumentationLies when status, media type or body are not as documented."""
    body = answer.data[:1500].decode(errors="replace")
    told = f"{described.method} {described.path} answered {answer.status_code}: {body}"
    documented = _document(len(OPERATIONS))["paths"][template(described)][described.method.lower()]["responses"]
    if str(answer.status_code) not in documented:
        raise DocumentationLies(f"undocumented status; {told}")
    _check_headers(described, documented[str(answer.status_code)].get("headers", {}), answer, told)
    content = documented[str(answer.status_code)].get("content", {})
    if not content:
        if answer.data:
            raise DocumentationLies(f"a body where none is documented; {told}")
        return
    if answer.mimetype not in content:
        raise DocumentationLies(f"{answer.mimetype} instead of {sorted(content)}; {told}")
    if answer.mimetype.endswith("json"):
        faults = list(_validator(len(OPERATIONS), described.endpoint, answer.status_code).iter_errors(answer.json))
        if faults:
            told_faults = "; ".join(f"{fault.json_path}: {fault.message[:300]}" for fault in faults[:5])
            raise DocumentationLies(f"{told_faults}; {told}")


def _check_headers(described: Operation, documented: dict[str, Any], answer: TestResponse, told: str) -> None:
    """What is sent is documented, and what a good answer always has is sent."""
    for name in ("ETag", "Location", "Retry-After", "Idempotent-Replayed", "Link"):
        if name in answer.headers and name not in documented:
            raise DocumentationLies(f"undocumented header {name}; {told}")
    for name in ("ETag", "Location"):
        if name in documented and name not in answer.headers:
            raise DocumentationLies(f"no header {name}; {told}")


@cache
def _document(_operations: int) -> dict[str, Any]:
    return document()


@cache
def _registry(operations: int) -> Registry[Any]:
    resource = DRAFT202012.create_resource(_document(operations))
    registry: Registry[Any] = Registry()
    return registry.with_resource(DOCUMENT, resource)


@cache
def _validator(operations: int, endpoint: str, status: int) -> Draft202012Validator:
    described = next(known for known in OPERATIONS if known.endpoint == endpoint)
    answers = _document(operations)["paths"][template(described)][described.method.lower()]["responses"]
    (media,) = (named for named in answers[str(status)]["content"] if named.endswith("json"))
    steps = (
        "paths",
        template(described),
        described.method.lower(),
        "responses",
        str(status),
        "content",
        media,
        "schema",
    )
    pointer = "/".join(step.replace("~", "~0").replace("/", "~1") for step in steps)
    return Draft202012Validator(
        {"$ref": f"{DOCUMENT}#/{pointer}"}, registry=_registry(operations), format_checker=FormatChecker()
    )
