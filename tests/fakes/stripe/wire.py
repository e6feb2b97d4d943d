"""A request as it came, and what goes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Asked:
    """A request as it came: header names in small letters."""

    method: str
    path: str
    query: str
    body: str
    headers: dict[str, str]


@dataclass
class Answer:
    """What goes back. `lost`: nothing does, the connection is closed, after `held` real seconds."""

    status: int = 0
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False
    held: float = 0.0
