"""A member who leaves takes their words with them; the space keeps what its books need."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.models import Booking, Feed, WaitlistEntry
from tests.builders import a_booking, a_member, a_pool, a_space, a_token
from tests.conftest import Clock
from tests.http.client import Client


def test_an_account_with_bookings_ahead_is_erased_once_they_are_cancelled(
    app: Flask, session: Session, clock: Clock
) -> None:
    pool = a_pool(session, a_space(session), desks=1)
    ana, eve = a_member(session), a_member(session)
    hour = timedelta(hours=1)
    past = a_booking(
        session, pool, ana, start=clock.now - 5 * hour, end=clock.now - 4 * hour, title="Therapy",
        attendees=["friend@example.org"], status="completed",
    )  # fmt: skip
    a_booking(session, pool, eve, start=clock.now + 50 * hour, end=clock.now + 52 * hour, title="Eve's")
    api = Client(app, a_token(session, ana))
    session.commit()
    desk = {"start": "2026-03-03T10:00:00Z", "end": "2026-03-03T12:00:00Z", "resource_id": str(pool.uid)}
    ahead = api.post("/bookings", json={**desk, "title": "Secret"}).json
    wait = {"start": "2026-03-04T10:00:00Z", "end": "2026-03-04T11:00:00Z", "resource_id": str(pool.uid)}
    assert api.post("/waitlist", json=wait).status_code == 201
    assert api.post("/feeds", json={"scope": "me", "name": "Phone"}).status_code == 201

    refused = api.delete("/me", etag="*")
    assert (refused.status_code, [each["id"] for each in refused.json["obstacles"]]) == (409, [ahead["id"]])
    exported = api.get("/me/export").json["other"]
    assert [each["title"] for each in exported["bookings"]] == ["Therapy", "Secret"]
    assert [each["name"] for each in exported["feeds"]] == ["Phone"]

    assert api.delete(f"/bookings/{ahead['id']}", etag="*").status_code == 200
    assert api.delete("/me", etag="*").status_code == 204
    session.expire_all()
    session.rollback()
    titles = session.execute(select(Booking.member_id, Booking.title).order_by(Booking.id)).all()
    assert sorted(titles) == sorted([(ana.id, ""), (eve.id, "Eve's"), (ana.id, "")])
    assert session.scalars(select(Booking).where(Booking.id == past.id)).one().attendees == []
    assert session.scalars(select(Feed)).one().revoked_at is not None
    assert session.scalars(select(WaitlistEntry)).one().status == "cancelled"
