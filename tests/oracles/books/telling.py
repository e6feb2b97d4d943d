"""Two months of five operators in one database, told over HTTP: rooms and plans, and trade over borders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.db import raw, transaction
from app.network.models import Operator, Space
from app.tenancy import SYSTEM
from tests.builders import a_manager, a_member, a_room, a_space
from tests.http.client import Client
from tests.scenarios.conftest import Town
from workers import registry
from workers.handle import EventHandler
from workers.run import begin_closings

HALF_KEPT = [[24, 0], [0, 50]]
_RECORDED = raw("SELECT id, envelope FROM outbox WHERE id > :seen ORDER BY id")
BELGIAN, FRENCH, SWISS = "BE0200001726", "FR31810000026", "CHE109322551"


@dataclass
class House:
    """An operator: its space, its room, whoever keeps its books."""

    operator: str
    country: str
    space: Space
    room: str
    manager: Client

    def keeps(self, path: str, **body: Any) -> Any:
        """What the manager posts under the operator's address."""
        answer = self.manager.post(f"/operators/{self.operator}/{path}", json=body)
        assert answer.status_code in (201, 202), answer.json
        return answer.json

    def opens_a_plan(self, cents: int, *, includes_vat: bool) -> str:
        terms = {"valid_from": "2026-03-02", "price_cents": cents, "includes_vat": includes_vat}
        plan = self.keeps("plans", name="Mi-temps", space_id=str(self.space.uid), **terms)
        return str(plan["versions"][0]["id"])

    def charges(self, party: str, cents: int, on: str, *, place_of_supply: str = "IMMOVABLE", **more: Any) -> None:
        given = {"unit_price_cents": cents, "service_from": on, "place_of_supply": place_of_supply, **more}
        self.keeps("charges", party_id=party, description="Coffee and copies", **given)

    def documents(self, *, kind: str, party: str) -> list[dict[str, Any]]:
        """Of one customer, oldest first."""
        query = {"operator_id": self.operator, "kind": kind, "party_id": party}
        return list(reversed(self.manager.get("/invoices", query=query).json))

    def is_paid(self, party: str, *cents: int, kind: str) -> list[dict[str, Any]]:
        """At the desk, for the customer's newest invoices, each once."""
        invoices = [d for d in self.documents(kind="monthly", party=party) if d["open_cents"]]
        receipt = {"kind": kind, "invoice_ids": [each["id"] for each in invoices]}
        return [self.keeps("receipts", **receipt, amount_cents=amount) for amount in cents]

    def gives_back(self, payment: dict[str, Any], cents: int) -> None:
        asked = {"amount_cents": cents, "reason": "Too much"}
        assert self.manager.post(f"/payments/{payment['id']}/refunds", json=asked).status_code == 201
        [task] = [
            each for each in self.manager.get(f"/operators/{self.operator}/money-tasks").json
            if each["kind"] == "refund_by_hand"
        ]  # fmt: skip
        where = f"/operators/{self.operator}/money-tasks/{task['id']}/closing"
        assert self.manager.post(where, json={"note": "Done"}).status_code == 200

    def takes_back(self, document: dict[str, Any], *lines: dict[str, int]) -> None:
        wish = {"lines": list(lines), "reason": "A room without heating"}
        answer = self.manager.post(f"/invoices/{document['id']}/credit-notes", json=wish)
        assert answer.status_code == 201, answer.json


@dataclass
class Guest:
    """A customer: the API as it meets them, and the party that documents name."""

    api: Client
    party: str

    def books(self, town: Town, house: House, start: str, end: str, *, days: int) -> str:
        answer = self.api.post("/bookings", json={"resource_id": house.room, **town.period(start, end, days=days)})
        assert answer.status_code == 201, answer.json
        return str(answer.json["id"])

    def cancels(self, booking: str) -> int:
        """The fee."""
        answer = self.api.delete(f"/bookings/{booking}", etag="*")
        assert answer.status_code == 200, answer.json
        return int(answer.json["fee"]["amount_cents"])

    def signs(self, house: House, version: str, starts_on: str) -> str:
        wish = {"space_id": str(house.space.uid), "plan_version_id": version, "starts_on": starts_on}
        answer = self.api.post("/memberships", json=wish)
        assert answer.status_code == 201, answer.json
        return str(answer.json["id"])

    def leaves(self, membership: str, last_day: str) -> None:
        answer = self.api.post(f"/memberships/{membership}/notices", json={"last_day": last_day})
        assert answer.status_code in (200, 201), answer.json


