"""Receivers outside the house, their secrets, and every delivery with its attempts: the rows, and who sees them."""

from __future__ import annotations

from datetime import datetime
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
    or_,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer, Text

from app.db import Base, Key, PublicId
from app.tenancy import Scope, seen

STATES = ("active", "disabled")
REASONS = ("gone", "failing", "by_hand")  # why one is disabled: answered 410, failed for days, a person did it
DELIVERY_STATES = ("pending", "sending", "delivered", "failed", "given_up", "cancelled")
# Still to be sent, which the sender looks at while their receiver is active.
OPEN = ("pending", "failed", "sending")

# Criteria on tables by name: criteria on the classes would be limited again by themselves.
_spaces = table("space", column("id"), column("operator_id"))
_webhooks = table("webhook", column("id"), column("operator_id"), column("network_id"))
_deliveries = table("webhook_delivery", column("id"), column("webhook_id"))


def by_staff_of_its_holder(entity: Any, scope: Scope) -> ColumnElement[bool]:
    """Seen by those with a role at the operator, in a space of it, or at the network. What they may do is asked by
    `subscribing`, which lets managers of the whole operator and the network's coordinators alone."""
    in_a_space = select(_spaces.c.operator_id).where(_spaces.c.id.in_(scope.space_ids))
    return or_(
        entity.operator_id.in_(scope.operator_ids),
        entity.operator_id.in_(in_a_space.scalar_subquery()),
        entity.network_id.in_(scope.network_ids),
    )


def by_staff_of_the_receiver(entity: Any, scope: Scope) -> ColumnElement[bool]:
    """Seen by those who see the webhook it belongs to."""
    return entity.webhook_id.in_(_of_the_receiver(scope))


def by_staff_of_the_delivery(entity: Any, scope: Scope) -> ColumnElement[bool]:
    seen_by_them = select(_deliveries.c.id).where(_deliveries.c.webhook_id.in_(_of_the_receiver(scope)))
    return entity.delivery_id.in_(seen_by_them.scalar_subquery())


def _of_the_receiver(scope: Scope) -> Any:
    return select(_webhooks.c.id).where(by_staff_of_its_holder(_webhooks.c, scope)).scalar_subquery()


def one_of(name: str, values: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{name} IN ({listed})", name=name)


@seen(by_staff_of_its_holder)
class Webhook(Base):
    """An address outside the house that is told of events: an operator's, or a network's.

    `event_types` are exact types, whole families (`booking.*`) or everything (`*`). `failing_since` is the first
    failure after the last success. Never deleted: archived, and then neither shown nor sent to.
    """

    __tablename__ = "webhook"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("operator.id"))
    network_id: Mapped[int | None] = mapped_column(ForeignKey("network.id"))
    created_by: Mapped[int] = mapped_column(ForeignKey("member.id"))
    url: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    event_types: Mapped[list[str]] = mapped_column(ARRAY(Text))
    state: Mapped[str] = mapped_column(server_default="active")
    disabled_reason: Mapped[str | None]
    disabled_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    event_seq: Mapped[int] = mapped_column(server_default="0")
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    archived_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("num_nonnulls(operator_id, network_id) = 1", name="one_holder"),
        CheckConstraint("(state = 'disabled') = (disabled_reason IS NOT NULL)", name="disabled_reason"),
        one_of("state", STATES),
        Index("ix_webhook_operator_id", "operator_id", postgresql_where=text("archived_at IS NULL")),
        Index("ix_webhook_network_id", "network_id", postgresql_where=text("archived_at IS NULL")),
    )


@seen(by_staff_of_the_receiver)
class WebhookSecret(Base):
    """What messages are signed with: `whsec_` and base64, at most two live at a time.

    Kept readable, unlike tokens: a signature needs the secret itself. It is shown once, and never logged.
    """

    __tablename__ = "webhook_secret"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhook.id"), index=True)
    secret: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]


@seen(by_staff_of_the_receiver)
class WebhookDelivery(Base):
    """One event for one receiver. `body` is frozen: every attempt sends the same bytes under the same message id.

    pending: not tried yet. sending: claimed by a sender until `claimed_until`. failed: tried, and to be tried again at
    `next_attempt_at`. Ended: delivered; given_up (the schedule is over, or the answer was final); cancelled (the
    receiver was disabled or archived first). `attempts` counts every request sent, `spent` those of earlier rounds: a
    redelivery by hand begins the schedule anew.
    """

    __tablename__ = "webhook_delivery"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhook.id"))
    event_id: Mapped[UUID]
    event_type: Mapped[str]
    body: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="pending")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    spent: Mapped[int] = mapped_column(Integer, server_default="0")
    next_attempt_at: Mapped[datetime]
    claimed_until: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        UniqueConstraint("webhook_id", "event_id"),
        one_of("state", DELIVERY_STATES),
        # What is due, by receiver: each gets its turn whatever another has waiting. By time alone there is no index:
        # with one, PostgreSQL walks through everybody's backlog to find one receiver's.
        Index("ix_webhook_delivery_webhook_id_next_attempt_at", "webhook_id", "next_attempt_at",
              postgresql_where=text("state IN ('pending', 'failed', 'sending')")),
        Index("ix_webhook_delivery_webhook_id_id", "webhook_id", "id"),  # the log
    )  # fmt: skip

    @property
    def message_id(self) -> str:
        """The `webhook-id` of every attempt: what a receiver knows a repetition by."""
        return f"msg_{self.uid}"

    @property
    def step(self) -> int:
        """How many attempts of the present round of the schedule were made."""
        return self.attempts - self.spent


@seen(by_staff_of_the_delivery)
class WebhookAttempt(Base):
    """One request and what came back. `error` says why there was no answer, or no success; the signature is left out of
    the headers, and of the answer's body the first 2 KB are kept, as text without NUL."""

    __tablename__ = "webhook_attempt"
    id: Mapped[Key]
    delivery_id: Mapped[int] = mapped_column(ForeignKey("webhook_delivery.id"), index=True)
    attempt: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    url: Mapped[str] = mapped_column(server_default="")  # as it was then
    duration_ms: Mapped[int] = mapped_column(Integer)
    status: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None]
    request_headers: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    response_headers: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    response_body: Mapped[str] = mapped_column(server_default="")
