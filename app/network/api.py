"""Accounts, tokens and the audit trail over HTTP."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint
from sqlalchemy import select

from app.errors import NotFound
from app.events.envelope import instant
from app.http import rate_limits
from app.http.operation import Call, Reply, operation
from app.http.paging import LARGEST, Paged, cut, page_of
from app.http.schemas import PageQuery
from app.http.signing_in import sign_in
from app.network import accounts, audit, profile, schemas, tokens
from app.network.models import ApiToken, Space
from app.network.roles import MANAGE

blueprint = Blueprint("network", __name__)


@operation(
    blueprint, "POST", "/tokens", body=schemas.TokenRequest, returns=schemas.TokenGiven, status=201, signed_in=False,
    problems=(401, 429),
)  # fmt: skip
def create_token(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """Exchange e-mail address and password for a bearer token."""
    member_id = sign_in(call.session, email=body["email"], password=body["password"])
    days = body["expires_in_days"]
    issued = tokens.issue_token(
        call.session,
        member_id=member_id,
        now=call.now,
        name=body["name"],
        scopes=body["scopes"],
        expires_at=call.now + timedelta(days=days) if days else None,
    )
    return {"id": str(issued.token.uid), "token": issued.secret}


@operation(blueprint, "GET", "/tokens", query=PageQuery, returns=schemas.TokenShape, many=True, paged=True)
def list_tokens(call: Call, query: dict[str, Any]) -> Paged:
    """My live tokens and browser sessions, newest first."""
    page = page_of(query["limit"], query["cursor"], key=(int,), default=LARGEST)
    before = page.after[0] if page.after else None
    mine = tokens.live_tokens(
        call.session, member_id=call.person.member_id, now=call.now, before=before, limit=page.limit + 1
    )
    shown, last = cut(mine, page, lambda token: [token.id])
    return Paged(_described(call, shown), last)


def _described(call: Call, mine: Sequence[ApiToken]) -> list[dict[str, Any]]:
    return [schemas.describe_token(token, current_id=call.person.token_id) for token in mine]


@operation(blueprint, "DELETE", "/tokens/<token_id>", status=204)
def revoke_token(call: Call, token_id: UUID) -> None:
    """End one of my tokens, at once. It has no versions, so no If-Match; again succeeds."""
    tokens.revoke_token(call.session, member_id=call.person.member_id, token_uid=token_id, now=call.now)


@operation(
    blueprint, "POST", "/members", body=schemas.SignUp, returns=schemas.AccountShape, status=201, signed_in=False,
    problems=(409, 429), located=True,
)  # fmt: skip
def create_member(call: Call, body: dict[str, Any]) -> Reply:
    """Sign up. A taken e-mail address is 409 `email_taken`."""
    rate_limits.take(rate_limits.SIGN_UPS, rate_limits.client_address())
    member = accounts.sign_up(call.session, now=call.now, **body)
    return Reply(profile.describe_account(member), location="/api/v1/me")


@operation(blueprint, "GET", "/me", returns=schemas.Me, etag=True)
def show_me(call: Call) -> Reply:
    """Who I am here: account, network, roles, memberships."""
    return _me(call)


@operation(blueprint, "PATCH", "/me", body=schemas.MeChange, returns=schemas.Me, if_match=True, etag=True)
def change_me(call: Call, body: dict[str, Any]) -> Reply:
    """Change my name or my language."""
    member = accounts.own_member(call.session, call.person.member_id, lock=True)
    call.check_match(_version(profile.describe_me(call.session, member, call.person, now=call.now)))
    accounts.change_account(member, **body)
    return _me(call)


@operation(blueprint, "DELETE", "/me", status=204, if_match=True, problems=(409,))
def erase_me(call: Call) -> None:
    """Erase my account and sign me out everywhere. Refused (409 `erasure_refused`) while bookings lie ahead."""
    member = accounts.own_member(call.session, call.person.member_id, lock=True)
    call.check_match(_version(profile.describe_me(call.session, member, call.person, now=call.now)))
    accounts.erase_account(call.session, member, now=call.now)


@operation(blueprint, "GET", "/me/export", returns=schemas.Export)
def export_me(call: Call) -> dict[str, Any]:
    """Everything kept about me, as one document (GDPR art. 15 and 20)."""
    person = call.person
    member = accounts.own_member(call.session, person.member_id)
    return {
        "exported_at": instant(call.now),
        "account": profile.describe_me(call.session, member, person, now=call.now),
        "tokens": _described(call, tokens.live_tokens(call.session, member_id=person.member_id, now=call.now)),
        "other": accounts.exported(call.session, person.member_id, now=call.now),
    }


@operation(
    blueprint, "GET", "/spaces/<space_id>/audit", query=PageQuery, returns=schemas.AuditShape, many=True, paged=True,
    problems=(403,),
)  # fmt: skip
def list_audit(call: Call, space_id: UUID, query: dict[str, Any]) -> Paged:
    """Which colleague looked at or changed whose data, newest first. For managers of the space."""
    space = call.session.scalar(select(Space).where(Space.uid == space_id))
    if space is None:
        raise NotFound()
    call.person.require(MANAGE, space.id)
    page = page_of(query["limit"], query["cursor"], key=(int,))
    before = page.after[0] if page.after else None
    entries = audit.trail(call.session, space_id=space.id, before=before, limit=page.limit + 1)
    shown = entries[: page.limit]
    more = len(entries) > page.limit
    return Paged([schemas.describe_audit(entry) for entry in shown], [shown[-1].id] if more else None)


def _me(call: Call) -> Reply:
    member = accounts.own_member(call.session, call.person.member_id)
    body = profile.describe_me(call.session, member, call.person, now=call.now)
    return Reply(body, etag=_version(body))


def _version(body: dict[str, Any]) -> str:
    """A strong validator of exactly these bytes of content: accounts have no revision of their own."""
    return f'"{hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]}"'
