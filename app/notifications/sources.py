"""What a kind of mail reads when it is composed, and who is told that it was handed over: a table that packages fill.

A mail about something that this package may not know, such as a document, names it by its id; whoever knows both sides
(workers/notifications.py) enters here how to read it, and what comes with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.notifications.models import Notification


class NotYet(Exception):
    """What is to come with the mail is being made: the mail waits. That is no failure of the mail."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that comes with a mail; `media` is like `application/pdf`."""

    name: str
    media: str
    octets: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """What a letter is told beside its facts, and the files that come with it."""

    more: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[File] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What is read for: a mail, where files are (PASSERELLE_HOME), and when."""

    notification: Notification
    home: Path
    now: datetime


Read = Callable[[Session, Asked], Found | None]
Sent = Callable[..., object]  # (session: Session, notification: Notification, *, now: datetime)


@dataclass(frozen=True, slots=True)
class Source:
    """`read` answers None when there is nothing to tell any more, and raises NotYet; what it has written stays.

    `sent` is called in the transaction that records that a mail was handed over: once for each mail.
    """

    read: Read
    sent: Sent | None = None


SOURCES: dict[str, Source] = {}


def enter(kind: str, source: Source) -> None:
    """Say what stands behind a kind of mail. Again is harmless; the last holds."""
    SOURCES[kind] = source


def read(session: Session, asked: Asked) -> Found | None:
    """What the mail's kind reads for itself: nothing, for most. Raises NotYet."""
    source = SOURCES.get(asked.notification.kind)
    return source.read(session, asked) if source else Found()


def tell_sent(session: Session, notification: Notification, *, now: datetime) -> None:
    """Tell whoever the mail is about that it was handed over."""
    source = SOURCES.get(notification.kind)
    if source and source.sent:
        source.sent(session, notification, now=now)
