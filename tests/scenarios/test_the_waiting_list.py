"""A taken room, three people who would like it: the first who asked is offered it first, and has half an hour."""

from __future__ import annotations

from tests.builders import a_member, a_room


def test_what_one_gives_up_is_offered_in_the_order_of_asking_and_lapses_unanswered(town):
    room = a_room(town.session, town.space)
    ana, ben, cleo = (town.as_(a_member(town.session)) for _ in range(3))
    wish = {"resource_id": str(room.uid), **town.period("10:00", "12:00", days=1)}
    hers = ana.post("/bookings", json=wish)
    assert ben.post("/bookings", json=wish).json["code"] == "slot_taken"
    waits = [ben.post("/waitlist", json=wish).json, cleo.post("/waitlist", json=wish).json]
    assert [entry["status"] for entry in waits] == ["waiting", "waiting"]

    ana.delete(f"/bookings/{hers.json['id']}", etag=hers.headers["ETag"])
    town.time_passes(seconds=1)
    (offered,) = ben.get("/waitlist").json
    assert offered["status"] == "offered"
    assert ben.get(f"/bookings/{offered['booking_id']}").json["status"] == "held"
    assert cleo.get("/waitlist").json[0]["status"] == "waiting"
    assert ana.post("/bookings", json=wish).json["code"] == "slot_taken", "a hold occupies"

    town.time_passes(minutes=31)
    assert ben.get("/waitlist").json[0]["status"] == "lapsed"
    expired = ben.get(f"/bookings/{offered['booking_id']}").json
    assert (expired["status"], expired["reason"]) == ("cancelled", "expired")
    (second,) = cleo.get("/waitlist").json
    assert second["status"] == "offered"
    accepted = cleo.post(f"/bookings/{second['booking_id']}/accept").json
    assert accepted["status"] == "confirmed"
    assert cleo.get("/waitlist").json[0]["status"] == "taken"

    town.time_passes(minutes=31)
    assert cleo.get(f"/bookings/{second['booking_id']}").json["status"] == "confirmed", "taken up is taken up"


def test_whom_nobody_sees_makes_room_for_whoever_waits(town):
    room = a_room(town.session, town.space, rules={"no_show_after_minutes": 15})
    ana, ben = (town.as_(a_member(town.session)) for _ in range(2))
    hers = ana.post("/bookings", json={"resource_id": str(room.uid), **town.period("10:00", "12:00")}).json
    wish = {"resource_id": str(room.uid), **town.period("11:00", "12:00")}
    assert ben.post("/waitlist", json=wish).json["status"] == "waiting"
    town.time_passes(minutes=76)  # 10:16 on the wall
    assert ana.get(f"/bookings/{hers['id']}").json["status"] == "no_show"
    (offered,) = ben.get("/waitlist").json
    assert offered["status"] == "offered"
    assert ben.post(f"/bookings/{offered['booking_id']}/accept").json["status"] == "confirmed"
