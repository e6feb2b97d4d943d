"""Documents on pages: mine, one of them with its PDF, and a month of the books for who keeps them."""

from __future__ import annotations

import json
import re
from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app.billing.invoices.models import Invoice
from app.billing.months import month_of
from app.billing.papers.models import Paper
from app.billing.papers.press import Press
from app.db import TenantSession, transaction
from app.ids import new_id
from app.network.models import AuditEntry, Operator
from app.network.parties.models import Party
from app.tenancy import SYSTEM
from tests.billing.charges.builders import a_charge
from tests.billing.papers import samples
from tests.billing.papers.documents import a_document, a_party
from tests.billing.papers.reading import text
from tests.builders import a_role, a_space
from tests.web.test_pages import NOW, Browser, Stage, stage

__all__ = ["stage"]
Sessions = sessionmaker[TenantSession]


@pytest.fixture
def mine(stage: Stage, make_session: Sessions) -> Invoice:
    with transaction(make_session, SYSTEM) as session:
        return a_document(session, stage.space, a_party(session, stage.member))


@pytest.fixture
def theirs(stage: Stage, make_session: Sessions) -> Invoice:
    with transaction(make_session, SYSTEM) as session:
        return a_document(session, stage.space, a_party(session, stage.other, name="Somebody Else"))


@pytest.fixture
def browser(app: Flask, stage: Stage) -> Browser:
    browser = Browser(app)
    browser.sign_in()
    return browser


def test_a_member_finds_an_invoice_reads_it_and_opens_its_pdf(
    app: Flask, browser: Browser, mine: Invoice, theirs: Invoice, make_session: Sessions, tmp_path: Path
) -> None:
    browser.get("/bookings")
    assert 'href="/invoices"' in browser.page and 'href="/books"' not in browser.page
    shown = browser.get("/invoices")
    assert shown.headers["Cache-Control"] == "no-store"
    assert mine.number in browser.page and theirs.number not in browser.page
    assert "€105.88" in browser.page and "Apr 1, 2026" in browser.page and "Monthly invoice" in browser.page
    browser.get(f"/invoices/{mine.uid}")
    for told in ("Coopérative d’Ath", "Salle bleue", "€87.50", "VAT 21%", "€18.38", "+++090/9337/55493+++", "retard"):
        assert told in browser.page

    waiting = browser.get(f"/invoices/{mine.uid}.pdf")
    assert (waiting.status_code, waiting.headers["Retry-After"]) == (503, "3")
    assert "The PDF is being drawn." in browser.page
    home = app.extensions["passerelle"].config.home
    assert Press(make_session, home, clock=lambda: NOW).draw_due() == 1, "who opened it has asked for it"
    answer = browser.http.get(f"/invoices/{mine.uid}.pdf")
    assert answer.mimetype == "application/pdf" and answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"] == f'inline; filename="{mine.number}.pdf"'
    assert mine.number in text(answer.data)


def test_nobody_opens_anothers_invoice(browser: Browser, theirs: Invoice, make_session: Sessions) -> None:
    for address in (f"/invoices/{theirs.uid}", f"/invoices/{theirs.uid}.pdf", f"/invoices/{new_id()}"):
        assert browser.get(address).status_code == 404
    with transaction(make_session, SYSTEM) as session:
        assert session.scalars(select(Paper)).all() == []


SOME_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.mark.parametrize("address", ["/invoices", "/books", f"/invoices/{SOME_ID}", f"/books/{SOME_ID}"])
def test_who_has_not_signed_in_is_sent_to_do_so(app: Flask, address: str) -> None:
    assert Browser(app).get(address).location == f"/sign-in?next={address.replace('/', '%2F')}"


