"""The money of the demonstration: what happened is charged, and last month is closed for three operators.

A member of Ath with a plan, a French company that came to Namur (Belgian VAT, since the place is what counts) and a
Belgian one that came to Nantes (French VAT) find their invoices; the other months are there to be closed.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app.billing.charges.models import BillingMonth
from app.billing.charges.recording import charge_membership
from app.billing.invoices.closing import begin, claim, finalise_customers
from app.billing.invoices.issuers import issuer
from app.billing.invoices.models import Invoice
from app.billing.months import Books, month_after
from app.demo.calendar_months import HOME_ZONE, last_month
from app.demo.charging import charge_bookings
from app.demo.people import People
from app.demo.spaces import Site
from app.events.envelope import Envelope, read
from app.events.models import Due, OutboxRow
from app.network.memberships.advancing import advance
from app.network.memberships.charging import NEXT
from app.network.memberships.contracts import lock_membership
from app.network.memberships.models import Membership
from app.network.models import Operator

CLOSED_AT = ("ath", "namur", "la-cantine")


def close_books(session: Session, sites: dict[str, Site], people: People, *, now: datetime) -> None:
    """Charge all that happened, and close last month at three operators."""
    month = last_month(now)
    _begin_billing(session, month)
    _ask_for_fees(session, people, month, now=now)
    session.flush()
    charge_bookings(session, _events(session, "booking"), books=Books(begins=month), now=now)
    for event in _events(session, "membership"):
        charge_membership(session, event, now=now)
    for slug in CLOSED_AT:
        _close(session, sites[slug].space.operator_id, month, now=now)


def _begin_billing(session: Session, month: date) -> None:
    """What is older was billed before they came here."""
    rows = [{"operator_id": operator_id, "begins": month} for operator_id in session.scalars(select(Operator.id))]
    session.execute(insert(BillingMonth), rows)


def _ask_for_fees(session: Session, people: People, month: date, *, now: datetime) -> None:
    """The account on a plan is asked for last month and this one; everybody else from the next month on."""
    this_month_ends = month_after(month_after(month)) - timedelta(days=1)
    session.execute(update(Membership).values(charged_until=this_month_ends))
    comes = datetime.combine(this_month_ends + timedelta(days=1), time(), HOME_ZONE).astimezone(UTC)
    memberships = session.scalars(select(Membership.id)).all()
    session.execute(insert(Due), [{"kind": NEXT, "subject_id": each, "at": comes} for each in memberships])
    own = Membership.member_id == people.accounts["member"].id
    session.execute(update(Membership).where(own).values(charged_until=month - timedelta(days=1)))
    advance(session, lock_membership(session, own), now=now)


def _events(session: Session, aggregate_type: str) -> list[Envelope]:
    """As they were recorded, in their order."""
    rows = select(OutboxRow.envelope).where(OutboxRow.aggregate_type == aggregate_type).order_by(OutboxRow.id)
    return [read(envelope) for envelope in session.scalars(rows)]


def _close(session: Session, operator_id: int, month: date, *, now: datetime) -> None:
    """All of it in the one transaction that loads the demonstration: few customers, one batch. Its documents count as
    sent: nobody is mailed what happened before the first start."""
    begin(session, operator_id, month, now=now)
    customers = claim(session, operator_id, month).customers
    if customers:
        finalise_customers(session, issuer(session, operator_id, now=now), customers, month, now=now)
        session.execute(update(Invoice).where(Invoice.operator_id == operator_id).values(sent_at=now))
