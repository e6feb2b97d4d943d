"""Where no mail server is set, a member reads on a page what was written to them, and never another's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import icalendar
import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app import create_app
from app.config import Config
from app.db import TenantSession, transaction
from app.ids import new_id
from app.network.models import Member
from app.notifications.composing import Stationery
from app.notifications.facts import booking_facts, subject_by_id
from app.notifications.models import Notification
from app.notifications.outbox_folder import OutboxFolder
from app.notifications.sending import Sender
from app.notifications.writing import write
from app.tenancy import SYSTEM
from tests.builders import a_booking, a_role
from tests.web.test_pages import NOW, Browser, Stage, at, stage

__all__ = ["stage"]
Sessions = sessionmaker[TenantSession]


def written(app: Flask, make_session: Sessions, stage: Stage, member: Member, *, day: int = 0) -> Notification:
    """A mail about a booking of that member, decided on and sent: into a file."""
    config = app.extensions["passerelle"].config
    now = NOW + timedelta(days=day)
    with transaction(make_session, SYSTEM) as session:
        period = {"start": at("09:00") + timedelta(days=day), "end": at("10:00") + timedelta(days=day)}
        subject = subject_by_id(session, a_booking(session, stage.room, member, **period).id)
        assert subject is not None
        write(
            session, kind="booking_confirmed", about=str(new_id()), member_id=member.id, member_uid=member.uid,
            locale="en", booking=subject.booking, facts=booking_facts(subject, {}), now=now,
        )  # fmt: skip
    sender = Sender(make_session, OutboxFolder(config.home), Stationery.of(config), clock=lambda: now)
    assert sender.send_due() == 1
    with transaction(make_session, SYSTEM) as session:
        row = session.scalars(select(Notification).order_by(Notification.id.desc())).first()
        assert row is not None and row.state == "sent"
        return row


@pytest.fixture
def browser(app: Flask, stage: Stage) -> Browser:
    browser = Browser(app)
    browser.sign_in()
    return browser


def test_a_member_reads_their_mails_newest_first(
    app: Flask, stage: Stage, make_session: Sessions, browser: Browser
) -> None:
    assert "Nothing has been written to you yet." in browser.get("/outbox").text
    mine = [written(app, make_session, stage, stage.member, day=day) for day in (0, 1)]
    browser.get("/outbox")
    assert 'href="/outbox"' in browser.page, "in the menu"
    assert browser.page.index(f"mail-{mine[1].uid}") < browser.page.index(f"mail-{mine[0].uid}")
    assert "Booked: Blue room" in browser.page
    assert "Monday, March 2, 2026, 09:00" in browser.page
    assert "/u/" in browser.page, "the address that stops them, as a link"
    file = browser.http.get(f"/outbox/{mine[0].uid}.ics")
    assert file.mimetype == "text/calendar"
    assert "attachment" in file.headers["Content-Disposition"]
    (event,) = icalendar.Calendar.from_ical(file.data).walk("VEVENT")
    assert event["DTSTART"].dt == at("09:00")


def test_nobody_reads_anothers_mail_not_even_who_sees_everything(
    app: Flask, stage: Stage, make_session: Sessions, browser: Browser
) -> None:
    theirs = written(app, make_session, stage, stage.other)
    with transaction(make_session, SYSTEM) as session:
        a_role(session, stage.member, "manager", stage.space)
        a_role(session, stage.member, "admin")
    assert str(theirs.uid) not in browser.get("/outbox").text
    assert browser.get(f"/outbox/{theirs.uid}.ics").status_code == 404
    assert browser.get(f"/outbox/{new_id()}.ics").status_code == 404


@pytest.mark.parametrize("name", ["..%2f..%2fsecret_key", "../secret_key", "%2e%2e/secret_key.ics", "x.ics", "%00.ics"])
def test_no_other_file_is_read(browser: Browser, name: str) -> None:
    assert browser.get(f"/outbox/{name}").status_code in (404, 308)


def test_a_mail_whose_file_is_gone_is_left_out(
    app: Flask, stage: Stage, make_session: Sessions, browser: Browser, tmp_path: Path
) -> None:
    row = written(app, make_session, stage, stage.member)
    (file,) = (tmp_path / "outbox").rglob("*.eml")
    file.unlink()
    assert "Nothing has been written to you yet." in browser.get("/outbox").text
    assert browser.get(f"/outbox/{row.uid}.ics").status_code == 404


def test_what_somebody_wrote_into_a_name_stays_text(
    app: Flask, stage: Stage, make_session: Sessions, browser: Browser
) -> None:
    with transaction(make_session, SYSTEM) as session:
        session.get_one(Member, stage.member.id).name = "<script>alert(1)</script> & Co"
    written(app, make_session, stage, stage.member)
    assert "<script>alert" not in browser.get("/outbox").text
    assert "&lt;script&gt;" in browser.get("/outbox").text


def test_a_mail_that_has_not_been_sent_is_not_shown(
    app: Flask, stage: Stage, make_session: Sessions, browser: Browser
) -> None:
    row = written(app, make_session, stage, stage.member)
    with transaction(make_session, SYSTEM) as session:
        kept = session.get_one(Notification, row.id)
        kept.state, kept.sent_at = "suppressed", None
    assert "Nothing has been written to you yet." in browser.get("/outbox").text


def test_who_has_not_signed_in_is_sent_to_do_so(app: Flask) -> None:
    assert Browser(app).get("/outbox").location == "/sign-in?next=%2Foutbox"
    assert Browser(app).get(f"/outbox/{new_id()}.ics").status_code == 303


def test_with_a_mail_server_there_is_no_such_page(app: Flask, stage: Stage) -> None:
    config: Config = app.extensions["passerelle"].config
    smtp = replace(config, smtp_url="smtp://127.0.0.1:25", mail_from="Passerelle <bookings@network.example>")
    with_server = create_app(smtp, clock=lambda: NOW)
    try:
        browser = Browser(with_server)
        browser.sign_in()
        assert browser.get("/outbox").status_code == 404
        assert browser.get(f"/outbox/{new_id()}.ics").status_code == 404
        assert "/outbox" not in browser.get("/bookings").text
    finally:
        with_server.extensions["passerelle"].engine.dispose()
