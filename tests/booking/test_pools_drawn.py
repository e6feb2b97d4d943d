"""Credit of plans in full, drawn by bookings: pools, windows, versions, pauses, teams, discounts, who pays."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from app.booking.finding.availability import Search, find_places
from app.booking.making import Made
from app.errors import Refused
from app.network.memberships.models import CreditEntry, TeamSeat
from tests.booking.house import House, at
from tests.booking.plans import a_business, a_team, a_version, cents, entries, minutes, moved_to, paused, signed
from tests.builders import a_pool, a_space

MARCH = date(2026, 3, 1)
MORNINGS = {"from": "08:00", "until": "12:00"}


def cover(made: Made) -> list[tuple[str, int | None, int]]:
    return [(part["source"], part.get("minutes"), part["amount"]["amount_cents"]) for part in made.row["cover"]]


def test_a_booking_draws_from_several_pools_and_gives_back_to_each(house: House) -> None:
    pool, member = house.pool(), house.member()
    with house.building() as session:
        pools = [minutes("*", 30), minutes("desk_pool", 60, **MORNINGS), cents("*", 200)]
        membership = signed(session, member, house.space, credits=pools)
    made = house.book(member, pool, at(11), at(13))
    assert cover(made) == [("credit", 60, 605), ("credit", 30, 302), ("credit", None, 200), ("money", None, 103)]
    with house.building() as session:
        drawn = [(MARCH, 1, -60, 0, "drawn"), (MARCH, 0, -30, 0, "drawn"), (MARCH, 2, 0, -200, "drawn")]
        assert entries(session, membership) == drawn
    cancelled = house.cancel(made, by=member)
    assert [part["source"] for part in house.told(cancelled.uid)[-1][2]["returned"]] == ["credit"] * 3
    house.cancel(made, by=member)
    with house.building() as session:
        returned = [(MARCH, 1, 60, 0, "returned"), (MARCH, 0, 30, 0, "returned"), (MARCH, 2, 0, 200, "returned")]
        assert entries(session, membership) == drawn + returned
    assert cover(house.book(member, pool, at(11), at(13))) == cover(made)


def test_a_half_hour_draws_thirty_minutes_and_costs_half_an_hour(house: House) -> None:
    pool, member = house.pool(), house.member()
    with house.building() as session:
        signed(session, member, house.space, credits=[minutes("desk_pool", 45)])
    first, second = (house.book(member, pool, at(hour), at(hour + 0.5)) for hour in (9, 10))
    assert cover(first) == [("credit", 30, 303)]
    assert cover(second) == [("credit", 15, 152), ("money", None, 151)]


def test_a_moved_booking_draws_again_where_it_now_falls(house: House) -> None:
    pool, member = house.pool(), house.member()
    with house.building() as session:
        membership = signed(session, member, house.space, credits=[minutes("*", 60)])
    made = house.book(member, pool, at(9, day=26), at(10, day=26))
    moved = house.move(made, by=member, start=at(9, day=31), end=at(10.5, day=31))
    assert [(part["source"], part.get("minutes")) for part in moved.cover] == [("credit", 60), ("money", None)]
    with house.building() as session:
        assert entries(session, membership) == [
            (MARCH, 0, -60, 0, "drawn"), (MARCH, 0, 60, 0, "returned"), (date(2026, 4, 1), 0, -60, 0, "drawn"),
        ]  # fmt: skip


def test_credit_lasts_from_the_first_day_to_the_last_and_not_through_a_pause(house: House) -> None:
    pool, member = house.pool(), house.member()
    with house.building() as session:
        days = {"starts_on": date(2026, 3, 3), "ends_on": date(2026, 3, 7)}
        membership = signed(session, member, house.space, credits=[minutes("*", 600)], **days)
        paused(session, membership, date(2026, 3, 5), date(2026, 3, 6))
    sources = [house.book(member, pool, at(9, day=day), at(10, day=day)).row["cover"][0]["source"] for day in range(7)]
    assert sources == ["money", "credit", "credit", "money", "money", "credit", "money"]
    with pytest.raises(Refused, match="cover"):
        house.book(member, pool, at(9, day=8), at(10, day=8), cover=("credit",))


def test_a_membership_follows_the_version_of_the_day(house: House) -> None:
    pool, member = house.pool(), house.member()
    with house.building() as session:
        membership = signed(session, member, house.space, credits=[minutes("desk_pool", 60)])
        bigger = a_version(session, house.space, credits=[minutes("room", 60), minutes("desk_pool", 90)])
        mistaken = a_version(session, house.space, credits=[minutes("desk_pool", 6000)])
        moved_to(session, membership, mistaken, date(2026, 3, 4))
        moved_to(session, membership, bigger, date(2026, 3, 4))  # changed twice in a day: the last holds
    assert cover(house.book(member, pool, at(9), at(11))) == [("credit", 60, 605), ("money", None, 605)]
    assert cover(house.book(member, pool, at(9, day=2), at(10, day=2))) == [("credit", 30, 303), ("money", None, 302)]


def test_a_paid_extension_renews_the_credit(house: House) -> None:
    """Cycles that begin on the day it starts: each has its own credit, as long as the membership lasts."""
    pool, member = house.pool(), house.member()
    with house.building() as session:
        terms = {"anchor": "start", "credits": [minutes("*", 60)], "starts_on": date(2026, 2, 10)}
        membership = signed(session, member, house.space, ends_on=date(2026, 3, 9), **terms)
    assert cover(house.book(member, pool, at(9, day=7), at(10, day=7))) == [("credit", 60, 605)]
    assert cover(house.book(member, pool, at(9, day=8), at(10, day=8))) == [("money", None, 605)]
    with house.building() as session:
        session.merge(membership).ends_on = date(2026, 4, 9)
    assert cover(house.book(member, pool, at(11, day=8), at(12, day=8))) == [("credit", 60, 605)]
    with house.building() as session:
        assert [entry[0] for entry in entries(session, membership)] == [date(2026, 2, 10), date(2026, 3, 10)]


def test_a_team_shares_its_credit_by_seat_and_its_party_pays(house: House) -> None:
    pool, boss, *crew = house.pool(), *(house.member() for _ in range(4))
    with house.building() as session:
        party = a_business(session)
        team = a_team(session, house.space, crew, answers=boss, party=party)
        session.scalars(select(TeamSeat).where(TeamSeat.member_id == crew[2].id)).one().until_day = date(2026, 3, 2)
        membership = signed(session, boss, house.space, team=team, credits=[minutes("*", 90)])
    first, second, third, fourth = (house.book(member, pool, at(9), at(10)) for member in (*crew, boss))
    assert [cover(made)[0][:2] for made in (first, second)] == [("credit", 60), ("credit", 30)]
    assert cover(third) == cover(fourth) == [("money", None, 605)]  # the seat is over; who answers has none
    told = [house.told(made.row["uid"])[0][2]["payer_id"] for made in (first, second, third)]
    assert told == [str(party.uid), str(party.uid), None]
    house.cancel(first, by=crew[0])
    assert cover(house.book(crew[1], pool, at(11), at(12))) == [("credit", 60, 605)]
    with house.building() as session:
        assert sum(entry[2] for entry in entries(session, membership)) == -90


def test_own_credit_and_the_teams_the_one_that_expires_first(house: House) -> None:
    pool, member = house.pool(), house.member()
    with house.building() as session:
        own = signed(session, member, house.space, credits=[minutes("*", 60)])
        team = a_team(session, house.space, [member], answers=member)
        shared = signed(session, member, house.space, team=team, credits=[minutes("*", 30)], cycle="week")
    made = house.book(member, pool, at(9), at(11))
    assert [(drawn.membership_id, drawn.minutes) for drawn in made.plan.drawn] == [(shared.id, 30), (own.id, 60)]


def test_a_plans_discount_is_a_line_of_the_quote_and_money_of_the_plan_pays_what_is_left(house: House) -> None:
    room, member = house.room(), house.member()
    with house.building() as session:
        signed(session, member, house.space, name="Club", discounts=[{"kind": "room", "percent": 15}],
               credits=[cents("room", 500)])  # fmt: skip
    quoted = house.quote(member, room, at(9), at(11))
    assert [(line["name"], line["price"]["amount_cents"], line.get("percent_off")) for line in quoted["lines"]] == [
        (room.name, 1210, None), ("Club", -181, 15),
    ]  # fmt: skip
    assert [line["price"]["net_cents"] for line in quoted["lines"]] == [1000, -150]
    assert quoted["total"] == {"amount_cents": 1029, "currency": "EUR", "net_cents": 850, "vat_cents": 179}
    made = house.book(member, room, at(9), at(11))
    assert cover(made) == [("credit", None, 500), ("money", None, 529)]
    assert house.cancel(made, by=member).fee_cents == 0
    assert cover(house.book(member, room, at(9), at(11))) == cover(made)


@pytest.mark.parametrize("hours", [(0, 6)])
@pytest.mark.parametrize(("day", "covered"), [(date(2026, 3, 29), 180), (date(2026, 10, 25), 300)])
def test_a_window_and_a_price_on_a_night_when_the_clock_changes(
    house: House, day: date, covered: int, hours: tuple[int, int]
) -> None:
    """From midnight to six pass five hours in spring and seven in autumn; from one to five, three and five."""
    member = house.member()
    with house.building() as session:
        night = a_space(session, opens="00:00", closes="00:00")
        desks = a_pool(session, night, price={"day_cents": None})
        signed(session, member, night, credits=[minutes("*", 600, **{"from": "01:00", "until": "05:00"})])
    ahead = (day - date(2026, 3, 2)).days
    made = house.book(member, desks, *(at(hour, day=ahead) for hour in hours))
    passing = 60 * 5 if day.month == 3 else 60 * 7
    assert (made.row["ends_at"] - made.row["starts_at"]) // timedelta(minutes=1) == passing
    assert made.row["net_cents"] == passing * 500 // 60
    assert [part[1] for part in cover(made)] == [covered, None]


@pytest.mark.parametrize("racers", [8])
def test_people_of_a_team_who_book_at_once_never_overdraw_what_they_share(house: House, racers: int) -> None:
    crew, pools = [house.member() for _ in range(racers)], [house.pool(desks=racers) for _ in range(2)]
    with house.building() as session:
        team = a_team(session, house.space, crew, answers=crew[0])
        membership = signed(session, crew[0], house.space, team=team, credits=[minutes("*", 250), cents("*", 900)])
    barrier = threading.Barrier(racers)

    def books(member_no: int) -> list[Made]:
        barrier.wait(timeout=30)
        return [house.book(crew[member_no], pool, at(9 + i), at(10 + i)) for i, pool in enumerate(pools)]

    with ThreadPoolExecutor(racers) as racing:
        made = [each for answers in racing.map(books, range(racers)) for each in answers]
    with house.building() as session:
        drawn = session.scalars(select(CreditEntry).where(CreditEntry.membership_id == membership.id)).all()
    assert sum(entry.minutes for entry in drawn) == -250
    assert sum(entry.cents for entry in drawn) == -900
    assert sum(part[1] or 0 for each in made for part in cover(each)) == 250
    assert all(sum(part[2] for part in cover(each)) == 605 for each in made)


def test_availability_knows_the_seat_the_pause_and_the_discount(house: House) -> None:
    """Who sits in a team is on a plan of the space; the price found is the price booked."""
    boss, member, days = house.member(), house.member(), []
    with house.building() as session:
        desks = a_pool(session, house.space, rules={"audience": "members"})
        team = a_team(session, house.space, [member], answers=boss)
        terms = {"discounts": [{"kind": "*", "percent": 50}], "ends_on": date(2026, 3, 7)}
        membership = signed(session, boss, house.space, team=team, **terms)
        paused(session, membership, date(2026, 3, 5), date(2026, 3, 5))
    for who in (member, boss):
        for day in range(1, 7):
            with house.seen_by(who) as (session, person):
                search = Search(start=at(9, day=day), end=at(11, day=day))
                found = find_places(session, search, person=person, now=house.now)
                days += [(who, day, place.price.gross_cents) for place in found]
    assert days == [(member, day, 605) for day in (1, 2, 4, 5)]
    assert house.book(member, desks, at(9), at(11)).row["gross_cents"] == 605
    with pytest.raises(Refused, match="audience"):
        house.book(member, desks, at(9, day=3), at(11, day=3))
