"""Parties: who pays, as a document names them; and what the tax authorities answered about a VAT number."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, column, func, select, table
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Key, PublicId
from app.tenancy import Scope, by_the_system, is_own, seen

# Charges live in a package that this one may not import; whose books name a party depends on them all the same.
_charges = table("charge", column("party_id"), column("operator_id"))


def by_itself_and_its_suppliers(entity: Any, scope: Scope) -> ColumnElement[bool]:
    """A party is seen by the member it stands for, its employer's administrators, and who keeps the books of an
    operator that charged it."""
    own = is_own(entity.member_id, scope) | entity.employer_id.in_(scope.employer_ids)
    if not scope.books_ids:
        return own
    charged = select(_charges.c.party_id).where(_charges.c.operator_id.in_(scope.books_ids)).scalar_subquery()
    return own | entity.id.in_(charged)


@seen(by_itself_and_its_suppliers)
class Party(Base):
    """A customer as documents name it: a private person, or a business where `is_business`.

    Stands for one member (at most one such row each), one employer, or, through Team.party_id, a team. `vat_number`
    has the country's letters and is checked for form; `vat_status` is what is known about it: `unchecked`, `valid`,
    `invalid` (VIES said no), `unknown` (VIES did not answer).
    """

    __tablename__ = "party"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    employer_id: Mapped[int | None] = mapped_column(ForeignKey("employer.id"))
    name: Mapped[str]
    street: Mapped[str] = mapped_column(server_default="")
    postcode: Mapped[str] = mapped_column(server_default="")
    town: Mapped[str] = mapped_column(server_default="")
    country: Mapped[str]
    is_business: Mapped[bool] = mapped_column(server_default="false")
    company_number: Mapped[str | None]  # numéro BCE, or SIREN or SIRET
    vat_number: Mapped[str | None]
    vat_status: Mapped[str] = mapped_column(server_default="unchecked")
    vat_checked_at: Mapped[datetime | None]
    email: Mapped[str | None]
    locale: Mapped[str] = mapped_column(server_default="fr")
    purchase_order: Mapped[str | None]
    revision: Mapped[int] = mapped_column(server_default="0")
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        CheckConstraint("vat_status IN ('unchecked', 'valid', 'invalid', 'unknown')", name="vat_status"),
        Index("uq_party_member_id", "member_id", unique=True),
        Index("uq_party_employer_id", "employer_id", unique=True),
    )


@seen(by_the_system)
class VatNumberCheck(Base):
    """One question to VIES about a party's number and its answer, with the consultation number as evidence.

    `answer`: yes, no, or none (no answer: the member state or the service was away).
    """

    __tablename__ = "vat_number_check"
    id: Mapped[Key]
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    vat_number: Mapped[str]
    asked_at: Mapped[datetime]
    answer: Mapped[str]
    detail: Mapped[str] = mapped_column(server_default="")
    consultation: Mapped[str | None]
    __table_args__ = (CheckConstraint("answer IN ('yes', 'no', 'none')", name="answer"),)
