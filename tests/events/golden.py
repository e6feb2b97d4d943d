"""What was once published, kept for ever: `python -m tests.events.golden` writes what is new, refuses what breaks.

`shapes.json` holds the shape of every version of every event: its fields, their types, units and meanings. A shape may
grow (an optional field, a further code); any other change is a new version. Beside it are examples of whole events.
They stand for the texts on disks and buses, and none is ever overwritten: when an event's example has changed, one more
is written (`booking.accepted.v1.json`, `booking.accepted.v1.2.json`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from app.events import describing, readers
from app.events.catalogue import CATALOGUE, DomainEvent
from app.events.describing import channel_id
from workers import registry

FOLDER = Path(__file__).parent / "golden"
FROZEN = ("kind", "required", "unit", "meaning")

Shape = dict[str, Any]


def shape(fact: type[DomainEvent]) -> Shape:
    """All that a reader of this version relies on."""
    return {
        "aggregate": fact.aggregate_type,
        "says": describing.says(fact),
        "fields": {
            each.name: {
                "kind": each.kind,
                "required": each.required,
                "unit": each.meaning.unit,
                "meaning": each.meaning.text,
                "codes": list(each.meaning.codes),
            }
            for each in describing.fields(fact)
        },
    }


def breaks(recorded: Shape, now: Shape) -> Iterator[str]:
    """What of a version's change would break somebody who reads it; nothing when it has only grown."""
    for of_event in ("aggregate", "says"):
        if recorded[of_event] != now[of_event]:
            yield f"{of_event}: was {recorded[of_event]!r}, is {now[of_event]!r}"
    old, new = recorded["fields"], now["fields"]
    for name in old:
        yield from _breaks_field(name, old[name], new.get(name))
    for name in new.keys() - old.keys():
        parent = name.rpartition(".")[0].removesuffix("[]")
        if new[name]["required"] and (not parent or parent in old):
            yield f"{name}: new, and not optional"


def _breaks_field(name: str, old: dict[str, Any], new: dict[str, Any] | None) -> Iterator[str]:
    if new is None:
        yield f"{name}: removed or renamed"
        return
    for aspect in FROZEN:
        if old[aspect] != new[aspect]:
            yield f"{name}: {aspect} was {old[aspect]!r}, is {new[aspect]!r}"
    if lost := set(old["codes"]) - set(new["codes"]):
        yield f"{name}: codes {sorted(lost)} removed"


def recorded_shapes(folder: Path = FOLDER) -> dict[str, Shape]:
    path = folder / "shapes.json"
    shapes: dict[str, Shape] = json.loads(path.read_text()) if path.exists() else {}
    return shapes


def examples(fact: type[DomainEvent], folder: Path = FOLDER) -> list[Path]:
    """The kept examples of one version, oldest first."""
    name = channel_id(fact)
    later = [path for path in folder.glob(f"{name}.*.json") if path.stem.removeprefix(f"{name}.").isdigit()]
    first = folder / f"{name}.json"
    by_number = sorted(later, key=lambda path: int(path.stem.removeprefix(f"{name}.")))
    return ([first] if first.exists() else []) + by_number


def example(fact: type[DomainEvent]) -> str:
    return json.dumps(describing.example(fact), indent=2, ensure_ascii=False) + "\n"


def faults(facts: Iterable[type[DomainEvent]], folder: Path = FOLDER) -> list[str]:
    """Everything in `facts` that breaks what is recorded in `folder`."""
    recorded, now = recorded_shapes(folder), {channel_id(fact): shape(fact) for fact in facts}
    gone = [f"{name}: no longer in the catalogue" for name in recorded.keys() - now.keys()]
    return gone + [
        f"{name}: {fault}"
        for name in sorted(recorded.keys() & now.keys())
        for fault in breaks(recorded[name], now[name])
    ]


def write(facts: Iterable[type[DomainEvent]], folder: Path = FOLDER) -> list[str]:
    """Record what is new; returns the faults, and then nothing was written."""
    facts = list(facts)
    if found := faults(facts, folder):
        return found
    folder.mkdir(exist_ok=True)
    for fact in facts:
        kept = examples(fact, folder)
        if not kept or kept[-1].read_text() != example(fact):
            number = f".{len(kept) + 1}" if kept else ""
            (folder / f"{channel_id(fact)}{number}.json").write_text(example(fact))
    shapes = {channel_id(fact): shape(fact) for fact in facts}
    (folder / "shapes.json").write_text(json.dumps(shapes, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    return []


def main() -> int:
    readers.FILE.write_text(readers.written(registry.load().values()))
    found = write(CATALOGUE.values())
    for fault in found:
        sys.stderr.write(f"{fault}\n")
    if found:
        sys.stderr.write("Nothing was written: give what changed a new version, and an upcast from the old one.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
