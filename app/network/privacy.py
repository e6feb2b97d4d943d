"""What other packages know about a member, asked here when the member wants a copy of it or wants it gone.

network may not import the packages that stand on it, so they register: a function that names obstacles to an erasure,
one that erases what is theirs, one that exports it. Each takes `(session, member_id, *, now)`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session


class Obstacles(Protocol):
    def __call__(self, session: Session, member_id: int, *, now: datetime) -> list[dict[str, Any]]: ...


class Eraser(Protocol):
    def __call__(self, session: Session, member_id: int, *, now: datetime) -> None: ...


class Exporter(Protocol):
    def __call__(self, session: Session, member_id: int, *, now: datetime) -> Any: ...


ERASURE_OBSTACLES: list[Obstacles] = []
ERASERS: list[Eraser] = []
EXPORTERS: dict[str, Exporter] = {}


def erasure_obstacles(find: Obstacles) -> Obstacles:
    """Declare what must end before a member can be erased: `[{kind, id, ...}]`, empty when nothing is in the way."""
    ERASURE_OBSTACLES.append(find)
    return find


def eraser(erase: Eraser) -> Eraser:
    """Declare how a package forgets a member: names, titles and addresses, never what accounting law keeps."""
    ERASERS.append(erase)
    return erase


def exporter(name: str) -> Callable[[Exporter], Exporter]:
    """Declare a part of a member's export, under `name`."""

    def enter(export: Exporter) -> Exporter:
        EXPORTERS[name] = export
        return export

    return enter
