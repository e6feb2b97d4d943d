"""The AsyncAPI document, judged by the schema of AsyncAPI 3.0 as its authors publish it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from app.events.asyncapi import document

SCHEMA = Path(__file__).parent / "node" / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"


@pytest.fixture(scope="module")
def official() -> jsonschema.Draft7Validator:
    if not SCHEMA.exists():
        pytest.skip("@asyncapi/specs: run npm install in tests/oracles/node")
    return jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))


def test_the_document_is_valid_asyncapi(official: jsonschema.Draft7Validator) -> None:
    assert [(list(error.absolute_path), error.message) for error in official.iter_errors(document())] == []


def _first(part: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(part.values()))
    return found


BROKEN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another version": lambda doc: doc.update(asyncapi="2.6.0"),
    "no title": lambda doc: doc["info"].pop("title"),
    "a channel with a word nobody knows": lambda doc: _first(doc["channels"]).update(adress="x"),
    "an operation that neither sends nor receives": lambda doc: _first(doc["operations"]).update(action="publish"),
    "a message whose example is no object": lambda doc: _first(doc["components"]["messages"]).update(examples=["x"]),
    "a schema that is none": lambda doc: _first(doc["components"]["schemas"]).update(type="text"),
    "a binding that is none": lambda doc: _first(doc["channels"])["bindings"]["amqp"].update({"is": "topic"}),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_the_judge_notices(fault: str, official: jsonschema.Draft7Validator) -> None:
    broken = copy.deepcopy(document())
    BROKEN[fault](broken)
    assert not official.is_valid(broken)
