"""Members made up for load and race checks: each with a token, none with a plan."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.demo.people import DOMAIN
from app.errors import NotFound
from app.network.models import ApiToken, Member, Space
from app.network.people import hash_secret

BATCH = 1000


def make_members(session: Session, *, count: int, space_slug: str, now: datetime) -> Iterator[dict[str, str]]:
    """`{email, token}` of `count` new members in the network of a space, usable once the caller has committed.

    Raises NotFound for an unknown space.
    """
    network_id = session.scalar(select(Space.network_id).where(Space.slug == space_slug))
    if network_id is None:
        raise NotFound(space=space_slug)
    run = secrets.token_hex(4)
    for first in range(0, count, BATCH):
        numbers = range(first + 1, min(first + BATCH, count) + 1)
        emails = [f"load-{run}-{n}@{DOMAIN}" for n in numbers]
        yield from _insert(session, emails, network_id=network_id, now=now)


def _insert(session: Session, emails: list[str], *, network_id: int, now: datetime) -> list[dict[str, str]]:
    members: list[dict[str, Any]] = [
        {"email": email, "name": email.partition("@")[0], "network_id": network_id, "created_at": now}
        for email in emails
    ]
    ids = session.scalars(insert(Member).returning(Member.id, sort_by_parameter_order=True), members).all()
    secret_of = {email: secrets.token_urlsafe(32) for email in emails}
    tokens = [
        {"member_id": member_id, "secret_hash": hash_secret(secret_of[email]), "name": "load", "created_at": now}
        for member_id, email in zip(ids, emails, strict=True)
    ]
    session.execute(insert(ApiToken), tokens)
    return [{"email": email, "token": secret} for email, secret in secret_of.items()]
