"""Mails to people: what is to be told, what each person wants to be told, and addresses that do not take mail."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer, LargeBinary

import app.booking.models
import app.network.parties.models  # noqa: F401
from app.db import Base, Key, PublicId
from app.tenancy import by_owner, by_the_system, seen


@seen(by_owner)
class Notification(Base):
    """One mail to one person, or to a party's own address (`party_id`): then a member's only where it is theirs.

    `key` is what it is about: the same event never makes a second row. `document_uid` is the document that comes with
    it, which another package keeps.

    Frozen when the row is written: the language and the `facts` (times, prices, terms, codes). Read when it is sent,
    and never kept here: names, addresses, titles. So a notification outlives the erasure of its member.

    `attempts` counts the claims, and fences them: who sends may record the outcome of its own claim only.
    """

    __tablename__ = "notification"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    document_uid: Mapped[UUID | None]
    space_id: Mapped[int | None] = mapped_column(ForeignKey("space.id"))
    booking_id: Mapped[int | None] = mapped_column(ForeignKey("booking.id"), index=True)
    event_id: Mapped[UUID | None]
    locale: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    state: Mapped[str] = mapped_column(server_default="pending")
    reason: Mapped[str | None]  # why it was suppressed, failed or bounced: a code
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    send_after: Mapped[datetime] = mapped_column(server_default=func.now())
    useless_after: Mapped[datetime | None]  # its moment: later than that nobody is helped by it
    claimed_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    last_error: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'sending', 'sent', 'failed', 'bounced', 'suppressed')", name="state"),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL) OR state = 'bounced'", name="sent_at"),
        CheckConstraint("num_nonnulls(member_id, party_id) > 0", name="to"),
        Index("ix_notification_to_send", "send_after", "id",
              postgresql_where=text("state IN ('pending', 'sending')")),
        Index("ix_notification_in_trouble", "state", postgresql_where=text("state IN ('failed', 'bounced')")),
        Index("ix_notification_member_id_id", "member_id", "id"),
        Index("ix_notification_party_id_id", "party_id", "id", postgresql_where=text("party_id IS NOT NULL")),
        Index("ix_notification_document_uid", "document_uid", postgresql_where=text("document_uid IS NOT NULL")),
        Index("ix_notification_undelivered", "document_uid", postgresql_where=text(
            "document_uid IS NOT NULL AND state IN ('suppressed', 'bounced', 'failed')")),
    )  # fmt: skip


@seen(by_owner)
class NotificationPreference(Base):
    """What a person wants of one kind of mail. Without a row, the kind's default holds."""

    __tablename__ = "notification_preference"
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    wanted: Mapped[bool]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


@seen(by_the_system)
class MailAddressState(Base):
    """An address that sent mail back. Only its hash is kept; `hard` means that nothing is sent there any more."""

    __tablename__ = "mail_address_state"
    address_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    bounced_at: Mapped[datetime]
    bounce_kind: Mapped[str]
    count: Mapped[int] = mapped_column(Integer, server_default="1")
    last_error: Mapped[str | None]
    __table_args__ = (CheckConstraint("bounce_kind IN ('hard', 'soft')", name="bounce_kind"),)
