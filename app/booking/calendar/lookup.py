"""From a feed's secret address to what may be read there, in one statement, several times a second for years.

Calendar programs ask again and again whether anything has changed; mostly nothing has. So this goes to libpq
itself, on a connection of the web's pool, without BEGIN and COMMIT around it: a third of what the same statement costs
through the layers above. The statement looks up one row by a secret and checks by itself that its owner may still
read it, so tenancy has nothing to add.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy import Engine

from app.network.people import hash_secret
from app.network.roles import FRONT_DESK, ROLES, SEE_BOOKINGS


def _roles_with(permission: str) -> str:
    """Written into the statement: they never change while it lives, and a list is dear to hand over each time."""
    roles = sorted(role for role, (_, permissions) in ROLES.items() if permission in permissions)
    return "'{" + ",".join(roles) + "}'::text[]"


# All as text, which is what libpq hands over. A feed of a space or a resource is open while its owner has a role that
# reaches the space.
_LOOK = f"""
SELECT f.scope, f.scope_id::text, f.name, p.id::text,
    (f.revoked_at IS NULL AND m.erased_at IS NULL AND (f.scope = 'me' OR EXISTS (
        SELECT FROM role_grant g
        WHERE g.member_id = f.member_id
          AND g.role = ANY (CASE f.scope WHEN 'space' THEN {_roles_with(SEE_BOOKINGS)}
                            ELSE {_roles_with(FRONT_DESK)} END)
          AND (g.scope_type = 'platform'
            OR (g.scope_type = 'space' AND g.scope_id = p.id)
            OR (g.scope_type = 'operator' AND g.scope_id = p.operator_id)))))::text,
    coalesce(s.version, 0)::text,
    (extract(epoch FROM coalesce(s.changed_at, f.created_at)) * 1000000)::bigint::text
FROM feed f
JOIN member m ON m.id = f.member_id
LEFT JOIN calendar_stamp s ON s.scope = f.scope AND s.scope_id = f.scope_id
LEFT JOIN resource r ON f.scope = 'resource' AND r.id = f.scope_id
LEFT JOIN space p ON p.id = CASE f.scope WHEN 'space' THEN f.scope_id ELSE r.space_id END
WHERE f.token_hash = %s
"""
_PREPARED = "passerelle.feed_lookup"
_NAME = b"passerelle_feed_lookup"
_BINARY = [1]


class Subscribed(NamedTuple):
    """A feed as its address finds it; `version` and `changed_at` are those of the calendar it shows."""

    scope: str
    scope_id: int
    name: str
    space_id: int | None
    is_open: bool
    version: int
    changed_at: datetime


def look_up(engine: Engine, secret: str) -> Subscribed | None:
    """The feed of that secret, or None. Raises what SQLAlchemy raises when the database is gone."""
    token_hash = hash_secret(secret)
    answer = _by_libpq(engine, token_hash)
    if answer.status == ExecStatus.TUPLES_OK:
        return _subscribed(_first_row(answer)) if answer.ntuples else None
    # Whatever broke, the layers above know what to do: drop a lost pool, or say that the database is away.
    with engine.connect() as connection:
        row = connection.exec_driver_sql(_LOOK, (token_hash,)).one_or_none()
    return _subscribed(row) if row else None


def _by_libpq(engine: Engine, token_hash: bytes) -> PGresult:
    """The statement, prepared once on each connection of the pool. It opens no transaction that would need an end."""
    pooled = engine.raw_connection()
    try:
        libpq: PGconn = pooled.driver_connection.pgconn  # type: ignore[union-attr]
        if _PREPARED not in pooled.info:  # which is forgotten with the connection, as the prepared statement is
            libpq.prepare(_NAME, _LOOK.replace("%s", "$1").encode())
            pooled.info[_PREPARED] = True
        answer = libpq.exec_prepared(_NAME, [token_hash], _BINARY)
        if answer.status != ExecStatus.TUPLES_OK:
            pooled.invalidate()
        return answer
    finally:
        pooled.close()


def _first_row(answer: PGresult) -> list[str | None]:
    values = (answer.get_value(0, column) for column in range(answer.nfields))
    return [None if value is None else value.decode() for value in values]


def _subscribed(row: Sequence[str | None]) -> Subscribed:
    scope, scope_id, name, space_id, is_open, version, microseconds = (value or "" for value in row)
    changed_at = datetime.fromtimestamp(int(microseconds) / 1_000_000, UTC)
    return Subscribed(
        scope, int(scope_id), name, int(space_id) if space_id else None, is_open == "true", int(version), changed_at
    )