def a_house(town: Town, space: Space, cents: int, *, includes_vat: bool = False) -> House:
    price = {"hour_tiers": [[None, cents]], "day_cents": None, "includes_vat": includes_vat}
    room = a_room(town.session, space, rules={"cancellation": HALF_KEPT}, price=price)
    operator = town.session.get_one(Operator, space.operator_id)
    manager = town.as_(a_manager(town.session, space))
    return House(str(operator.uid), space.country, space, str(room.uid), manager)


def a_guest(town: Town, *, country: str, vat_number: str | None = None) -> Guest:
    """A private person, or a company where a VAT number is given."""
    api = town.as_(a_member(town.session))
    said: dict[str, Any] = {"name": "A guest", "street": "Rue Haute 1", "postcode": "1000", "town": "Here"}
    said |= {"country": country, "is_business": vat_number is not None, "vat_number": vat_number}
    answer = api.put("/me/billing-details", json=said, etag="*")
    assert answer.status_code == 200, answer.json
    return Guest(api, answer.json["id"])


def confirmed(house: House, guest: Guest, vat_number: str) -> None:
    """Who keeps the books has looked the number up elsewhere; the customer is one whom the house has charged before."""
    where = f"/operators/{house.operator}/customers/{guest.party}/vat-confirmations"
    said = {"vat_number": vat_number, "answer": "yes", "consultation": "W1"}
    answer = house.manager.post(where, json=said)
    assert answer.status_code == 200, answer.json
    assert answer.json["vat"]["treated_as"] == "business"


