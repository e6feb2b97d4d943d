"""What was once published stays readable: whatever would break a reader of a version needs a new one."""

from __future__ import annotations

import json
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from app.events import describing, envelope
from app.events.catalogue import CATALOGUE, DomainEvent, event
from app.events.describing import channel_id, data_schema
from app.events.meanings import Meaning, cents, code, id_of, objects
from tests.events import golden

FACTS = list(CATALOGUE.values())
WRITE = "run python -m tests.events.golden and commit what it writes"


def test_nothing_published_was_taken_away_or_given_another_meaning() -> None:
    assert golden.faults(FACTS) == [], "a change of shape or meaning is a new version"


def test_everything_published_is_recorded() -> None:
    assert golden.recorded_shapes() == {channel_id(fact): golden.shape(fact) for fact in FACTS}, WRITE


@pytest.mark.parametrize("fact", FACTS, ids=channel_id)
def test_every_recorded_example_is_readable_and_fits_the_schema(fact: type[DomainEvent]) -> None:
    kept = golden.examples(fact)
    assert kept and kept[-1].read_text() == golden.example(fact), WRITE
    for path in kept:
        read = envelope.read(path.read_text())
        assert (read.type, read.version, read.aggregate_type) == (fact.type, fact.version, fact.aggregate_type)
        jsonschema.validate(read.data, data_schema(fact) | {"additionalProperties": False})
        fact(**read.data)


# --- each way of breaking a reader, on an event of the tests' own

BISCUIT = {"kind": code("Which.", "oat"), "eaten": Meaning("Whether.", type="bool", example=True)}
SAYS: dict[str, Meaning] = {
    "cup_id": id_of("a cup", "The cup."),
    "kind": code("Which tea.", "green", "black"),
    "tip_cents": cents("What was left on the table.", 50),
    "sugars": Meaning("How many.", type="int", unit="pieces", example=2),
    "biscuits": objects("What came with it.", BISCUIT),
}
TYPES = {"cup_id": "str", "kind": "str", "tip_cents": "int", "biscuits": "list[dict[str, Any]]", "sugars": "int"}


def tea_served(
    *,
    without: str = "",
    types: dict[str, str] | None = None,
    says: dict[str, Meaning] | None = None,
    optional: tuple[str, ...] = ("sugars",),
    aggregate: str = "tea",
    doc: str = "A cup was filled.",
    version: int = 1,
) -> type[DomainEvent]:
    """An event of its own, changed as told."""
    declared = {name: kind for name, kind in (TYPES | (types or {})).items() if name != without}
    ordered = sorted(declared, key=lambda name: name in optional)
    fields: list[Any] = [
        (name, declared[name], None) if name in optional else (name, declared[name]) for name in ordered
    ]
    made: Any = make_dataclass("TeaServed", fields, bases=(DomainEvent,), frozen=True, namespace={"__doc__": doc})
    meanings = {name: means for name, means in (SAYS | (says or {})).items() if name in declared}
    entered: type[DomainEvent] = event("tea.served", version=version, aggregate=aggregate, says=meanings, into={})(made)
    return entered


OAT = {"kind": BISCUIT["kind"]}
BREAKING: dict[str, tuple[dict[str, Any], str]] = {
    "a field removed": ({"without": "kind"}, "kind: removed"),
    "a field renamed": (
        {"without": "tip_cents", "types": {"gift_cents": "int"}, "says": {"gift_cents": SAYS["tip_cents"]}},
        "tip_cents: removed or renamed",
    ),
    "another type": (
        {"types": {"sugars": "str"}, "says": {"sugars": Meaning("How many.", unit="pieces")}},
        "sugars: kind was 'integer', is 'text'",
    ),
    "null where there was none": ({"types": {"kind": "str | None"}}, "kind: kind was 'text', is 'text or null'"),
    "another meaning": ({"says": {"kind": code("Which pot.", "green", "black")}}, "kind: meaning was"),
    "another unit": (
        {"says": {"sugars": Meaning("How many.", type="int", unit="grams")}}, "sugars: unit was 'pieces', is 'grams'",
    ),
    "become required": ({"optional": ()}, "sugars: required was False, is True"),
    "may be missing now": ({"optional": ("sugars", "kind")}, "kind: required was True, is False"),
    "a new field that is not optional": (
        {"types": {"spoon": "str"}, "says": {"spoon": Meaning("The spoon.")}}, "spoon: new, and not optional",
    ),
    "a code removed": ({"says": {"kind": code("Which tea.", "green")}}, "kind: codes ['black'] removed"),
    "a part removed": ({"says": {"biscuits": objects("What came with it.", OAT)}}, "biscuits[].eaten: removed"),
    "a new part that is not optional": (
        {"says": {"biscuits": objects("What came with it.", {**BISCUIT, "size": Meaning("How big.")})}},
        "biscuits[].size: new, and not optional",
    ),
    "another aggregate": ({"aggregate": "pot"}, "aggregate: was 'tea', is 'pot'"),
    "another event altogether": ({"doc": "A cup was dropped."}, "says: was 'A cup was filled.'"),
}  # fmt: skip


@pytest.mark.parametrize("change", BREAKING)
def test_what_breaks_a_reader_is_refused_and_nothing_is_written(change: str, tmp_path: Path) -> None:
    assert golden.write([tea_served()], tmp_path) == []
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    how, said = BREAKING[change]
    found = golden.write([tea_served(**how)], tmp_path)
    assert any(fault.startswith(f"tea.served.v1: {said}") for fault in found), found
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_an_event_that_left_the_catalogue_is_refused(tmp_path: Path) -> None:
    golden.write([tea_served()], tmp_path)
    assert golden.write([], tmp_path) == ["tea.served.v1: no longer in the catalogue"]


def test_what_only_grows_is_recorded_with_one_more_example(tmp_path: Path) -> None:
    golden.write([tea_served()], tmp_path)
    first = (tmp_path / "tea.served.v1.json").read_text()
    milk, kind = Meaning("How much.", type="int", unit="ml", example=30), code("Which tea.", "green", "black", "oolong")
    more = {"milk": milk, "kind": kind}
    grown = tea_served(types={"milk": "int"}, says=more, optional=("sugars", "milk"))
    assert golden.write([grown], tmp_path) == []
    assert (tmp_path / "tea.served.v1.json").read_text() == first
    assert [path.name for path in golden.examples(grown, tmp_path)] == ["tea.served.v1.json", "tea.served.v1.2.json"]
    assert golden.recorded_shapes(tmp_path)["tea.served.v1"]["fields"]["milk"]["unit"] == "ml"
    assert golden.write([grown], tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 3


def test_a_new_version_stands_beside_the_old_one(tmp_path: Path) -> None:
    golden.write([tea_served()], tmp_path)
    assert golden.write([tea_served(), tea_served(version=2, without="kind")], tmp_path) == []
    assert set(golden.recorded_shapes(tmp_path)) == {"tea.served.v1", "tea.served.v2"}


def test_the_examples_are_found_in_their_order(tmp_path: Path) -> None:
    fact = tea_served()
    for name in ("tea.served.v1.json", "tea.served.v1.2.json", "tea.served.v1.10.json", "tea.served.v1.x.json"):
        (tmp_path / name).write_text(json.dumps(describing.example(fact)))
    assert [path.name.split(".")[3] for path in golden.examples(fact, tmp_path)] == ["json", "2", "10"]
