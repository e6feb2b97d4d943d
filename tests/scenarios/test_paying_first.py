"""A room that is paid first: held for half an hour, confirmed by the money, free again without; what comes late goes
back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from app.billing.charges.models import BilledBooking
from app.billing.payments.calling import Caller
from app.billing.payments.models import PaymentAccount
from app.booking.models import PriceList
from app.network.models import Operator
from app.network.parties.models import Party
from tests.billing.payments.scripted import Scripted, answered, came
from tests.builders import a_manager, a_member, a_room, saved
from tests.http.client import Client
from tests.notifications.mailbox import Mailbox
from tests.scenarios.conftest import Town

PRICE = 12100  # a morning


class Reception:
    """Ath, whose room costs EUR 121.00 for a morning, to be paid first; the provider answers as it is told."""

    def __init__(self, town: Town) -> None:
        self.town = town
        own = town.app.extensions["passerelle"]
        town.app.extensions["passerelle"] = replace(own, config=replace(own.config, stripe_api_key="sk_test_nobody"))
        town.session.add(PaymentAccount(operator_id=town.space.operator_id, provider_mode="own"))
        self.room = a_room(town.session, town.space)
        listed = {"valid_from": date(2026, 1, 1), "hour_tiers": [[None, 2500]]}
        saved(town.session, PriceList(resource_id=self.room.id, **listed))
        self.manager = town.as_(a_manager(town.session, town.space))
        self.guest = town.as_(a_member(town.session, name="Guest", locale="en"))
        self.operator_name = town.session.get_one(Operator, town.space.operator_id).name
        steps = [{"hours_before": 48, "percent": 0}, {"hours_before": 0, "percent": 50}]
        rules = {"pay_first": True, "cancellation": steps}
        assert self.manager.put(f"/resources/{self.room.uid}/rules", json=rules, etag="*").status_code == 200

    def book(self, api: Client | None = None, *, days: int = 3) -> dict[str, Any]:
        wish = {"resource_id": str(self.room.uid), **self.town.period("08:00", "12:00", days=days)}
        made = (api or self.guest).post("/bookings", json=wish)
        assert made.status_code == 201, made.json
        self.town.everyone_is_told()
        return dict(made.json)

    def pay(self, booking: dict[str, Any]) -> dict[str, Any]:
        asked = self.guest.post(f"/bookings/{booking['id']}/payments", json={"mode": "present", "kind": "card"})
        assert asked.status_code == 201, asked.json
        return dict(asked.json)

    def provider_says(self, *answers: Any) -> Scripted:
        """What is due at the provider is asked there, and heard."""
        scripted = Scripted(*answers)
        caller = Caller(self.town.make_session, scripted, clock=self.town.clock)
        while caller.round():
            caller.finish_calls()
        caller.close()
        self.town.everyone_is_told()
        return scripted

    def settles(self) -> Scripted:
        return self.provider_says(came(cents=PRICE, fee=200))

    def status(self, booking: dict[str, Any]) -> str:
        found: str = self.guest.get(f"/bookings/{booking['id']}").json["status"]
        return found


@pytest.fixture
def reception(town: Town) -> Reception:
    return Reception(town)


def test_a_booking_is_held_until_its_money_has_come(reception: Reception) -> None:
    booking = reception.book()
    assert booking["status"] == "held" and booking["hold_expires_at"] is not None
    payment = reception.pay(booking)
    assert (payment["amount_cents"], payment["booking_id"], payment["state"]) == (PRICE, booking["id"], "requested")
    assert reception.pay(booking)["id"] == payment["id"], "asked again, it is the same payment"
    reception.settles()
    assert reception.status(booking) == "confirmed"
    reception.town.time_passes(hours=1)
    assert reception.status(booking) == "confirmed"
    assert reception.guest.get(f"/payments/{payment['id']}").json["credit_cents"] == PRICE


def test_without_money_the_place_is_free_again_after_half_an_hour(reception: Reception) -> None:
    booking = reception.book()
    refused = reception.guest.post(f"/bookings/{booking['id']}/accept")
    assert (refused.status_code, refused.json["rule"]) == (422, "pay_first")
    reception.town.time_passes(minutes=31)
    assert reception.status(booking) == "cancelled"
    assert reception.book(reception.town.as_(a_member(reception.town.session)))["status"] == "held"


def test_money_that_comes_too_late_goes_back_by_itself_and_its_payer_is_told(
    reception: Reception, tmp_path: Path
) -> None:
    booking = reception.book()
    payment = reception.pay(booking)
    reception.town.time_passes(minutes=31)
    reception.town.everyone_is_told()
    assert reception.status(booking) == "cancelled"
    reception.settles()
    asked = reception.provider_says(answered("settled", ref="re_1"))
    assert asked.verbs == ["refund"]
    reception.town.everyone_is_told()
    shown = reception.guest.get(f"/payments/{payment['id']}").json
    assert (shown["state"], shown["refunded_cents"], shown["credit_cents"]) == ("settled", PRICE, 0)
    assert [each["reason"] for each in shown["refunds"]] == ["too_late"]
    mails = Mailbox(reception.town.make_session, tmp_path, reception.town.clock).new()
    (told,) = [mail for mail in mails if "121" in mail.subject]
    assert "no longer held" in told.text and reception.operator_name in told.subject


def test_who_cancels_gets_back_what_is_above_the_fee_once(reception: Reception) -> None:
    booking = reception.book(days=3)
    payment = reception.pay(booking)
    reception.settles()
    reception.town.time_passes(days=1, hours=12)
    gone = reception.guest.delete(f"/bookings/{booking['id']}", etag="*")
    assert gone.json["fee"]["amount_cents"] == PRICE // 2
    reception.town.everyone_is_told()
    asked = reception.provider_says(came(cents=PRICE, fee=200), answered("settled", ref="re_1"))
    assert asked.verbs == ["look_up", "refund"]  # a day later it is looked at once more
    shown = reception.guest.get(f"/payments/{payment['id']}").json
    assert (shown["refunded_cents"], shown["credit_cents"]) == (PRICE - PRICE // 2, PRICE // 2)


def test_the_desk_takes_the_money_or_books_without(reception: Reception) -> None:
    booking = reception.book()
    taken = reception.manager.post(f"/bookings/{booking['id']}/accept")
    assert (taken.status_code, reception.status(booking)) == (200, "confirmed")
    assert reception.book(reception.manager, days=4)["status"] == "confirmed"


def test_who_moves_late_what_is_paid_keeps_it_and_pays_for_it(reception: Reception) -> None:
    booking = reception.book(days=3)
    payment = reception.pay(booking)
    reception.settles()
    reception.town.time_passes(days=1, hours=12)
    later = reception.town.period("08:00", "12:00", days=4)
    moved = reception.guest.patch(f"/bookings/{booking['id']}", json=later, etag="*").json
    assert (moved["status"], moved["hold_expires_at"]) == ("confirmed", None)
    assert moved["least_fee"]["amount_cents"] == PRICE // 2
    reception.town.everyone_is_told()
    reception.town.time_passes(days=5)
    reception.town.everyone_is_told()
    assert reception.status(booking) == "completed"
    shown = reception.guest.get(f"/payments/{payment['id']}").json
    assert (shown["refunded_cents"], shown["credit_cents"]) == (0, PRICE)


def test_a_request_moved_late_that_nobody_answers_keeps_its_fee_of_the_money(reception: Reception) -> None:
    asking = a_room(reception.town.session, reception.town.space, rules={"approval": True})
    reception.town.session.commit()
    booking = reception.book(days=3)
    payment = reception.pay(booking)
    reception.settles()
    reception.town.time_passes(days=1, hours=12)
    later = {"resource_id": str(asking.uid), **reception.town.period("08:00", "09:00", days=4)}
    moved = reception.guest.patch(f"/bookings/{booking['id']}", json=later, etag="*").json
    assert moved["status"] == "pending"
    reception.town.everyone_is_told()
    reception.town.time_passes(days=5)
    reception.town.everyone_is_told()
    gone = reception.guest.get(f"/bookings/{booking['id']}").json
    assert (gone["reason"], gone["fee"]["amount_cents"]) == ("expired", PRICE // 2)
    reception.provider_says(came(cents=PRICE, fee=200), answered("settled", ref="re_1"))
    shown = reception.guest.get(f"/payments/{payment['id']}").json
    assert shown["refunded_cents"] == PRICE - PRICE // 2


def test_nobody_pays_first_for_what_a_team_or_an_employer_pays(reception: Reception) -> None:
    booking = reception.book()
    employer = saved(reception.town.session, Party(name="Employer", country="BE"))
    known = update(BilledBooking).where(BilledBooking.booking_uid == UUID(booking["id"]))
    reception.town.session.execute(known.values(payer_uid=employer.uid))
    reception.town.session.commit()
    asked = {"mode": "present", "kind": "card"}
    refused = reception.guest.post(f"/bookings/{booking['id']}/payments", json=asked)
    assert (refused.status_code, refused.json["code"]) == (409, "wrong_state")
    assert "employer" in refused.json["remedy"]


def test_a_recurrence_is_not_paid_first(reception: Reception) -> None:
    weekly = {"freq": "weekly", "count": 3}
    wish = {"resource_id": str(reception.room.uid), **reception.town.period("08:00", "12:00", days=3)}
    refused = reception.guest.post("/bookings", json={**wish, "recurrence": weekly})
    assert refused.status_code == 422


def test_nobody_pays_for_the_booking_of_another_or_for_one_that_is_not_held(reception: Reception) -> None:
    booking = reception.book()
    asked = {"mode": "present", "kind": "card"}
    other = reception.town.as_(a_member(reception.town.session))
    assert other.post(f"/bookings/{booking['id']}/payments", json=asked).status_code == 404
    reception.pay(booking)
    running = reception.guest.post(f"/bookings/{booking['id']}/payments", json={**asked, "kind": "bancontact"})
    assert (running.status_code, running.json["code"]) == (409, "payment_running")
    reception.settles()
    again = reception.guest.post(f"/bookings/{booking['id']}/payments", json=asked)
    assert (again.status_code, again.json["code"]) == (409, "wrong_state")
