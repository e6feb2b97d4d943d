"""The pages over HTTP, as a browser without JavaScript meets them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker
from werkzeug.test import TestResponse

from app import create_app
from app.booking.models import Booking, Resource
from app.config import Config
from app.db import TenantSession, transaction
from app.network.models import ApiToken, Member, Space
from app.network.passwords import hash_password
from app.tenancy import SYSTEM
from tests import builders
from tests.builders import a_booking, a_member, a_membership, a_pool, a_room, a_space, a_token

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # where the `clock` of tests stands: a Monday, 09:00 in Ath
DAY = "2026-03-04"
PASSWORD = "a long pass phrase"
FIELD = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


@dataclass
class Stage:
    """A space with a pool of one desk and a room, a member who has a password, and another one."""

    space: Space
    pool: Resource
    room: Resource
    member: Member
    other: Member


@pytest.fixture
def stage(make_session: sessionmaker[TenantSession]) -> Stage:
    with transaction(make_session, SYSTEM) as session:
        space = a_space(session, name="La Place", slug="la-place")
        network = {"network_id": space.network_id}
        return Stage(
            space,
            a_pool(session, space, desks=1, name="Desks here"),
            a_room(session, space, name="Blue room", rules={"max_minutes": 240, "cancellation": [[24, 0], [0, 50]]}),
            a_member(session, email="ann@example.org", password_hash=hash_password(PASSWORD), **network),
            a_member(session, name="Somebody Else", **network),
        )


class Browser:
    """Follows what a page offers: its forms with their hidden fields."""

    def __init__(self, app: Flask, language: str = "en") -> None:
        self.http: FlaskClient = app.test_client()
        self.headers = {"Accept-Language": language}
        self.page = ""

    def get(self, address: str, **query: str) -> TestResponse:
        return self._seen(self.http.get(address, query_string=query, headers=self.headers))

    def submit(self, action: str, **typed: str) -> TestResponse:
        """Press the first button whose form goes to `action` on the page last seen."""
        form = next(form for form in self.page.split("<form ")[1:] if f'action="{action}' in form.split(">")[0])
        hidden = {name: unescape(value) for name, value in FIELD.findall(form.split("</form>")[0])}
        return self.post(action, {**hidden, **typed})

    def post(self, address: str, data: dict[str, str]) -> TestResponse:
        return self._seen(self.http.post(address, data=data, headers=self.headers))

    def sign_in(self, password: str = PASSWORD, **typed: str) -> TestResponse:
        self.get("/sign-in")
        return self.submit("/sign-in", email="ann@example.org", password=password, **typed)

    def ask(self, resource: Resource, start: str, end: str, day: str = DAY) -> TestResponse:
        return self.get("/spaces/la-place", day=day, resource=str(resource.uid), start=start, end=end)

    def _seen(self, answer: TestResponse) -> TestResponse:
        self.page = (
            unescape(answer.get_data(as_text=True)).replace("\xa0", " ") if answer.mimetype == "text/html" else ""
        )
        return answer


def at(clock: str) -> datetime:
    """A local time of DAY (Brussels, one hour ahead)."""
    return datetime.fromisoformat(f"{DAY}T{clock}:00+01:00")


def bookings(make_session: sessionmaker[TenantSession]) -> list[Booking]:
    with transaction(make_session, SYSTEM) as session:
        return list(session.scalars(select(Booking).order_by(Booking.id)))


def test_a_member_signs_in_sees_the_price_books_and_cancels(
    app: Flask, stage: Stage, make_session: sessionmaker[TenantSession]
) -> None:
    browser = Browser(app)
    assert "La Place" in browser.get("/").get_data(as_text=True)
    browser.get("/spaces/la-place", day=DAY)
    assert "Sign in to book" in browser.page
    assert browser.sign_in(next=f"/spaces/la-place?day={DAY}").location == f"/spaces/la-place?day={DAY}"

    browser.ask(stage.pool, "09:00", "12:00")
    assert "Book for €18.15" in browser.page, "3 hours at 5 euros and 21 % VAT"
    assert bookings(make_session) == []
    assert browser.submit("/bookings").status_code == 303

    browser.get("/bookings")
    assert "Booked." in browser.page
    assert "Wed, Mar 4" in browser.page
    assert ">09:00</time>–" in browser.page
    (booked,) = bookings(make_session)
    assert (booked.status, booked.starts_at, booked.ends_at) == ("confirmed", at("09:00"), at("12:00"))

    assert browser.submit(f"/bookings/{booked.uid}/cancel").status_code == 303
    browser.get("/bookings")
    assert "Nothing is booked." in browser.page
    assert [row.status for row in bookings(make_session)] == ["cancelled"]


def test_a_button_pressed_twice_books_once(app: Flask, stage: Stage, make_session: sessionmaker[TenantSession]) -> None:
    browser = Browser(app)
    browser.sign_in()
    browser.ask(stage.room, "09:00", "10:00")
    shown = browser.page
    assert browser.submit("/bookings").status_code == 303
    browser.page = shown
    assert browser.submit("/bookings").status_code == 303
    assert len(bookings(make_session)) == 1


def test_the_place_went_to_somebody_else_in_the_meantime(
    app: Flask, stage: Stage, make_session: sessionmaker[TenantSession]
) -> None:
    browser = Browser(app)
    browser.sign_in()
    browser.ask(stage.pool, "09:00", "12:00")
    with transaction(make_session, SYSTEM) as session:
        a_booking(session, stage.pool, stage.other, start=at("11:00"), end=at("13:00"), title="Private matter")
    answer = browser.submit("/bookings")
    assert answer.status_code == 409
    assert "That place is taken at that time." in browser.page
    assert "Desks here, Wed, Mar 4, 08:00–11:00: book for €18.15" in browser.page

    assert browser.submit("/bookings").status_code == 303, "the first alternative, with one click"
    assert [row.starts_at for row in bookings(make_session)] == [at("11:00"), at("08:00")]


@pytest.mark.parametrize(
    ("language", "closed", "too_long", "past"),
    [
        ("en", "That day it opens 08:00 – 18:00.", "Book it for at most 4 hours.", "already begun"),
        ("fr-BE", "Ce jour-là, il ouvre 08:00 – 18:00.", "La durée maximale est de 4 heures.", "déjà passée"),
        ("nl-BE,fr;q=0.5", "Die dag is ze open 08:00 – 18:00.", "De langste duur is 4 uur.", "al voorbij"),
        ("de", "An diesem Tag ist geöffnet: 08:00 – 18:00.", "Die Höchstdauer beträgt 4 Stunden.", "schon vorbei"),
    ],
)
def test_refusals_are_said_in_the_language_of_the_browser(
    app: Flask, stage: Stage, language: str, closed: str, too_long: str, past: str
) -> None:
    browser = Browser(app, language)
    browser.sign_in()
    browser.ask(stage.room, "07:00", "09:00")
    assert closed in browser.page
    browser.ask(stage.room, "09:00", "15:00")
    assert too_long in browser.page
    browser.ask(stage.room, "08:00", "09:00", day="2026-03-02")
    assert past in browser.page
    assert f'<html lang="{language[:2]}">' in browser.page


def test_a_chosen_language_is_kept_and_an_unknown_one_is_french(app: Flask, stage: Stage) -> None:
    browser = Browser(app, "sv")
    browser.get("/")
    assert '<html lang="fr">' in browser.page
    browser.get("/", lang="de")
    browser.get("/sign-in")
    assert '<html lang="de">' in browser.page
    assert "E-Mail-Adresse" in browser.page


def test_others_see_that_a_place_is_occupied_and_nothing_more(
    app: Flask, stage: Stage, make_session: sessionmaker[TenantSession]
) -> None:
    with transaction(make_session, SYSTEM) as session:
        a_booking(session, stage.room, stage.other, start=at("09:00"), end=at("10:30"), title="Private matter")
        a_booking(session, stage.room, stage.member, start=at("14:00"), end=at("15:00"), title="My own meeting")
    stranger, member = Browser(app), Browser(app)
    member.sign_in()
    for browser in (stranger, member):
        browser.get("/spaces/la-place", day=DAY)
        assert '<td class="taken" colspan="3">' in browser.page
        assert "Private matter" not in browser.page
        assert "Somebody Else" not in browser.page
    assert "My own meeting" in member.page
    assert "My own meeting" not in stranger.page


def test_the_day_is_a_table_with_heads_for_rows_and_columns(app: Flask, stage: Stage) -> None:
    browser = Browser(app)
    browser.get("/spaces/la-place", day=DAY)
    assert '<caption id="timeline-caption">' in browser.page
    assert browser.page.count('<th scope="col" colspan="2">') == 10
    assert browser.page.count('<th scope="row">') == 2
    spans = [int(n) for n in re.findall(r'<td class="\w+" colspan="(\d+)">', browser.page)]
    assert sum(spans) == 2 * 20, "each row covers the twenty half-hours from 08:00 to 18:00"
    browser.get("/spaces/la-place", day="2026-13-01")
    assert "Something in the form is missing or wrong" in browser.page
    assert browser.get("/spaces/nowhere").status_code == 404


def test_a_late_cancellation_tells_its_fee_before_it_is_made(
    app: Flask, stage: Stage, make_session: sessionmaker[TenantSession]
) -> None:
    terms = {"cancellation": [{"hours_before": 24, "percent": 0}, {"hours_before": 0, "percent": 50}]}
    with transaction(make_session, SYSTEM) as session:
        cover = [{"source": "money", "amount": {"amount_cents": 3025, "currency": "EUR"}}]
        soon = NOW + timedelta(hours=2)
        a_booking(
            session, stage.room, stage.member, start=soon, end=soon + timedelta(hours=1), terms=terms, cover=cover
        )
    browser = Browser(app)
    browser.sign_in()
    browser.get("/bookings")
    assert "Cancel, for a fee of €15.13" in browser.page
    (booked,) = bookings(make_session)
    browser.submit(f"/bookings/{booked.uid}/cancel")
    assert bookings(make_session)[0].fee_cents == 1513


def test_a_place_kept_from_the_waiting_list_is_taken_on_the_page_its_mail_leads_to(
    app: Flask, stage: Stage, make_session: sessionmaker[TenantSession]
) -> None:
    with transaction(make_session, SYSTEM) as session:
        begins, until = NOW + timedelta(hours=26), NOW + timedelta(minutes=30)
        held = {"status": "held", "hold_expires_at": until, "start": begins, "end": begins + timedelta(hours=1)}
        a_booking(session, stage.room, stage.member, **held)
    browser = Browser(app)
    browser.sign_in()
    browser.get("/bookings")
    (offered,) = bookings(make_session)
    assert f'id="{offered.uid}"' in browser.page and "Take it" in browser.page
    assert browser.submit(f"/bookings/{offered.uid}/accept").status_code == 303
    assert [row.status for row in bookings(make_session)] == ["confirmed"]
    browser.get("/bookings")
    assert "Take it" not in browser.page


def test_a_booking_moved_late_says_what_cancelling_costs_at_least(
    app: Flask, stage: Stage, make_session: sessionmaker[TenantSession]
) -> None:
    terms = {"cancellation": [{"hours_before": 0, "percent": 0}], "least_fee_cents": 1513, "moved_late": True}
    with transaction(make_session, SYSTEM) as session:
        later = NOW + timedelta(days=9)
        a_booking(session, stage.room, stage.member, start=later, end=later + timedelta(hours=1), terms=terms)
    browser = Browser(app)
    browser.sign_in()
    browser.get("/bookings")
    assert "Moved late: cancelling costs at least €15.13." in browser.page


def test_what_the_plan_covers_is_said(app: Flask, stage: Stage, make_session: sessionmaker[TenantSession]) -> None:
    with transaction(make_session, SYSTEM) as session:
        a_membership(session, stage.member, stage.space, included={"desk_pool": 120})
    browser = Browser(app)
    browser.sign_in()
    browser.ask(stage.pool, "09:00", "11:00")
    assert "€12.10 · covered by your plan" in browser.page
    browser.ask(stage.pool, "09:00", "13:00")
    assert "of which €12.10 to pay" in browser.page


def test_a_calendar_address_is_shown_once_works_and_is_revoked(app: Flask, stage: Stage) -> None:
    browser = Browser(app)
    browser.sign_in()
    browser.get("/bookings")
    shown = browser.submit("/feeds", name="Phone")
    address = re.search(r'value="http://localhost(/f/[^"]+\.ics)"', browser.page)
    assert address
    assert shown.headers["Cache-Control"] == "no-store"
    assert browser.http.get(address[1]).status_code == 200
    browser.get("/bookings")
    assert address[1] not in browser.page
    feed = re.search(r"/feeds/([0-9a-f-]+)/revoke", browser.page)
    assert feed
    browser.submit(feed[0])
    assert browser.http.get(address[1]).status_code == 410


def test_a_form_without_its_token_is_refused(
    app: Flask, stage: Stage, make_session: sessionmaker[TenantSession]
) -> None:
    browser = Browser(app)
    assert browser.post("/sign-in", {"email": "ann@example.org", "password": PASSWORD}).status_code == 400
    assert "does not come from this site" in browser.page
    browser.sign_in()
    form = {"resource_id": str(stage.room.uid), "start": at("09:00").isoformat(), "end": at("10:00").isoformat()}
    assert browser.post("/bookings", {**form, "key": "k"}).status_code == 400
    assert browser.post("/sign-out", {"csrf_token": "made-up"}).status_code == 400
    assert bookings(make_session) == []


def test_a_cookie_never_opens_the_api_and_a_bearer_token_never_opens_a_page(
    app: Flask, stage: Stage, make_session: sessionmaker[TenantSession]
) -> None:
    browser = Browser(app)
    browser.sign_in()
    assert browser.http.get("/bookings").status_code == 200
    assert browser.http.get("/api/v1/me").status_code == 401
    cookie = browser.http.get_cookie("passerelle_session")
    assert cookie is not None
    assert browser.http.get("/api/v1/me", headers={"Authorization": f"Bearer {cookie.value}"}).status_code == 401
    with transaction(make_session, SYSTEM) as session:
        token = a_token(session, stage.member)
    fresh = app.test_client()
    fresh.set_cookie("passerelle_session", token)
    assert fresh.get("/bookings").status_code == 303
    assert fresh.get("/bookings", headers={"Authorization": f"Bearer {token}"}).status_code == 303


def test_a_session_is_a_row_that_signing_out_and_time_end(
    app: Flask, stage: Stage, make_session: sessionmaker[TenantSession]
) -> None:
    browser = Browser(app)
    cookies = browser.sign_in().headers.getlist("Set-Cookie")
    (cookie,) = [cookie for cookie in cookies if cookie.startswith("passerelle_session=")]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    secret = cookie.split("=", 1)[1].split(";")[0]
    browser.get("/bookings")
    browser.submit("/sign-out")
    old = app.test_client()
    old.set_cookie("passerelle_session", secret)
    assert old.get("/bookings").location == "/sign-in?next=%2Fbookings"
    with transaction(make_session, SYSTEM) as session:
        (token,) = session.scalars(select(ApiToken))
        assert token.kind == "session"
        assert token.revoked_at == NOW
        assert token.expires_at == NOW + timedelta(hours=12)
        token.revoked_at = None
        token.expires_at = NOW - timedelta(seconds=1)
    assert old.get("/bookings").status_code == 303


def test_cookies_are_secure_where_the_site_is_reached_over_https(
    database_url: str, tmp_path: Path, stage: Stage
) -> None:
    config = Config(home=tmp_path, database_url=database_url, log_level="ERROR", public_url="https://book.example.org")
    app = create_app(config, clock=lambda: NOW)
    http = app.test_client()
    page = http.get("/sign-in", base_url="https://book.example.org")
    hidden = dict(FIELD.findall(page.get_data(as_text=True)))
    signed = http.post(
        "/sign-in",
        data={**hidden, "email": "ann@example.org", "password": PASSWORD},
        base_url="https://book.example.org",
        headers={"Referer": "https://book.example.org/sign-in"},
    )
    assert signed.status_code == 303
    assert all("Secure" in cookie for answer in (page, signed) for cookie in answer.headers.getlist("Set-Cookie"))
    app.extensions["passerelle"].engine.dispose()


@pytest.mark.parametrize("slug", ["%00", "la-place%00", "%0A", "%E2%80%AE"])
def test_an_address_nobody_could_have_typed_leads_nowhere(app: Flask, stage: Stage, slug: str) -> None:
    assert Browser(app).get(f"/spaces/{slug}").status_code == 404


@pytest.mark.parametrize("key", ["", "é", "x" * 256])
def test_a_button_without_its_key_says_that_the_form_is_too_old(
    app: Flask, stage: Stage, make_session: sessionmaker[TenantSession], key: str
) -> None:
    browser = Browser(app)
    browser.sign_in()
    browser.ask(stage.pool, "09:00", "12:00")
    assert browser.submit("/bookings", key=key).status_code == 400
    assert "This form is too old" in browser.page
    assert bookings(make_session) == []


def test_a_search_for_no_letter_finds_nothing(app: Flask, stage: Stage) -> None:
    browser = Browser(app)
    assert "La Place" in browser.get("/", q="place").get_data(as_text=True)
    assert "La Place" in browser.get("/", q=" ").get_data(as_text=True)
    assert "La Place" not in browser.get("/", q="%").get_data(as_text=True)


def test_what_no_database_keeps_breaks_no_form(app: Flask, stage: Stage) -> None:
    browser = Browser(app)
    browser.get("/sign-in")
    assert browser.submit("/sign-in", email="ann\0@example.org", password="x").status_code == 422
    browser.sign_in()
    browser.get("/bookings")
    assert browser.submit("/feeds", name="Pho\0ne\u202e").status_code == 200
    assert "Phone" in browser.get("/bookings").get_data(as_text=True)
    assert browser.get("/", q="\0").status_code == 200


@pytest.mark.parametrize(
    "next_page",
    [
        "//evil.example", "https://evil.example/", "/\\evil.example", "\\\\evil", "x", "///evil.example/x",
        "////evil.example/x", "/////evil.example", "//\\evil.example", "/\t/evil.example", "\t//evil.example",
        " //evil.example", "/\n/evil.example", "https:evil.example", "javascript:alert(1)", "/%09//evil\u2028",
    ],
)  # fmt: skip
def test_after_signing_in_nobody_is_sent_to_another_site(app: Flask, stage: Stage, next_page: str) -> None:
    assert Browser(app).sign_in(next=next_page).location == "/"


@pytest.mark.parametrize(
    "next_page", ["/%2F/evil.example", "/%2f%2fevil", "/%5Cevil", "/.//evil", "/..//evil", "/x//y"]
)
def test_what_is_encoded_in_the_way_back_stays_on_this_site(app: Flask, stage: Stage, next_page: str) -> None:
    location = str(Browser(app).sign_in(next=next_page).location)
    assert location.startswith("/") and location[1] not in "/\\"
    assert urlsplit(urljoin("http://localhost/sign-in", location)).netloc == "localhost"


def test_a_wrong_password_is_said_and_guessing_is_slowed_down(app: Flask, stage: Stage) -> None:
    browser = Browser(app, "nl")
    assert browser.sign_in("not this one").status_code == 422
    assert "Het e-mailadres of het wachtwoord is fout." in browser.page
    statuses = {browser.sign_in("nor this one").status_code for _ in range(12)}
    assert statuses == {422, 429}


def test_another_members_booking_cannot_be_cancelled(
    app: Flask, stage: Stage, make_session: sessionmaker[TenantSession]
) -> None:
    with transaction(make_session, SYSTEM) as session:
        theirs = a_booking(session, stage.room, stage.other, start=at("09:00"), end=at("10:00"))
    browser = Browser(app)
    browser.sign_in()
    browser.get("/bookings")
    token = dict(FIELD.findall(browser.page))["csrf_token"]
    assert browser.post(f"/bookings/{theirs.uid}/cancel", {"csrf_token": token}).status_code == 404
    assert [row.status for row in bookings(make_session)] == ["confirmed"]


def test_a_day_of_a_clock_change_has_the_hours_it_has(app: Flask, make_session: sessionmaker[TenantSession]) -> None:
    with transaction(make_session, SYSTEM) as session:
        space = a_space(session, slug="always", opens="00:00", closes="00:00")
        builders.a_room(session, space)
    browser = Browser(app)
    for day, half_hours in (("2026-03-29", 46), ("2026-10-25", 50), ("2026-03-30", 48)):
        browser.get("/spaces/always", day=day)
        spans = [int(n) for n in re.findall(r'<td class="\w+" colspan="(\d+)">', browser.page)]
        heads = [int(n) for n in re.findall(r'<th scope="col" colspan="(\d+)">', browser.page)]
        assert sum(spans) == sum(heads) == half_hours


def test_what_never_changes_is_kept_by_the_browser_for_good(app: Flask, stage: Stage) -> None:
    browser = Browser(app)
    browser.get("/")
    sheet = re.search(r'href="(/static/passerelle\.css\?v=\w+)"', browser.page)
    assert sheet
    with browser.http.get(sheet[1]) as answer:
        assert "immutable" in answer.headers["Cache-Control"]
    assert "<style" not in browser.page
    assert 'style="' not in browser.page
    assert "onclick" not in browser.page
