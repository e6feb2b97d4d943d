"""What a person asks for, once its shape has been checked and before any rule has been asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.booking.recurrence import Recurrence

CREDIT, MONEY = "credit", "money"
SOURCES = (CREDIT, MONEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A booking as wished. `extras` are resources of kind equipment; `cover` is the order in which to pay."""

    resource_id: UUID
    start: datetime
    end: datetime
    title: str = ""
    attendees: tuple[str, ...] = ()
    extras: tuple[UUID, ...] = ()
    cover: tuple[str, ...] = SOURCES
    recurrence: Recurrence | None = None
