"""An operator's customers, as who keeps its books sees them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import column, select, table
from sqlalchemy.orm import Session

from app.errors import Invalid, NotFound
from app.network import audit
from app.network.models import Operator, Space
from app.network.parties.checking import Question, record_answer
from app.network.parties.models import Party
from app.network.parties.vies import Answer
from app.network.people import Person

_charges = table("charge", column("party_id"), column("operator_id"))


def customers(session: Session, operator: Operator, *, after: int, limit: int) -> Sequence[Party]:
    """Parties that the operator has charged, by their age. After `kept_operator`."""
    charged = select(_charges.c.party_id).where(_charges.c.operator_id == operator.id).scalar_subquery()
    return session.scalars(
        select(Party).where(Party.id.in_(charged), Party.id > after).order_by(Party.id).limit(limit)
    ).all()


def customer(session: Session, operator: Operator, party_uid: UUID) -> Party:
    """One of them. Raises NotFound."""
    charged = select(_charges.c.party_id).where(_charges.c.operator_id == operator.id).scalar_subquery()
    party = session.scalar(select(Party).where(Party.uid == party_uid, Party.id.in_(charged)))
    if party is None:
        raise NotFound()
    return party


def confirm_by_hand(
    session: Session, person: Person, party: Party, *, vat_number: str, answer: str, consultation: str, now: datetime
) -> None:
    """Write down what somebody found out about a customer's VAT number without us, and the reference that proves it.

    `vat_number` is the number they looked up, so that an answer is never taken for that of a number changed meanwhile.
    Raises Invalid where the customer has another.
    """
    if party.vat_number is None or vat_number != party.vat_number:
        raise Invalid.field("vat_number", "is not the one this customer has now: read it again")
    found = Answer(answer, f"by hand: {person.uid}", consultation)
    record_answer(session, Question(party.id, party.vat_number), found, now=now)


def note(session: Session, person: Person, operator: Operator, action: str, subject: UUID, *, now: datetime) -> None:
    """In the trail of every space of the operator: there its managers look."""
    spaces = select(Space.id).where(Space.operator_id == operator.id).order_by(Space.id)
    for space_id in session.scalars(spaces).all():
        audit.note(session, person, action, space_id, str(subject), now)
