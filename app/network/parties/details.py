"""Billing details: what a member or an employer has documents say of them, and the checks on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Invalid, NotFound
from app.network.models import Employer, Member
from app.network.parties.models import Party
from app.network.parties.vat_numbers import checked_company_number, checked_vat_number, company_number_in, countries

FIELDS = (
    "name", "street", "postcode", "town", "country", "is_business", "company_number", "vat_number", "email", "locale",
    "purchase_order",
)  # fmt: skip
ADDRESS = ("street", "postcode", "town")
NUMBERS = ("company_number", "vat_number")

Owner = Member | Employer


def employer_of(session: Session, employer_uid: UUID, *, lock: bool = False) -> Employer:
    """An employer that the caller administers. Raises NotFound for any other."""
    wanted = select(Employer).where(Employer.uid == employer_uid)
    employer = session.scalar(wanted.with_for_update(key_share=True) if lock else wanted)
    if employer is None:
        raise NotFound()
    return employer


def party_of(session: Session, owner: Owner) -> Party | None:
    """The party that stands for a member or an employer, if anything has been said or charged yet."""
    own = Party.member_id if isinstance(owner, Member) else Party.employer_id
    return session.scalar(select(Party).where(own == owner.id).execution_options(populate_existing=True))


def draft(owner: Owner) -> Party:
    """What the account alone says, as a row that is never kept."""
    said: dict[str, Any] = {"name": owner.name, "street": "", "postcode": "", "town": "", "vat_status": "unchecked"}
    if isinstance(owner, Member):
        return Party(**said, country="", is_business=False, email=owner.email, locale=owner.locale)
    return Party(**said, country=owner.country, is_business=True, vat_number=owner.vat_number, locale="fr")


def change_details(
    session: Session, owner: Owner, given: dict[str, Any], *, now: datetime, check: Callable[[Party | None], None]
) -> Party:
    """Put what was `given` in the place of all that was there; `check` is handed the row that this changes, or None.

    The owner's row is locked. A VAT number that is new, or of another country now, is asked about anew. Raises Invalid
    naming what is missing or wrong.
    """
    party = party_of(session, owner)
    check(party)
    values = checked(given)
    if party is None:
        own = "member_id" if isinstance(owner, Member) else "employer_id"
        party = Party(**{own: owner.id}, revision=-1, vat_status="unchecked", vat_number=None, country="")
        session.add(party)
    if values["vat_number"] != party.vat_number or values["country"] != party.country:
        party.vat_status, party.vat_checked_at = "unchecked", None
    for field in FIELDS:
        setattr(party, field, values[field])
    party.revision += 1
    party.changed_at = now
    session.flush()
    return party


def checked(given: dict[str, Any]) -> dict[str, Any]:
    """The details in their one spelling. Raises Invalid."""
    values = {**given, "name": given["name"].strip()}
    if values["country"] not in countries():
        raise Invalid.field("country", "is no country: give its two letters, such as BE or FR")
    return _of_a_business(values) if values["is_business"] else _of_a_person(values)


def _of_a_person(values: dict[str, Any]) -> dict[str, Any]:
    if wrong := [field for field in NUMBERS if values[field]]:
        message = "only a business has one: say is_business, or leave it out"
        raise Invalid(errors=[{"field": field, "message": message} for field in wrong])
    return values


def _of_a_business(values: dict[str, Any]) -> dict[str, Any]:
    if missing := [field for field in ADDRESS if not values[field].strip()]:
        message = "is needed: a document to a business has its whole address"
        raise Invalid(errors=[{"field": field, "message": message} for field in missing])
    country, company, vat = values["country"], values["company_number"], values["vat_number"]
    company = checked_company_number(company, country=country) if company else None
    vat = checked_vat_number(vat, country=country) if vat else None
    contained = company_number_in(vat) if vat else None
    if company and contained and not company.startswith(contained):
        raise Invalid.field("vat_number", "is another company's: it does not contain the company number")
    return {**values, "company_number": company or contained, "vat_number": vat}
