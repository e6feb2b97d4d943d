"""The address at the foot of a mail that stops mails of its kind: one click, no sign-in (RFC 8058, RFC 2369).

The address names the member and the kind, and carries a MAC over both under a key of its own, derived from the
installation's. So nothing is kept for it, it never expires, and whoever has it can do one thing alone: switch that kind
on or off for that member. Another SECRET_KEY ends every address in mails sent before.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.config import Config
from app.errors import Problem
from app.network.models import Member
from app.notifications.kinds import KINDS
from app.notifications.preferences import change_preferences
from app.secret_key import secret_key

PURPOSE = b"passerelle one-click unsubscribe, 1"
MAC_BYTES, UID_BYTES = 16, 16
LONGEST = 120  # characters of a token; ours have about 60


class LinkUnknown(Problem):
    """No address of ours: cut by a mail program, made up, from before another key, or of somebody who has left."""

    code = "link_unknown"
    status = 404
    title = "This address leads nowhere: use the whole address of the newest mail."


@dataclass(frozen=True, slots=True)
class Subscription:
    """Mails of one kind to one member."""

    member_uid: UUID
    kind: str


def address(config: Config, *, member_uid: UUID, kind: str) -> str:
    """Where mails of `kind` are stopped. One-click needs https, which PUBLIC_URL must begin with.

    Raises ValueError for a kind that cannot be switched off: its mails must not offer it.
    """
    if not KINDS[kind].optional:
        raise ValueError(f"{kind} cannot be switched off")
    base = config.public_url or f"http://127.0.0.1:{config.port}"
    return f"{base.rstrip('/')}/u/{token(_key(config), Subscription(member_uid, kind))}"


def token(key: bytes, subscription: Subscription) -> str:
    named = subscription.member_uid.bytes + subscription.kind.encode()
    return base64.urlsafe_b64encode(_mac(key, named) + named).rstrip(b"=").decode()


def read(config: Config, text: str) -> Subscription:
    """What an address names. Raises LinkUnknown when it is none of ours."""
    octets = _decoded(text)
    mac, named = octets[:MAC_BYTES], octets[MAC_BYTES:]
    if len(named) <= UID_BYTES or not hmac.compare_digest(mac, _mac(_key(config), named)):
        raise LinkUnknown()
    subscription = Subscription(UUID(bytes=named[:UID_BYTES]), named[UID_BYTES:].decode())
    kind = KINDS.get(subscription.kind)
    if kind is None or not kind.optional:  # it was, when the mail was sent
        raise LinkUnknown()
    return subscription


def switch(session: Session, subscription: Subscription, *, on: bool, now: datetime) -> None:
    """Have mails of that kind to that member or not; again is harmless. For the system: nobody has signed in.

    Raises LinkUnknown when the member has left.
    """
    change_preferences(session, member_id=member_of(session, subscription), choices={subscription.kind: on}, now=now)


def member_of(session: Session, subscription: Subscription) -> int:
    living = select(Member.id).where(Member.uid == subscription.member_uid, Member.erased_at.is_(None))
    member_id = session.scalar(living)
    if member_id is None:
        raise LinkUnknown()
    return member_id


def _decoded(text: str) -> bytes:
    if len(text) > LONGEST or not text.isascii():
        raise LinkUnknown()
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise LinkUnknown() from None


@lru_cache(maxsize=8)
def _key(config: Config) -> bytes:
    return hmac.digest(secret_key(config).encode(), PURPOSE, hashlib.sha256)


def _mac(key: bytes, named: bytes) -> bytes:
    return hmac.digest(key, named, hashlib.sha256)[:MAC_BYTES]
