"""The doctor's line "einvoices": nothing to say while all is well, and each fault by its name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import sessionmaker

from app.billing.einvoices.dispatching import Dispatcher
from app.billing.einvoices.hearing import ask_somebody
from app.billing.einvoices.models import EInvoice
from app.billing.einvoices.wanting import want_first
from app.billing.papers.files import path_of
from app.billing.payments.models import MoneyTask
from app.config import Config
from app.db import TenantSession, make_engine, transaction
from app.doctor.einvoices import einvoices_check
from app.doctor.finding import Fault
from app.tenancy import SYSTEM
from tests.billing.einvoices.house import NOW, a_business, a_document, a_seller, rows

Sessions = sessionmaker[TenantSession]
LONG_AGO = datetime.now(UTC) - timedelta(days=8)


def said(database_url: str, home: Path) -> str:
    engine = make_engine(database_url)
    try:
        with engine.connect() as connection:
            return einvoices_check(Config(home=home), connection)
    except Fault as fault:
        return f"FAULT {fault}"
    finally:
        engine.dispose()


@pytest.fixture
def made(make_session: Sessions, tmp_path: Path) -> EInvoice:
    with transaction(make_session, SYSTEM) as session:
        want_first(session, a_document(session, a_seller(session), a_business(session)).uid, now=NOW)
    dispatcher = Dispatcher(make_session, tmp_path)
    assert (dispatcher.work(), dispatcher.work()) == (1, 1)
    return rows(make_session)[0]


def test_all_is_well_and_each_fault_has_its_name(
    make_session: Sessions, database_url: str, made: EInvoice, tmp_path: Path
) -> None:
    assert said(database_url, tmp_path) == "0 electronic invoices wait, 1 are where they should be"
    faults: list[tuple[dict[str, Any], str]] = [
        ({"due_at": LONG_AGO}, "FAULT 1 electronic invoices wait, the oldest for"),
        (
            {"due_at": None, "state": "handed_over", "handed_over_at": LONG_AGO},
            "FAULT 1 electronic invoices were handed",
        ),
        ({"state": "rejected"}, "FAULT 1 electronic invoices were rejected"),
        ({"state": "failed"}, "FAULT 1 electronic invoices could not be made or handed over"),
    ]
    for values, fault in faults:
        with transaction(make_session, SYSTEM) as session:
            session.execute(update(EInvoice).values(**values))
            kind = f"einvoice_{values.get('state')}"
            ask_somebody(session, session.get_one(EInvoice, made.id), kind=kind, about=kind, code="", now=NOW)
        assert said(database_url, tmp_path).startswith(fault)
    with transaction(make_session, SYSTEM) as session:
        session.execute(update(MoneyTask).values(closed_at=NOW, note="credited"))
    path_of(tmp_path, made.sha256 or "").unlink()
    assert said(database_url, tmp_path).startswith("FAULT 1 of the 1 newest electronic invoices are not in")
