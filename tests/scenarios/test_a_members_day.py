"""Ana hears of a desk in Ath: she signs up, looks, asks the price, books, moves, cancels, and her phone follows."""

from __future__ import annotations

from tests.builders import a_member, a_pool, a_room
from tests.http.client import Client
from tests.scenarios.conftest import in_feed, open_feed, starts

PASSWORD = "a long enough pass phrase"


def test_ana_signs_up_books_a_desk_moves_it_and_cancels(town):
    pool = a_pool(town.session, town.space, desks=2)
    town.session.commit()
    stranger = Client(town.app)
    stranger.post("/members", json={"email": "ana@example.org", "password": PASSWORD, "name": "Ana", "locale": "fr"})
    ana = Client(
        town.app, stranger.post("/tokens", json={"email": "ana@example.org", "password": PASSWORD}).json["token"]
    )
    assert ana.get("/me").json["email"] == "ana@example.org"

    tomorrow = town.period("09:00", "12:00", days=1)
    wanted = {"kind": "desk_pool", "space": town.space.slug, **tomorrow}
    (offer,) = ana.get("/availability", query=wanted).json
    assert (offer["resource"]["id"], offer["free_units"]) == (str(pool.uid), 2)
    wish = {"resource_id": offer["resource"]["id"], "title": "Devis", **tomorrow}
    quote = ana.post("/quotes", json=wish).json
    assert quote["refusal"] is None
    assert quote["total"] == offer["price"]
    assert quote["total"]["amount_cents"] == 1815, "3 hours at EUR 5 and 21 % VAT"

    booked = ana.post("/bookings", json=wish)
    assert (booked.status_code, booked.json["status"], booked.json["price"]) == (201, "confirmed", quote["total"])
    assert ana.get("/availability", query=wanted).json[0]["free_units"] == 1
    town.everyone_is_told()
    feed = open_feed(ana)
    (event,) = in_feed(town, feed)
    assert (str(event["SUMMARY"]), starts(event).isoformat()) == ("Devis", tomorrow["start"])

    address = f"/bookings/{booked.json['id']}"
    town.clock.pass_by(minutes=5)
    moved = ana.patch(address, json={"start": town.at("14:00", days=1)}, etag=booked.headers["ETag"])
    assert moved.json["start"] != booked.json["start"]
    assert ana.patch(address, json={"start": town.at("15:00", days=1)}, etag=booked.headers["ETag"]).status_code == 412
    town.everyone_is_told()
    (later,) = in_feed(town, feed)
    assert (later["UID"], starts(later).isoformat()) == (event["UID"], town.at("14:00", days=1))
    assert later["SEQUENCE"] > event["SEQUENCE"]
    assert later["LAST-MODIFIED"].dt > event["LAST-MODIFIED"].dt

    town.clock.pass_by(minutes=5)
    cancelled = ana.delete(address, etag=moved.headers["ETag"])
    assert (cancelled.json["status"], cancelled.json["fee"]["amount_cents"]) == ("cancelled", 0)
    assert ana.delete(address, etag=moved.headers["ETag"]).json == cancelled.json, "again is no mistake"
    town.everyone_is_told()
    (gone,) = in_feed(town, feed)
    assert str(gone["STATUS"]) == "CANCELLED"
    assert ana.get("/availability", query=wanted).json[0]["free_units"] == 2


def test_a_retry_after_a_lost_answer_finds_the_booking_that_was_made(town):
    room = a_room(town.session, town.space)
    ben = town.as_(a_member(town.session))
    wish = {"resource_id": str(room.uid), **town.period("10:00", "11:00")}
    lost = ben.post("/bookings", json=wish, key="from-the-train")
    again = ben.post("/bookings", json=wish, key="from-the-train")
    assert again.data == lost.data
    other = ben.post("/bookings", json={**wish, "title": "another"}, key="from-the-train")
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    assert [booking["id"] for booking in ben.get("/bookings").json] == [lost.json["id"]]
