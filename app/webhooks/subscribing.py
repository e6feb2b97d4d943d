"""Entering, changing and archiving receivers, and who may: whoever manages the whole operator, or coordinates the
network.

What is sent tells of every space of the operator, so a manager of one among several is not enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import false, func, or_, select, true
from sqlalchemy.orm import Session

from app.errors import Invalid, NotAllowed, NotFound, Problem
from app.network import audit
from app.network.models import Network, Operator, Space
from app.network.people import Person
from app.network.roles import ADMINISTER, COORDINATE, MANAGE, ROLES
from app.webhooks import disabling, log, secrets
from app.webhooks.event_types import checked
from app.webhooks.models import Webhook, WebhookSecret

MOST_LIVE = 20  # of one operator, or of one network
CheckUrl = Callable[[str], object]


class TooManyWebhooks(Problem):
    code = "too_many_webhooks"
    status = 409
    title = "Remove a webhook that is no longer used before adding another."


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose webhooks a person looks after: internal ids of operators and networks, or everybody's."""

    operator_ids: frozenset[int]
    network_ids: frozenset[int]
    everybodys: bool = False

    def holds(self, webhook: Webhook) -> bool:
        return self.everybodys or webhook.operator_id in self.operator_ids or webhook.network_id in self.network_ids


def reach_of(session: Session, person: Person) -> Reach:
    """An operator is reached by a role with `manage` at it, or in each of its spaces; a network by `coordinate`."""
    managing = [grant for grant in person.grants if MANAGE in ROLES[grant.role][1]]
    return Reach(
        operator_ids=_whole_operators(session, frozenset().union(*(grant.space_ids for grant in managing)))
        | frozenset(grant.scope_id for grant in managing if grant.scope_type == "operator"),
        network_ids=frozenset(grant.scope_id for grant in person.grants if COORDINATE in ROLES[grant.role][1]),
        everybodys=any(ADMINISTER in ROLES[grant.role][1] for grant in person.grants),
    )


def _whole_operators(session: Session, managed: frozenset[int]) -> frozenset[int]:
    """The operators whose every space is among the managed ones."""
    theirs = select(Space.operator_id).where(Space.id.in_(managed))
    whole = func.bool_and(Space.id.in_(managed))
    rows = select(Space.operator_id).where(Space.operator_id.in_(theirs)).group_by(Space.operator_id).having(whole)
    return frozenset(session.scalars(rows)) if managed else frozenset()


def create_webhook(
    session: Session,
    *,
    person: Person,
    url: str,
    event_types: list[str],
    operator_id: UUID | None,
    network_id: UUID | None,
    description: str,
    check_url: CheckUrl,
    now: datetime,
) -> tuple[Webhook, WebhookSecret]:
    """A new receiver of an operator's events or of a network's, and the secret it checks signatures with.

    Raises Invalid, NotFound, NotAllowed, TooManyWebhooks (20 of one holder).
    """
    if (operator_id is None) == (network_id is None):
        raise Invalid.field("operator_id", "give either operator_id or network_id")
    holder = _holder(session, person, operator_id, network_id)
    check_url(url)
    types = checked(event_types, by_network=network_id is not None)
    _leave_room(session, holder)
    webhook = Webhook(
        **_held_by(holder), created_by=person.member_id, url=url, description=description, event_types=types,
        created_at=now,
    )  # fmt: skip
    session.add(webhook)
    session.flush()
    log.begin_forgetting(session, webhook, now=now)
    note(session, person, webhook, "webhook.created", now=now)
    return webhook, secrets.new_secret(session, webhook, now=now)


def _holder(session: Session, person: Person, operator_id: UUID | None, network_id: UUID | None) -> Operator | Network:
    reach = reach_of(session, person)
    if operator_id is not None:
        operator = session.scalars(select(Operator).where(Operator.uid == operator_id)).one_or_none()
        if operator is None:
            raise NotFound()
        if not (reach.everybodys or operator.id in reach.operator_ids):
            raise _refusal(session, person, operator)
        return operator
    network = session.scalars(select(Network).where(Network.uid == network_id)).one_or_none()
    if network is None or not (reach.everybodys or network.id in reach.network_ids):
        raise NotFound()
    return network


def _refusal(session: Session, person: Person, operator: Operator) -> Problem:
    """Its staff know the operator, and are told that their role is the reason; for others it is not there."""
    works_there = session.scalars(
        select(Space.id).where(Space.operator_id == operator.id, Space.id.in_(person.scope.space_ids)).limit(1)
    ).one_or_none()
    return NotFound() if works_there is None else NotAllowed(needed=MANAGE)


