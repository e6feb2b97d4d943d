"""What members read in their mailbox, in their language, from booking to cancelling."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.network.models import Member
from tests.builders import a_manager, a_member, a_membership, a_pool, a_room
from tests.notifications.mailbox import ADDRESS, Mailbox
from tests.scenarios.conftest import Town, in_feed, open_feed


@pytest.fixture
def mailbox(town: Town, tmp_path: Path) -> Mailbox:
    return Mailbox(town.make_session, tmp_path, town.clock)


def told(town: Town, mailbox: Mailbox):
    town.everyone_is_told()
    return mailbox.new()


def ana(town: Town, locale: str = "en") -> Member:
    return a_member(town.session, name="Ana", email="ana@members.example", locale=locale)


STORY = {
    # language: what the subjects of booking, moving, cancelling and reminding begin with, how an amount and a day look
    "fr": ("Réservé", "Déplacé", "Annulé", "Rappel", "12,10\xa0€", "mercredi 4 mars 2026"),
    "nl": ("Geboekt", "Verplaatst", "Geannuleerd", "Herinnering", "€\xa012,10", "woensdag 4 maart 2026"),
    "de": ("Gebucht", "Verschoben", "Storniert", "Erinnerung", "12,10\xa0€", "Mittwoch, 4. März 2026"),
    "en": ("Booked", "Moved", "Cancelled", "Reminder", "€12.10", "Wednesday, March 4, 2026"),
}


@pytest.mark.parametrize("locale", STORY)
def test_a_booking_is_told_from_beginning_to_end_in_the_members_language(town, mailbox, locale):
    booked, moved, cancelled, reminder, amount, day = STORY[locale]
    room = a_room(town.session, town.space, name="Salle Dendre")
    api = town.as_(ana(town, locale))
    wish = {"resource_id": str(room.uid), **town.period("10:00", "12:00", days=2)}
    answer = api.post("/bookings", json=wish)
    booking = f"/bookings/{answer.json['id']}"
    (first,) = told(town, mailbox)
    assert first.to == "ana@members.example"
    assert first.subject.startswith(f"{booked}") and "Salle Dendre" in first.subject
    for body in (first.text, first.html):
        assert all(word in body for word in ("Ana", "Salle Dendre", "Coworking Ath", "7800 Ath", amount, day))
        assert "10:00 – 12:00" in body
        assert f"{ADDRESS}/bookings#{answer.json['id']}" in body
    assert f'lang="{locale}"' in first.html and first.message["Content-Language"] == locale
    assert first.methods == ["PUBLISH"]

    moved_to = api.patch(booking, json={"start": town.at("14:00", days=2)}, etag=answer.headers["ETag"])
    (second,) = told(town, mailbox)
    assert second.subject.startswith(moved)
    assert "14:00 – 16:00" in second.text and "10:00 – 12:00" in second.text

    town.time_passes(hours=28, minutes=59)
    assert mailbox.new() == []
    town.time_passes(minutes=1)  # Tuesday, 14:00
    (third,) = mailbox.new()
    assert third.subject.startswith(reminder)
    assert "14:00 – 16:00" in third.text

    api.delete(booking, etag=moved_to.headers["ETag"])
    (last,) = told(town, mailbox)
    assert last.subject.startswith(cancelled)
    assert last.methods == ["CANCEL"]
    assert told(town, mailbox) == [], "what comes again is told nobody again"


def test_the_calendar_file_and_the_feed_are_one_entry(town, mailbox):
    room = a_room(town.session, town.space)
    api = town.as_(ana(town))
    feed = open_feed(api)
    answer = api.post("/bookings", json={"resource_id": str(room.uid), **town.period("10:00", "12:00", days=2)})
    (booked,) = told(town, mailbox)
    api.patch(f"/bookings/{answer.json['id']}", json={"start": town.at("14:00", days=2)}, etag="*")
    (moved,) = told(town, mailbox)
    entries = [mail.calendars[0].walk("VEVENT")[0] for mail in (booked, moved)]
    assert [entry["SEQUENCE"] for entry in entries] == [0, 1]
    (fed,) = in_feed(town, feed)
    assert {str(entry["UID"]) for entry in entries} == {str(fed["UID"])}
    for name in ("SEQUENCE", "DTSTART", "DTEND", "DTSTAMP", "SUMMARY", "STATUS"):
        assert entries[1][name] == fed[name], name
    assert str(entries[0]["ORGANIZER"]).startswith("mailto:")
    api.delete(f"/bookings/{answer.json['id']}", etag="*")
    (cancelled,) = told(town, mailbox)
    (gone,) = cancelled.calendars[0].walk("VEVENT")
    assert (gone["UID"], gone["STATUS"], gone["SEQUENCE"]) == (fed["UID"], "CANCELLED", 2)
    assert cancelled.calendars[0]["METHOD"] == "CANCEL"


def test_a_member_is_told_what_staff_do_for_them(town, mailbox):
    room = a_room(town.session, town.space, rules={"approval": True})
    member = ana(town)
    api, desk = town.as_(member), town.as_(a_manager(town.session, town.space))
    wishes = [{"resource_id": str(room.uid), **town.period(f"{hour}:00", f"{hour + 1}:00")} for hour in (10, 12, 14)]
    yes, no, never = (api.post("/bookings", json=wish).json["id"] for wish in wishes)
    assert [mail.subject.partition(":")[0] for mail in told(town, mailbox)] == ["Requested"] * 3
    desk.post(f"/bookings/{yes}/approve")
    desk.post(f"/bookings/{no}/refuse")
    subjects = [mail.subject for mail in told(town, mailbox)]
    assert [subject.partition(":")[0] for subject in subjects] == ["Booked", "Not possible this time"]
    desk.delete(f"/bookings/{yes}", etag="*")
    (sorry,) = told(town, mailbox)
    assert "had to cancel" in sorry.text and "nothing to pay" in sorry.text
    town.time_passes(hours=6)  # 15:00: the third was never answered
    assert api.get(f"/bookings/{never}").json["status"] == "cancelled"
    (lapsed,) = told(town, mailbox)
    assert lapsed.subject.startswith("No longer kept") and "did not answer your request" in lapsed.text


def test_whom_a_closure_displaces_is_offered_what_is_free_instead(town, mailbox):
    room = a_room(town.session, town.space, name="Salle Dendre")
    other = a_room(town.session, town.space, name="Salle Escaut")
    api, boss = town.as_(ana(town)), town.as_(a_manager(town.session, town.space))
    api.post("/bookings", json={"resource_id": str(room.uid), **town.period("10:00", "12:00", days=1)})
    assert len(told(town, mailbox)) == 1
    (unit,) = api.get(f"/bookings/{api.get('/bookings').json[0]['id']}").json["units"]
    closing = {**town.period("08:00", "18:00", days=1), "unit_ids": [unit["id"]], "reason": "Paint"}
    answer = boss.post(f"/spaces/{town.space.uid}/closures", json=closing)
    assert answer.status_code == 201, answer.json
    (displaced,) = told(town, mailbox)
    assert displaced.subject.startswith("Closed at that time: Salle Dendre")
    assert "Still free" in displaced.text and other.name in displaced.text
    assert displaced.methods == ["CANCEL"]
    assert "List-Unsubscribe" not in displaced.message


def test_who_waits_is_told_in_time_what_is_kept_for_them(town, mailbox):
    room = a_room(town.session, town.space)
    taken, waiting = town.as_(a_member(town.session, locale="fr")), town.as_(ana(town))
    wish = {"resource_id": str(room.uid), **town.period("10:00", "12:00", days=1)}
    hers = taken.post("/bookings", json=wish)
    waiting.post("/waitlist", json=wish)
    assert len(told(town, mailbox)) == 1
    taken.delete(f"/bookings/{hers.json['id']}", etag=hers.headers["ETag"])
    town.time_passes(seconds=1)
    mails = {mail.to: mail for mail in told(town, mailbox)}
    offered = mails["ana@members.example"]
    assert offered.subject.startswith("Free for you until 09:30"), "09:00 and half an hour to think"
    assert offered.calendars == []
    town.time_passes(minutes=31)
    (lapsed,) = told(town, mailbox)
    assert lapsed.subject.startswith("No longer kept") and "not taken up in time" in lapsed.text


def test_an_offer_that_is_taken_before_the_mail_goes_is_not_made_by_it(town, mailbox):
    room = a_room(town.session, town.space)
    taken, waiting = town.as_(a_member(town.session, locale="fr")), town.as_(ana(town))
    wish = {"resource_id": str(room.uid), **town.period("10:00", "12:00", days=1)}
    hers = taken.post("/bookings", json=wish)
    waiting.post("/waitlist", json=wish)
    taken.delete(f"/bookings/{hers.json['id']}", etag=hers.headers["ETag"])
    town.time_passes(seconds=1)
    (entry,) = waiting.get("/waitlist").json
    waiting.post(f"/bookings/{entry['booking_id']}/accept")
    mine = [mail for mail in told(town, mailbox) if mail.to == "ana@members.example"]
    assert [mail.subject.partition(":")[0] for mail in mine] == ["Booked"]


def test_the_dates_of_a_recurrence_are_one_mail(town, mailbox):
    room = a_room(town.session, town.space)
    api = town.as_(ana(town))
    recurrence = {"freq": "weekly", "count": 4}
    wish = {"resource_id": str(room.uid), **town.period("10:00", "12:00", days=1), "recurrence": recurrence}
    answer = api.post("/bookings", json=wish)
    assert answer.status_code == 201, answer.json
    (mail,) = told(town, mailbox)
    assert mail.subject.endswith("4 dates")
    assert mail.text.count("10:00 – 12:00") == 4
    assert "€48.40" in mail.text
    assert len(mail.calendars[0].walk("VEVENT")) == 4
    town.time_passes(days=7, hours=1)
    reminders = mailbox.new()
    assert [mail.subject.partition(":")[0] for mail in reminders] == ["Reminder"], "the first was tomorrow's, too late"


def test_a_late_cancellation_says_what_it_costs_and_what_does_not_come_back(town, mailbox):
    terms = [[24, 0], [0, 100]]
    pool = a_pool(town.session, town.space, rules={"cancellation": terms})
    paying, planned = ana(town), a_member(town.session, locale="en", email="plan@members.example")
    a_membership(town.session, planned, town.space, included={"desk_pool": 600})
    for member in (paying, planned):
        api = town.as_(member)
        wish = {"resource_id": str(pool.uid), **town.period("12:00", "14:00")}
        booked = api.post("/bookings", json=wish)
        (first,) = told(town, mailbox)
        assert "Cancelling: 100 % of the price" in first.text, "too late for the free part already"
        api.delete(f"/bookings/{booked.json['id']}", etag="*")
        (last,) = told(town, mailbox)
        if member is paying:
            assert "€12.10 are due" in last.text
        else:
            assert "From your plan: 2 hours" in first.text and "To pay: €0.00" in first.text
            assert "too late for 2 hours to go back" in last.text
