"""The catalogue is complete: every event and field says what it means, who tells it and who listens."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from app.errors import NotFound
from app.events import describing, envelope, readers
from app.events.asyncapi import document
from app.events.catalogue import CATALOGUE, DomainEvent, event
from app.events.describing import Unexplained, channel_id, data_schema
from app.events.meanings import CENTS, INSTANT, SHARED, Meaning, code
from tests.events import golden
from workers import registry

FACTS = list(CATALOGUE.values())
APP = Path(__file__).parent.parent.parent / "app"
# Those who read facts in the process that records them, or make up a past: they publish nothing of their own accord.
NOT_PUBLISHERS = ("events", "http", "demo")


@pytest.mark.parametrize("fact", FACTS, ids=channel_id)
def test_every_field_has_a_meaning_that_fits_its_type(fact: type[DomainEvent]) -> None:
    described = describing.fields(fact)
    assert [each.name for each in described if len(each.meaning.text) < 5] == []


@pytest.mark.parametrize("fact", FACTS, ids=channel_id)
def test_every_id_amount_and_instant_says_its_unit(fact: type[DomainEvent]) -> None:
    units = {each.name.rpartition(".")[2]: each.meaning for each in describing.fields(fact)}
    for name, means in units.items():
        assert means.is_id == name.endswith(("_id", "_ids")) or name == "displaced", name
        assert (means.unit == CENTS) == name.endswith("_cents"), name
        timely = name in ("start", "end", "at") or name.endswith(("_at", "_start", "_end", "_since"))
        assert (means.unit == INSTANT) == timely, name
        assert (means.unit == "code") == bool(means.codes), name


def test_cents_never_go_without_their_currency() -> None:
    for fact in FACTS:
        paths = {each.name: each for each in describing.fields(fact)}
        for path in [path for path, each in paths.items() if each.meaning.unit == CENTS]:
            before, dot, _ = path.rpartition(".")
            assert f"{before}{dot}currency" in paths, f"{channel_id(fact)} {path}"


def test_every_shared_meaning_is_used() -> None:
    used = {name for fact in FACTS for name in describing.names(fact) if name not in fact.says}
    assert set(SHARED) - used == set()


def a_fact(into: dict[tuple[str, int], type[DomainEvent]], **says: Meaning) -> type[DomainEvent]:
    @event("tea.served", version=1, aggregate="tea", says=says, into=into)
    @dataclass(frozen=True, slots=True)
    class TeaServed(DomainEvent):
        """A cup was filled."""

        kind: str
        sugars: int = 0

    return TeaServed


def test_a_field_without_a_meaning_or_of_another_type_is_found() -> None:
    green = code("Which tea.", "green", "black")
    with pytest.raises(Unexplained, match="sugars"):
        describing.fields(a_fact({}, kind=green))
    with pytest.raises(Unexplained, match="sugars"):
        describing.fields(a_fact({}, kind=green, sugars=Meaning("How many.")))  # a text, where the field is a number
    assert [each.name for each in describing.fields(a_fact({}, kind=green, sugars=Meaning("How many.", type="int")))]


def test_a_meaning_needs_a_field_and_a_version_is_entered_once() -> None:
    with pytest.raises(ValueError, match="milk"):
        a_fact({}, milk=Meaning("How much."))
    catalogue: dict[tuple[str, int], type[DomainEvent]] = {}
    a_fact(catalogue)
    with pytest.raises(ValueError, match="twice"):
        a_fact(catalogue)


def test_every_event_says_what_it_means() -> None:
    assert [channel_id(fact) for fact in FACTS if len(describing.says(fact)) < 15] == []


def test_an_unknown_type_is_answered_with_those_there_are() -> None:
    with pytest.raises(NotFound) as refused:
        describing.find("booking.mad")
    assert "booking.made" in refused.value.facts["known"]


def test_versions_are_counted_from_one_without_gap() -> None:
    for name in {fact.type for fact in FACTS}:
        found = describing.versions(name)
        assert found == list(range(1, len(found) + 1)), name


def test_no_event_carries_names_addresses_or_titles() -> None:
    personal = re.compile(r"(^|_)(name|email|e_mail|phone|title|address|password)(_|$)")
    assert [(channel_id(f), n) for f in FACTS for n in describing.names(f) if personal.search(n)] == []


TOLD_FROM = {
    "app.events.catalogue",
    "app.events.membership_facts",
    "app.events.billing_facts",
    "app.events.payment_facts",
}


def publishers() -> dict[str, set[str]]:
    """By the name of a fact's class: the modules under app that import it to publish it."""
    found: dict[str, set[str]] = {}
    for path in sorted(APP.glob("**/*.py")):
        module = ".".join(path.relative_to(APP).with_suffix("").parts)
        if module.startswith(NOT_PUBLISHERS):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module in TOLD_FROM:
                for alias in node.names:
                    found.setdefault(alias.name, set()).add(module)
    return found


def test_each_event_is_published_by_the_module_it_says() -> None:
    found = publishers()
    assert {channel_id(fact): {fact.publisher} for fact in FACTS} == {
        channel_id(fact): found.get(fact.__name__, set()) for fact in FACTS
    }


def test_who_consumes_is_what_the_registry_says() -> None:
    now = readers.written(registry.load().values())
    assert readers.FILE.read_text() == now, "run python -m tests.events.golden and commit what it writes"
    assert readers.shipped()["booking.made"]["calendar"].startswith("Rewrite what calendars show")


def test_a_handlers_docstring_says_what_its_consumer_does_with_an_event() -> None:
    def told(*_: Any) -> None:
        """Pour it, and
        sit down. Then drink.

        More about it.
        """

    def silent(*_: Any) -> None:
        pass

    drinkers = [registry.Consumer("drinkers", ("booking",), {"booking.made": told, "booking.moved": silent})]
    assert readers.readers_of(drinkers) == {
        "booking.made": {"drinkers": "Pour it, and sit down."},
        "booking.moved": {"drinkers": ""},
    }


def test_every_recorded_envelope_fits_the_published_document() -> None:
    published = document()
    for fact in FACTS:
        message = published["components"]["messages"][channel_id(fact)]
        schema = message["payload"] | {"components": published["components"]}
        for path in golden.examples(fact):
            jsonschema.validate(json.loads(path.read_text()), schema)
        for shown in message["examples"]:
            jsonschema.validate(shown["payload"], schema)


def test_the_document_names_each_event_and_every_reference_leads_somewhere() -> None:
    published = document()
    assert published["asyncapi"] == "3.0.0"
    assert set(published["channels"]) == {channel_id(fact) for fact in FACTS}
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(published)):
        target: object = published
        for part in reference.split("/"):
            assert isinstance(target, dict)
            target = target[part]


def test_the_schema_refuses_what_is_no_such_event() -> None:
    fact = CATALOGUE["booking.made", 1]
    good = describing.example(fact)["data"]
    jsonschema.validate(good, data_schema(fact))
    jsonschema.validate(good | {"series_id": None, "status": "a code of tomorrow"}, data_schema(fact))
    half = {name: value for name, value in good.items() if name != "currency"}
    for bad in (good | {"gross_cents": "24.20"}, good | {"cover": [{"source": "credit"}]}, half):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, data_schema(fact))


@pytest.mark.parametrize("text", ["", "null", "[]", "3", "{}", '{"id": "x"}', '{"id": 1, "type": 2}', b"\xff\xfe"])
def test_what_is_no_event_is_refused_not_guessed(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        envelope.read(text)