def _held_by(holder: Operator | Network) -> dict[str, int]:
    return {"operator_id" if isinstance(holder, Operator) else "network_id": holder.id}


def _leave_room(session: Session, holder: Operator | Network) -> None:
    """The holder's row is locked, so that two requests at once cannot both take the last place."""
    session.refresh(holder, with_for_update={"key_share": True})
    live = select(func.count()).select_from(Webhook).filter_by(**_held_by(holder)).where(Webhook.archived_at.is_(None))
    if session.execute(live).scalar_one() >= MOST_LIVE:
        raise TooManyWebhooks(limit=MOST_LIVE)


def list_webhooks(session: Session, *, person: Person, after: int | None, limit: int) -> Sequence[Webhook]:
    """Those the person looks after, oldest first, without archived ones; those after `after`, an internal id."""
    reach = reach_of(session, person)
    mine = or_(
        true() if reach.everybodys else false(),
        Webhook.operator_id.in_(reach.operator_ids),
        Webhook.network_id.in_(reach.network_ids),
    )
    rows = select(Webhook).where(mine, Webhook.archived_at.is_(None), Webhook.id > (after or 0))
    return session.scalars(rows.order_by(Webhook.id).limit(limit)).all()


def holders_of(session: Session, webhooks: Sequence[Webhook]) -> dict[int, UUID]:
    """The public id of each one's operator or network, by the webhook's internal id."""
    ids = [webhook.id for webhook in webhooks]
    rows = (
        select(Webhook, func.coalesce(Operator.uid, Network.uid))
        .outerjoin(Operator, Operator.id == Webhook.operator_id)
        .outerjoin(Network, Network.id == Webhook.network_id)
        .where(Webhook.id.in_(ids))
    )
    return {webhook.id: uid for webhook, uid in session.execute(rows)}


def find_webhook(
    session: Session, *, person: Person, webhook_id: UUID, lock: bool = False, archived: bool = False
) -> Webhook:
    """One the person looks after; `lock` keeps others from changing it meanwhile, `archived` finds those too.

    Raises NotFound; NotAllowed for staff of the operator who do not manage all of it.
    """
    wanted = select(Webhook).where(Webhook.uid == webhook_id)
    if not archived:
        wanted = wanted.where(Webhook.archived_at.is_(None))
    webhook = session.scalars(wanted.with_for_update(key_share=True) if lock else wanted).one_or_none()
    if webhook is None:
        raise NotFound()
    if not reach_of(session, person).holds(webhook):
        raise NotAllowed(needed=MANAGE)
    return webhook


def change_webhook(
    session: Session, webhook: Webhook, wanted: dict[str, Any], *, person: Person, check_url: CheckUrl, now: datetime
) -> None:
    """Change what is given of url, event_types, description, state. The webhook must be locked. Raises Invalid."""
    if "url" in wanted:
        check_url(wanted["url"])
        if webhook.url != wanted["url"]:  # another place: what the one before did says nothing about it
            webhook.url, webhook.failing_since = wanted["url"], None
    if "event_types" in wanted:
        webhook.event_types = checked(wanted["event_types"], by_network=webhook.network_id is not None)
    if "description" in wanted:
        webhook.description = wanted["description"]
    webhook.revision += 1
    session.flush()
    if wanted.get("state") == "active":
        disabling.enable(session, webhook)
    if wanted.get("state") == "disabled":
        disabling.disable(session, webhook, reason="by_hand", now=now)
    note(session, person, webhook, "webhook.changed", now=now)


def archive_webhook(session: Session, webhook: Webhook, *, person: Person, now: datetime) -> None:
    """Nothing is sent to it or shown of it any more. The webhook must be locked; again is harmless."""
    if webhook.archived_at is None:
        webhook.archived_at = now
        webhook.revision += 1
        disabling.cancel_open(session, webhook)
        note(session, person, webhook, "webhook.archived", now=now)


def note(session: Session, person: Person, webhook: Webhook, action: str, *, now: datetime) -> None:
    """In the trail of every space that the receiver is told of: there its managers look."""
    held = Space.operator_id == webhook.operator_id if webhook.operator_id else Space.network_id == webhook.network_id
    for space_id in session.scalars(select(Space.id).where(held).order_by(Space.id)):
        audit.note(session, person, action, space_id, str(webhook.uid), now)
