"""Idempotency-Key: the same request twice has one effect and one answer.

A key is scoped to (person, method, path). While the first request runs, a repetition is told so (409); once it has
committed a 2xx answer, the repetition gets that answer, byte for byte, for 24 hours. Refusals are evaluated again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.db import Statement
from app.errors import Problem

KEPT = timedelta(hours=24)
LONGEST = 255


class KeyMissing(Problem):
    code = "idempotency_key_missing"
    status = 400
    title = "This request needs an Idempotency-Key header, so that a repetition cannot act twice."


class KeyInvalid(Problem):
    code = "idempotency_key_invalid"
    status = 400
    title = f"An Idempotency-Key is 1 to {LONGEST} visible ASCII characters."


class KeyReused(Problem):
    code = "idempotency_key_reused"
    status = 422
    title = "This Idempotency-Key was used with another body; use a new key for a new request."


class InFlight(Problem):
    code = "request_in_flight"
    status = 409
    title = "The first request with this Idempotency-Key is still running; ask again."


class LostRace(Exception):
    """Another request with the same key committed between our look and our write: run again, and find its answer."""


@dataclass(frozen=True, slots=True)
class Claim:
    """This request's place in the store."""

    member_id: int
    method: str
    path: str
    key: str
    body_hash: bytes

    def parameters(self) -> dict[str, Any]:
        return {"member_id": self.member_id, "method": self.method, "path": self.path, "key": self.key}

    def lock(self) -> int:
        text = f"{self.member_id}\n{self.method}\n{self.path}\n{self.key}".encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:8], "big", signed=True)


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    status: int
    headers: dict[str, str]
    body: str


_LOOK = Statement(
    """
    SELECT pg_try_advisory_xact_lock(:lock) AS mine, a.body_hash, a.status, a.headers, a.body
    FROM (SELECT 1) AS one LEFT JOIN idempotent_answer a
      ON a.member_id = :member_id AND a.method = :method AND a.path = :path AND a.key = :key
     AND a.created_at > :since
    """
)
# An answer older than KEPT that nobody has swept yet gives way; a younger one means that we lost a race.
_STORE = Statement(
    """
    INSERT INTO idempotent_answer AS a (member_id, method, path, key, body_hash, status, headers, body, created_at)
    VALUES (:member_id, :method, :path, :key, :body_hash, :status, CAST(:headers AS jsonb), :body, :now)
    ON CONFLICT (member_id, method, path, key) DO UPDATE
    SET body_hash = excluded.body_hash, status = excluded.status, headers = excluded.headers, body = excluded.body,
        created_at = excluded.created_at
    WHERE a.created_at <= :since
    RETURNING 1
    """
)


def claim(*, member_id: int, method: str, path: str, key: str | None, body: bytes) -> Claim:
    if not key:
        raise KeyMissing(remedy="send an Idempotency-Key header, for instance a random UUID")
    if len(key) > LONGEST or not key.isascii() or not key.isprintable():
        raise KeyInvalid()
    return Claim(member_id, method, path, key, hashlib.sha256(body).digest())


def look_up(session: Session, claim: Claim, *, now: datetime) -> StoredAnswer | None:
    """The answer already given to this request, or None when it is this request's to answer.

    Raises InFlight while another transaction holds the key, KeyReused when the key was used with another body.
    """
    parameters = {**claim.parameters(), "lock": claim.lock(), "since": now - KEPT}
    row = _LOOK.run(session, parameters).one()
    if row.status is not None:
        if bytes(row.body_hash) != claim.body_hash:
            raise KeyReused()
        return StoredAnswer(row.status, row.headers, row.body)
    if not row.mine:
        raise InFlight()
    return None


def store(session: Session, claim: Claim, *, status: int, headers: str, body: str, now: datetime) -> None:
    """Keep the answer, in the transaction of its effect. `headers` is JSON text. Raises LostRace."""
    parameters = {
        **claim.parameters(),
        "body_hash": claim.body_hash,
        "status": status,
        "headers": headers,
        "body": body,
        "now": now,
        "since": now - KEPT,
    }
    if _STORE.run(session, parameters).one_or_none() is None:
        raise LostRace
