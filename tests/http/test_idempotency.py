"""The same request twice has one effect and one answer, whatever happens in between."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.booking.models import Booking
from app.http import idempotency
from tests.builders import a_member, a_pool, a_space, a_token
from tests.conftest import Clock
from tests.http.client import Client


@pytest.fixture
def ana(app: Flask, session: Session) -> Client:
    token = a_token(session, a_member(session))
    session.commit()
    return Client(app, token)


@pytest.fixture
def desk(session: Session) -> dict[str, str]:
    """A booking's body for a desk of a pool of three."""
    pool = a_pool(session, a_space(session), desks=3)
    session.commit()
    return {"resource_id": str(pool.uid), "start": "2026-03-03T10:00:00Z", "end": "2026-03-03T12:00:00Z"}


def bookings(session: Session) -> int:
    session.rollback()
    return session.scalar(select(func.count(Booking.id))) or 0


def test_a_repeated_booking_is_answered_the_same_and_made_once(
    ana: Client, desk: dict[str, str], session: Session
) -> None:
    first = ana.post("/bookings", json=desk, key="breakfast")
    again = ana.post("/bookings", json=desk, key="breakfast")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.data == first.data and again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Location"] == first.headers["Location"]
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
    assert bookings(session) == 1


def test_without_a_key_nothing_is_booked(ana: Client, desk: dict[str, str], session: Session) -> None:
    for key in (None, "", "x" * 256, "é", "a\tb"):
        answer = ana.post("/bookings", json=desk, key=key)
        assert answer.status_code == 400 and answer.json["code"].startswith("idempotency_key_")
    assert bookings(session) == 0


def test_a_key_of_another_body_is_refused(ana: Client, desk: dict[str, str], session: Session) -> None:
    ana.post("/bookings", json=desk, key="breakfast")
    other = ana.post("/bookings", json={**desk, "title": "Lunch"}, key="breakfast")
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    assert bookings(session) == 1


def test_the_same_key_of_somebody_else_is_another_request(
    app: Flask, ana: Client, desk: dict[str, str], session: Session
) -> None:
    eve = Client(app, a_token(session, a_member(session)))
    session.commit()
    first, other = (who.post("/bookings", json=desk, key="breakfast").json["id"] for who in (ana, eve))
    assert first != other and bookings(session) == 2


def test_a_key_may_be_used_again_after_a_day(ana: Client, desk: dict[str, str], session: Session, clock: Clock) -> None:
    ana.post("/bookings", json=desk, key="breakfast")
    clock.pass_by(hours=24)
    later = {**desk, "start": "2026-03-04T10:00:00Z", "end": "2026-03-04T12:00:00Z"}
    assert ana.post("/bookings", json=later, key="breakfast").status_code == 201
    assert bookings(session) == 2


def test_a_refusal_is_evaluated_again(ana: Client, desk: dict[str, str], clock: Clock) -> None:
    clock.now += timedelta(days=400)
    assert ana.post("/bookings", json=desk, key="breakfast").status_code == 422
    clock.now -= timedelta(days=400)
    assert ana.post("/bookings", json=desk, key="breakfast").status_code == 201


def test_while_the_first_runs_a_repetition_is_told_so(ana: Client, desk: dict[str, str], session: Session) -> None:
    ana.post("/bookings", json=desk, key="other")
    member_id = session.scalars(select(Booking.member_id)).one()
    claim = idempotency.claim(
        member_id=member_id, method="POST", path="/api/v1/bookings", key="breakfast", body=b"whatever"
    )
    session.rollback()
    session.scalar(select(func.pg_advisory_xact_lock(claim.lock())).select_from(Booking).limit(1))
    running = ana.post("/bookings", json=desk, key="breakfast")
    assert (running.status_code, running.json["code"]) == (409, "request_in_flight")
    assert running.headers["Retry-After"] == "1"
    session.rollback()
    assert ana.post("/bookings", json=desk, key="breakfast").status_code == 201


def test_of_twenty_at_once_with_one_key_one_books(
    app: Flask, ana: Client, desk: dict[str, str], session: Session
) -> None:
    gate, answers = threading.Barrier(20), []

    def book() -> None:
        client = Client(app, ana.token)
        gate.wait()
        answers.append(client.post("/bookings", json=desk, key="breakfast"))

    racers = [threading.Thread(target=book) for _ in range(20)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.json["code"] for answer in answers if answer.status_code == 409} <= {"request_in_flight"}
    assert len({answer.json["id"] for answer in answers if answer.status_code == 201}) == 1
    assert bookings(session) == 1
