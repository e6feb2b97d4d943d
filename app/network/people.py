"""Who is calling: from a bearer secret to a person, what they may do and what they may see, in one statement."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.db import Statement, raw
from app.errors import NotAllowed, NotFound
from app.network.roles import BOOKS, ROLES, SEE_BOOKINGS
from app.tenancy import Scope

_PERSON = """
    m.id AS member_id, m.uid, m.network_id, m.locale, m.name,
    (SELECT json_agg(json_build_array(g.role, g.scope_type, g.scope_id,
        (SELECT json_agg(s.id) FROM space s
         WHERE (g.scope_type = 'space' AND s.id = g.scope_id)
            OR (g.scope_type = 'operator' AND s.operator_id = g.scope_id)
            OR g.scope_type = 'platform'),
        (SELECT json_agg(kept.id) FROM (
            SELECT g.scope_id AS id WHERE g.scope_type = 'operator'
            UNION ALL SELECT s.operator_id FROM space s
            WHERE g.scope_type = 'space' AND s.id = g.scope_id AND NOT EXISTS (
                SELECT FROM space other WHERE other.operator_id = s.operator_id AND other.id <> s.id)
            UNION ALL SELECT o.id FROM operator o WHERE g.scope_type = 'platform') AS kept)) ORDER BY g.id)
     FROM role_grant g WHERE g.member_id = m.id) AS grants
"""
_BY_SECRET = Statement(
    f"""
    SELECT t.id AS token_id, t.scopes, {_PERSON}
    FROM api_token t JOIN member m ON m.id = t.member_id
    WHERE t.secret_hash = :secret_hash AND t.kind = :kind AND t.revoked_at IS NULL
      AND (t.expires_at IS NULL OR t.expires_at > :now) AND m.erased_at IS NULL
    """
)
_BY_ID = raw(f"SELECT 0 AS token_id, ARRAY[]::text[] AS scopes, {_PERSON} FROM member m WHERE m.id = :member_id")


@dataclass(frozen=True, slots=True)
class Grant:
    """A role somewhere: it reaches the spaces `space_ids`, and all spaces of the operators `operator_ids`."""

    role: str
    scope_type: str
    scope_id: int
    space_ids: frozenset[int]
    operator_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Person:
    """The caller of a request."""

    member_id: int
    uid: UUID
    name: str
    network_id: int | None
    locale: str
    token_id: int
    token_scopes: frozenset[str]
    grants: tuple[Grant, ...]
    scope: Scope
    by_another: bool = False  # somebody of the staff acts for them

    def may(self, permission: str, space_id: int) -> bool:
        return any(permission in ROLES[grant.role][1] and space_id in grant.space_ids for grant in self.grants)

    def require(self, permission: str, space_id: int) -> None:
        """Raises NotFound, not a refusal: whether the subject exists is not this person's to know.

        Somebody who may see the space's bookings already knows it; they are told that their role is the reason.
        """
        if self.may(permission, space_id):
            return
        if space_id in self.scope.space_ids:
            raise NotAllowed(needed=permission)
        raise NotFound()

    def require_books(self, operator_id: int) -> None:
        """Raises NotFound where this person does not keep the operator's books; NotAllowed where they work for it."""
        if operator_id in self.scope.books_ids:
            return
        if operator_id in self.scope.operator_ids or any(operator_id in grant.operator_ids for grant in self.grants):
            raise NotAllowed(needed=BOOKS)
        raise NotFound()


def hash_secret(secret: str) -> bytes:
    """Tokens are 256 random bits, so a plain SHA-256 keeps them: there is nothing to guess."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def find_person(session: Session, secret: str, *, now: datetime, kind: str = "api") -> Person | None:
    """The person a live token belongs to, or None.

    A browser's session (`kind` session) is no bearer token, nor the other way round.
    """
    row = _BY_SECRET.run(session, {"secret_hash": hash_secret(secret), "kind": kind, "now": now}).one_or_none()
    return None if row is None else _person(row)


def person_of(session: Session, member_id: int) -> Person:
    """A member as a person who did not call: for what the timekeeper or staff do on their behalf."""
    return _person(session.execute(_BY_ID, {"member_id": member_id}).one())


def acting_for(owner: Person, caller: Person) -> Person:
    """`owner` with the roles of `caller`: staff who book or move for a member are bound by the rules for staff."""
    return replace(owner, grants=caller.grants, by_another=True)


def _person(row: Any) -> Person:
    grants = tuple(
        Grant(role, scope_type, scope_id, frozenset(space_ids or ()), frozenset(operator_ids or ()))
        for role, scope_type, scope_id, space_ids, operator_ids in row.grants or ()
        if role in ROLES
    )
    return Person(
        member_id=row.member_id,
        uid=row.uid,
        name=row.name,
        network_id=row.network_id,
        locale=row.locale,
        token_id=row.token_id,
        token_scopes=frozenset(row.scopes),
        grants=grants,
        scope=_scope(row.member_id, grants),
    )


def _scope(member_id: int, grants: tuple[Grant, ...]) -> Scope:
    if not grants:
        return Scope(member_id=member_id)
    ids: dict[str, Any] = {
        kind: frozenset(grant.scope_id for grant in grants if grant.scope_type == kind)
        for kind in ("operator", "network", "employer", "funder")
    }
    seeing = [grant.space_ids for grant in grants if SEE_BOOKINGS in ROLES[grant.role][1]]
    return Scope(
        member_id=member_id,
        space_ids=frozenset().union(*seeing),
        books_ids=frozenset().union(*(grant.operator_ids for grant in grants if BOOKS in ROLES[grant.role][1])),
        operator_ids=ids["operator"],
        network_ids=ids["network"],
        employer_ids=ids["employer"],
        funder_ids=ids["funder"],
        sees_all=any(grant.scope_type == "platform" for grant in grants),
    )
