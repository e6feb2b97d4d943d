"""A mail with a document: the kind, the document and what else is to be said of it; and to whom it goes.

It goes to the party's own address where it has one (an accounting department), else to whom it stands for: the member,
the one who answers for the team, each administrator of the employer. Decided with the event, so that a replay after the
party has changed its address tells nobody twice; the address itself is read when the mail is sent.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import Statement
from app.network.memberships.models import Team
from app.network.models import Member, RoleGrant
from app.network.parties.models import Party
from app.network.roles import ADMINISTER_EMPLOYER, ROLES
from app.notifications.writing import write

NOBODY = "no_address"  # why a mail to nobody is not sent
ADMINISTERING = tuple(name for name, (_, may) in ROLES.items() if ADMINISTER_EMPLOYER in may)

_TOLD = Statement("SELECT FROM notification WHERE document_uid = :document_uid AND event_id = :event_id LIMIT 1")


class Document(NamedTuple):
    """What a mail is about. `about` tells this mail from others of its kind with the same document."""

    uid: UUID
    party_id: int
    about: str


class Addressee(NamedTuple):
    """One whom a document is mailed to. With a `party_id` it goes to the party's own address."""

    uid: UUID
    locale: str
    member_id: int | None = None
    party_id: int | None = None


def tell_party(
    session: Session,
    *,
    kind: str,
    document: Document,
    event_id: UUID,
    now: datetime,
    facts: dict[str, Any] | None = None,
) -> None:
    """Write down the mails of `kind` with a document, once for each event. Where there is nobody to write to, a mail
    that is not sent says so."""
    if _TOLD.run(session, {"document_uid": document.uid, "event_id": event_id}).rowcount:
        return
    party = session.get_one(Party, document.party_id, populate_existing=True)
    found = addressees(session, party)
    for each in found or [_party(party)]:
        write(
            session,
            kind=kind,
            about=document.about,
            member_id=each.member_id,
            member_uid=each.uid,
            party_id=each.party_id,
            document_uid=document.uid,
            locale=each.locale,
            event_id=event_id,
            facts=facts or {},
            suppressed=None if found else NOBODY,
            now=now,
        )


def addressees(session: Session, party: Party) -> list[Addressee]:
    """Whom documents to a party are mailed to today; nobody where no living person with an address stands for it."""
    if party.email:
        return [_party(party)]
    return [Addressee(member.uid, member.locale, member_id=member.id) for member in _behind(session, party)]


def _party(party: Party) -> Addressee:
    return Addressee(party.uid, party.locale, member_id=party.member_id, party_id=party.id)


def _behind(session: Session, party: Party) -> list[Member]:
    """The people whom a party stands for."""
    living = select(Member).where(Member.erased_at.is_(None), Member.email.is_not(None)).order_by(Member.id)
    if party.member_id is not None:
        return list(session.scalars(living.where(Member.id == party.member_id)))
    if party.employer_id is not None:
        granted = select(RoleGrant.member_id).where(
            RoleGrant.role.in_(ADMINISTERING),
            RoleGrant.scope_type == "employer",
            RoleGrant.scope_id == party.employer_id,
        )
        return list(session.scalars(living.where(Member.id.in_(granted))))
    answering = select(Team.member_id).where(Team.party_id == party.id)
    return list(session.scalars(living.where(Member.id.in_(answering))))
