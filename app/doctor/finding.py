"""What a check found, or the fault that it raises."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


class Fault(Exception):
    """Something is not as it must be; the text says what, and what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    good: bool
    detail: str


def spoken(age: timedelta) -> str:
    return str(timedelta(seconds=int(age.total_seconds())))
