"""A month is closed; the customer gets the document by mail, in their language, and the operator sees that it went."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from app.billing.papers.press import Press
from app.network.models import Operator
from tests.billing.charges.builders import a_charge, a_party
from tests.builders import a_manager, a_member
from tests.http.client import Client
from tests.notifications.mailbox import ADDRESS, Mailbox, Told
from tests.scenarios.conftest import Town

# language: what the invoice and the credit note are called, what the amount looks like, by when it is to be paid
IN = {
    "fr": ("Facture", "Note de crédit", "121,00\xa0€", "vendredi 1 mai 2026", "Le voir en ligne"),
    "nl": ("Factuur", "Creditnota", "€\xa0121,00", "vrijdag 1 mei 2026", "Online bekijken"),
    "de": ("Rechnung", "Gutschrift", "121,00\xa0€", "Freitag, 1. Mai 2026", "Online ansehen"),
    "en": ("Invoice", "Credit note", "€121.00", "Friday, May 1, 2026", "See it on its page"),
}


class Office:
    """Ath, where Ana is charged EUR 121 for March; the press and the post run when they are told to."""

    def __init__(self, town: Town, home: Path, *, locale: str = "fr", email: str = "ana@members.example") -> None:
        self.town, self.home = town, home
        self.mailbox = Mailbox(town.make_session, home, town.clock)
        self.press = Press(town.make_session, home, clock=town.clock)
        self.ana = a_member(town.session, name="Ana", email=email, locale=locale)
        operator_id = town.space.operator_id
        self.party = a_party(town.session, member_id=self.ana.id, name="Studio Ana", email=email, locale=locale)
        a_charge(town.session, operator_id=operator_id, party=self.party, space_id=town.space.id)
        self.operator = town.session.get_one(Operator, operator_id)
        self.manager: Client = town.as_(a_manager(town.session, town.space))
        self.customer: Client = town.as_(self.ana)

    def close_the_month(self) -> dict[str, Any]:
        """On 1 April; the document that this makes."""
        self.town.time_passes(days=30)
        path = f"/operators/{self.operator.uid}/closed-months"
        assert self.manager.post(path, json={"month": "2026-03"}).status_code == 202
        self.town.time_passes(minutes=1)
        (made,) = self.customer.get("/invoices").json
        return dict(made)

    def mails(self) -> list[Told]:
        self.town.everyone_is_told()
        self.press.draw_due()
        return self.mailbox.new()

    def status(self, invoice: dict[str, Any]) -> tuple[str, bool]:
        found = self.customer.get(f"/invoices/{invoice['id']}").json
        return found["status"], found["sent_at"] is not None


def enclosed(mail: Told) -> tuple[str, str]:
    """The name of the file that came with it, and what can be read in it."""
    (file,) = (part for part in mail.message.walk() if part.get_content_type() == "application/pdf")
    octets = file.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return str(file.get_filename()), "".join(page.extract_text() for page in PdfReader(BytesIO(octets)).pages)


@pytest.mark.parametrize("locale", IN)
def test_a_customer_gets_the_months_invoice_and_its_correction_by_mail(town: Town, tmp_path: Path, locale: str) -> None:
    title, credit_title, amount, due, see = IN[locale]
    office = Office(town, tmp_path, locale=locale)
    invoice = office.close_the_month()
    assert office.status(invoice) == ("finalised", False)
    (mail,) = office.mails()
    assert mail.to == "ana@members.example" and mail.message["Content-Language"] == locale
    assert mail.subject.startswith(f"{title} {invoice['number']}") and amount in mail.subject
    assert "List-Unsubscribe" not in mail.message
    iban = office.operator.iban
    for body in (mail.text, mail.html):
        for word in (amount, due, invoice["communication"], iban[:4], office.operator.name, see):
            assert word in body, word
        assert f"{ADDRESS}/invoices/{invoice['id']}" in body
    name, text = enclosed(mail)
    assert name == f"{invoice['number']}.pdf" and invoice["number"] in text
    assert office.status(invoice) == ("sent", True)
    assert office.mails() == [], "what comes again is sent to nobody again"

    town.time_passes(hours=1)
    made = office.manager.post(f"/invoices/{invoice['id']}/credit-notes", json={"lines": [{"no": 1, "percent": 50}]})
    assert made.status_code == 201
    (credit,) = office.mails()
    assert credit.subject.startswith(f"{credit_title} {made.json['number']}")
    assert invoice["number"] in credit.text and iban[:4] not in credit.text
    assert enclosed(credit)[0] == f"{made.json['number']}.pdf"
    assert office.status(made.json) == ("sent", True)
