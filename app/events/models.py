"""The outbox and the consumers' memory. The bus may forget; these rows do not."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer, String

from app.db import Base, Key
from app.tenancy import by_the_system, seen


@seen(by_the_system)
class OutboxRow(Base):
    """A domain event, recorded in the transaction that made it true. `seq` counts per aggregate, from 1, without gap.

    `published_at` is when the bus confirmed it; `settled_at` is when every consumer's receipt was seen, after which the
    reconciler no longer looks at the row.
    """

    __tablename__ = "outbox"
    id: Mapped[Key]
    event_id: Mapped[UUID] = mapped_column(unique=True)
    aggregate_type: Mapped[str]
    aggregate_id: Mapped[UUID]
    seq: Mapped[int]
    type: Mapped[str]
    version: Mapped[int] = mapped_column(Integer)
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    envelope: Mapped[str]  # CloudEvents 1.0, structured JSON, exactly as it goes on the wire
    published_at: Mapped[datetime | None]
    publish_count: Mapped[int] = mapped_column(Integer, server_default="0")
    settled_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("aggregate_type", "aggregate_id", "seq"),
        Index("ix_outbox_unpublished", "id", postgresql_where=text("published_at IS NULL")),
        Index("ix_outbox_unsettled", "id", postgresql_where=text("settled_at IS NULL")),
    )


@seen(by_the_system)
class Delivery(Base):
    """What one consumer did with one event: done, parked (an earlier one is missing), failed (to be tried again at
    `next_attempt_at`), dead (given up, waits for a person) or skipped (not a type it handles).

    A parked event gets a `next_attempt_at` when the one before it is done: its turn has come.
    """

    __tablename__ = "delivery"
    consumer: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    aggregate_type: Mapped[str]
    aggregate_id: Mapped[UUID]
    seq: Mapped[int]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    last_error: Mapped[str | None]
    next_attempt_at: Mapped[datetime | None]
    envelope: Mapped[str | None]  # kept while parked, failed or dead: what will be handled then
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    __table_args__ = (
        CheckConstraint("state IN ('done', 'parked', 'failed', 'dead', 'skipped')", name="state"),
        Index("ix_delivery_waiting", "consumer", "aggregate_type", "aggregate_id", "seq",
              postgresql_where=text("state IN ('parked', 'failed', 'dead')")),
        Index("ix_delivery_next_attempt_at", "consumer", "next_attempt_at",
              postgresql_where=text("next_attempt_at IS NOT NULL")),
    )  # fmt: skip


@seen(by_the_system)
class Cursor(Base):
    """How far one consumer is in one aggregate's sequence. Its row lock serialises the consumer per aggregate.

    `parked_to` is the highest number ever parked: while it is not above `last_seq`, nothing waits behind.
    """

    __tablename__ = "cursor"
    consumer: Mapped[str] = mapped_column(primary_key=True)
    aggregate_type: Mapped[str] = mapped_column(primary_key=True)
    aggregate_id: Mapped[UUID] = mapped_column(primary_key=True)
    last_seq: Mapped[int] = mapped_column(server_default="0")
    parked_to: Mapped[int] = mapped_column(server_default="0")


@seen(by_the_system)
class Subscription(Base):
    """That a consumer takes the events of a kind of aggregate: all of them, or those recorded after `after`."""

    __tablename__ = "subscription"
    consumer: Mapped[str] = mapped_column(primary_key=True)
    aggregate_type: Mapped[str] = mapped_column(primary_key=True)
    after: Mapped[datetime | None]


@seen(by_the_system)
class Due(Base):
    """Something that becomes due: the timekeeper calls `kind`'s handler with `subject_id` once `at` has come."""

    __tablename__ = "due"
    kind: Mapped[str] = mapped_column(primary_key=True)
    subject_id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    last_error: Mapped[str | None]
    __table_args__ = (Index("ix_due_at", "at"),)


@seen(by_the_system)
class EventArchive(Base):
    """A file of events that were settled long ago, in the folder of the host that wrote it.

    `emptied_at` is when none of its events was in the outbox any more; without it they still are, or are again, because
    somebody needed them. `consumers` are those that were subscribed to its aggregate types when it was written or last
    restored: one that came later has not had these events.
    """

    __tablename__ = "event_archive"
    name: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    first_id: Mapped[int]
    last_id: Mapped[int]
    count: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str]
    aggregate_types: Mapped[list[str]] = mapped_column(ARRAY(String))
    consumers: Mapped[list[str]] = mapped_column(ARRAY(String))
    recorded_from: Mapped[datetime]
    recorded_to: Mapped[datetime]
    archived_at: Mapped[datetime]
    emptied_at: Mapped[datetime | None]


@seen(by_the_system)
class Figure(Base):
    """What one process sees and others report: `note` is in words, `at` is since when, or when it was seen."""

    __tablename__ = "figure"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]
    note: Mapped[str | None]
    at: Mapped[datetime]
