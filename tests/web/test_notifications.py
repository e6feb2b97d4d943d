"""The page "What we write to you about": boxes, what is always told, and mails that came back."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession, transaction
from app.notifications.bounces import mails_come_back, record_refusal
from app.notifications.kinds import ROWS
from app.notifications.preferences import wanted
from app.tenancy import SYSTEM
from app.web import wording
from tests.web.test_pages import NOW, Browser, Stage, stage

__all__ = ["stage"]
Sessions = sessionmaker[TenantSession]
BOX = re.compile(r'<input type="checkbox" name="(\w+)"( checked)?>')


def test_a_member_says_what_they_want_without_any_script(app: Flask, stage: Stage, make_session: Sessions) -> None:
    browser = Browser(app)
    browser.sign_in()
    assert 'href="/notifications"' in browser.get("/bookings").text
    browser.get("/notifications")
    boxes = {name: bool(checked) for name, checked in BOX.findall(browser.page)}
    assert boxes == {kind.name: kind.default for kind in ROWS if kind.to == "member" and kind.optional}
    assert "a booking that was cancelled" in browser.page, "among what is always told"

    ticked = {name: "on" for name in boxes if name != "reminder"}
    assert browser.submit("/notifications", **ticked).status_code == 303
    browser.get("/notifications")
    assert "Saved." in browser.page
    assert dict(BOX.findall(browser.page))["reminder"] == ""
    with transaction(make_session, SYSTEM) as session:
        assert not wanted(session, stage.member.id, "reminder")
        assert wanted(session, stage.member.id, "booking_confirmed")
        assert wanted(session, stage.other.id, "reminder")


def test_a_box_that_nobody_was_shown_changes_nothing(app: Flask, stage: Stage, make_session: Sessions) -> None:
    browser = Browser(app)
    browser.sign_in()
    browser.get("/notifications")
    assert browser.submit("/notifications", digest_weekly="on", tea="on").status_code == 303
    with transaction(make_session, SYSTEM) as session:
        assert not wanted(session, stage.member.id, "digest_weekly")


def test_who_has_not_signed_in_is_sent_to_do_so(app: Flask) -> None:
    assert Browser(app).get("/notifications").location == "/sign-in?next=%2Fnotifications"
    assert Browser(app).post("/notifications", {}).status_code == 400, "no form token"


def test_mails_that_come_back_are_told_until_the_member_says_otherwise(
    app: Flask, stage: Stage, make_session: Sessions
) -> None:
    browser = Browser(app)
    browser.sign_in()
    assert "come back" not in browser.get("/notifications").text
    with transaction(make_session, SYSTEM) as session:
        record_refusal(
            session, member_id=stage.member.id, email="ann@example.org", status="5.1.1", error="", sent_at=NOW
        )
    browser.get("/notifications")
    assert "ann@example.org does not take them" in browser.page
    assert "Mails to you come back" in browser.get("/bookings").text
    browser.get("/notifications")
    assert browser.submit("/notifications/address").status_code == 303
    assert "come back" not in browser.get("/bookings").text
    with transaction(make_session, SYSTEM) as session:
        assert not mails_come_back(session, "ann@example.org")


@pytest.mark.parametrize("language", ["fr", "nl", "de", "en"])
def test_every_kind_has_a_name_in_every_language(app: Flask, language: str) -> None:
    with app.test_request_context(headers={"Accept-Language": language}):
        names = {wording.mail_kind_name(kind.name) for kind in ROWS}
    assert len(names) == len(ROWS) == len(wording._MAIL_KINDS)
