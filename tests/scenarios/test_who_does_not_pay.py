"""Ana does not pay March: she is reminded, then given formal notice, then may not book; once she pays she may again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import a_pool
from tests.scenarios.conftest import Town
from tests.scenarios.test_a_document_in_the_post import Office, enclosed

STEPS = [
    {"after_days": 5, "action": "reminder"},
    {"after_days": 25, "action": "formal_notice", "claims": True},
    {"after_days": 45, "action": "suspension"},
]
# The subject, by when, and that it is free.
IN = {
    "fr": ("Rappel", "mercredi 20 mai 2026", "gratuit"),
    "nl": ("Herinnering", "woensdag 20 mei 2026", "gratis"),
    "de": ("Erinnerung", "Mittwoch, 20. Mai 2026", "kostenlos"),
    "en": ("Reminder", "Wednesday, May 20, 2026", "free"),
}


def reminding(town: Town, home: Path, *, locale: str) -> Office:
    """Invoiced on 1 April, due on 1 May, in an office that reminds."""
    office = Office(town, home, locale=locale)
    chosen = {"active": True, "steps": STEPS, "consumers_agreed": True}
    assert office.manager.call("PUT", f"/operators/{office.operator.uid}/dunning", json=chosen).status_code == 200
    office.close_the_month()
    assert len(office.mails()) == 1
    return office


def mornings(town: Town, days: int) -> None:
    for _ in range(days):
        town.time_passes(days=1)


@pytest.mark.parametrize("locale", IN)
def test_the_first_reminder_says_what_the_law_asks_in_the_customers_language(
    town: Town, tmp_path: Path, locale: str
) -> None:
    reminder, by, free = IN[locale]
    office = reminding(town, tmp_path, locale=locale)
    (invoice,) = office.customer.get("/invoices").json
    mornings(town, 35)  # 6 May
    (mail,) = office.mails()
    assert mail.subject.startswith(reminder) and invoice["number"] in mail.subject
    for word in (by, free, office.operator.company_number, invoice["communication"]):
        assert word in mail.text and word in mail.html, word
    assert enclosed(mail)[0] == f"{invoice['number']}.pdf"
    assert office.mails() == []


def test_who_goes_on_not_paying_is_given_notice_charged_and_suspended(town: Town, tmp_path: Path) -> None:
    office = reminding(town, tmp_path, locale="fr")
    mornings(town, 55)  # the reminder on 6 May, and 20 days later
    subjects = sorted(mail.subject.split(" ")[0] for mail in office.mails())
    assert subjects == ["Facture", "Mise", "Rappel"]
    claimed = office.customer.get("/invoices").json[0]
    assert claimed["total"]["amount_cents"] == 2000 + 70  # EUR 20, and 20 days at 10.5 % on EUR 121.00
    mornings(town, 20)
    assert [mail.subject.split(" ")[0] for mail in office.mails()] == ["Réservations"]


def test_who_is_suspended_books_nothing_new_until_it_is_paid(town: Town, tmp_path: Path) -> None:
    office = reminding(town, tmp_path, locale="fr")
    pool = a_pool(town.session, town.space)
    town.session.commit()
    first = {"resource_id": str(pool.uid), **town.period("09:00", "10:00", days=1)}
    booked = office.customer.post("/bookings", json=first).json
    mornings(town, 75)
    town.everyone_is_told()
    wish = {"resource_id": str(pool.uid), **town.period("09:00", "10:00", days=1)}
    refused = office.customer.post("/bookings", json=wish)
    assert (refused.status_code, refused.json["rule"]) == (422, "suspended"), refused.json
    assert office.customer.post("/quotes", json=wish).json["refusal"]["rule"] == "suspended"
    assert office.customer.get(f"/bookings/{booked['id']}").json["status"] != "cancelled"

    for invoice in office.customer.get("/invoices").json:
        receipt = {
            "party_id": str(office.party.uid), "kind": "cash", "space_id": str(town.space.uid),
            "amount_cents": invoice["open_cents"], "invoice_ids": [invoice["id"]],
        }  # fmt: skip
        paid = office.manager.post(f"/operators/{office.operator.uid}/receipts", json=receipt)
        assert paid.status_code == 201, paid.json
    town.everyone_is_told()
    assert office.customer.post("/bookings", json=wish).status_code == 201
