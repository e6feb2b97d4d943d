"""Networks, operators, spaces and people: the rows, and who sees them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    column,
    func,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import LargeBinary, Text

from app.db import Base, Key, PublicId
from app.tenancy import Scope, by_everyone, by_owner, by_staff, by_the_system, is_own, seen


@seen(by_everyone)
class Network(Base):
    """A group of operators with common rules (réseau)."""

    __tablename__ = "network"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    country: Mapped[str]


@seen(by_everyone)
class Operator(Base):
    """The legal entity that runs one or more spaces (exploitant). Legal identifiers are public by law; the IBAN is
    shown to its own staff only (schemas decide)."""

    __tablename__ = "operator"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    network_id: Mapped[int] = mapped_column(ForeignKey("network.id"), index=True)
    name: Mapped[str]
    country: Mapped[str]
    company_number: Mapped[str] = mapped_column(unique=True)  # numéro BCE, or SIREN
    vat_number: Mapped[str | None] = mapped_column(unique=True)
    iban: Mapped[str]
    currency: Mapped[str] = mapped_column(server_default="EUR")


@seen(by_everyone)
class VatRegime(Base):
    """The regime an operator is under from a day on: standard, small_business or association."""

    __tablename__ = "vat_regime"
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"), primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    regime: Mapped[str]
    __table_args__ = (CheckConstraint("regime IN ('standard', 'small_business', 'association')", name="regime"),)


@seen(by_everyone)
class Space(Base):
    """A place with an address, a time zone and opening hours (espace, tiers-lieu).

    `revision` grows, by trigger, with every change of the space's catalogue (hours, resources, rules, prices), so that
    whoever holds a copy can tell in one comparison whether it is still right.
    """

    __tablename__ = "space"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    slug: Mapped[str] = mapped_column(unique=True)
    network_id: Mapped[int] = mapped_column(ForeignKey("network.id"), index=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"), index=True)
    name: Mapped[str]
    street: Mapped[str] = mapped_column(server_default="")
    postcode: Mapped[str]
    town: Mapped[str]
    country: Mapped[str]
    region: Mapped[str | None]  # subdivision with holidays of its own, e.g. 57 (Moselle)
    timezone: Mapped[str]
    latitude: Mapped[float]
    longitude: Mapped[float]
    closed_on_holidays: Mapped[bool] = mapped_column(server_default="true")
    revision: Mapped[int] = mapped_column(server_default="1")
    event_seq: Mapped[int] = mapped_column(server_default="0")


# Bookings live in a package that this one may not import; who may see a member depends on them all the same.
_bookings = table("booking", column("member_id"), column("space_id"))
_memberships = table("membership", column("member_id"), column("space_id"))


def by_themselves_and_their_hosts(entity: Any, scope: Scope) -> ColumnElement[bool]:
    """A member is seen by themselves, and by staff of the spaces where they hold or held a booking or a membership."""
    guests = [
        select(row.c.member_id).where(row.c.space_id.in_(scope.space_ids)).scalar_subquery()
        for row in (_bookings, _memberships)
    ]
    if not scope.space_ids:
        return entity.id == scope.member_id
    return or_(entity.id == scope.member_id, *(entity.id.in_(guest) for guest in guests))


@seen(by_themselves_and_their_hosts)
class Member(Base):
    """A person with a login. Erasure blanks the row (`erased_at`); documents keep their own copy of the name."""

    __tablename__ = "member"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    network_id: Mapped[int | None] = mapped_column(ForeignKey("network.id"))
    email: Mapped[str | None]
    name: Mapped[str]
    locale: Mapped[str] = mapped_column(server_default="fr")
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    erased_at: Mapped[datetime | None]
    __table_args__ = (Index("uq_member_email", func.lower(text("email")), unique=True),)


@seen(by_owner)
class RoleGrant(Base):
    """A role of a member in one space, operator, employer, network or funder, or on the platform (scope_id 0)."""

    __tablename__ = "role_grant"
    id: Mapped[Key]
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    role: Mapped[str]
    scope_type: Mapped[str]
    scope_id: Mapped[int] = mapped_column(server_default="0")
    __table_args__ = (
        UniqueConstraint("member_id", "role", "scope_type", "scope_id"),
        CheckConstraint(
            "scope_type IN ('space', 'operator', 'employer', 'network', 'funder', 'platform')", name="scope_type"
        ),
    )


@seen(by_owner)
class ApiToken(Base):
    """A bearer token or a browser's session: only the SHA-256 of the secret is kept. `scopes` limit what it may do."""

    __tablename__ = "api_token"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), index=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    kind: Mapped[str] = mapped_column(server_default="api")  # api | session
    name: Mapped[str] = mapped_column(server_default="")
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{read,write}")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


@seen(lambda entity, scope: entity.id.in_(scope.employer_ids))
class Employer(Base):
    """A company or public body that buys teleworker day-passes."""

    __tablename__ = "employer"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    name: Mapped[str]
    country: Mapped[str]
    vat_number: Mapped[str | None]


@seen(by_owner)
class Teleworker(Base):
    """An employee of an employer, who receives passes."""

    __tablename__ = "teleworker"
    employer_id: Mapped[int] = mapped_column(ForeignKey("employer.id"), primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), primary_key=True)


@seen(lambda entity, scope: entity.id.in_(scope.funder_ids))
class Funder(Base):
    """A Region or another public body that pays for programmes of coworking vouchers."""

    __tablename__ = "funder"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    name: Mapped[str]
    country: Mapped[str]


@seen(by_staff)
class AuditEntry(Base):
    """A look at, or a change of, somebody else's data by staff: who, what, when."""

    __tablename__ = "audit_entry"
    id: Mapped[Key]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    space_id: Mapped[int | None] = mapped_column(ForeignKey("space.id"), index=True)
    action: Mapped[str]
    subject: Mapped[str] = mapped_column(server_default="")


@seen(by_the_system)
class IdempotentAnswer(Base):
    """What was answered to a request, so that its repetition is answered the same. Kept 24 hours."""

    __tablename__ = "idempotent_answer"
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), primary_key=True)
    method: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int]
    headers: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


def by_owner_and_books(entity: Any, scope: Scope) -> ColumnElement[bool]:
    """The member it is about, and who keeps the operator's books."""
    return is_own(entity.member_id, scope) | entity.operator_id.in_(scope.books_ids)


@seen(by_owner_and_books)
class BookingSuspension(Base):
    """A member who may not book with an operator while something is unpaid; `source` says what, once for each."""

    __tablename__ = "booking_suspension"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    source: Mapped[str] = mapped_column(unique=True)
    since: Mapped[datetime]
    lifted_at: Mapped[datetime | None]
    __table_args__ = (
        Index("ix_booking_suspension_standing", "member_id", "operator_id",
              postgresql_where=text("lifted_at IS NULL")),
    )  # fmt: skip
