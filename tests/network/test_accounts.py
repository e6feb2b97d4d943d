"""Signing up and in, one's own account, and being forgotten."""

from __future__ import annotations

import statistics
import time
from datetime import date

import pytest
from argon2 import PasswordHasher, extract_parameters
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.network import passwords, privacy
from app.network.models import Member
from tests.builders import (
    a_manager,
    a_member,
    a_membership,
    a_network,
    a_pool,
    a_role,
    a_space,
    a_token,
    an_operator,
)
from tests.conftest import Clock
from tests.http.client import Client

PASSWORD = "correct horse battery"


def signed_up(app: Flask, **values: str) -> dict[str, str]:
    body = {"email": "ana@example.org", "password": PASSWORD, "name": "Ana", "locale": "nl", **values}
    answer = Client(app).post("/members", json=body)
    assert answer.status_code == 201, answer.json
    return answer.json


def signed_in(app: Flask, email: str = "ana@example.org", **more: object) -> Client:
    answer = Client(app).post("/tokens", json={"email": email, "password": PASSWORD, **more})
    assert answer.status_code == 201, answer.json
    return Client(app, answer.json["token"])


def test_a_person_signs_up_signs_in_and_reads_who_they_are(app: Flask) -> None:
    ana = signed_up(app, email="  Ana@Example.ORG ")
    assert ana["email"] == "ana@example.org"
    me = signed_in(app, "ANA@example.org").get("/me").json
    assert me == {**ana, "network": None, "roles": [], "memberships": []}


def test_an_address_has_one_account_however_it_is_spelt(app: Flask) -> None:
    signed_up(app)
    again = Client(app).post("/members", json={"email": "ANA@EXAMPLE.org", "password": PASSWORD, "name": "Eve"})
    assert (again.status_code, again.json["code"]) == (409, "email_taken")
    assert signed_in(app).get("/me").json["name"] == "Ana"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"), ("email", "a@b"), ("email", "a b@example.org"), ("email", "a@example.org\nBcc: x@y.z"),
        ("email", "a" * 250 + "@example.org"), ("email", "a@@example.org"), ("email", 7), ("email", None),
        ("password", "too short"), ("password", "x" * 201), ("password", "ana@example.org"),
        ("password", "ANA@example.org"), ("name", "   "), ("name", "x" * 201), ("name", "Ana\r\nBcc: x@y.z"),
        ("name", "\u200b\u2060"), ("name", "\u202e"), ("name", " \u00ad\ufeff "), ("name", "\u3164"),
        ("name", "\u2800"), ("locale", "es"),
    ],
)  # fmt: skip
def test_a_sign_up_that_cannot_be_kept_is_refused_by_field(
    app: Flask, session: Session, field: str, value: object
) -> None:
    body = {"email": "ana@example.org", "password": PASSWORD, "name": "Ana", "locale": "fr", field: value}
    answer = Client(app).post("/members", json=body)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json["errors"]} == {field}
    assert session.scalars(select(Member)).all() == []


def test_an_unknown_address_and_a_wrong_password_get_the_same_answer_after_the_same_time(app: Flask) -> None:
    signed_up(app)
    client = Client(app)
    taken: dict[str, list[float]] = {"ana@example.org": [], "nobody@example.org": []}
    answers = []
    for email in ["ana@example.org", "nobody@example.org"] * 4:
        began = time.perf_counter()
        answer = client.post("/tokens", json={"email": email, "password": "not the password"})
        taken[email].append(time.perf_counter() - began)
        answers.append({**answer.json, "request_id": None})
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["code"] == "bad_credentials"
    known, unknown = (statistics.median(times) for times in taken.values())
    assert 0.5 < known / unknown < 2, "an argon2 verification is left out on one side"


def test_the_password_nobody_knows_costs_what_a_real_one_costs() -> None:
    assert extract_parameters(passwords.NOBODYS) == extract_parameters(passwords.hash_password("x"))
    assert not passwords.verify(None, "")


