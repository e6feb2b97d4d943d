"""Whatever is sent, the answer is a problem that names what is wrong; nothing is written, and nothing breaks.

Generated from the declarations of the operations: each field of each body and each query parameter is spoilt in turn.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.errors import Invalid
from app.http.openapi import path_parameters
from app.http.paging import write_cursor
from app.http.schemas import load
from tests.conftest import Clock
from tests.http.client import Client
from tests.http.operations import ALL, WITH_BODY, Operation, Place, a_place, fingerprint

NO_OBJECTS: dict[str, bytes] = {
    "nothing": b"",
    "half an object": b'{"name": ',
    "a list": b"[]",
    "null": b"null",
    "a text": b'"text"',
    "no UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "NaN": b'{"name": NaN}',
    "nesting without end": b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}
# What no field may hold, whatever its type; the answer names the field.
UNSAFE: dict[str, bytes] = {
    "a NUL": b'"\\u0000"',
    "a control character": b'"a\\u0007b"',
    "a lone surrogate": b'"\\ud83d"',
    "a number beyond 2^53": b"9007199254740993",
    "a number without end": b"9" * 5000,
    "a number beyond any float": b"1e999",
    "a hidden NUL": b'{"deep": [{"deeper": "\\u0000"}]}',
    "25 levels": b"[" * 25 + b"]" * 25,
}
SPOILT: tuple[Any, ...] = (
    None, True, 0, -1, 7, 1.5, 2**53, "", " ", "x" * 20_000, "2026-02-30", "2026-03-02T09:00:00", "a\nb", "\u202e",
    "0000-00-00T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-03-29T02:30:00+99:99",
    "01890a5d-ac96-774b-bcce-b302099a8057", [], [None], ["x"], [[]], {}, {"a": 1},
)  # fmt: skip
SPOILT_TEXTS = (
    "", " ", "\x00", "\x07", "x" * 5000, "9" * 5000, "-1", "0", "1e309", "nan", "inf", "null", "true", "[]", "%", "'\"",
    "2026-13-45", "2026-03-02T09:00:00", "9999-12-31T23:59:59Z", "90.1,0", "nan,nan", "1,2,3", "\ufffd",
    write_cursor([]), write_cursor(["x"]), write_cursor([2**80]), write_cursor([1, 2, 3]), write_cursor(["\x00", 1]),
    write_cursor(["2026-03-02T09:00:00+00:00", 1]), write_cursor(["x", 1]), write_cursor([1]),
)  # fmt: skip
# Queries that are needed for the rest of them to be looked at.
QUERIES: dict[str, dict[str, str]] = {
    "list_availability": {"start": "2026-03-02T09:00:00Z", "end": "2026-03-02T10:00:00Z"},
    "show_hours": {"from": "2026-03-02", "to": "2026-03-08"},
    "show_occupancy": {"from": "2026-03-02", "to": "2026-03-08"},
}

Wrong = dict[str, str]
CLIENTS = itertools.count()


@pytest.fixture
def place(session: Session, clock: Clock) -> Place:
    made = a_place(session, clock)
    session.commit()
    return made


def send(app: Flask, place: Place, described: Operation, **request: Any) -> TestResponse:
    path = place.path(described)
    return Client(app, place.token).call(described.method, path, etag="*", headers=elsewhere(), **request)


def elsewhere() -> dict[str, str]:
    """Each request from another client, so that none waits for a rate limit."""
    number = next(CLIENTS)
    return {"X-Forwarded-For": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}


def is_problem(answer: TestResponse, *statuses: int) -> bool:
    return (
        answer.status_code in statuses and answer.mimetype == "application/problem+json" and bool(answer.json["code"])
    )


def names(answer: TestResponse, field: str) -> bool:
    return any(error["field"].split(".")[0] == field for error in answer.json.get("errors", ()))


def told(answer: TestResponse) -> str:
    return f"{answer.status_code} {answer.text[:300]}"


def test_a_body_that_is_no_object_is_refused_everywhere(app: Flask, session: Session, place: Place) -> None:
    before = fingerprint(session)
    wrong: Wrong = {}
    for described in WITH_BODY:
        for case, data in NO_OBJECTS.items():
            answer = send(app, place, described, data=data)
            if not is_problem(answer, 400, 422):
                wrong[f"{described.name}: {case}"] = told(answer)
    assert wrong == {}
    assert fingerprint(session) == before


def test_a_body_that_is_not_said_to_be_json_is_refused_everywhere(app: Flask, session: Session, place: Place) -> None:
    before = fingerprint(session)
    wrong: Wrong = {}
    for described in WITH_BODY:
        data = json.dumps(place.body(described)).encode()
        for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            path = place.path(described)
            headers = {"Content-Type": media, **elsewhere()}
            answer = Client(app, place.token).call(described.method, path, data=data, etag="*", headers=headers)
            if not (is_problem(answer, 415) and names(answer, "Content-Type")):
                wrong[f"{described.name}: {media}"] = told(answer)
    assert wrong == {}
    assert fingerprint(session) == before


def test_a_body_of_a_megabyte_is_refused_everywhere(app: Flask, session: Session, place: Place) -> None:
    before = fingerprint(session)
    body = json.dumps({"title": "x" * 1_000_000}).encode()
    wrong = {
        each.name: told(answer)
        for each in WITH_BODY
        if not is_problem(answer := send(app, place, each, data=body), 413)
        or answer.json["errors"] != [{"field": "body", "message": "send at most 256 KiB"}]
    }
    assert wrong == {}
    assert fingerprint(session) == before


def test_a_field_given_twice_or_unknown_is_named_everywhere(app: Flask, session: Session, place: Place) -> None:
    before = fingerprint(session)
    wrong: Wrong = {}
    for described in WITH_BODY:
        body = json.dumps(place.body(described))
        first = next(iter(place.body(described) or {}))
        twice = send(app, place, described, data=f'{{"{first}": null, {body[1:]}'.encode())
        if not (is_problem(twice, 422) and names(twice, first)):
            wrong[f"{described.name}: twice"] = told(twice)
        for unknown in ("surprise", "__class__", "", "Ünknown", "\u202e"):
            extra = send(app, place, described, json={**(place.body(described) or {}), unknown: 1})
            if not (is_problem(extra, 422) and (names(extra, unknown) or unknown == "")):
                wrong[f"{described.name}: {unknown!r}"] = told(extra)
        surrogate = send(app, place, described, data=b'{"\\ud800": 1, "\\ud800": 2}')
        if not is_problem(surrogate, 400, 422):
            wrong[f"{described.name}: a surrogate as a name"] = told(surrogate)
    assert wrong == {}
    assert fingerprint(session) == before


def test_what_cannot_be_kept_is_named_in_every_field(app: Flask, session: Session, place: Place) -> None:
    before = fingerprint(session)
    wrong: Wrong = {}
    for described in WITH_BODY:
        for field in described.body().fields:
            rest = {name: value for name, value in (place.body(described) or {}).items() if name != field}
            for case, text in UNSAFE.items():
                data = json.dumps(rest).encode()[:-1] + (b", " if rest else b"") + f'"{field}": '.encode() + text + b"}"
                answer = send(app, place, described, data=data)
                if not (is_problem(answer, 422) and names(answer, field)):
                    wrong[f"{described.name}.{field}: {case}"] = told(answer)
    assert wrong == {}
    assert fingerprint(session) == before


@pytest.mark.slow
def test_a_spoilt_field_is_named_and_whatever_its_shape_admits_breaks_nothing(
    app: Flask, session: Session, place: Place
) -> None:
    before = fingerprint(session)
    wrong: Wrong = {}
    admitted: list[tuple[Operation, dict[str, Any]]] = []
    for described in WITH_BODY:
        for field in described.body().fields:
            for value in SPOILT:
                body = {**(place.body(described) or {}), field: value}
                if _admitted(described, body):
                    admitted.append((described, body))
                    continue
                answer = send(app, place, described, json=body)
                if not (is_problem(answer, 422) and answer.json.get("errors")):
                    wrong[f"{described.name}.{field} = {str(value)[:40]!r}"] = told(answer)
    assert wrong == {}
    assert fingerprint(session) == before
    for described, body in admitted:
        if described.name != "create_member":  # each costs an argon2
            answer = send(app, place, described, json=body)
            if answer.status_code >= 500:
                wrong[f"{described.name} {str(body)[:200]}"] = told(answer)
    assert wrong == {}


def _admitted(described: Operation, body: dict[str, Any]) -> bool:
    try:
        load(described.body, body)
    except Invalid:
        return False
    return True


UNPRINTABLE = ("%00", "ath%00", "%07", "a%0Ab", "%E2%80%AE", "%7F")


def test_a_text_in_a_path_that_cannot_be_kept_leads_nowhere(app: Flask, session: Session, place: Place) -> None:
    before = fingerprint(session)
    wrong: Wrong = {}
    tried = 0
    for described in ALL:
        for name in path_parameters(described):
            for text in UNPRINTABLE:
                path = place.path(described, **{name: text})
                query = QUERIES.get(described.name)
                body = place.body(described)
                answer = Client(app, place.token).call(described.method, path, query=query, json=body, etag="*")
                tried += not name.endswith("_id")
                if not is_problem(answer, 404):
                    wrong[f"{described.name}: {name} = {text}"] = told(answer)
    assert wrong == {}
    assert tried >= 4 * len(UNPRINTABLE)
    assert fingerprint(session) == before


TRAIL = ("audit_entry",)  # where a query is admitted, what is seen of others is written down


def test_a_spoilt_query_is_named_and_breaks_nothing(app: Flask, session: Session, place: Place) -> None:
    before = fingerprint(session, but=TRAIL)
    wrong: Wrong = {}
    for described in ALL:
        for name, field in described.query().fields.items() if described.query else ():
            parameter = field.data_key or name
            for value in SPOILT_TEXTS:
                query = {**QUERIES.get(described.name, {}), parameter: value}
                answer = send(app, place, described, query=query)
                if answer.status_code >= 400:
                    good = (is_problem(answer, 422) and answer.json.get("errors")) or is_problem(answer, 404)
                else:
                    good = _admitted_query(described, query)
                if not good:
                    wrong[f"{described.name}?{parameter}={value[:40]!r}"] = told(answer)
    assert wrong == {}
    assert fingerprint(session, but=TRAIL) == before


def _admitted_query(described: Operation, query: dict[str, str]) -> bool:
    try:
        load(described.query, query)
    except Invalid:
        return False
    return True


def test_a_parameter_given_twice_or_unknown_is_named(app: Flask, place: Place) -> None:
    wrong: Wrong = {}
    for described in ALL:
        if described.query:
            for query in ([("limit", "1"), ("limit", "2")], [("surprise", "1")]):
                path = place.path(described)
                answer = Client(app, place.token).call(described.method, path, query=dict(query)) if (
                    len(query) == 1
                ) else Client(app, place.token).get(f"{path}?limit=1&limit=2")  # fmt: skip
                if not (is_problem(answer, 422) and names(answer, query[0][0])):
                    wrong[f"{described.name}: {query}"] = told(answer)
    assert wrong == {}
