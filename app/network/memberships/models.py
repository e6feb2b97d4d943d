"""Plans, what people signed, who shares it, and what was drawn from it: the rows, and who sees them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    column,
    func,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer, Text

from app.db import Base, Key, PublicId
from app.ids import new_id
from app.tenancy import Scope, by_everyone, by_owner_or_staff, is_own, seen

# Of a table that says how an office is let: only bare premises need an option, and it ends after it began.
OPTION = (
    "(option_from IS NULL OR letting_equipped IS NOT DISTINCT FROM false)"
    " AND (option_until IS NULL OR option_from IS NOT NULL AND option_until > option_from)"
)

_memberships = table("membership", column("id"), column("member_id"), column("space_id"), column("team_id"))
_teams = table("team", column("id"), column("member_id"), column("operator_id"))
_seats = table("team_seat", column("team_id"), column("member_id"))


def _by_membership(entity: Any, scope: Scope) -> ColumnElement[bool]:
    """Who sees the membership: its member, and staff of its space."""
    row = _memberships.c
    seen_by = is_own(row.member_id, scope) | row.space_id.in_(scope.space_ids)
    return entity.membership_id.in_(select(row.id).where(seen_by).scalar_subquery())


def _by_team(entity: Any, scope: Scope) -> ColumnElement[bool]:
    """Who answers for the team, who sits in it, and who keeps its operator's books."""
    sits = select(_seats.c.team_id).where(is_own(_seats.c.member_id, scope)).scalar_subquery()
    return is_own(entity.member_id, scope) | entity.operator_id.in_(scope.books_ids) | entity.id.in_(sits)


def _by_seat(entity: Any, scope: Scope) -> ColumnElement[bool]:
    """Who sits there, who answers for the team, and who keeps its operator's books."""
    row = _teams.c
    team = select(row.id).where(is_own(row.member_id, scope) | row.operator_id.in_(scope.books_ids))
    return is_own(entity.member_id, scope) | entity.team_id.in_(team.scalar_subquery())


@seen(by_everyone)
class Plan(Base):
    """What an operator offers to members of one of its spaces, or of all of them where `space_id` is null (formule).

    What it includes is in its dated versions.
    """

    __tablename__ = "plan"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("operator.id"), index=True)
    space_id: Mapped[int | None] = mapped_column(ForeignKey("space.id"), index=True)
    name: Mapped[str]
    archived_at: Mapped[datetime | None]


@seen(by_everyone)
class PlanVersion(Base):
    """A plan's terms from a day on; a member keeps the version signed until moved.

    `price_cents` is for one cycle: a calendar month, an ISO week, or a term of `cycle_months` months; with VAT where
    `includes_vat` says so. `anchor` is where cycles begin: on the calendar's boundary, or on the day the membership
    starts. `credits` is a list of pools, each `{kind, unit: minutes|cents, amount, weekdays?, from?, until?}`, per
    cycle; where it is null, `included` (minutes by kind of resource) says the same in its older form. `discounts` is
    a list of `{kind, percent}` off the price of what the plan's holder books. `access` is a list of
    `{weekdays, from, until}`; null is whenever the space is open. `eligibility` names the statuses, one of which the
    member must have shown evidence of; empty is everybody. `letting_equipped` says how the office that the plan is for
    is let (app.vat.lettings.Premises); null is a service.
    """

    __tablename__ = "plan_version"
    id: Mapped[Key]
    uid: Mapped[UUID | None] = mapped_column(unique=True, default=new_id)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"))
    version: Mapped[int]
    valid_from: Mapped[date]
    price_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(server_default="EUR")
    includes_vat: Mapped[bool] = mapped_column(server_default="false")
    cycle: Mapped[str] = mapped_column(server_default="month")
    cycle_months: Mapped[int] = mapped_column(Integer, server_default="1")
    anchor: Mapped[str] = mapped_column(server_default="calendar")
    included: Mapped[dict[str, int]] = mapped_column(JSONB, server_default="{}")
    credits: Mapped[list[Any] | None] = mapped_column(JSONB)
    discounts: Mapped[list[Any]] = mapped_column(JSONB, server_default="[]")
    access: Mapped[list[Any] | None] = mapped_column(JSONB)
    deposit_cents: Mapped[int] = mapped_column(server_default="0")
    notice_days: Mapped[int] = mapped_column(Integer, server_default="0")
    trial_days: Mapped[int] = mapped_column(Integer, server_default="0")
    seats: Mapped[int] = mapped_column(Integer, server_default="1")
    eligibility: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    letting_equipped: Mapped[bool | None]
    option_from: Mapped[date | None]
    option_until: Mapped[date | None]
    __table_args__ = (
        UniqueConstraint("plan_id", "version"),
        CheckConstraint("cycle IN ('month', 'week', 'term')", name="cycle"),
        CheckConstraint("anchor IN ('calendar', 'start')", name="anchor"),
        CheckConstraint("cycle_months BETWEEN 1 AND 60", name="cycle_months"),
        CheckConstraint("price_cents >= 0 AND deposit_cents >= 0", name="amounts"),
        CheckConstraint("notice_days >= 0 AND trial_days >= 0 AND seats >= 1", name="counts"),
        CheckConstraint(OPTION, name="option"),
    )


@seen(_by_team)
class Team(Base):
    """People who share a membership; `member_id` is who answers for it."""

    __tablename__ = "team"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"), index=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), index=True)
    name: Mapped[str]
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


