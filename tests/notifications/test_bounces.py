"""Mails that come back: reports of every make are read, hostile ones do no harm, an address is given up rightly."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.ids import new_id
from app.network.models import Member
from app.notifications.bounces import (
    confirm_address,
    mails_come_back,
    record_refusal,
    record_report,
    severity,
    without_address,
)
from app.notifications.models import MailAddressState, Notification
from app.notifications.reports import LARGEST, Failure, read_report, status_in
from tests.builders import a_member, saved
from tests.conftest import Clock

UID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
ANA = "ana@example.org"
REPORT = """From: MAILER-DAEMON@mx.example (Mail Delivery System)
To: bounces@network.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied-not
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"
Message-Id: <20260302@mx.example>

--b1
Content-Type: text/plain; charset={charset}

I'm sorry to have to inform you that your message could not be delivered.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
X-Postfix-Queue-ID: 4F2

Final-Recipient: rfc822; {final}
Original-Recipient: rfc822;{original}
Action: {action}
Status: {status}
Remote-MTA: dns; mail.example.org
Diagnostic-Code: {diagnostic}

--b1
Content-Type: {returned}

Message-ID: <{uid}@network.example>
From: Passerelle <bookings@network.example>
To: ana@example.org
Subject: Booked

--b1--
"""


def a_report(uid: UUID = UID, **values: str) -> bytes:
    """A report as Postfix writes it."""
    defaults = {
        "status": "5.1.1", "action": "failed", "original": ANA, "final": ANA, "charset": "us-ascii",
        "diagnostic": "smtp; 550 5.1.1 <ana@example.org>: User unknown", "returned": "message/rfc822",
    }  # fmt: skip
    return REPORT.format(uid=uid, **{**defaults, **values}).replace("auto-replied-not", "auto-generated").encode()


EXCHANGE = f"""From: <postmaster@contoso.example>
To: <bookings@network.example>
Subject: =?utf-8?B?Tm9uIHJlbWlz?=
Content-Type: multipart/report; report-type=delivery-status; boundary="=_x"
In-Reply-To: <{UID}@network.example>
References: <{UID}@network.example>
Message-ID: <5b5f0a2a-0000-4000-8000-000000000001@CONTOSO.example>

--=_x
Content-Type: multipart/alternative; boundary="=_y"

--=_y
Content-Type: text/html; charset="windows-1252"
Content-Transfer-Encoding: base64

PGh0bWw+PGJvZHk+VHJhbnNwb3J0IDIuMS41PC9ib2R5PjwvaHRtbD4=

--=_y--
--=_x
Content-Type: message/delivery-status

Reporting-MTA: dns;contoso.example
Received-From-MTA: dns;network.example

Final-Recipient: rfc822;ana@example.org
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup

--=_x--
""".encode()

PLAIN = f"""Return-Path: <>
From: MAILER-DAEMON@old.example
To: bookings@network.example
Subject: failure notice

Hi. This is the mail program at old.example.
I'm afraid I wasn't able to deliver your message to the following addresses.

<ana@example.org>:
Connected to 192.0.2.7 but recipient was rejected.
Remote host said: 550 No such user here

--- Below this line is a copy of the message.

Message-ID: <{UID}@network.example>
Subject: Booked
""".encode()

EXIM = f"""X-Failed-Recipients: ana@example.org
From: Mail Delivery System <Mailer-Daemon@exim.example>
Subject: Mail delivery failed: returning message to sender
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

A message that you sent could not be delivered to one or more of its recipients.

  ana@example.org
    SMTP error from remote mail server after RCPT TO:
    552 5.2.2 mailbox full

Message-ID: <{str(UID)[:20]}=
{str(UID)[20:]}@network.example>
""".encode()


@pytest.mark.parametrize(
    ("octets", "status", "recipient"),
    [
        (a_report(), "5.1.1", ANA),
        (a_report(status="4.4.7", diagnostic="smtp; 421 4.4.7 timed out"), "4.4.7", ANA),
        (a_report(returned="text/rfc822-headers"), "5.1.1", ANA),
        (a_report(charset="no-such-charset"), "5.1.1", ANA),
        (a_report(status="", diagnostic="smtp; 550 5.7.1 blocked"), "5.7.1", ANA),
        (a_report(status="5", diagnostic="smtp; 550-nobody"), "5.0.0", ANA),
        (a_report(status="?", diagnostic="x-unknown"), "4.0.0", ANA),
        (a_report().replace(b"\n", b"\r\n"), "5.1.1", ANA),
        (EXCHANGE, "5.1.10", None),
        (PLAIN, "5.0.0", None),
        (EXIM, "5.2.2", None),
    ],
)
def test_a_report_says_which_mail_failed_and_how(octets: bytes, status: str, recipient: str | None) -> None:
    failure = read_report(octets)
    assert failure is not None
    assert (failure.status, failure.recipient) == (status, recipient)
    assert UID in failure.named


AWAY = f"""From: ana@example.org
Auto-Submitted: auto-replied
Subject: Back on 5.1.26
In-Reply-To: <{UID}@network.example>

