"""What a quote promised for five minutes is what a booking charges, over HTTP; what is scarce is said to be gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from app.booking.models import BookingRule, CancellationStep, PriceList, Quote, Resource, Unit
from app.db import TenantSession, transaction
from app.housekeeping import keep_house
from app.network.memberships.models import Membership
from app.network.models import Member, Space
from app.tenancy import SYSTEM
from tests.booking.house import at
from tests.booking.plans import cents, minutes, signed
from tests.builders import a_manager, a_member, a_pool, a_resource, a_room, a_space, a_token, a_unit
from tests.conftest import Clock
from tests.http.client import Client

NINE_TO_ELEVEN = {"start": at(9).isoformat(), "end": at(11).isoformat()}


class Desk:
    """A space, somebody who books there, and the clock."""

    def __init__(self, app: Flask, session: Session, clock: Clock) -> None:
        clock.now = at(8, day=0)
        self.app, self.clock, self.session = app, clock, session
        self.space: Space = a_space(session)
        self.member: Member = a_member(session)
        self.api = Client(app, a_token(session, self.member))
        self.room: Resource = a_room(session, self.space, rules={"cancellation": [[24, 0], [0, 50]]})
        session.commit()

    def wish(self, resource: Resource | None = None, **more: Any) -> dict[str, Any]:
        return {"resource_id": str((resource or self.room).uid), **NINE_TO_ELEVEN, **more}

    def quote(self, wish: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self.api.post("/quotes", json=wish or self.wish())
        assert answer.status_code == 200, answer.text
        quoted: dict[str, Any] = answer.json
        return quoted

    def book(self, quoted: dict[str, Any], wish: dict[str, Any] | None = None, *, api: Client | None = None) -> Any:
        return (api or self.api).post("/bookings", json={**(wish or self.wish()), "quote_id": quoted["id"]})

    @contextmanager
    def meanwhile(self) -> Iterator[Session]:
        """What others do between the quote and the booking."""
        yield self.session
        self.session.commit()


@pytest.fixture
def desk(app: Flask, session: Session, clock: Clock) -> Desk:
    return Desk(app, session, clock)


def invalid(answer: TestResponse, field: str, saying: str) -> None:
    assert answer.status_code == 422, answer.text
    (error,) = answer.json["errors"]
    assert (answer.json["code"], error["field"]) == ("invalid", field), error
    assert saying in error["message"]
    assert "ask for a new quote" in error["message"]


def test_a_price_list_deleted_while_quoted_charges_what_was_promised(desk: Desk) -> None:
    quoted = desk.quote()
    assert quoted["expires_at"] == (desk.clock.now + timedelta(minutes=5)).isoformat().replace("+00:00", "Z")
    assert quoted["total"]["amount_cents"] == 1210
    with desk.meanwhile() as session:
        session.execute(delete(PriceList))
        session.add(PriceList(resource_id=desk.room.id, valid_from=at(0, day=9).date(), hour_tiers=[[None, 9900]]))
        session.execute(update(BookingRule).values(cancellation=[[0, 100]]))
    unpriced = desk.api.post("/bookings", json=desk.wish())
    assert (unpriced.status_code, unpriced.json["rule"]) == (422, "price")
    desk.clock.now += timedelta(minutes=4, seconds=59)
    booked = desk.book(quoted)
    assert booked.status_code == 201, booked.text
    assert (booked.json["price"], booked.json["cover"]) == (quoted["total"], quoted["cover"])
    assert booked.json["cancellation"] == quoted["cancellation"] == [
        {"hours_before": 24, "percent": 0}, {"hours_before": 0, "percent": 50},
    ]  # fmt: skip


def test_extras_discounts_and_the_split_hold_too(desk: Desk) -> None:
    with desk.meanwhile() as session:
        projector = a_resource(session, desk.space, kind="equipment", units=[a_unit(session, desk.space)])
        terms = {"credits": [minutes("room", 60)], "discounts": [{"kind": "*", "percent": 10}]}
        signed(session, desk.member, desk.space, **terms)
    wish = desk.wish(extras=[str(projector.uid)])
    quoted = desk.quote(wish)
    with desk.meanwhile() as session:
        session.execute(update(PriceList).values(hour_tiers=[[None, 100]]))
        signed(session, desk.member, desk.space, credits=[minutes("room", 600)], discounts=[])
    booked = desk.book(quoted, wish)
    assert booked.status_code == 201, booked.text
    assert (booked.json["price"], booked.json["cover"]) == (quoted["total"], quoted["cover"])
    assert [part["source"] for part in booked.json["cover"]] == ["credit", "money"]


def test_a_quote_that_expired_is_told_with_the_remedy(desk: Desk) -> None:
    quoted = desk.quote()
    desk.clock.now += timedelta(minutes=5)
    invalid(desk.book(quoted), "quote_id", "expired at 2026-03-02T07:05:00Z")


def test_a_quote_is_for_one_person(desk: Desk) -> None:
    quoted = desk.quote()
    with desk.meanwhile() as session:
        other, manager = (Client(desk.app, a_token(session, made)) for made in
                          (a_member(session), a_manager(session, desk.space)))  # fmt: skip
    for api in (other, manager):
        invalid(desk.book(quoted, api=api), "quote_id", "is no quote for this person")
    invalid(desk.book({"id": "01890a5d-ac96-774b-bcce-b302099a8057"}), "quote_id", "is no quote for this person")


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"start": at(8.5).isoformat()}, "start"),
        ({"end": at(12).isoformat()}, "end"),
        ({"cover": ["money"]}, "cover"),
        ({"recurrence": {"freq": "daily", "count": 2}}, "recurrence"),
    ],
)
def test_another_wish_than_was_quoted_is_named(desk: Desk, other: dict[str, Any], field: str) -> None:
    invalid(desk.book(desk.quote(), {**desk.wish(), **other}), field, "is not what was quoted")
    assert desk.api.get("/bookings").json == []


def test_a_title_and_guests_are_not_part_of_the_promise(desk: Desk) -> None:
    booked = desk.book(desk.quote(), desk.wish(title="Team", attendees=["guest@example.org"]))
    assert (booked.status_code, booked.json["title"]) == (201, "Team")


def test_credit_used_since_is_said_to_be_gone_and_nothing_is_charged_instead(desk: Desk) -> None:
    with desk.meanwhile() as session:
        signed(session, desk.member, desk.space, credits=[minutes("room", 150), cents("room", 100)])
    quoted = desk.quote()
    elsewhere = desk.wish() | {"start": at(13).isoformat(), "end": at(14).isoformat()}
    assert desk.api.post("/bookings", json=elsewhere).status_code == 201
    refused = desk.book(quoted)
    assert (refused.status_code, refused.json["rule"]) == (422, "quote_changed")
    assert refused.json["limit"] == {"unit": "minutes", "left": 90}
    assert desk.book(desk.quote()).json["cover"] != quoted["cover"]


def test_a_membership_that_ended_since_gives_no_credit(desk: Desk) -> None:
    with desk.meanwhile() as session:
        signed(session, desk.member, desk.space, credits=[minutes("room", 600)])
    quoted = desk.quote()
    with desk.meanwhile() as session:
        session.execute(update(Membership).values(ends_on=desk.clock.now.date()))
    assert desk.book(quoted).json["rule"] == "quote_changed"


def test_the_place_is_not_promised(desk: Desk) -> None:
    quoted = desk.quote()
    with desk.meanwhile() as session:
        other = Client(desk.app, a_token(session, a_member(session)))
    assert other.post("/bookings", json=desk.wish()).status_code == 201
    taken = desk.book(quoted)
    assert (taken.status_code, taken.json["code"]) == (409, "slot_taken")
    assert taken.json["alternatives"]


def test_a_recurrence_is_charged_what_each_date_was_quoted(desk: Desk) -> None:
    with desk.meanwhile() as session:
        signed(session, desk.member, desk.space, credits=[minutes("room", 180)])
    wish = desk.wish(recurrence={"freq": "daily", "count": 3})
    quoted = desk.quote(wish)
    with desk.meanwhile() as session:
        session.execute(update(PriceList).values(hour_tiers=[[None, 9900]], day_cents=None))
    booked = desk.book(quoted, wish)
    assert booked.status_code == 201, booked.text
    made = desk.api.get("/bookings").json
    assert sum(each["price"]["amount_cents"] for each in made) == quoted["total"]["amount_cents"] == 3630
    assert [part.get("minutes") for each in made for part in each["cover"]] == [120, 60, None, None]


def test_nothing_is_promised_of_what_is_refused_nor_to_who_may_only_read(desk: Desk) -> None:
    refused = desk.quote(desk.wish() | {"end": at(20).isoformat()})
    assert (refused["refusal"]["rule"], refused["id"], refused["expires_at"]) == ("opening_hours", None, None)
    with desk.meanwhile() as session:
        reading = Client(desk.app, a_token(session, desk.member, scopes=("read",)))
    quoted = reading.post("/quotes", json=desk.wish()).json
    assert (quoted["total"]["amount_cents"], quoted["id"]) == (1210, None)
    with desk.meanwhile() as session:
        assert session.scalar(select(func.count()).select_from(Quote)) == 0


def test_quotes_are_forgotten_an_hour_after_they_expired(desk: Desk, make_session: sessionmaker[TenantSession]) -> None:
    first = desk.quote()
    for hours, left in ((1, 1), (1.1, 0)):
        now = desk.clock.now + timedelta(minutes=5, hours=hours)
        with transaction(make_session, SYSTEM) as session:
            keep_house(session, 0, now=now)
            assert session.scalar(select(func.count()).select_from(Quote)) == left
    desk.clock.now += timedelta(hours=2)
    invalid(desk.book(first), "quote_id", "or one long expired")


def test_terms_differ_by_who_books_and_the_fee_is_shown_before(desk: Desk) -> None:
    with desk.meanwhile() as session:
        pool = a_pool(session, desk.space, rules={"cancellation": [[48, 0], [0, 100]]})
        steps = {"members": [(2, 0), (0, 50)], "staff": [(0, 0)]}
        session.add_all(
            CancellationStep(resource_id=pool.id, audience=audience, hours_before=hours, percent=percent)
            for audience, each in steps.items()
            for hours, percent in each
        )
        on_a_plan, manager = a_member(session), a_manager(session, desk.space)
        signed(session, on_a_plan, desk.space, credits=[minutes("*", 30)])
        people = {who: Client(desk.app, a_token(session, who)) for who in (desk.member, on_a_plan, manager)}
    wish = desk.wish(pool)
    shown = {}
    for who, api in people.items():
        quoted = api.post("/quotes", json=wish).json
        booked = api.post("/bookings", json={**wish, "quote_id": quoted["id"]}).json
        assert booked["cancellation"] == quoted["cancellation"]
        shown[who] = booked["cancelling"]["fee"]["amount_cents"], quoted["free_until"], booked["cancelling"]
        assert booked["cancelling"]["free_until"] == quoted["free_until"]
    assert [shown[who][:2] for who in people] == [
        (1210, "2026-03-01T08:00:00Z"), (0, "2026-03-03T06:00:00Z"), (0, "2026-03-03T08:00:00Z"),
    ]  # fmt: skip
    # The desk books for a stranger: under the stranger's terms.
    for_another = people[manager].post("/bookings", json={**wish, "member_id": str(desk.member.uid)})
    assert for_another.json["cancellation"][0]["hours_before"] == 48
    desk.clock.now = at(7.5)
    (own,) = people[on_a_plan].get("/bookings").json
    assert own["cancelling"] == {
        "fee": {"amount_cents": 454, "currency": "EUR"}, "free_until": "2026-03-03T06:00:00Z", "credit_returns": False,
    }  # fmt: skip
    cancelled = people[on_a_plan].delete(f"/bookings/{own['id']}", etag="*").json
    assert (cancelled["fee"]["amount_cents"], cancelled["forfeited_minutes"]) == (454, 30)
    assert cancelled["cancelling"] is None


def test_a_manager_writes_the_terms_of_each_class_and_they_are_judged(desk: Desk) -> None:
    with desk.meanwhile() as session:
        api = Client(desk.app, a_token(session, a_manager(session, desk.space)))
    path = f"/resources/{desk.room.uid}"
    terms = {"members": [{"hours_before": 1, "percent": 0}, {"hours_before": 0, "percent": 20}]}
    rules = {**api.get(path).json["rules"], "cancellation_for": terms}
    assert api.put(f"{path}/rules", json=rules, etag=api.get(path).headers["ETag"]).json["rules"] == rules
    falling = {**rules, "cancellation_for": {"staff": [{"hours_before": 3, "percent": 0}]}}
    refused = api.put(f"{path}/rules", json=falling, etag=api.get(path).headers["ETag"])
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "cancellation")
    assert desk.quote()["cancellation"] == [
        {"hours_before": 24, "percent": 0}, {"hours_before": 0, "percent": 50},
    ]  # fmt: skip
    with desk.meanwhile() as session:
        signed(session, desk.member, desk.space)
    assert desk.quote()["cancellation"] == terms["members"]
    without = {**rules, "cancellation_for": {}}
    assert api.put(f"{path}/rules", json=without, etag=api.get(path).headers["ETag"]).json["rules"] == without
    assert desk.quote()["free_until"] == "2026-03-02T08:00:00Z"
    with desk.meanwhile() as session:
        assert session.scalar(select(func.count()).select_from(Unit)) == 1
