"""Bearer tokens and browser sessions: 256 random bits, shown once, kept as a SHA-256, limited, revocable."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.network.models import ApiToken
from app.network.people import hash_secret

SCOPES = ("read", "write")


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token: its `secret` is known here only, and never again."""

    secret: str
    token: ApiToken


def issue_token(
    session: Session,
    *,
    member_id: int,
    now: datetime,
    kind: str = "api",
    name: str = "",
    scopes: Iterable[str] = SCOPES,
    expires_at: datetime | None = None,
) -> Issued:
    """A new token of a member; `kind` is api, or session for a browser's."""
    secret = secrets.token_urlsafe(32)
    token = ApiToken(
        member_id=member_id,
        secret_hash=hash_secret(secret),
        kind=kind,
        name=name,
        scopes=sorted(set(scopes)),
        created_at=now,
        expires_at=expires_at,
    )
    session.add(token)
    session.flush()
    return Issued(secret, token)


def live_tokens(
    session: Session, *, member_id: int, now: datetime, before: int | None = None, limit: int | None = None
) -> Sequence[ApiToken]:
    """A member's tokens that still open something, newest first; those older than `before`, an internal id."""
    alive = (ApiToken.revoked_at.is_(None), ApiToken.expires_at.is_(None) | (ApiToken.expires_at > now))
    mine = select(ApiToken).where(ApiToken.member_id == member_id, *alive)
    if before is not None:
        mine = mine.where(ApiToken.id < before)
    return session.scalars(mine.order_by(ApiToken.id.desc()).limit(limit)).all()


def revoke_token(session: Session, *, member_id: int, token_uid: UUID, now: datetime) -> None:
    """End one token of a member, at once; again is harmless. Raises NotFound for any other."""
    token = session.scalar(select(ApiToken).where(ApiToken.uid == token_uid, ApiToken.member_id == member_id))
    if token is None:
        raise NotFound()
    token.revoked_at = token.revoked_at or now


def revoke_all(session: Session, *, member_id: int, now: datetime) -> None:
    """End every token and session of a member."""
    session.execute(
        update(ApiToken).where(ApiToken.member_id == member_id, ApiToken.revoked_at.is_(None)).values(revoked_at=now)
    )
