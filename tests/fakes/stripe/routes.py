"""The table of endpoints: method and path, what each accepts, and the function that does it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fakes.stripe.call import Call
from tests.fakes.stripe.params import Spec

Work = Callable[[Call], dict[str, Any]]


@dataclass(frozen=True)
class Route:
    """An endpoint; `kind` is the kind of object that it answers with (for expand), or that its list holds."""

    method: str
    pattern: re.Pattern[str]
    spec: Spec
    kind: str
    work: Work


TABLE: list[Route] = []


def route(method: str, path: str, kind: str, /, **spec: Any) -> Callable[[Work], Work]:
    """Enter a function into the table; `*` in the path stands for an identifier."""
    pattern = re.compile("^" + path.replace("*", "([^/]+)") + "$")

    def enter(work: Work) -> Work:
        TABLE.append(Route(method, pattern, spec, kind, work))
        return work

    return enter


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
    """The endpoint and the identifiers in the path; those entered first come first."""
    for entry in TABLE:
        if entry.method == method and (match := entry.pattern.match(path)):
            return entry, match.groups()
    return None
