"""Wait for something to become true, with a deadline: what tests use instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], *, within: float = 10.0, every: float = 0.02, describe: str = "") -> T:
    """The first truthy value of `condition`, asked every `every` seconds.

    Raises AssertionError naming `describe` (or the condition) and the last value after `within` seconds.
    """
    deadline = time.monotonic() + within
    while not (value := condition()):
        if time.monotonic() > deadline:
            what = describe or getattr(condition, "__name__", repr(condition))
            raise AssertionError(f"not within {within:g} s: {what} (last value: {value!r})")
        time.sleep(every)
    return value
