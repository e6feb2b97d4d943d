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
from app.billing.sepa.models import SepaFile, SepaItem
from app.errors import Problem, WrongState
from app.network.models import Operator
from app.network.people import Person

NOT_GIVEN = "not_given"


class InFile(Problem):
    """A file of transfers gives it back: `file_id`. By hand as well, it would go out twice."""

    code = "refund_in_file"
    status = 409
    title = "This refund is in a file of transfers."


def resolve(
    session: Session, operator: Operator, task_id: UUID, *, note: str, done: bool, space_id: UUID | None,
    person: Person, now: datetime,
) -> MoneyTask:  # fmt: skip
    """Close a task with a note. One that asks to give money back by hand marks it given (`done`), or not given, which
    makes it the party's credit again. Cash is taken out of the drawer of `space_id`.

    Raises NotFound, WrongState, InFile, DrawerCounted, and Invalid where the space must be named.
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
    session.refresh(refund, with_for_update={"key_share": True})  # makers of files hold it as well
    if refund.state != "requested":  # a file of transfers was quicker, or somebody else
        if not done:
            raise WrongState(state=refund.state, remedy="it has been given back, or has failed: close it as done")
        return
    _check_no_file(session, refund)
    evidence, failure = (states.SETTLED, None) if done else (states.FAILED, NOT_GIVEN)
    refunding.follow(session, payment, refund, evidence, failure, books=books, now=now)
    session.flush()
    if drawer is not None:
        put_in(session, drawer, -refund.amount_cents, refund_id=refund.id, now=now)


def _check_no_file(session: Session, refund: Refund) -> None:
    """Raises InFile. The refund's row is held, so no file takes it meanwhile."""
    sealed = select(SepaFile).join(SepaItem, SepaItem.file_id == SepaFile.id)
    sealed = sealed.where(SepaItem.refund_id == refund.id, SepaItem.state.in_(("in_file", "settled")))
    file = session.scalars(sealed).first()
    if file is None:
        return
    if file.handed_over_at is None:
        raise InFile(file_id=str(file.uid), remedy="cancel that file first, with POST /sepa-files/{id}/cancellation")
    remedy = "the bank has it: its statement says what became of it; if the bank refused, say so of the file's item"
    raise InFile(file_id=str(file.uid), remedy=remedy)
