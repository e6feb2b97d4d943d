"""Idempotency keys of POST requests: the answer is kept for a day, with the path and parameters it was for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from tests.fakes.stripe.errors import Refusal, invalid

KEPT = 24 * 60 * 60.0
LONGEST = 255


@dataclass
class Kept:
    """A request that began: `status` is None while it is in flight. `at` is in seconds of the fake's time."""

    path: str
    fingerprint: str
    at: float
    request: str
    status: int | None = None
    body: dict[str, Any] | None = None


def fingerprint(params: dict[str, Any]) -> str:
    """The same for the same parameters, in whatever order they came."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()


class Keys:
    """All keys. The caller holds the lock of the fake."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Kept] = {}

    def begin(
        self, account: str, key: str, path: str, params: dict[str, Any], *, now: float, request: str
    ) -> Kept | None:
        """The kept answer to replay, or None when the work may begin: the key is then in flight.

        Raises a Refusal for another path or other parameters (400), or while the first is in flight (409).
        """
        if not 0 < len(key) <= LONGEST:
            raise invalid(f"Idempotency-Key must be between 1 and {LONGEST} characters.")
        found = self.kept.get((account, key))
        if found is not None and now - found.at >= KEPT and found.status is not None:
            found = None
        if found is None:
            self.kept[account, key] = Kept(path, fingerprint(params), now, request)
            return None
        if found.path != path:
            raise _mismatch(f"for the same endpoint they were first used for ('{found.path}')", key)
        if found.fingerprint != fingerprint(params):
            raise _mismatch("with the same parameters they were first used with", key)
        if found.status is None:
            raise _in_flight(key)
        return found

    def finish(self, account: str, key: str, status: int, body: dict[str, Any]) -> None:
        """Keep the answer of work that had begun."""
        found = self.kept[account, key]
        found.status, found.body = status, body

    def forget(self, account: str, key: str) -> None:
        """No work had begun: the key is free again."""
        self.kept.pop((account, key), None)


def _mismatch(rule: str, key: str) -> Refusal:
    message = (
        f"Keys for idempotent requests can only be used {rule}. "
        f"Try using a key other than '{key}' if you meant to execute a different request."
    )
    return Refusal(400, {"type": "idempotency_error", "message": message}, began=False)


def _in_flight(key: str) -> Refusal:
    error = {
        "type": "invalid_request_error",
        "code": "idempotency_key_in_use",
        "message": "There is currently another in-progress request using this Idempotent Key (that probably means you "
        f"submitted twice, and the other request is still going through): {key}. Please try again later.",
    }
    return Refusal(409, error, began=False)
