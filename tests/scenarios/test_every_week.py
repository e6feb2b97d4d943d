"""A weekly meeting across the clock change: nine o'clock stays nine, and all dates are booked or none."""

from __future__ import annotations

from datetime import datetime

from tests.builders import a_member, a_room
from tests.scenarios.conftest import BRUSSELS, in_feed, open_feed, starts


def on_the_wall(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(BRUSSELS).strftime("%d.%m. %H:%M")


def test_a_taken_date_is_named_left_out_and_the_rest_is_booked_at_nine_o_clock(town):
    room = a_room(town.session, town.space)
    ana, ben = (town.as_(a_member(town.session)) for _ in range(2))
    ben.post("/bookings", json={"resource_id": str(room.uid), **town.period("09:30", "10:00", days=21)})
    weekly = {
        "resource_id": str(room.uid),
        **town.period("09:00", "11:00", days=14),
        "title": "Équipe",
        "recurrence": {"freq": "weekly", "count": 4},
    }
    previewed = ana.post("/quotes", json=weekly).json["dates"]
    assert [on_the_wall(date["start"]) for date in previewed] == [
        "16.03. 09:00", "23.03. 09:00", "30.03. 09:00", "06.04. 09:00",
    ]  # fmt: skip
    assert [date["refusal"] and date["refusal"]["code"] for date in previewed] == [None, "slot_taken", None, None]

    refused = ana.post("/bookings", json=weekly)
    assert refused.status_code == 409
    assert [date["day"] for date in refused.json["dates"]] == ["2026-03-23"]
    assert ana.get("/bookings").json == [], "all or nothing"

    weekly["recurrence"]["except_days"] = ["2026-03-23"]
    made = ana.post("/bookings", json=weekly).json
    assert len(made["occurrences"]) == 3
    listed = ana.get("/bookings").json
    assert {booking["series_id"] for booking in listed} == {made["series_id"]}
    assert [on_the_wall(booking["start"]) for booking in listed] == ["16.03. 09:00", "30.03. 09:00", "06.04. 09:00"]
    assert len({datetime.fromisoformat(booking["start"]).hour for booking in listed}) == 2, "the instants did move"
    town.everyone_is_told()
    assert [starts(event).strftime("%H:%M") for event in in_feed(town, open_feed(ana))] == ["09:00"] * 3
