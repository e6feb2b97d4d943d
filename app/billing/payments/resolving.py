"""Closing what a person looked at: a note, and for a refund by hand what they did."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.months import hold_books
from app.billing.payments import refunding, states
from app.billing.payments.drawers import drawer_of_today, put_in, space_at
from app.billing.payments.models import MoneyTask, Payment, Refund
from app.billing.payments.tasks import close_task, find
from app.errors import WrongState
from app.network.models import Operator
from app.network.people import Person

NOT_GIVEN = "not_given"


def resolve(
    session: Session, operator: Operator, task_id: UUID, *, note: str, done: bool, space_id: UUID | None,
    person: Person, now: datetime,
) -> MoneyTask:  # fmt: skip
    """Close a task with a note. One that asks to give money back by hand marks it given (`done`), or not given, which
    makes it the party's credit again. Cash is taken out of the drawer of `space_id`.

    Raises NotFound, WrongState, DrawerCounted, and Invalid where the space must be named.
    """
    task = find(session, operator.id, task_id)
    if task.kind == "refund_by_hand" and task.closed_at is None:
        refund = session.scalars(select(Refund).where(Refund.uid == UUID(task.facts["refund_id"]))).one()
        _give(session, operator, refund, done=done, space_id=space_id, person=person, now=now)
    return close_task(session, operator.id, task_id, note=note, person=person, now=now)


def _give(
    session: Session, operator: Operator, refund: Refund, *, done: bool, space_id: UUID | None, person: Person,
    now: datetime,
) -> None:  # fmt: skip
    payment = session.get_one(Payment, refund.payment_id)
    drawer = None
    if done and payment.kind == "cash":
        drawer = drawer_of_today(session, operator, space_at(session, operator, space_id), person=person, now=now)
    books = hold_books(session, operator.id)
    payment = refunding.held(session, payment.id)
    session.refresh(refund)
    if refund.state != "requested":  # a file of transfers was quicker, or somebody else
        if not done:
            raise WrongState(state=refund.state, remedy="it has been given back, or has failed: close it as done")
        return
    evidence, failure = (states.SETTLED, None) if done else (states.FAILED, NOT_GIVEN)
    refunding.follow(session, payment, refund, evidence, failure, books=books, now=now)
    session.flush()
    if drawer is not None:
        put_in(session, drawer, -refund.amount_cents, refund_id=refund.id, now=now)
