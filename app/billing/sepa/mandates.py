"""Mandates: who signed that an operator may collect from which account. One that is live for each customer."""

from __future__ import annotations

import re
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.billing.papers.epc import is_iban
from app.billing.sepa.models import SepaMandate
from app.errors import Invalid, NotFound, Problem
from app.network.models import Operator
from app.network.parties.customers import customer
from app.network.people import Person

_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")
_REFERENCE = re.compile(r"[A-Za-z0-9+?/:().,'\-]{1,35}")


class MandateKnown(Problem):
    """The customer has a live mandate, or the reference is taken."""

    code = "mandate_known"
    status = 409
    title = "There is such a mandate already: revoke it first, or use another reference."


def sign(
    session: Session, operator: Operator, *, party_id: UUID, reference: str, scheme: str, signed_on: date,
    debtor_name: str, iban: str, bic: str | None, now: datetime,
) -> SepaMandate:  # fmt: skip
    """Keep a mandate that a customer of the operator signed. Raises Invalid, NotFound, MandateKnown."""
    account = "".join(iban.split()).upper()
    if not is_iban(account):
        raise Invalid.field("iban", "is no IBAN: check its digits")
    if bic is not None and not _BIC.fullmatch(bic):
        raise Invalid.field("bic", "is no BIC; it may be left out")
    if not _REFERENCE.fullmatch(reference):
        raise Invalid.field("reference", "use 1 to 35 letters, digits and + ? / - : ( ) . , '")
    if signed_on > now.date():
        raise Invalid.field("signed_on", "must not be in the future")
    party = customer(session, operator, party_id)
    values = {
        "operator_id": operator.id, "party_id": party.id, "reference": reference, "scheme": scheme,
        "signed_on": signed_on, "debtor_name": debtor_name, "iban": account, "bic": bic, "created_at": now,
    }  # fmt: skip
    made = session.scalars(insert(SepaMandate).values(values).on_conflict_do_nothing().returning(SepaMandate))
    mandate = made.one_or_none()
    if mandate is None:
        raise MandateKnown(reference=reference)
    return mandate


def find(session: Session, mandate_id: UUID, *, person: Person) -> SepaMandate:
    """Raises NotFound."""
    found = session.scalars(select(SepaMandate).where(SepaMandate.uid == mandate_id)).one_or_none()
    if found is None:
        raise NotFound()
    person.require_books(found.operator_id)
    return found


def revoke(session: Session, mandate: SepaMandate, *, now: datetime) -> SepaMandate:
    """No debit is made of it any more. Once more changes nothing."""
    mandate.revoked_at = mandate.revoked_at or now
    session.flush()
    return mandate