class Valley:
    """Five operators, and who goes to all of them: a private person and three companies."""

    def __init__(self, town: Town) -> None:
        self.town, session, self.heard = town, town.session, 0
        self.houses = {
            "a Belgian one": a_house(town, town.space, 1537),
            "a French one": a_house(town, a_space(session, country="FR", name="Lille"), 1735, includes_vat=True),
            "an exempt Belgian one": a_house(town, a_space(session, regime="small_business", name="Enghien"), 1111),
            "a Belgian one with VAT in its prices": a_house(
                town, a_space(session, name="Leuze"), 1999, includes_vat=True
            ),
            "a French one without VAT in its prices": a_house(town, a_space(session, country="FR", name="Tours"), 1333),
        }
        self.ath, self.lille, self.enghien, self.leuze, self.tours = self.houses.values()
        begin_closings(session, now=town.clock())
        session.commit()
        self.ana = a_guest(town, country="BE")
        self.belgian = a_guest(town, country="BE", vat_number=BELGIAN)
        self.french = a_guest(town, country="FR", vat_number=FRENCH)
        self.swiss = a_guest(town, country="CH", vat_number=SWISS)

    def tell(self) -> None:
        """From Monday 2 March to 2 June 2026; whatever was supplied by then is on a document."""
        self.everyone_comes_once()
        self.march_is_used()
        self.companies_buy_over_borders()
        self.closes("2026-03", days=22)
        self.april_is_prepaid_and_taken_back()
        self.some_is_paid_at_the_desk()
        self.closes("2026-04", days=31)
        self.town.time_passes(days=31)
        self.billing_is_told()

    def closes(self, month: str, *, days: int) -> None:
        self.billing_is_told()
        self.town.time_passes(days=days)
        self.billing_is_told()
        for house in self.houses.values():
            house.keeps("closed-months", month=month)
        self.town.time_passes(minutes=1)

    def billing_is_told(self) -> None:
        """Of what has been recorded since it was told last; mails and calendars have no part in this story."""
        with transaction(self.town.make_session, SYSTEM) as session:
            recorded = session.execute(_RECORDED, {"seen": self.heard}).all()
        handler = EventHandler(registry.load()["billing"], self.town.make_session, clock=self.town.clock)
        for place, envelope in recorded:
            handler.handle(envelope)
            self.heard = place

    def everyone_comes_once(self) -> None:
        """Like private persons, until somebody has looked up the companies' numbers."""
        companies = ((self.belgian, BELGIAN), (self.french, FRENCH), (self.swiss, SWISS))
        for house in self.houses.values():
            for hour, guest in enumerate((self.ana, *(guest for guest, _ in companies)), start=9):
                guest.books(self.town, house, f"{hour:02d}:15", f"{hour:02d}:45", days=1)
        self.billing_is_told()
        for house in self.houses.values():
            for guest, number in companies:
                house.charges(guest.party, 333, "2026-03-02", place_of_supply="GENERAL_B2B")
                confirmed(house, guest, number)

    def march_is_used(self) -> None:
        """Plans by day, rooms, and two late cancellations in each house."""
        ath = self.ath.opens_a_plan(10_001, includes_vat=False)
        lille = self.lille.opens_a_plan(9_999, includes_vat=True)
        enghien = self.enghien.opens_a_plan(7_777, includes_vat=False)
        self.memberships = [
            (self.ana, self.ana.signs(self.ath, ath, "2026-03-02")),
            (self.french, self.french.signs(self.lille, lille, "2026-03-10")),
            (self.belgian, self.belgian.signs(self.enghien, enghien, "2026-03-05")),
        ]
        late = []
        for nth, house in enumerate(self.houses.values(), start=2):
            for hour, guest in (("08", self.ana), ("10", self.belgian), ("12", self.french)):
                guest.books(self.town, house, f"{hour}:30", f"{int(hour) + 2:02d}:00", days=nth)
            late.append((self.ana, self.ana.books(self.town, house, "14:00", "15:30", days=9)))
            late.append((self.french, self.french.books(self.town, house, "15:30", "17:00", days=9)))
        self.town.time_passes(days=8, hours=12)
        assert all(guest.cancels(booking) > 0 for guest, booking in late)
        self.ahead = [self.ana.books(self.town, house, "10:00", "11:30", days=27) for house in self.houses.values()]

    def companies_buy_over_borders(self) -> None:
        """What is not about a place: the VAT of the customer's country, which the customer owes."""
        for house in (self.leuze, self.tours):
            for guest in (self.belgian, self.french, self.swiss):
                house.charges(guest.party, 12_345, "2026-03-10", place_of_supply="GENERAL_B2B")
                house.charges(guest.party, 1_999, "2026-03-09", place_of_supply="GENERAL_B2B", includes_vat=True)
        self.billing_is_told()
        for house in (self.leuze, self.tours):
            house.keeps("invoices", party_id=self.swiss.party)

    def some_is_paid_at_the_desk(self) -> None:
        """In cash by halves, on the terminal and too much, of which some goes back."""
        for house in self.houses.values():
            house.is_paid(self.belgian.party, 1_001, 203, kind="cash")
            [taken] = house.is_paid(self.french.party, 99_999, kind="terminal")
            house.gives_back(taken, 333)

    def april_is_prepaid_and_taken_back(self) -> None:
        for house in self.houses.values():
            house.keeps("invoices", party_id=self.ana.party)
        assert [self.ana.cancels(booking) for booking in self.ahead] == [0] * 5
        for house in self.houses.values():
            [invoice] = house.documents(kind="monthly", party=self.french.party)
            house.takes_back(invoice, {"no": 1, "percent": 33}, {"no": 2, "amount_cents": 101})
        for house in (self.leuze, self.tours):
            untaxed = [d for d in house.documents(kind="now", party=self.swiss.party) if d["total"]["vat_cents"] == 0]
            [invoice] = untaxed
            house.takes_back(invoice, {"no": 1, "percent": 17})
        last_days = ("2026-04-30", "2026-04-20", "2026-04-30")
        for (guest, membership), last_day in zip(self.memberships, last_days, strict=True):
            guest.leaves(membership, last_day)
        for nth, house in enumerate(self.houses.values(), start=5):
            self.belgian.books(self.town, house, "10:00", "11:45", days=nth)