def test_guessing_is_slowed_down_and_the_right_password_never_counts_as_a_guess(app: Flask) -> None:
    signed_up(app)
    for _ in range(12):
        signed_in(app)
    guess = {"email": "ana@example.org", "password": "not the password"}
    tried = [Client(app).post("/tokens", json=guess) for _ in range(11)]
    assert [answer.status_code for answer in tried] == [401] * 10 + [429]
    assert tried[-1].json["code"] == "too_many_requests"
    assert 1 <= int(tried[-1].headers["Retry-After"]) <= 300
    assert tried[-1].headers["RateLimit"].startswith('"guesses";r=0;t=')
    elsewhere = Client(app).post("/tokens", json=guess, headers={"X-Forwarded-For": "192.0.2.7"})
    assert elsewhere.status_code == 401, "another client may still try"


def guesses(
    app: Flask, count: int, *, emails: str = "ana@example.org", clients: str = "192.0.2.1"
) -> list[TestResponse]:
    """`count` wrong passwords; a {} in `emails` or `clients` is numbered."""
    return [
        Client(app).post(
            "/tokens",
            json={"email": emails.format(number), "password": "not the password"},
            headers={"X-Forwarded-For": clients.format(number)},
        )
        for number in range(count)
    ]


def test_a_client_that_guesses_at_many_accounts_is_slowed_down(app: Flask) -> None:
    signed_up(app)
    here = {"X-Forwarded-For": "192.0.2.1"}
    right = {"email": "ana@example.org", "password": PASSWORD}
    for _ in range(3):
        assert Client(app).post("/tokens", json=right, headers=here).status_code == 201
    tried = guesses(app, 31, emails="nobody{}@example.org")
    assert [answer.status_code for answer in tried] == [401] * 30 + [429]
    assert 1 <= int(tried[-1].headers["Retry-After"]) <= 300
    assert Client(app).post("/tokens", json=right, headers=here).status_code == 429
    assert Client(app).post("/tokens", json=right).status_code == 201, "another client signs in"


def test_an_account_that_many_clients_guess_at_is_slowed_down(app: Flask) -> None:
    signed_up(app)
    signed_up(app, email="eve@example.org")
    for _ in range(3):
        signed_in(app)
    tried = guesses(app, 51, clients="192.0.2.{}")
    assert [answer.status_code for answer in tried] == [401] * 50 + [429]
    assert 1 <= int(tried[-1].headers["Retry-After"]) <= 3600
    assert signed_in(app, "eve@example.org").get("/me").status_code == 200, "another account is not"


def test_a_client_signs_up_so_many_and_then_waits(app: Flask) -> None:
    for number in range(20):
        signed_up(app, email=f"ana{number}@example.org")
    body = {"email": "one.more@example.org", "password": PASSWORD, "name": "Ana"}
    refused = Client(app).post("/members", json=body)
    assert (refused.status_code, refused.json["code"]) == (429, "too_many_requests")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert Client(app).post("/members", json=body, headers={"X-Forwarded-For": "192.0.2.9"}).status_code == 201


