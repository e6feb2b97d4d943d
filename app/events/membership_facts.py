"""Events about memberships: what was signed, changed, paused and ended, and what is owed for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.events.catalogue import DomainEvent, event
from app.events.meanings import FEE, Meaning, code, id_of, objects

DAY = "ISO 8601 calendar day, local to the space"


def day(text: str, example: str = "2026-03-01") -> Meaning:
    return Meaning(text, unit=DAY, example=example)


_IDS = {
    "membership_id": id_of("a membership", "The membership."),
    "operator_id": id_of("an operator", "The legal entity it was signed with."),
    "member_id": id_of("a member", "Who signed it, or answers for the team that did."),
    "team_id": id_of("a team", "The team that shares it; null when one person has it alone."),
    "plan_version_id": id_of("a plan version", "The version of the plan it follows from that day on."),
}


def _says(*names: str, **own: Meaning) -> dict[str, Meaning]:
    return {**{name: _IDS[name] for name in ("membership_id", "operator_id", "member_id", *names)}, **own}


@event(
    "membership.started",
    version=1,
    aggregate="membership",
    by="network.memberships.starting",
    says=_says(
        "team_id",
        "plan_version_id",
        starts_on=day("Its first day."),
        ends_on=day("Its last day; null when none was agreed.", "2026-12-31"),
    ),
)
@dataclass(frozen=True, slots=True)
class MembershipStarted(DomainEvent):
    """A membership was signed."""

    membership_id: str
    operator_id: str
    space_id: str
    member_id: str
    plan_version_id: str
    starts_on: str
    ends_on: str | None = None
    team_id: str | None = None


@event(
    "membership.changed",
    version=1,
    aggregate="membership",
    by="network.memberships.changing",
    says=_says(
        "plan_version_id",
        previous_plan_version_id=id_of("a plan version", "The version it followed before."),
        from_day=day("The first day under the new version."),
        ends_on=day(
            "Its last day, if one is agreed; both versions are the same where it is this that changed.", "2026-12-31"
        ),
    ),
)
@dataclass(frozen=True, slots=True)
class MembershipChanged(DomainEvent):
    """From a day on, the membership follows another version of a plan."""

    membership_id: str
    operator_id: str
    space_id: str
    member_id: str
    plan_version_id: str
    previous_plan_version_id: str
    from_day: str
    ends_on: str | None = None


@event(
    "membership.paused",
    version=1,
    aggregate="membership",
    by="network.memberships.pausing",
    says=_says(
        from_day=day("The first day of the pause."),
        until_day=day("The last day of the pause; null until it is resumed.", "2026-03-31"),
    ),
)
@dataclass(frozen=True, slots=True)
class MembershipPaused(DomainEvent):
    """Cycles and billing stand still from a day on."""

    membership_id: str
    operator_id: str
    space_id: str
    member_id: str
    from_day: str
    until_day: str | None = None


@event(
    "membership.resumed",
    version=1,
    aggregate="membership",
    by="network.memberships.pausing",
    says=_says(from_day=day("The first day on which it runs again.")),
)
@dataclass(frozen=True, slots=True)
class MembershipResumed(DomainEvent):
    """A pause was ended."""

    membership_id: str
    operator_id: str
    space_id: str
    member_id: str
    from_day: str


@event(
    "membership.ended",
    version=1,
    aggregate="membership",
    by="network.memberships.ending",
    says=_says(
        ends_on=day("Its last day.", "2026-03-31"),
        reason=code("Who or what ended it.", "member", "staff", "term"),
    ),
)
@dataclass(frozen=True, slots=True)
class MembershipEnded(DomainEvent):
    """The membership's last day is settled."""

    membership_id: str
    operator_id: str
    space_id: str
    member_id: str
    ends_on: str
    reason: str


@event(
    "membership.charged",
    version=1,
    aggregate="membership",
    by="network.memberships.charging",
    says=_says(
        payer_id=id_of("a party", "Who pays; null is the member as a private person."),
        lines=objects("What is owed, or owed back where negative; one part of a cycle each.", FEE),
    ),
)
@dataclass(frozen=True, slots=True)
class MembershipCharged(DomainEvent):
    """Something is owed for a membership: a cycle's fee, or a difference after a change, a pause or an end."""

    membership_id: str
    operator_id: str
    space_id: str
    member_id: str
    lines: list[dict[str, Any]]
    payer_id: str | None = None
