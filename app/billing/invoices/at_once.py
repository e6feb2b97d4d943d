"""An invoice before the month is over: for what a customer owes already, or will (prepaid)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.invoices import reading
from app.billing.invoices.drafting import Open, draft
from app.billing.invoices.finalising import Finalised, finalise, settle
from app.billing.invoices.issuers import issuer
from app.errors import NotFound, Problem
from app.network.parties.models import Party


class NothingToInvoice(Problem):
    """There is no open charge, or what there is cancels out, or comes to less than nothing."""

    code = "nothing_to_invoice"
    status = 409
    title = "There is nothing to invoice."


class NotOpen(Problem):
    """`charges` are on a document already, cancelled out, or none of this party's."""

    code = "charges_not_open"
    status = 409
    title = "Some of these charges cannot be invoiced: they are on a document already, or not this party's."


def invoice_at_once(
    session: Session,
    operator_id: int,
    party_id: UUID,
    *,
    charges: Collection[UUID] = (),
    terms_days: int | None = None,
    now: datetime,
) -> list[Finalised]:
    """Documents for all of a customer's open charges, future ones too, or for `charges` with what corrects them.

    Deposits, what is outside VAT and credit come on documents of their own. Raises NotFound for a customer that is not
    there, NotOpen, NothingToInvoice.
    """
    party = session.scalar(select(Party.id).where(Party.uid == party_id))
    if party is None:
        raise NotFound()
    reading.be_patient(session)
    reading.claim(session, operator_id, [party], wait=True)
    found = _chosen(reading.open_charges(session, operator_id, [party]), set(charges))
    drafted = draft(found, purpose="now")
    settle(session, drafted.settled, now=now)
    if not drafted.documents:
        raise NothingToInvoice(waiting=len(drafted.waiting))
    return finalise(session, issuer(session, operator_id, now=now), drafted.documents, now=now, terms_days=terms_days)


def _chosen(found: list[Open], wanted: set[UUID]) -> list[Open]:
    """The wanted charges, with all that corrects them: a price is not asked for when it has been lowered."""
    if missing := wanted - {charge.uid for charge in found}:
        raise NotOpen(charges=sorted(map(str, missing)))
    roots = {charge.root_id for charge in found if charge.uid in wanted}
    return [charge for charge in found if charge.root_id in roots] if wanted else found
