"""The address at a mail's foot: one click, no sign-in; a look changes nothing, and garbage leads nowhere (RFC 8058)."""

from __future__ import annotations

import base64
from dataclasses import replace
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.config import Config
from app.http import rate_limits
from app.logs import scrub_text
from app.network.models import Member
from app.notifications import unsubscribing
from app.notifications.kinds import ROWS
from app.notifications.models import NotificationPreference
from app.notifications.preferences import wanted
from app.notifications.unsubscribing import LinkUnknown, Subscription
from tests.builders import a_member

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def config(app: Flask) -> Config:
    found: Config = app.extensions["passerelle"].config
    return found


@pytest.fixture
def http(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def ana(session: Session) -> Member:
    member = a_member(session)
    session.commit()
    return member


def path(config: Config, member: Member, kind: str = "reminder") -> str:
    address = unsubscribing.address(config, member_uid=member.uid, kind=kind)
    base = f"http://127.0.0.1:{config.port}"
    assert address.startswith(f"{base}/u/")
    return address.removeprefix(base)


def wants(session: Session, member: Member, kind: str = "reminder") -> bool:
    session.rollback()
    session.expire_all()
    return wanted(session, member.id, kind)


def test_one_click_stops_that_kind_alone_and_again_is_harmless(
    http: FlaskClient, session: Session, config: Config, ana: Member
) -> None:
    for _ in range(2):
        answer = http.post(path(config, ana), data=ONE_CLICK)
        assert (answer.status_code, answer.mimetype) == (200, "text/plain")
        assert "Set-Cookie" not in answer.headers
        assert not wants(session, ana)
    assert wants(session, ana, "booking_confirmed")
    (row,) = session.scalars(select(NotificationPreference))
    assert (row.member_id, row.kind, row.wanted) == (ana.id, "reminder", False)


def test_one_click_may_be_sent_as_a_form_of_several_parts(
    http: FlaskClient, session: Session, config: Config, ana: Member
) -> None:
    answer = http.post(path(config, ana), data=ONE_CLICK, content_type="multipart/form-data")
    assert answer.status_code == 200
    assert not wants(session, ana)


def test_a_look_changes_nothing(http: FlaskClient, session: Session, config: Config, ana: Member) -> None:
    for _ in range(3):
        for look in (http.get, http.head, http.options):
            assert look(path(config, ana)).status_code == 200
    assert wants(session, ana)
    shown = http.get(path(config, ana))
    assert shown.headers["Cache-Control"] == "no-store"
    assert shown.headers["X-Robots-Tag"] == "noindex"
    assert ana.name not in shown.text
    assert str(ana.email) not in shown.text


def test_the_page_has_a_button_to_stop_and_one_to_have_them_again(
    http: FlaskClient, session: Session, config: Config, ana: Member
) -> None:
    address = path(config, ana)
    english = {"Accept-Language": "en"}
    assert "Stop these mails" in http.get(address, headers=english).text
    stopped = http.post(address, data={"wanted": "no"})
    assert (stopped.status_code, stopped.location) == (303, address)
    assert not wants(session, ana)
    assert "Send them again" in http.get(address, headers=english).text
    assert http.post(address, data={"wanted": "yes"}).status_code == 303
    assert wants(session, ana)


@pytest.mark.parametrize("body", [{}, {"List-Unsubscribe": "yes"}, {"wanted": "perhaps"}, {"one-click": "1"}])
def test_a_post_that_says_neither_changes_nothing(
    http: FlaskClient, session: Session, config: Config, ana: Member, body: dict[str, str]
) -> None:
    assert http.post(path(config, ana), data=body).status_code == 422
    assert wants(session, ana)


def test_an_address_with_one_letter_changed_leads_nowhere(
    http: FlaskClient, session: Session, config: Config, ana: Member
) -> None:
    whole = path(config, ana).removeprefix("/u/")
    octets = base64.urlsafe_b64decode(whole + "=" * (-len(whole) % 4))
    for position in range(len(octets)):
        changed = octets[:position] + bytes([octets[position] ^ 1]) + octets[position + 1 :]
        with pytest.raises(LinkUnknown):
            unsubscribing.read(config, base64.urlsafe_b64encode(changed).decode().rstrip("="))
    assert unsubscribing.read(config, whole) == Subscription(ana.uid, "reminder")
    assert wants(session, ana)


@pytest.mark.parametrize(
    "token",
    ["x", "A" * 60, "A" * 61, "A" * 5000, "é", "%00", "..", "%2e%2e", "=" * 20, "a" * 21 + "%0d%0aX:1", "-" * 64],
)
def test_garbage_is_answered_kindly(http: FlaskClient, session: Session, ana: Member, token: str) -> None:
    for answer in (http.get(f"/u/{token}"), http.post(f"/u/{token}", data=ONE_CLICK)):
        assert answer.status_code == 404
    assert session.scalars(select(NotificationPreference)).all() == []


def test_another_installations_address_leads_nowhere(config: Config, ana: Member) -> None:
    other = replace(config, secret_key="another installation's key, long enough")
    foreign = unsubscribing.address(other, member_uid=ana.uid, kind="reminder").rpartition("/")[2]
    assert unsubscribing.read(other, foreign).member_uid == ana.uid
    with pytest.raises(LinkUnknown):
        unsubscribing.read(config, foreign)


def test_what_cannot_be_switched_off_has_no_address_and_none_is_honoured(config: Config, ana: Member) -> None:
    for kind in (kind.name for kind in ROWS if not kind.optional):
        with pytest.raises(ValueError, match="cannot be switched off"):
            unsubscribing.address(config, member_uid=ana.uid, kind=kind)
        for named in (kind, "a kind of long ago"):
            made = unsubscribing.token(unsubscribing._key(config), Subscription(ana.uid, named))
            with pytest.raises(LinkUnknown):
                unsubscribing.read(config, made)


def test_who_has_left_or_never_was_is_unknown(http: FlaskClient, session: Session, config: Config, ana: Member) -> None:
    address = path(config, ana)
    ana.erased_at = ana.created_at
    session.commit()
    nobody = unsubscribing.address(config, member_uid=uuid4(), kind="reminder").removeprefix("http://127.0.0.1:8000")
    for gone in (address, nobody):
        assert http.get(gone).status_code == 404
        assert http.post(gone, data=ONE_CLICK).status_code == 404


def test_workers_and_web_agree_on_the_address_without_a_word(config: Config, ana: Member) -> None:
    """Each process reads the key for itself: the file in PASSERELLE_HOME, or SECRET_KEY."""
    worker = replace(config, port=config.port, log_level="ERROR")
    assert unsubscribing.address(worker, member_uid=ana.uid, kind="reminder") == unsubscribing.address(
        config, member_uid=ana.uid, kind="reminder"
    )
    public = replace(config, public_url="https://book.example.org")
    address = unsubscribing.address(public, member_uid=ana.uid, kind="reminder")
    assert address.startswith("https://book.example.org/u/")
    assert len(address) < 200


def test_who_tries_many_addresses_waits_and_a_right_one_is_no_guess(
    http: FlaskClient, config: Config, ana: Member
) -> None:
    good = path(config, ana)

    def statuses(times: int) -> set[int]:
        return {http.get(f"/u/{number:060d}").status_code for number in range(times)}

    for _ in range(40):
        assert http.get(good).status_code == 200
    assert statuses(rate_limits.LINK_GUESSES.item.amount) == {404}
    assert statuses(1) == {429}


def test_one_address_is_switched_so_many_times_a_minute(http: FlaskClient, config: Config, ana: Member) -> None:
    def click() -> TestResponse:
        return http.post(path(config, ana), data=ONE_CLICK)

    answers = [click() for _ in range(rate_limits.SWITCHES.item.amount + 1)]
    assert [answer.status_code for answer in answers[-2:]] == [200, 429]
    assert "Retry-After" in answers[-1].headers


def test_the_address_is_in_no_log(config: Config, ana: Member) -> None:
    address = unsubscribing.address(config, member_uid=ana.uid, kind="reminder")
    secret = address.rpartition("/")[2]
    line = f'GET {address} HTTP/1.1" 200, referer {address}?lang=fr'
    assert secret not in scrub_text(line)
    assert scrub_text(line).count("/u/[scrubbed]") == 2
