"""What was once published stays readable: a version's fields are never removed, renamed or given another type."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest

from app.events import envelope
from app.events.asyncapi import channel_id, data_schema, document
from app.events.catalogue import CATALOGUE, DomainEvent
from tests.events import golden

FACTS = list(CATALOGUE.values())
RECORDED: dict[str, dict[str, str]] = json.loads(golden.FIELDS.read_text())


@pytest.mark.parametrize("fact", FACTS, ids=channel_id)
def test_every_field_ever_published_is_still_there_with_its_type(fact: type[DomainEvent]) -> None:
    recorded = RECORDED.get(channel_id(fact))
    assert recorded is not None, "a new event or version: run python -m tests.events.golden and commit what it writes"
    now = golden.fields(fact)
    assert {name: now.get(name) for name in recorded} == recorded, "a change of meaning is a new version"


@pytest.mark.parametrize("fact", FACTS, ids=channel_id)
def test_a_field_added_later_may_be_left_out(fact: type[DomainEvent]) -> None:
    added = {name: kind for name, kind in golden.fields(fact).items() if name not in RECORDED[channel_id(fact)]}
    assert all(kind.endswith("= …") for kind in added.values()), added
    assert not added, "run python -m tests.events.golden and commit what it writes"


@pytest.mark.parametrize("fact", FACTS, ids=channel_id)
def test_the_recorded_example_is_readable_and_fits_the_schema(fact: type[DomainEvent]) -> None:
    text = golden.path(fact).read_text()
    event = envelope.read(text)
    assert (event.type, event.version, event.aggregate_type) == (fact.type, fact.version, fact.aggregate_type)
    jsonschema.validate(event.data, data_schema(fact) | {"additionalProperties": False})
    fact(**event.data)


def test_no_event_disappears_from_the_catalogue() -> None:
    assert set(RECORDED) <= {channel_id(fact) for fact in FACTS}


def test_no_event_carries_names_addresses_or_titles() -> None:
    personal = re.compile(r"(^|_)(name|email|e_mail|phone|title|address|password)(_|$)")
    assert [(channel_id(f), name) for f in FACTS for name in golden.fields(f) if personal.search(name)] == []


def test_every_event_says_what_it_means() -> None:
    assert [channel_id(fact) for fact in FACTS if len((fact.__doc__ or "").strip()) < 15] == []


def test_every_recorded_envelope_fits_the_published_document() -> None:
    published = document()
    for fact in FACTS:
        message = published["components"]["messages"][channel_id(fact)]
        schema = message["payload"] | {"components": published["components"]}
        jsonschema.validate(json.loads(golden.path(fact).read_text()), schema)


def test_the_document_names_each_event_and_every_reference_leads_somewhere() -> None:
    published = document()
    assert published["asyncapi"] == "3.0.0"
    assert set(published["channels"]) == {channel_id(fact) for fact in FACTS}
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(published)):
        target: object = published
        for part in reference.split("/"):
            assert isinstance(target, dict)
            target = target[part]


@pytest.mark.parametrize("text", ["", "null", "[]", "3", "{}", '{"id": "x"}', '{"id": 1, "type": 2}', b"\xff\xfe"])
def test_what_is_no_event_is_refused_not_guessed(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        envelope.read(text)
