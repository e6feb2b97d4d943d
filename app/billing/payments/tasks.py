"""What a person must look at about money: opened once by whoever finds it, closed with a note by who keeps the books.

Kinds are rows of KINDS; `key` names what a task is about, so that finding it twice asks nobody twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.billing.payments.models import MoneyTask, Payment
from app.errors import NotFound, WrongState
from app.network.parties.models import Party
from app.network.people import Person

# What each asks of a person; a kind that is not here is shown by its name.
KINDS: dict[str, str] = {
    "overpaid": "More came than was asked for: give it back, or leave it for the next invoice.",
    "underpaid": "Less came than was asked for: ask for the rest, or credit it.",
    "double": "What it pays was paid already: give it back, or leave it for the next invoice.",
    "no_invoice": "Money came and no invoice is open: give it back, or leave it for the next invoice.",
    "credited": "A credit note took back what was paid: give it back, or leave it for the next invoice.",
    "refund_by_hand": "Give it back as it came, then close this: done.",
    "refund_failed": "It could not be given back: it is the customer's credit again; find another way.",
    "refund_unknown": "Nobody knows whether it was given back: look at the provider's.",
    "payment_unknown": "Nobody knows whether it was paid: look at the provider's.",
    "settled_after_failed": "It came after all, when it had failed: see that it was not paid twice.",
    "refund_paid_again": "A file of transfers gave back what had failed, or was given by hand: get it back.",
    "debit_not_collected": "The bank did not collect it, and will not: ask the customer to pay, or for a new mandate.",
    "disputed": "A customer contests a payment with their bank: answer at the provider's in time, with what you have.",
    "returned": "The bank took back what had come: ask the customer to pay otherwise.",
    "foreign_currency": "A movement in another currency is on the statement: book it with the bank's advice.",
    "refund_without_account": "It came from no account that is known: give it back by hand, then close this: done.",
    "transfer_ref_refused": "The provider does not pass the money on: look at the connected account there.",
    "reversal_ref_refused": "The provider does not take the money back: settle it with the operator.",
    "einvoice_failed": "A document could not be made or sent electronically: its last error says what it lacks.",
    "einvoice_queried": "A customer contests or asks before it accepts a document: answer, and credit what is due.",
    "einvoice_rejected": "A customer or its platform rejected a document: send it again, or credit it; close this.",
    "drawer_difference": "The cash counted is not what should be there: the difference is posted; find out why.",
}

LEFT_OVER = ("overpaid", "double", "no_invoice", "credited")  # credit, until an invoice takes it
CREDIT_USED = "credit_used"  # the note where nobody closed it


def open_task(
    session: Session,
    *,
    operator_id: int,
    kind: str,
    key: str,
    cents: int,
    currency: str,
    party_id: int | None = None,
    payment_id: int | None = None,
    invoice_id: int | None = None,
    facts: Mapping[str, Any] | None = None,
    now: datetime,
) -> None:
    """Ask a person to look; one task per `key`, ever. `facts` are ids, codes and whole numbers, without names."""
    row = {
        "operator_id": operator_id, "kind": kind, "key": key, "party_id": party_id, "payment_id": payment_id,
        "invoice_id": invoice_id, "cents": cents, "currency": currency, "facts": dict(facts or {}), "opened_at": now,
    }  # fmt: skip
    session.execute(insert(MoneyTask).values(row).on_conflict_do_nothing(index_elements=["key"]))


def close_used(session: Session, payment_ids: Iterable[int], *, now: datetime) -> None:
    """Nobody needs to look any more at what was left over of payments: an invoice has taken all of it."""
    left_over = update(MoneyTask).where(MoneyTask.payment_id.in_(list(payment_ids)), MoneyTask.closed_at.is_(None))
    left_over = left_over.where(MoneyTask.kind.in_(LEFT_OVER)).values(closed_at=now, note=CREDIT_USED)
    session.execute(left_over.execution_options(synchronize_session=False))


def of_operator(
    session: Session, operator_id: int, *, closed: bool, kind: str | None, before: int | None, limit: int
) -> Sequence[MoneyTask]:
    """Tasks of an operator, newest first: the open ones, or those that are closed. After `kept_operator`."""
    wanted = select(MoneyTask).where(MoneyTask.operator_id == operator_id)
    wanted = wanted.where(MoneyTask.closed_at.is_not(None) if closed else MoneyTask.closed_at.is_(None))
    if kind is not None:
        wanted = wanted.where(MoneyTask.kind == kind)
    if before is not None:
        wanted = wanted.where(MoneyTask.id < before)
    return session.scalars(wanted.order_by(MoneyTask.id.desc()).limit(limit)).all()


def find(session: Session, operator_id: int, task_id: UUID) -> MoneyTask:
    """A task of an operator. Raises NotFound."""
    mine = select(MoneyTask).where(MoneyTask.uid == task_id, MoneyTask.operator_id == operator_id)
    task = session.scalar(mine)
    if task is None:
        raise NotFound()
    return task


def uids(session: Session, found: Sequence[MoneyTask]) -> dict[tuple[str, int], str]:
    """Public ids of what tasks name, by kind and internal id."""
    named: dict[tuple[str, int], str] = {}
    for kind, entity in (("party", Party), ("payment", Payment), ("invoice", Invoice)):
        ids = {getattr(task, f"{kind}_id") for task in found}
        rows = session.execute(select(entity.id, entity.uid).where(entity.id.in_(ids - {None})))
        named |= {(kind, row.id): str(row.uid) for row in rows}
    return named


def close_task(
    session: Session, operator_id: int, task_id: UUID, *, note: str, person: Person, now: datetime
) -> MoneyTask:
    """Note what was done about it. The same note once more changes nothing.

    Raises NotFound, and WrongState where it is closed with another note.
    """
    mine = select(MoneyTask).where(MoneyTask.uid == task_id, MoneyTask.operator_id == operator_id)
    task = session.scalars(mine.with_for_update(key_share=True)).one_or_none()
    if task is None:
        raise NotFound()
    if task.closed_at is not None:
        if task.note != note:
            raise WrongState(state="closed", remedy="it is closed already; read its note")
        return task
    task.closed_at, task.closed_by_id, task.note = now, person.member_id, note
    session.flush()
    return task
