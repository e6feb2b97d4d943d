"""Taking a mail out of the house: the port, and what can come of it.

Two ways out: by SMTP, and into files where there is no server. Both take the same mail any number of times.
"""

from __future__ import annotations

from typing import Protocol

from app.notifications.composing import Mail


class Trouble(Exception):
    """A mail that did not go; says what the other side said. No address is in it but those it quoted itself."""


class Refused(Trouble):
    """The recipient's address does not take it, for good. `status` is of RFC 3463: 5.1.1."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status
        self.text = text


class Rejected(Trouble):
    """This mail was not taken; whether it ever is, only another try can tell."""


class Unreachable(Trouble):
    """Nobody takes any mail just now: no connection, no encryption, no sign-in. It says nothing about this mail."""


class Transport(Protocol):
    def send(self, mail: Mail) -> None:
        """Raises Refused, Rejected or Unreachable; a mail may have gone out all the same after the last two."""

    def close(self) -> None:
        """Let go of any connection; the next `send` makes another."""