def test_a_client_may_not_name_its_own_address_in_front_of_the_proxy(app: Flask) -> None:
    guess = {"email": "ana@example.org", "password": "not the password"}
    for number in range(10):
        Client(app).post("/tokens", json=guess, headers={"X-Forwarded-For": f"192.0.2.{number}, 198.51.100.1"})
    answer = Client(app).post("/tokens", json=guess, headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.1"})
    assert answer.status_code == 429


def test_a_password_hashed_under_old_parameters_is_hashed_anew_at_sign_in(app: Flask, session: Session) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    member = a_member(session, email="old@example.org", password_hash=old)
    session.commit()
    signed_in(app, "old@example.org")
    session.refresh(member)
    assert member.password_hash != old and not passwords.outdated(member.password_hash or "")
    signed_in(app, "old@example.org")


def test_tokens_are_listed_revoked_limited_and_expire(app: Flask, clock: Clock) -> None:
    signed_up(app)
    laptop = signed_in(app, name="laptop")
    reader = signed_in(app, name="display", scopes=["read"], expires_in_days=1)
    shown = reader.get("/tokens").json
    assert [(token["name"], token["current"]) for token in shown] == [("display", True), ("laptop", False)]
    assert reader.delete(f"/tokens/{shown[1]['id']}").status_code == 403
    clock.pass_by(days=1)
    assert reader.get("/me").status_code == 401
    assert laptop.delete(f"/tokens/{shown[1]['id']}").status_code == 204
    assert laptop.get("/me").status_code == 401


def test_a_token_without_read_reads_nothing_and_one_without_write_writes_nothing(app: Flask, session: Session) -> None:
    space = a_space(session)
    manager, pool = a_manager(session, space), a_pool(session, space)
    writer = Client(app, a_token(session, manager, scopes=["write"]))
    reader = Client(app, a_token(session, manager, scopes=["read"]))
    session.commit()
    assert writer.get("/spaces").status_code == 200, "open to all"
    for address in ("/me", "/bookings", "/tokens"):
        refused = writer.get(address)
        assert (refused.status_code, refused.json["code"], refused.json["needed"]) == (403, "not_allowed", "read")
        assert reader.get(address).status_code == 200
    period = {"start": "2026-03-03T10:00:00Z", "end": "2026-03-03T12:00:00Z"}
    wish = {"resource_id": str(pool.uid), **period}
    asked = (("/quotes", wish), (f"/spaces/{space.uid}/closures/preview", period))
    for address, body in asked:
        assert reader.post(address, json=body).status_code == 200
        assert writer.post(address, json=body).json["needed"] == "read"
    assert reader.post("/bookings", json=wish).json["needed"] == "write"
    assert writer.post("/bookings", json=wish).status_code == 201


def test_a_dead_token_keeps_nobody_from_what_is_open_to_all(app: Flask, clock: Clock) -> None:
    signed_up(app)
    dead = signed_in(app, expires_in_days=1)
    clock.pass_by(days=2)
    for client in (dead, Client(app, "unknown")):
        assert client.get("/me").status_code == 401
        assert client.get("/spaces").status_code == 200
        body = {"email": "ana@example.org", "password": PASSWORD}
        assert client.post("/tokens", json=body).status_code == 201
    new = {"email": "eve@example.org", "password": PASSWORD, "name": "Eve"}
    assert dead.post("/members", json=new).status_code == 201


def test_nobody_revokes_somebody_elses_token(app: Flask) -> None:
    signed_up(app)
    signed_up(app, email="eve@example.org")
    ana, eve = signed_in(app), signed_in(app, "eve@example.org")
    (token,) = ana.get("/tokens").json
    assert eve.delete(f"/tokens/{token['id']}").status_code == 404
    assert ana.get("/me").status_code == 200


def test_me_shows_network_roles_with_their_places_and_memberships(app: Flask, session: Session) -> None:
    network = a_network(session)
    operator = an_operator(session, network=network)
    space = a_space(session, operator=operator)
    person = a_member(session, network=network)
    a_role(session, person, "manager", space)
    a_role(session, person, "accountant", operator)
    a_role(session, person, "coordinator", network)
    a_membership(session, person, space, included={"desk_pool": 2400}, starts_on=date(2026, 1, 1))
    token = a_token(session, person)
    session.commit()
    me = Client(app, token).get("/me").json
    assert me["network"] == {"id": str(network.uid), "slug": network.slug, "name": network.name}
    assert [(role["role"], role["scope"], role["scope_id"], role["name"]) for role in me["roles"]] == [
        ("manager", "space", str(space.uid), space.name),
        ("accountant", "operator", str(operator.uid), operator.name),
        ("coordinator", "network", str(network.uid), network.name),
    ]
    (membership,) = me["memberships"]
    assert membership["space"]["id"] == str(space.uid)
    assert membership["included"] == {"desk_pool": 2400}
    assert (membership["starts_on"], membership["ends_on"]) == ("2026-01-01", None)


def test_a_change_of_name_needs_the_version_that_was_read(app: Flask) -> None:
    signed_up(app)
    ana = signed_in(app)
    read = ana.get("/me").headers["ETag"]
    assert ana.patch("/me", json={"name": "Ana D."}).status_code == 428
    changed = ana.patch("/me", json={"name": "Ana D.", "locale": "de"}, etag=read)
    assert (changed.status_code, changed.json["name"], changed.json["locale"]) == (200, "Ana D.", "de")
    assert ana.patch("/me", json={"name": "Ana E."}, etag=read).status_code == 412
    assert ana.get("/me").headers["ETag"] == changed.headers["ETag"]


def test_an_erased_member_is_blank_signed_out_and_may_come_back_as_somebody_new(app: Flask, session: Session) -> None:
    ana = signed_up(app)
    first, second = signed_in(app), signed_in(app)
    assert first.delete("/me").status_code == 428
    assert first.delete("/me", etag=first.get("/me").headers["ETag"]).status_code == 204
    assert [client.get("/me").status_code for client in (first, second)] == [401, 401]
    row = session.scalars(select(Member)).one()
    assert (row.email, row.name, row.password_hash) == (None, "", None)
    refused = Client(app).post("/tokens", json={"email": "ana@example.org", "password": PASSWORD})
    assert refused.status_code == 401
    assert signed_up(app)["id"] != ana["id"]


def test_an_erasure_waits_for_what_another_package_says_lies_ahead(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_up(app)
    ana = signed_in(app)
    ahead = [{"kind": "booking", "id": "01890a5d-ac96-774b-bcce-b302099a8057"}]
    monkeypatch.setattr(privacy, "ERASURE_OBSTACLES", [lambda session, member_id, *, now: ahead])
    refused = ana.delete("/me", etag="*")
    assert (refused.status_code, refused.json["code"]) == (409, "erasure_refused")
    assert refused.json["obstacles"] == ahead
    assert ana.get("/me").json["name"] == "Ana"


def test_an_export_holds_ones_own_data_and_no_secret(app: Flask) -> None:
    signed_up(app)
    ana = signed_in(app, name="laptop")
    export = ana.get("/me/export")
    assert export.json["account"]["email"] == "ana@example.org"
    assert [token["name"] for token in export.json["tokens"]] == ["laptop"]
    assert ana.token not in export.text and "argon2" not in export.text


def test_a_manager_reads_the_trail_of_their_space_page_by_page_and_of_no_other(app: Flask, session: Session) -> None:
    from app.network import audit
    from app.network.people import find_person

    here, elsewhere = a_space(session), a_space(session)
    manager = a_manager(session, here, name="Mia")
    desk = a_member(session, name="Dan")
    a_role(session, desk, "front_desk", here)
    tokens = {person.name: a_token(session, person) for person in (manager, desk)}
    now = Clock().now
    dan = find_person(session, tokens["Dan"], now=now)
    assert dan
    for number in range(3):
        audit.note(session, dan, "booking.viewed", here.id, f"booking-{number}", now)
    session.commit()
    mia = Client(app, tokens["Mia"])
    first = mia.get(f"/spaces/{here.uid}/audit", query={"limit": 2})
    assert [(entry["actor"]["name"], entry["subject"]) for entry in first.json] == [
        ("Dan", "booking-2"),
        ("Dan", "booking-1"),
    ]
    rest = mia.get(first.headers["Link"].partition(">")[0].lstrip("<"))
    assert [entry["subject"] for entry in rest.json] == ["booking-0"]
    assert "Link" not in rest.headers
    assert mia.get(f"/spaces/{elsewhere.uid}/audit").status_code == 404
    assert Client(app, tokens["Dan"]).get(f"/spaces/{here.uid}/audit").status_code == 403
