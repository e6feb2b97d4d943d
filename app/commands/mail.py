"""`passerelle mail`: what becomes of our mails."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from app.commands.sessions import one_session
from app.commands.terminal import now

if TYPE_CHECKING:
    from app.notifications.reports import Failure

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: mail servers keep what they piped in, and do so again


@click.group()
def mail() -> None:
    """Take from the mail server what becomes of our mails."""


@mail.command()
def bounced() -> None:
    """Read, from standard input, a report that a mail came back, as a mail server pipes it in.

    Ends with 0 for any other mail, too, which nobody wants back; with 75 when it cannot be recorded now and should be
    piped in again.
    """
    from app.notifications.reports import LARGEST, read_report

    octets = sys.stdin.buffer.read(LARGEST)
    while sys.stdin.buffer.read(LARGEST):
        pass  # a server whose pipe breaks takes the report for undelivered
    if (failure := read_report(octets)) is None:
        click.echo("No report of a failed mail.")
        return
    try:
        click.echo(_recorded(failure))
    except Exception as error:  # whatever it is, the report must not be lost
        sys.stderr.write(f"passerelle: {type(error).__name__}: the report could not be recorded now\n")
        sys.exit(TRY_AGAIN)


def _recorded(failure: Failure) -> str:
    from app.notifications.bounces import record_report

    with one_session() as session:
        notification = record_report(session, failure, now=now())
        if notification is None:
            return "It names no mail of ours."
        return f"{notification.state} {notification.uid} {notification.reason}"
