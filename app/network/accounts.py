"""A member's account: signing up and in, what one may know and change about oneself, and being forgotten."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db import raw
from app.errors import Invalid, NotFound, Problem
from app.ids import new_id
from app.network import passwords, privacy, tokens
from app.network.models import Member, RoleGrant

LOCALES = ("fr", "nl", "de", "en")
LONGEST_EMAIL = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets

# Nobody is signed in yet, so tenancy would hide every member: these look at one row by its address only.
_BY_EMAIL = raw("SELECT id, password_hash FROM member WHERE lower(email) = :email AND erased_at IS NULL")
_REHASH = raw("UPDATE member SET password_hash = :new WHERE id = :id AND password_hash = :old")
_SIGN_UP = raw(
    """
    INSERT INTO member (uid, email, name, locale, password_hash, created_at)
    VALUES (:uid, :email, :name, :locale, :password_hash, :now)
    ON CONFLICT (lower(email)) DO NOTHING RETURNING id
    """
)


class EmailTaken(Problem):
    code = "email_taken"
    status = 409
    title = "There is an account with this e-mail address; sign in instead."


class BadCredentials(Problem):
    """One answer for an unknown address and for a wrong password, after the same time."""

    code = "bad_credentials"
    status = 401
    title = "The e-mail address or the password is wrong."


class ErasureRefused(Problem):
    code = "erasure_refused"
    status = 409
    title = "The account cannot be erased while something of it lies ahead."


def normalised_email(email: str) -> str:
    """The one spelling under which an address is kept and found."""
    return unicodedata.normalize("NFC", email.strip()).lower()


def sign_up(session: Session, *, email: str, password: str, name: str, locale: str, now: datetime) -> Member:
    """A new account of no network. Raises EmailTaken, Invalid when the password is the address."""
    email = normalised_email(email)
    check_password(password, email=email)
    row = {
        "uid": new_id(),
        "email": email,
        "name": name.strip(),
        "locale": locale,
        "password_hash": passwords.hash_password(password),
        "now": now,
    }
    if session.execute(_SIGN_UP, row).one_or_none() is None:
        raise EmailTaken(remedy="POST /api/v1/tokens with its password")
    return Member(uid=row["uid"], email=email, name=row["name"], locale=locale, created_at=now)


def check_password(password: str, *, email: str) -> None:
    """Raises Invalid when it could be guessed from the address."""
    guessable = {email, email.partition("@")[0], email[::-1]}
    if normalised_email(password) in guessable:
        raise Invalid.field("password", "choose one that is not your e-mail address")


def authenticate(session: Session, *, email: str, password: str) -> int:
    """The id of the member with that address and password, hashed anew when the parameters have changed.

    Raises BadCredentials.
    """
    address = normalised_email(email)
    known = address if address.isprintable() else ""  # nobody signs up with another, and no database keeps NUL
    row = session.execute(_BY_EMAIL, {"email": known}).one_or_none()
    if not passwords.verify(row.password_hash if row else None, password) or row is None:
        raise BadCredentials()
    if passwords.outdated(row.password_hash):
        renewed = {"id": row.id, "old": row.password_hash, "new": passwords.hash_password(password)}
        session.execute(_REHASH, renewed)
    return row.id


def own_member(session: Session, member_id: int, *, lock: bool = False) -> Member:
    """The caller's own row. Raises NotFound when it was erased meanwhile."""
    wanted = select(Member).where(Member.id == member_id, Member.erased_at.is_(None))
    member = session.scalar(wanted.with_for_update(key_share=True) if lock else wanted)
    if member is None:
        raise NotFound()
    return member


def change_account(member: Member, *, name: str | None = None, locale: str | None = None) -> None:
    member.name = member.name if name is None else name.strip()
    member.locale = locale or member.locale


def erase_account(session: Session, member: Member, *, now: datetime) -> None:
    """Blank the member's row and end every way in; documents keep their own copy of the name (GDPR art. 17(3)(b)).

    Raises ErasureRefused with everything that must end first.
    """
    obstacles = [found for find in privacy.ERASURE_OBSTACLES for found in find(session, member.id, now=now)]
    if obstacles:
        raise ErasureRefused(obstacles=obstacles[:20], remedy="cancel these first")
    for erase in privacy.ERASERS:
        erase(session, member.id, now=now)
    tokens.revoke_all(session, member_id=member.id, now=now)
    session.execute(delete(RoleGrant).where(RoleGrant.member_id == member.id))
    _forget_answers(session, member.id)
    member.email = member.password_hash = None
    member.name = ""
    member.erased_at = now


_FORGET = raw("DELETE FROM idempotent_answer WHERE member_id = :member_id")


def _forget_answers(session: Session, member_id: int) -> None:
    session.execute(_FORGET, {"member_id": member_id})


def exported(session: Session, member_id: int, *, now: datetime) -> dict[str, Any]:
    """What the other packages hold about a member, by their names."""
    return {name: export(session, member_id, now=now) for name, export in sorted(privacy.EXPORTERS.items())}