@seen(_by_seat)
class TeamSeat(Base):
    """A member of a team, `[from_day, until_day]` both counted; null is until further notice."""

    __tablename__ = "team_seat"
    id: Mapped[Key]
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), index=True)
    from_day: Mapped[date]
    until_day: Mapped[date | None]
    __table_args__ = (UniqueConstraint("team_id", "member_id", "from_day"),)


@seen(by_owner_or_staff)
class Membership(Base):
    """A member's contract with a space (adhésion). Both days count.

    With a `team_id`, everybody who has a seat in the team uses it, and `member_id` answers for it. `party_id` is who
    pays; null is the member. `plan_version_id` is what was signed first: the terms of a day are the latest
    MembershipTerm begun by then, or this one where there is none. `charged_until` is the last day for which a cycle's
    fee has been asked. `agreed_ends` are the last days agreed to, `[[from day, last day or null], ...]`, once `ends_on`
    is another than was signed: how long a letting was agreed for decides its VAT (lettings.py). Two memberships of one
    member at one space on one day cannot be (`exclusive` rows; older ones may).
    """

    __tablename__ = "membership"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"), index=True)
    plan_version_id: Mapped[int] = mapped_column(ForeignKey("plan_version.id"))
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"), index=True)
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    charged_until: Mapped[date | None]
    exclusive: Mapped[bool] = mapped_column(server_default="false")
    agreed_ends: Mapped[list[Any] | None] = mapped_column(JSONB)
    revision: Mapped[int] = mapped_column(Integer, server_default="0")
    event_seq: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        Index("ix_membership_member_id_space_id", "member_id", "space_id"),
        CheckConstraint("ends_on IS NULL OR ends_on >= starts_on", name="period"),
        ExcludeConstraint(
            (text("int8range(member_id, member_id, '[]')"), "&&"),
            (text("int8range(space_id, space_id, '[]')"), "&&"),
            (text("daterange(starts_on, ends_on, '[]')"), "&&"),
            where=text("exclusive"),
            name="one_membership_of_a_member_at_a_space",
            using="gist",
        ),
    )


@seen(_by_membership)
class MembershipTerm(Base):
    """From `from_day` on, a membership follows this version of a plan. Append-only; the last written of a day holds."""

    __tablename__ = "membership_term"
    id: Mapped[Key]
    membership_id: Mapped[int] = mapped_column(ForeignKey("membership.id"), index=True)
    from_day: Mapped[date]
    plan_version_id: Mapped[int] = mapped_column(ForeignKey("plan_version.id"))
    at: Mapped[datetime] = mapped_column(server_default=func.now())


@seen(_by_membership)
class MembershipPause(Base):
    """Days, both counted, in which a membership's cycles and billing stand still; null is until it is resumed."""

    __tablename__ = "membership_pause"
    id: Mapped[Key]
    membership_id: Mapped[int] = mapped_column(ForeignKey("membership.id"), index=True)
    from_day: Mapped[date]
    until_day: Mapped[date | None]
    __table_args__ = (CheckConstraint("until_day IS NULL OR until_day >= from_day", name="period"),)


@seen(by_owner_or_staff)
class Eligibility(Base):
    """Evidence, seen by staff of a space, that a member has a status (student, job_seeker, founder ...) for a time.

    `evidence` names what was seen (a kind of document and its reference), never a copy of it.
    """

    __tablename__ = "eligibility"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), index=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"))
    status: Mapped[str]
    evidence: Mapped[str]
    valid_from: Mapped[date]
    expires_on: Mapped[date]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (CheckConstraint("expires_on >= valid_from", name="period"),)


@seen(by_owner_or_staff)
class CreditEntry(Base):
    """Plan credit drawn (negative) or given back (positive) for one cycle. Append-only.

    The balance of a pool in a cycle is what the plan version includes plus the sum of the cycle's entries in `unit`
    (`minutes`, or `cents` of the plan's currency). `pool` is its place in the version's list. A booking draws from a
    pool in a cycle at most once and is given back at most once (`uq_credit_entry_once`). One moved too late may draw
    from a pool in two cycles, or from one place in the lists of two versions: what it needs now, and what it forfeited.
    """

    __tablename__ = "credit_entry"
    id: Mapped[Key]
    membership_id: Mapped[int] = mapped_column(ForeignKey("membership.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"))
    cycle: Mapped[date]  # first day of the cycle
    resource_kind: Mapped[str]
    pool: Mapped[int] = mapped_column(Integer, server_default="0")
    minutes: Mapped[int] = mapped_column(server_default="0")
    cents: Mapped[int] = mapped_column(server_default="0")
    reason: Mapped[str]  # drawn | returned
    booking_uid: Mapped[UUID]
    draw_no: Mapped[int] = mapped_column(server_default="1")  # a moved booking draws again
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        Index("uq_credit_entry_once", "booking_uid", "draw_no", "reason", "membership_id", "pool", "cycle",
              "resource_kind", text("(cents <> 0)"), unique=True),
        CheckConstraint(
            "(reason = 'drawn' AND minutes <= 0 AND cents <= 0 OR reason = 'returned' AND minutes >= 0 AND cents >= 0)"
            " AND (minutes = 0) <> (cents = 0)",
            name="sign",
        ),
        Index("ix_credit_entry_membership_id_cycle", "membership_id", "cycle", "resource_kind"),
    )  # fmt: skip