def test_more_than_a_page_of_them_goes_on(
    browser: Browser, stage: Stage, make_session: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.invoices.MOST_SHOWN", 2)
    with transaction(make_session, SYSTEM) as session:
        party = a_party(session, stage.member)
        numbers = [a_document(session, stage.space, party).number for _ in range(5)]
    seen: list[str] = []
    before: dict[str, str] | None = {}
    while before is not None:
        browser.get("/invoices", **before)
        seen += re.findall(r">(ATH-2026-\d+)</a>", browser.page)
        older = re.search(r'href="/invoices\?before=(\d+)"', browser.page)
        before = {"before": older[1]} if older else None
    assert seen == numbers[::-1]
    assert browser.get("/invoices", before="x' OR 1=1").status_code == 200


def test_who_keeps_the_books_sees_a_month_what_waits_what_was_issued_and_the_sums(
    browser: Browser, stage: Stage, mine: Invoice, theirs: Invoice, make_session: Sessions
) -> None:
    with transaction(make_session, SYSTEM) as session:
        a_role(session, stage.member, "manager", stage.space)
        party = session.get_one(Party, theirs.party_id)
        for net, vat in ((1000, 210), (2000, 420), (-500, -105)):
            gross = {"net_cents": net, "vat_cents": vat, "gross_cents": net + vat}
            a_charge(session, operator_id=stage.space.operator_id, party=party, month=month_of(NOW.date()), **gross)
        content = samples.content(
            kind="credit_note",
            purpose="correction",
            corrects={"id": "x", "number": mine.number, "issued_on": "2026-04-01"},
        )
        note = {"kind": "credit_note", "corrects_id": mine.id, "number": "ATH-C-2026-000001"}
        a_document(session, stage.space, party, snapshot=json.dumps({**content, "number": note["number"]}), **note)
    assert 'href="/books"' in browser.get("/bookings").text
    address = browser.get("/books").location
    assert address == f"/books/{operator_uid(stage, make_session)}", "there is one operator: at once"
    browser.get(address, month="2026-03")
    assert "This month is open." in browser.page and "Nothing was issued." in browser.page
    row = re.search(r"Somebody Else</th><td>3</td>(.*?)</tr>", browser.page)
    assert row and re.findall(r"€[\d.]+", row[1]) == ["€25.00", "€5.25", "€30.25"]
    browser.get(address, month="2026-04")
    assert all(number in browser.page for number in (mine.number, theirs.number, "ATH-C-2026-000001"))
    assert "-€105.88" in browser.page, "a credit note counts back"
    waiting, issued = re.findall(r"<tfoot><tr><th scope=\"row\">Total</th><td>3</td>(.*?)</tr></tfoot>", browser.page)
    assert re.findall(r"€[\d.]+", waiting) == ["€25.00", "€5.25", "€30.25"], "carried over"
    assert re.findall(r"€[\d.]+", issued) == ["€87.50", "€18.38", "€105.88"]
    assert browser.get(address, month="2026-13").status_code == 422
    assert browser.get(f"/invoices/{theirs.uid}").status_code == 200
    with transaction(make_session, SYSTEM) as session:
        trail = session.execute(select(AuditEntry.action, AuditEntry.subject)).all()
    assert ("invoice.viewed", str(theirs.uid)) in trail
    assert ("books.viewed", f"{address.rpartition('/')[2]}/2026-04") in trail


def operator_uid(stage: Stage, make_session: Sessions) -> str:
    with transaction(make_session, SYSTEM) as session:
        return str(session.get_one(Operator, stage.space.operator_id).uid)


def test_another_operators_books_are_not_there(browser: Browser, stage: Stage, make_session: Sessions) -> None:
    with transaction(make_session, SYSTEM) as session:
        other = session.get_one(Operator, a_space(session, slug="other").operator_id)
        a_role(session, stage.member, "manager", stage.space)
    assert browser.get(f"/books/{other.uid}").status_code == 404
    assert browser.get(f"/books/{new_id()}").status_code == 404


def test_who_keeps_no_books_is_told_so(browser: Browser) -> None:
    assert "You keep no operator's books." in browser.get("/books").text.replace("&#39;", "'")


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("fr", ("Mes factures", "Facture mensuelle", "105,88 €")),
        ("nl", ("Mijn facturen", "Maandfactuur", "€ 105,88")),
        ("de", ("Meine Rechnungen", "Monatsrechnung", "105,88 €")),
    ],
)
def test_the_pages_speak_the_visitors_language(
    app: Flask, stage: Stage, mine: Invoice, language: str, told: tuple[str, ...]
) -> None:
    browser = Browser(app, language)
    browser.sign_in()
    browser.get("/invoices")
    assert [word for word in told if word not in browser.page] == []
    assert "<th scope=" in browser.page and "<caption" in browser.page


def test_names_in_documents_stay_text(browser: Browser, stage: Stage, make_session: Sessions) -> None:
    lines = [samples.line(text="<script>alert(1)</script>")]
    with transaction(make_session, SYSTEM) as session:
        document = a_document(
            session, stage.space, a_party(session, stage.member), snapshot=samples.snapshot(lines=lines)
        )
    answer = browser.http.get(f"/invoices/{document.uid}").get_data(as_text=True)
    assert "<script>alert" not in answer and "&lt;script&gt;alert" in answer


def test_who_keeps_the_books_chooses_how_documents_look(
    browser: Browser, stage: Stage, make_session: Sessions, tmp_path: Path
) -> None:
    with transaction(make_session, SYSTEM) as session:
        a_role(session, stage.member, "manager", stage.space)
    address = f"/books/{operator_uid(stage, make_session)}"
    assert f'href="{address}/look"' in browser.get(address).text
    browser.get(f"{address}/look")
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.page)
    assert token and 'value="#0f5b78"' in browser.page
    octets = BytesIO()
    Image.new("RGB", (30, 12), (200, 30, 60)).save(octets, "PNG")
    octets.seek(0)
    sent = {"csrf_token": token[1], "accent": "#aa2244", "text": "Merci", "logo": (octets, "logo.png")}
    answer = browser.http.post(f"{address}/look", data=sent, content_type="multipart/form-data")
    assert answer.status_code == 303
    browser.get(f"{address}/look")
    assert 'value="#aa2244"' in browser.page and ">Merci</textarea>" in browser.page
    assert "Take the present logo away" in browser.page and "Saved." in browser.page
    assert browser.submit(f"{address}/look", accent="#aa2244", text="", without_logo="on").status_code == 303
    assert "Take the present logo away" not in browser.get(f"{address}/look").text
    assert browser.submit(f"{address}/look", accent="red", text="").status_code == 422
    assert browser.get(f"/books/{new_id()}/look").status_code == 404
