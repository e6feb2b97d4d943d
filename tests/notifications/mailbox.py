"""What people find in their mailboxes: everything due is sent into a folder, and read back by the email package."""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import icalendar
from sqlalchemy.orm import sessionmaker

from app.config import Config
from app.db import TenantSession
from app.notifications.composing import Mail, Stationery
from app.notifications.outbox_folder import OutboxFolder
from app.notifications.sending import Sender
from app.timekeeper import Clock

ADDRESS = "https://passerelle.example"


@dataclass(frozen=True)
class Told:
    """One mail, as a mail program shows it."""

    message: EmailMessage

    @property
    def to(self) -> str:
        return str(self.message["To"])

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    @property
    def calendars(self) -> list[Any]:
        """The calendar files that come with it."""
        parts = [part for part in self.message.walk() if part.get_content_type() == "text/calendar"]
        return [icalendar.Calendar.from_ical(part.get_payload(decode=True)) for part in parts]

    @property
    def methods(self) -> list[str]:
        """The METHOD that each calendar file's part names."""
        parts = [part for part in self.message.walk() if part.get_content_type() == "text/calendar"]
        return [str(part.get_param("method")) for part in parts]

    def _part(self, subtype: str) -> str:
        (part,) = (part for part in self.message.walk() if part.get_content_type() == f"text/{subtype}")
        content: str = part.get_content()
        return content


class Noted(OutboxFolder):
    """A folder of mails that remembers their order; names of files do not tell it within a millisecond."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.sent: list[Path] = []

    def send(self, mail: Mail) -> None:
        super().send(mail)
        self.sent.append(self.folder / mail.day / f"{mail.uid}.eml")


class Mailbox:
    """The mails of one installation, in the order of sending; `new()` sends what is due and gives what came with it."""

    def __init__(self, make_session: sessionmaker[TenantSession], home: Path, clock: Clock) -> None:
        config = Config(home=home, public_url=ADDRESS)
        self.folder = Noted(home)
        self.sender = Sender(make_session, self.folder, Stationery.of(config), clock=clock, jitter=lambda: 0.5)

    def new(self) -> list[Told]:
        while self.sender.send_due():
            pass
        files, self.folder.sent = self.folder.sent, []
        return [read(file.read_bytes()) for file in files]


def read(octets: bytes) -> Told:
    message = message_from_bytes(octets, policy=default)
    assert isinstance(message, EmailMessage)
    assert not message.defects and not any(part.defects for part in message.walk())
    return Told(message)
