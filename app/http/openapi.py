"""The OpenAPI 3.1 document, generated from the same declarations that check requests and answers.

Kept honest by tests: the client in tests/http/client.py validates every answer the suite sees against it.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from importlib.metadata import version
from inspect import cleandoc
from typing import Any, cast

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.common import resolve_schema_instance
from marshmallow import Schema, fields

from app.http.examples import EXAMPLES
from app.http.operation import OPERATIONS, Operation
from app.http.schemas import ProblemShape

ABOUT = """\
Booking and membership for a network of independent coworking spaces.

Send `Authorization: Bearer <token>`; `POST /api/v1/tokens` gives one. Every failure is
[RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem+json with a stable `code`; a refused booking adds `rule`,
`limit` and up to three `alternatives`. Money is integer cents; a price is gross, with `net_cents` and `vat_cents`
beside it. Instants are RFC 3339 with an offset. Lists are JSON arrays: follow `Link: rel="next"`.
"""

# Tags: one per blueprint, in the order of the document.
TAGS = {
    "network": ("Accounts", "Signing up and in, one's own account, the audit trail."),
    "catalogue": ("Spaces", "What the network's spaces offer, when, and for how much."),
    "finding": ("Finding", "What is free."),
    "booking": ("Bookings", "Quoting, booking, moving, cancelling, checking in."),
    "calendar": ("Calendars", "Subscriptions for the phone's calendar."),
    "plans": ("Plans", "What can be signed; teams that share it; evidence for plans that are for some."),
    "memberships": ("Memberships", "Signing, changing, pausing, extending, ending, and what each would cost."),
    "charges": ("Charges", "What is owed before there is a document, and what staff add."),
    "invoices": ("Invoices", "Invoices and credit notes: read, issued at once, corrected; months closed."),
    "webhooks": ("Webhooks", "Addresses of yours that are told of events, signed, and what became of each message."),
    "notifications": ("Notifications", "What one is told by mail."),
}

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Names this request: its repetition within 24 hours gets the same answer and acts once. "
    "Missing: 400; same key with another body: 422; the first still running: 409.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag you read. Missing: 428; changed since: 412.",
    "schema": {"type": "string"},
}

# Why each status is answered, where every operation means the same by it.
MEANINGS = {
    400: "The request is malformed: no JSON object, or a header is missing.",
    401: "No token, or not a live one.",
    403: "The token or the role does not allow it.",
    404: "Unknown, or not yours: the two are never told apart.",
    409: "Not possible as things stand; `code` says why.",
    412: "It has changed since it was read.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    422: "A field is missing or wrong, or a rule refuses it; `errors` or `rule` say which.",
    428: "If-Match is missing.",
    429: "Too many attempts; `Retry-After` says how many seconds to wait.",
    503: "The database does not answer just now. Nothing was done; `Retry-After` says when to try again.",
}

HEADERS = {
    "Link": 'rel="next" leads to the following page.',
    "ETag": "Of this version: send it as If-Match with a change.",
    "Location": "Where what was made is found.",
    "Idempotent-Replayed": "`true`: the answer to an earlier request with the same Idempotency-Key.",
    "Retry-After": "Seconds to wait. With 409 only while the first request runs (`request_in_flight`).",
}

_PATH_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


def document(operations: list[Operation] | None = None) -> dict[str, Any]:
    """The whole document as plain data."""
    plugin = MarshmallowPlugin(schema_name_resolver=cast(Any, SchemaNames()))
    spec = APISpec(
        title="Passerelle",
        version=version("passerelle"),
        openapi_version="3.1.0",
        plugins=[plugin],
        info={"description": ABOUT, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        servers=[{"url": "/"}],
    )
    cast(Any, plugin.converter).add_attribute_function(_own_type)
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    spec.components.schema("Problem", schema=ProblemShape)
    present = OPERATIONS if operations is None else operations
    for title, doc in tags(present):
        spec.tag({"name": title, "description": doc})
    for described in present:
        spec.path(path=template(described), operations={described.method.lower(): _operation(described)})
    return spec.to_dict()


def _own_type(_converter: Any, field: Any, **_: Any) -> dict[str, Any]:
    """A field class of our own says in `openapi` what it is on the wire."""
    own: dict[str, Any] = getattr(field, "openapi", {})
    return {**own, "type": [own["type"], "null"]} if own and field.allow_none else own


def tags(operations: list[Operation]) -> list[tuple[str, str]]:
    """The tags in use, known ones first."""
    used = {described.blueprint.name for described in operations}
    known = [TAGS[name] for name in TAGS if name in used]
    return known + [(name.capitalize(), "") for name in sorted(used - set(TAGS))]


def tag_of(described: Operation) -> str:
    name = described.blueprint.name
    return TAGS.get(name, (name.capitalize(), ""))[0]


def template(described: Operation) -> str:
    """The path as OpenAPI writes it: /api/v1/spaces/{space_id}."""
    return _PATH_PARAMETER.sub(r"{\1}", described.address)


def summary(described: Operation) -> str:
    return cleandoc(described.doc).partition("\n")[0]


def statuses(described: Operation) -> list[int]:
    """Every status of a problem it may answer, in order."""
    found = {503, *described.problems}
    if described.signed_in:
        found |= {401, 403}
    if path_parameters(described) or _names_others(described.body) or _names_others(described.query):
        found.add(404)
    if described.query is not None:
        found.add(422)
    if described.body is not None:
        found |= {400, 413, 415, 422}
    if described.idempotent:
        found |= {400, 409, 422}
    if described.if_match:
        found |= {412, 428}
    return sorted(found)


def _names_others(schema: Any) -> bool:
    """Whether a body or a query holds ids, which may lead nowhere."""
    if schema is None:
        return False
    declared = resolve_schema_instance(schema).fields.values()
    return any(isinstance(getattr(field, "inner", field), fields.UUID) for field in declared)


def path_parameters(described: Operation) -> list[str]:
    return _PATH_PARAMETER.findall(described.path)


def _operation(described: Operation) -> dict[str, Any]:
    written: dict[str, Any] = {
        "operationId": described.name,
        "tags": [tag_of(described)],
        "summary": summary(described),
        "description": cleandoc(described.doc),
        "parameters": _parameters(described),
        "responses": {str(described.status): _success(described), **_problems(described)},
    }
    if described.signed_in:
        written["security"] = [{"bearer": []}]
    else:
        written["security"] = [{}, {"bearer": []}]
    if described.body is not None:
        written["requestBody"] = {"required": True, "content": {"application/json": _content(described)}}
    return written


def _content(described: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": described.body}
    if described.name in EXAMPLES:
        content["example"] = EXAMPLES[described.name]
    return content


def _parameters(described: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [_path_parameter(name) for name in path_parameters(described)]
    if described.query is not None:
        found.append({"in": "query", "schema": described.query})
    if described.idempotent:
        found.append(IDEMPOTENCY_KEY)
    if described.if_match:
        found.append(IF_MATCH)
    return found


def _path_parameter(name: str) -> dict[str, Any]:
    kind = {"type": "string", "format": "uuid"} if name.endswith("_id") else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": kind}


def _success(described: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(described.status).phrase}
    headers = {"X-Request-Id": {"schema": {"type": "string"}, "description": "Names this request in our logs."}}
    answer["headers"] = headers | {name: _header(name) for name in _own_headers(described)}
    if described.returns is not None and described.status != 204:
        one = described.returns
        shape = {"type": "array", "items": one} if described.many or described.paged else one
        answer["content"] = {described.media: {"schema": shape}}
    elif described.media != "application/json":
        answer["content"] = {described.media: {"schema": {"type": "string"}}}
    for media in described.also:
        answer["content"][media] = {"schema": {"type": "string"}}
    return answer


def _own_headers(described: Operation) -> list[str]:
    sent = {
        "Link": described.paged,
        "ETag": described.etag,
        "Location": described.located,
        "Idempotent-Replayed": described.idempotent,
    }
    return [name for name in sent if sent[name]]


def _header(name: str) -> dict[str, Any]:
    return {"schema": {"type": "string"}, "description": HEADERS[name]}


def _problems(described: Operation) -> dict[str, Any]:
    return {str(status): _problem(described, status) for status in statuses(described)}


def _problem(described: Operation, status: int) -> dict[str, Any]:
    shape = {"$ref": "#/components/schemas/Problem"}
    answer: dict[str, Any] = {
        "description": MEANINGS.get(status, HTTPStatus(status).phrase),
        "content": {"application/problem+json": {"schema": shape}},
    }
    if status in (429, 503) or (status == 409 and described.idempotent):
        answer["headers"] = {"Retry-After": _header("Retry-After")}
    return answer


class SchemaNames:
    """Names of component schemas: the class's own, with its package before it where two classes share one.

    A variant (only, exclude, partial) of a class is written out in place: it is another schema.
    """

    def __init__(self) -> None:
        self._taken: dict[str, type[Schema]] = {}

    def __call__(self, schema: Any) -> str | None:
        instance = resolve_schema_instance(schema)
        if instance.only or instance.exclude or instance.partial:
            return None
        kind = type(instance)
        name = kind.__name__.removesuffix("Shape")
        if self._taken.setdefault(name, kind) is not kind:
            name = f"{kind.__module__.split('.')[-2].capitalize()}{name}"
            self._taken[name] = kind
        return name
