"""Taking the steps that are due: told as an event, claimed on an invoice of its own, or bookings suspended."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.billing.dunning.claiming import claim_on_invoice
from app.billing.dunning.models import DunningAct
from app.billing.dunning.overdue import Overdue
from app.billing.dunning.policies import KIND, Policy, hold_policy, next_morning, policy_of, today
from app.billing.dunning.proposing import Proposal, propose
from app.billing.dunning.suspending import suspend_for, uphold
from app.billing.invoices.models import Invoice
from app.billing.months import hold_books
from app.billing.payments.standing import hold_invoices
from app.db import connection_lost
from app.events.billing_facts import InvoiceReminded
from app.events.outbox import record
from app.ids import new_id
from app.network.models import Operator
from app.timekeeper import due, schedule

log = structlog.get_logger(__name__)

BATCH = 50
AT_ONCE = timedelta(milliseconds=1)
PAY_WITHIN_DAYS = 14  # what a first reminder must leave a Belgian consumer (CDE, art. XIX.2, § 2)


@due(KIND)
def run_schedule(session: Session, operator_id: int, *, now: datetime) -> None:
    """Take a batch of what an operator's schedule has for today; again at once while there is more, then tomorrow.
    What was suspended is upheld."""
    hold_policy(session, operator_id)
    policy = policy_of(session, operator_id)
    if not policy.active:
        return
    day = today(session, operator_id, now=now)
    uphold(session, operator_id, day=day, now=now)
    ready = [each for each in propose(session, operator_id, policy, day=day) if each.held is None]
    for proposal in ready[:BATCH]:
        _take_if_still_due(session, operator_id, policy, proposal.invoice, day=day, now=now)
    more = len(ready) > BATCH
    schedule(session, KIND, operator_id, now + AT_ONCE if more else next_morning(session, operator_id, now=now))


def _take_if_still_due(
    session: Session, operator_id: int, policy: Policy, invoice: Overdue, *, day: date, now: datetime
) -> None:
    """Take the step about one invoice, as it stands while its row is held: it may have been paid, or stopped, since the
    list was read. One that fails is left for tomorrow, and holds up none of the others."""
    try:
        with session.begin_nested():
            hold_books(session, operator_id)
            hold_invoices(session, [invoice.id])
            for proposal in propose(session, operator_id, policy, day=day, only=invoice.id):
                if proposal.held is None:
                    take(session, operator_id, proposal, day=day, now=now)
    except Exception as error:
        if connection_lost(error):
            raise
        log.exception("dunning_step_failed", invoice_id=str(invoice.uid))


def take(session: Session, operator_id: int, proposal: Proposal, *, day: date, now: datetime) -> bool:
    """Take one step about an invoice; False where somebody else just did."""
    invoice, claim = proposal.invoice, proposal.claim
    act_uid = new_id()
    written = insert(DunningAct).values(
        uid=act_uid,
        operator_id=operator_id,
        invoice_id=invoice.id,
        no=proposal.no,
        action=proposal.step.action,
        day=day,
        open_cents=invoice.open_cents,
        interest_cents=claim.interest_cents,
        compensation_cents=claim.compensation_cents,
        currency=invoice.currency,
        ground=claim.ground,
        done_at=now,
    )
    once = written.on_conflict_do_nothing(index_elements=["invoice_id", "no"]).returning(DunningAct.id)
    if session.scalar(once) is None:
        return False
    if claim.cents:
        claim_on_invoice(session, operator_id, proposal, act_uid=act_uid, day=day, now=now)
    if proposal.step.action == "suspension":
        suspend_for(session, operator_id, invoice, day=day, now=now)
    _tell(session, operator_id, proposal, day=day, now=now)
    return True


def _tell(session: Session, operator_id: int, proposal: Proposal, *, day: date, now: datetime) -> None:
    invoice = proposal.invoice
    operator_uid = session.scalars(select(Operator.uid).where(Operator.id == operator_id)).one()
    fact = InvoiceReminded(
        invoice_id=str(invoice.uid),
        operator_id=str(operator_uid),
        party_id=str(invoice.party_uid),
        step=proposal.no,
        action=proposal.step.action,
        open_cents=invoice.open_cents,
        interest_cents=proposal.claim.interest_cents,
        compensation_cents=proposal.claim.compensation_cents,
        currency=invoice.currency,
        pay_by=(day + timedelta(days=PAY_WITHIN_DAYS)).isoformat(),
    )
    record(session, session.get_one(Invoice, invoice.id), fact, at=now)
