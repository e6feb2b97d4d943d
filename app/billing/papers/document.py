"""A stored snapshot, read for drawing: nothing else is asked, so that what was finalised is what people receive."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from app.errors import Problem

FORMAT = "passerelle.document/1"


class UnknownFormat(Problem):
    """A snapshot that this version cannot draw: it was written by a newer one, or is not a snapshot."""

    code = "unknown_document_format"
    status = 500
    title = "This document's stored content has a format that is not known here."


@dataclass(frozen=True, slots=True)
class Section:
    """Consecutive lines of one space and one person; `space` and `person` may be nobody's."""

    space: str | None
    person: str | None
    lines: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a snapshot, as it was stored: amounts in cents, days as ISO 8601."""

    content: Mapping[str, Any]

    @classmethod
    def of(cls, snapshot: str) -> Document:
        """Raises UnknownFormat."""
        try:
            content = json.loads(snapshot)
            said = content["format"]
        except (ValueError, KeyError, TypeError):
            raise UnknownFormat(format=None, known=FORMAT) from None
        if said != FORMAT:
            raise UnknownFormat(format=said, known=FORMAT)
        return cls(content)

    def __getitem__(self, name: str) -> Any:
        return self.content[name]

    @property
    def is_credit_note(self) -> bool:
        return bool(self["kind"] == "credit_note")

    @property
    def title(self) -> str:
        """The label of what it is."""
        if self.is_credit_note:
            return "credit_note"
        return "deposit" if self["purpose"] == "deposit" else "invoice"

    @property
    def sections(self) -> Iterator[Section]:
        """Lines in their stored order, by space and person."""
        for (space, person), lines in groupby(self["lines"], key=lambda line: (line["space"], line["person"])):
            yield Section(space, person, list(lines))

    def net_of(self, space: str | None) -> int:
        """Cents without VAT of all lines at one space."""
        return sum(line["net_cents"] for line in self["lines"] if line["space"] == space)

    @property
    def spaces(self) -> list[str | None]:
        """In their order, each once."""
        return list(dict.fromkeys(line["space"] for line in self["lines"]))
