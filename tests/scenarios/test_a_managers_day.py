"""Mona runs the desk in Ath: who comes today, who asks, whom a closure displaces, and who looked at what."""

from __future__ import annotations

import pytest

from tests.builders import a_manager, a_member, a_pool, a_room
from tests.scenarios.conftest import in_feed, open_feed


@pytest.fixture
def mona(town):
    return town.as_(a_manager(town.session, town.space, name="Mona"))


def test_mona_sees_who_comes_checks_them_in_and_her_looks_are_on_record(town, mona):
    pool = a_pool(town.session, town.space)
    ana, ben = a_member(town.session, name="Ana"), a_member(town.session, name="Ben")
    as_ana, as_ben = town.as_(ana), town.as_(ben)
    today = town.period("09:30", "17:00")
    hers = as_ana.post("/bookings", json={"resource_id": str(pool.uid), **today}).json
    as_ben.post("/bookings", json={"resource_id": str(pool.uid), **today})

    listed = mona.get("/bookings", query={"space": str(town.space.uid)}).json
    assert sorted(booking["member"]["name"] for booking in listed) == ["Ana", "Ben"]
    assert [booking["id"] for booking in as_ana.get("/bookings").json] == [hers["id"]], "Ana sees her own"
    checked_in = mona.post(f"/bookings/{hers['id']}/check-in").json
    assert checked_in["status"] == "checked_in"
    assert checked_in["checked_in_at"] is not None

    trail = mona.get(f"/spaces/{town.space.uid}/audit").json
    assert [(entry["action"], entry["actor"]["name"], entry["subject"]) for entry in trail] == [
        ("booking.checked_in", "Mona", hers["id"]),
        ("booking.viewed", "Mona", "2 bookings"),
    ]
    assert as_ana.get(f"/spaces/{town.space.uid}/audit").status_code in (403, 404)


def test_the_trail_says_what_mona_changed_and_not_what_members_did_themselves(town, mona):
    room = a_room(town.session, town.space, rules={"approval": True})
    ana = a_member(town.session, name="Ana")
    as_ana = town.as_(ana)
    audit = f"/spaces/{town.space.uid}/audit"
    first, second = (
        as_ana.post("/bookings", json={"resource_id": str(room.uid), **town.period(start, end, days=2)}).json["id"]
        for start, end in (("10:00", "11:00"), ("11:00", "12:00"))
    )
    as_ana.call("PATCH", f"/bookings/{first}", json={"title": "Hers"}, etag="*")
    assert mona.get(audit).json == []

    mona.post(f"/bookings/{first}/approve")
    mona.post(f"/bookings/{second}/refuse")
    mona.call("PATCH", f"/bookings/{first}", json={"title": "Theirs"}, etag="*")
    mona.delete(f"/bookings/{first}", etag="*")
    wish = {"resource_id": str(room.uid), "member_id": str(ana.uid), **town.period("14:00", "15:00", days=2)}
    assert mona.post("/quotes", json=wish).json["refusal"] is None
    made = mona.post("/bookings", json=wish).json["id"]
    closures = f"/spaces/{town.space.uid}/closures"
    closed = mona.post(closures, json=town.period("00:00", "23:45", days=5)).json["id"]
    mona.delete(f"{closures}/{closed}")

    trail = mona.get(audit).json
    assert {entry["actor"]["name"] for entry in trail} == {"Mona"}
    assert [(entry["action"], entry["subject"]) for entry in reversed(trail)] == [
        ("booking.approved", first),
        ("booking.refused", second),
        ("booking.changed", first),
        ("booking.cancelled", first),
        ("booking.quoted_for", str(ana.uid)),
        ("booking.made_for", made),
        ("closure.published", closed),
        ("closure.lifted", closed),
    ]


def test_requests_occupy_while_mona_decides_and_what_she_refuses_is_free_again(town, mona):
    room = a_room(town.session, town.space, rules={"approval": True})
    ana, ben = (town.as_(a_member(town.session)) for _ in range(2))
    morning, noon = town.period("10:00", "12:00", days=2), town.period("12:00", "14:00", days=2)
    first = ana.post("/bookings", json={"resource_id": str(room.uid), **morning}).json
    second = ana.post("/bookings", json={"resource_id": str(room.uid), **noon}).json
    assert (first["status"], second["status"]) == ("pending", "pending")
    clash = ben.post("/bookings", json={"resource_id": str(room.uid), **morning})
    assert (clash.status_code, clash.json["code"]) == (409, "slot_taken")

    assert ana.post(f"/bookings/{first['id']}/approve").status_code in (403, 404), "not hers to say"
    assert mona.post(f"/bookings/{first['id']}/approve").json["status"] == "confirmed"
    assert mona.post(f"/bookings/{second['id']}/refuse").json["status"] == "refused"
    again = mona.post(f"/bookings/{second['id']}/approve")
    assert (again.status_code, again.json["code"]) == (409, "wrong_state")
    assert ben.post("/bookings", json={"resource_id": str(room.uid), **noon}).status_code == 201


def test_closing_for_a_day_shows_whom_it_displaces_then_tells_them_and_offers_what_works(town, mona):
    pool = a_pool(town.session, town.space, desks=3)
    as_ana = town.as_(a_member(town.session))
    hers = as_ana.post("/bookings", json={"resource_id": str(pool.uid), **town.period("09:00", "12:00", days=3)}).json
    feed = open_feed(as_ana)
    closures = f"/spaces/{town.space.uid}/closures"
    day = {**town.period("00:00", "23:45", days=3), "reason": "Inventaire"}

    preview = mona.post(f"{closures}/preview", json=day).json
    assert preview["id"] is None
    assert [each["booking"]["id"] for each in preview["displaced"]] == [hers["id"]]
    assert as_ana.get(f"/bookings/{hers['id']}").json["status"] == "confirmed", "a preview changes nothing"

    closed = mona.post(closures, json=day)
    (displaced,) = closed.json["displaced"]
    assert (displaced["booking"]["status"], displaced["booking"]["reason"]) == ("cancelled", "closure")
    assert displaced["booking"]["fee"]["amount_cents"] == 0
    town.everyone_is_told()
    assert [str(event["STATUS"]) for event in in_feed(town, feed)] == ["CANCELLED"]
    refused = as_ana.post("/bookings", json={"resource_id": str(pool.uid), **town.period("09:00", "12:00", days=3)})
    assert refused.status_code in (409, 422)
    for instead in displaced["alternatives"][:1] + refused.json["alternatives"][:1]:
        assert as_ana.post("/bookings", json=instead).status_code == 201

    assert mona.delete(f"{closures}/{closed.json['id']}").json["lifted_at"] is not None
    assert (
        as_ana.post(
            "/bookings", json={"resource_id": str(pool.uid), **town.period("13:00", "14:00", days=3)}
        ).status_code
        == 201
    )