I am away until 5.1.26. Call 550 1234.
""".encode()


@pytest.mark.parametrize(
    "octets",
    [
        a_report(action="delayed", status="4.4.1"),
        a_report(action="delivered", status="2.0.0"),
        a_report(action="relayed", status="2.0.0"),
        a_report(action="failed", status="2.1.5"),
        AWAY,
        AWAY.replace(b"Auto-Submitted: auto-replied\n", b""),  # who is away and does not say so
        PLAIN.replace(b"550 No such user here", b"no"),
        PLAIN.replace(b"MAILER-DAEMON@old.example", b"ana@example.org"),
        b"", b"\0" * 100, b"\xff\xfe" * 50, b"Subject: hello\n\nWhere is the printer?",
    ],
    ids=range(12),
)  # fmt: skip
def test_what_reports_no_failure_is_let_be(octets: bytes) -> None:
    assert read_report(octets) is None


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("550 5.1.1 unknown", "5.1.1"),
        ("550 unknown", "5.0.0"),
        ("452 full", "4.2.2"),
        ("552 full", "5.2.2"),
        ("421-later", "4.0.0"),
        ("delivered 2.1.5", "2.1.5"),
        ("version 15.1.1.2 of 192.5.1.1", None),
        ("12550 users", None),
        ("5.1.2026", None),
        ("", None),
    ],
)
def test_codes_are_found_in_what_servers_say(text: str, status: str | None) -> None:
    assert status_in(text) == status


# --- hostile ones


def nested(depth: int) -> bytes:
    heads = "".join(f'Content-Type: multipart/mixed; boundary="{n}"\n\n--{n}\n' for n in range(depth))
    return heads.encode() + a_report()


HOSTILE: list[bytes] = [
    nested(200),
    nested(5000),
    b"Content-Type: message/rfc822\n\n" * 5000 + a_report(),
    a_report() + b"x" * 3 * LARGEST,
    b"Content-Type: multipart/report; boundary=" + b"b" * LARGEST,
    b"From: MAILER-DAEMON@x\nContent-Type: text/plain; charset=\"\xff\"\n\n550 " + b"\xff" * 1000,
    b"Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n" + b"QQ" * 1000,
    a_report(charset="=?utf-8?B?/////w==?=", status="=?bogus?Q?=FF?="),
    a_report(diagnostic="smtp; 550 " + "é" * 100_000),
    a_report(final="`rm -rf /`@$(id)", original="'; DROP TABLE member; --@x"),
    b"From: postmaster@x\n\n" + b"5.1.1 " * 40_000 + b"<" + str(UID).encode() + b"@" * 40_000,
    b"From: postmaster@x\n\n550 " + b" ".join(str(new_id()).encode() + b"@x" for _ in range(4000)),
    b"Content-Type: multipart/report; boundary=a\n\n"
    + b"--a\nContent-Type: message/delivery-status\n\nAction: failed\n" * 4000,
]  # fmt: skip


@pytest.mark.parametrize("octets", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_mail_can_do_no_worse_than_be_no_report(octets: bytes) -> None:
    begun = time.process_time()
    failure = read_report(octets)
    assert time.process_time() - begun < 3.0, "of its own time: nobody's queue waits for it"
    if failure is not None:
        assert len(failure.named) <= 40
        assert len(failure.text) <= 300 and failure.text.isprintable()


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 700), st.integers(0, 700))
def test_a_report_broken_anywhere_is_still_no_error(noise: bytes, at: int, until: int) -> None:
    whole = a_report()
    read_report(whole[:at] + noise + whole[max(at, until) :])


# --- what is remembered of an address


@pytest.fixture
def ana(session: Session) -> Member:
    return a_member(session, email=ANA)


def sent(session: Session, member: Member, at: datetime, *, state: str = "sent") -> Notification:
    row = Notification(
        key=str(new_id()), kind="reminder", member_id=member.id, locale="fr", state=state,
        sent_at=at if state == "sent" else None, claimed_until=at if state == "sending" else None,
    )  # fmt: skip
    return saved(session, row)


def report_of(row: Notification, status: str = "5.1.1", recipient: str | None = None) -> Failure:
    return Failure(status, (new_id(), row.uid), recipient, f"550 {status} <{ANA}>: no")


def states(session: Session) -> list[tuple[str, int]]:
    return [(row.bounce_kind, row.count) for row in session.scalars(select(MailAddressState))]


def test_a_failure_for_good_stops_mails_to_the_address_at_once(session: Session, ana: Member, clock: Clock) -> None:
    row = sent(session, ana, clock.now)
    assert not mails_come_back(session, ANA)
    found = record_report(session, report_of(row), now=clock.now)
    assert found is row
    assert (row.state, row.reason) == ("bounced", "5.1.1")
    assert mails_come_back(session, "Ana@Example.ORG "), "however it is written"
    assert not mails_come_back(session, "eve@example.org")
    (kept,) = session.scalars(select(MailAddressState))
    assert ANA not in f"{kept.last_error} {row.last_error}"
    assert ANA.encode() not in kept.address_hash


def test_the_same_report_again_counts_once(session: Session, ana: Member, clock: Clock) -> None:
    row = sent(session, ana, clock.now)
    for _ in range(3):
        record_report(session, report_of(row, "4.4.7"), now=clock.now)
        clock.pass_by(days=2)
    assert states(session) == [("soft", 1)]


@pytest.mark.parametrize("state", ["sending", "pending"])
def test_a_report_may_be_quicker_than_our_own_record(session: Session, ana: Member, clock: Clock, state: str) -> None:
    row = sent(session, ana, clock.now, state=state)
    record_report(session, report_of(row), now=clock.now)
    assert (row.state, row.claimed_until) == ("bounced", None)
    assert mails_come_back(session, ANA)


@pytest.mark.parametrize("state", ["failed", "suppressed"])
def test_what_never_left_does_not_come_back(session: Session, ana: Member, clock: Clock, state: str) -> None:
    row = sent(session, ana, clock.now, state=state)
    record_report(session, report_of(row), now=clock.now)
    assert row.state == state
    assert states(session) == []


def test_three_passing_failures_of_different_days_in_a_row_are_one_for_good(
    session: Session, ana: Member, clock: Clock
) -> None:
    for day, (kind, count) in enumerate([("soft", 1), ("soft", 2), ("hard", 3)]):
        row = sent(session, ana, clock.now + timedelta(days=day))
        record_report(session, report_of(row, "4.2.2"), now=clock.now + timedelta(days=day, hours=5))
        assert states(session) == [(kind, count)]
    assert mails_come_back(session, ANA)


def test_failures_of_one_day_are_one(session: Session, ana: Member, clock: Clock) -> None:
    for hour in range(6):
        row = sent(session, ana, clock.now + timedelta(hours=hour))
        record_report(session, report_of(row, "4.2.2"), now=clock.now + timedelta(hours=hour))
    assert states(session) == [("soft", 1)]


def test_a_mail_that_arrived_in_between_begins_the_count_anew(session: Session, ana: Member, clock: Clock) -> None:
    eve = a_member(session)
    for day in range(0, 8, 2):
        row = sent(session, ana, clock.now + timedelta(days=day))
        record_report(session, report_of(row, "4.2.2"), now=clock.now + timedelta(days=day))
        sent(session, ana, clock.now + timedelta(days=day + 1))
        assert states(session) == [("soft", 1)]
    for day in range(20, 26, 2):
        row = sent(session, ana, clock.now + timedelta(days=day))
        record_report(session, report_of(row, "4.2.2"), now=clock.now + timedelta(days=day))
        sent(session, eve, clock.now + timedelta(days=day + 1))
    assert states(session) == [("hard", 3)], "another's mails say nothing of this address"


@pytest.mark.parametrize(
    ("status", "severe"),
    [
        ("5.1.1", "hard"), ("5.0.0", "hard"), ("5.1.10", "hard"), ("5.2.1", "hard"), ("5.2.2", "soft"),
        ("5.7.1", "soft"), ("5.4.4", "soft"), ("5.3.4", "soft"), ("4.4.7", "soft"), ("4.0.0", "soft"),
    ],
)  # fmt: skip
def test_what_is_not_the_addresss_fault_passes(status: str, severe: str) -> None:
    assert severity(status) == severe


def test_who_says_that_the_address_works_is_written_to_again(session: Session, ana: Member, clock: Clock) -> None:
    record_report(session, report_of(sent(session, ana, clock.now)), now=clock.now)
    confirm_address(session, "ANA@example.org")
    assert not mails_come_back(session, ANA)
    row = sent(session, ana, clock.now + timedelta(days=1))
    record_report(session, report_of(row, "4.2.2"), now=clock.now)
    assert states(session) == [("soft", 1)]


def test_what_a_server_refuses_to_our_face_counts_the_same(session: Session, ana: Member, clock: Clock) -> None:
    def refused(status: str) -> str:
        clock.pass_by(days=1)
        return record_refusal(
            session, member_id=ana.id, email=ANA, status=status, error=f"550 <{ANA}>", sent_at=clock.now
        )

    assert [refused("5.2.2"), refused("4.1.1"), refused("5.1.1"), refused("4.0.0")] == ["soft", "soft", "hard", "hard"]
    assert mails_come_back(session, ANA)


def test_a_report_about_an_address_that_is_no_longer_the_members_says_nothing_of_the_new_one(
    session: Session, ana: Member, clock: Clock
) -> None:
    row = sent(session, ana, clock.now)
    ana.email = "ana.new@example.org"
    record_report(session, report_of(row, recipient=ANA), now=clock.now)
    assert row.state == "bounced"
    assert states(session) == []


def test_a_forged_report_names_no_mail_of_ours_and_stops_nothing(session: Session, ana: Member, clock: Clock) -> None:
    sent(session, ana, clock.now)
    forged = read_report(a_report(UID, final=ANA, original=ANA))
    assert forged is not None
    assert record_report(session, forged, now=clock.now) is None
    assert states(session) == []
    assert record_report(session, Failure("5.1.1", (), ANA, ""), now=clock.now) is None


def test_a_report_about_who_has_left_is_kept_without_an_address(session: Session, ana: Member, clock: Clock) -> None:
    row = sent(session, ana, clock.now)
    ana.email, ana.erased_at = None, clock.now
    record_report(session, report_of(row), now=clock.now)
    assert row.state == "bounced"
    assert states(session) == []


def test_an_address_is_taken_out_of_what_a_server_says() -> None:
    said = '550 5.1.1 <ana@example.org>: "ana@example.org" unknown, rcpt=ana@example.org; (ana@example.org)'
    assert "ana" not in without_address(said)
    assert len(without_address("x" * 9999)) == 500


# --- the command that a mail server pipes into


@pytest.fixture
def pipe(database_url: str, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    def run(octets: bytes, **instead: str) -> subprocess.CompletedProcess[bytes]:
        env = {**os.environ, "DATABASE_URL": database_url, "PASSERELLE_HOME": str(tmp_path), **instead}
        command = [sys.executable, "-m", "app.cli", "mail", "bounced"]
        return subprocess.run(command, input=octets, env=env, capture_output=True, timeout=60)

    return run


Pipe = Callable[..., "subprocess.CompletedProcess[bytes]"]


def test_a_mail_server_pipes_a_report_in(pipe: Pipe, session: Session, ana: Member, clock: Clock) -> None:
    row = sent(session, ana, clock.now)
    session.commit()
    ended = pipe(a_report(row.uid))
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.decode().split() == ["bounced", str(row.uid), "5.1.1"]
    session.expire_all()
    session.rollback()
    assert mails_come_back(session, ANA)


def test_any_other_mail_is_taken_and_let_be(pipe: Pipe) -> None:
    for octets in (b"", AWAY, a_report(), b"\xff" * 3 * LARGEST):
        ended = pipe(octets)
        assert (ended.returncode, ended.stderr) == (0, b"")


def test_while_the_database_is_away_the_server_keeps_the_report(pipe: Pipe) -> None:
    ended = pipe(a_report(), DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert ended.returncode == 75
    assert ended.stderr.count(b"\n") == 1
    assert b"Traceback" not in ended.stderr
    ended = pipe(a_report(), DATABASE_URL="")
    assert ended.returncode == 75
