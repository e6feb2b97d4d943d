"""Finalised documents of businesses in a database, as the einvoices worker finds them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.billing.einvoices.dispatching import Dispatcher
from app.billing.einvoices.models import EInvoice, EInvoiceStep
from app.billing.einvoices.sending import choose
from app.billing.invoices.at_once import invoice_at_once
from app.billing.invoices.models import Invoice, Letterhead
from app.db import TenantSession, transaction
from app.demo.numbers import legal_numbers
from app.network.models import Operator, Space
from app.network.parties.models import Party
from app.tenancy import SYSTEM
from tests.billing.charges.builders import a_charge, a_party
from tests.builders import a_space

NOW = datetime(2026, 10, 1, 9, 0, tzinfo=UTC)
Sessions = sessionmaker[TenantSession]


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def on(self, **more: Any) -> None:
        self.now += timedelta(**more)


def a_seller(session: Session, country: str = "BE", n: int = 61) -> Space:
    """A space whose operator has numbers of its country."""
    space = a_space(session, country=country)
    operator = session.get_one(Operator, space.operator_id)
    numbers = legal_numbers(country, n)
    operator.company_number, operator.vat_number, operator.iban = numbers
    operator.country = country
    session.merge(
        Letterhead(operator_id=operator.id, prefix="ATH", street="Rue du Moulin 1", postcode="7800", town="Ath")
    )
    session.flush()
    return space


def a_business(session: Session, country: str = "BE", n: int = 62, **said: Any) -> Party:
    numbers = legal_numbers(country, n)
    given = {
        "country": country, "is_business": True, "company_number": numbers.company_number, "street": "Grand-Place 1",
        "vat_number": numbers.vat_number, "vat_status": "valid", "postcode": "7000", "town": "Mons",
    }  # fmt: skip
    return a_party(session, **{**given, **said})


def a_document(session: Session, space: Space, party: Party, net: int = 10000, *, now: datetime = NOW) -> Invoice:
    charge = a_charge(session, operator_id=space.operator_id, party=party, net=net, space_id=space.id)
    made = invoice_at_once(session, space.operator_id, party.uid, charges=[charge.uid], now=now)
    return session.get_one(Invoice, made[0].id)


def switch_on(make_session: Sessions, invoice: Invoice, **said: Any) -> None:
    given = {"peppol_from": date(2026, 1, 1), "platform_from": None, "platform_format": "ubl-fr", "now": NOW}
    with transaction(make_session, SYSTEM) as session:
        choose(session, invoice.operator_id, **{**given, **said})


def put_answer(make_session: Sessions, home: Path, invoice: Invoice, name: str, octets: bytes) -> None:
    with transaction(make_session, SYSTEM) as session:
        operator = session.get_one(Operator, invoice.operator_id)
    folder = home / "einvoices" / "in" / str(operator.uid)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(octets)


def status(invoice: Invoice, code: str, **said: Any) -> bytes:
    return json.dumps({"number": invoice.number, "status": code, **said}).encode()


def rows(make_session: Sessions) -> list[EInvoice]:
    with transaction(make_session, SYSTEM) as session:
        return list(session.scalars(select(EInvoice).order_by(EInvoice.id)))


def told(make_session: Sessions) -> list[tuple[str, str]]:
    """The history: what each step led to, and by which code."""
    with transaction(make_session, SYSTEM) as session:
        return [(step.state, step.code) for step in session.scalars(select(EInvoiceStep).order_by(EInvoiceStep.id))]


def work_all(dispatcher: Dispatcher) -> None:
    """Until nothing more is due now."""
    while dispatcher.work() + dispatcher.listen():
        pass


def out(home: Path) -> list[Path]:
    return sorted(path for path in home.glob("einvoices/out/*/*") if path.is_file())
