"""One recorded example of every event in every version, kept for ever: python -m tests.events.golden writes new ones.

What exists is never overwritten: it stands for the texts already on disks and buses.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from app.events import envelope
from app.events.asyncapi import channel_id
from app.events.catalogue import CATALOGUE, DomainEvent

FOLDER = Path(__file__).parent / "golden"
FIELDS = FOLDER / "fields.json"
SOME_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
SOME_TIME = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

EXAMPLES: dict[str, Any] = {
    "str": "text",
    "int": 2420,
    "bool": True,
    "list[str]": [str(SOME_ID)],
    "list[dict[str, Any]]": [{"source": "credits", "amount": 4}],
}


def path(fact: type[DomainEvent]) -> Path:
    return FOLDER / f"{channel_id(fact)}.json"


def fields(fact: type[DomainEvent]) -> dict[str, str]:
    """Each field's declared type, with `= …` where it may be left out."""
    return {
        field.name: f"{field.type}{'' if field.default is dataclasses.MISSING else ' = …'}"
        for field in dataclasses.fields(fact)  # type: ignore[arg-type]
    }


def example(fact: type[DomainEvent]) -> str:
    values = {
        field.name: _value(field.name, str(field.type))
        for field in dataclasses.fields(fact)  # type: ignore[arg-type]
    }
    text = envelope.write(
        fact(**values), event_id=SOME_ID, aggregate_id=SOME_ID, seq=1, at=SOME_TIME, request_id="a-request"
    )
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"


def _value(name: str, declared: str) -> Any:
    if name.endswith("_id"):
        return str(SOME_ID)
    if name in ("start", "end", "at") or name.endswith(("_at", "_start", "_end")):
        return envelope.instant(SOME_TIME)
    return "EUR" if name == "currency" else EXAMPLES[declared.removesuffix(" | None")]


def write_missing() -> None:
    FOLDER.mkdir(exist_ok=True)
    known: dict[str, dict[str, str]] = json.loads(FIELDS.read_text()) if FIELDS.exists() else {}
    for fact in CATALOGUE.values():
        if not path(fact).exists():
            path(fact).write_text(example(fact))
        known[channel_id(fact)] = fields(fact) | known.get(channel_id(fact), {})
    FIELDS.write_text(json.dumps(known, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    write_missing()
