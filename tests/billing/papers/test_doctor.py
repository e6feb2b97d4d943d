"""The doctor's line "papers": nothing to say while PDFs are where they should be, and each fault by its name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import sessionmaker

from app.billing.invoices.models import Invoice
from app.billing.papers.files import path_of
from app.billing.papers.models import Paper
from app.billing.papers.press import Press
from app.billing.papers.wanting import want
from app.config import Config
from app.db import TenantSession, make_engine, transaction
from app.doctor.finding import Fault
from app.doctor.papers import papers_check
from app.tenancy import SYSTEM
from tests.billing.papers.documents import a_document, a_party
from tests.builders import a_space

Sessions = sessionmaker[TenantSession]


def said(database_url: str, home: Path) -> str:
    engine = make_engine(database_url)
    try:
        with engine.connect() as connection:
            return papers_check(Config(home=home), connection)
    except Fault as fault:
        return f"FAULT {fault}"
    finally:
        engine.dispose()


@pytest.fixture
def invoice(make_session: Sessions) -> Invoice:
    with transaction(make_session, SYSTEM) as session:
        invoice = a_document(session, a_space(session), a_party(session))
        want(session, invoice.id, now=datetime.now(UTC))
        return invoice


def test_what_waits_for_a_moment_is_no_fault_what_waits_for_an_hour_is(
    make_session: Sessions, database_url: str, invoice: Invoice, tmp_path: Path
) -> None:
    assert said(database_url, tmp_path) == "1 PDFs wait to be drawn, 0 are where they should be"
    with transaction(make_session, SYSTEM) as session:
        session.execute(update(Paper).values(due_at=datetime.now(UTC) - timedelta(hours=1)))
    assert "FAULT 1 PDFs wait to be drawn, the oldest for" in said(database_url, tmp_path)


def test_files_that_are_gone_or_cut_short_are_found(
    make_session: Sessions, database_url: str, invoice: Invoice, tmp_path: Path
) -> None:
    assert Press(make_session, tmp_path).draw_due() == 1
    assert said(database_url, tmp_path) == "0 PDFs wait to be drawn, 1 are where they should be"
    with transaction(make_session, SYSTEM) as session:
        path = path_of(tmp_path, session.scalars(select(Paper.sha256)).one() or "")
    path.write_bytes(path.read_bytes()[:10])
    assert "FAULT 1 of the 1 newest PDFs are not in" in said(database_url, tmp_path)
    path.unlink()
    assert "FAULT 1 of the 1 newest PDFs are not in" in said(database_url, tmp_path)


def test_what_was_given_up_is_a_fault(
    make_session: Sessions, database_url: str, invoice: Invoice, tmp_path: Path
) -> None:
    with transaction(make_session, SYSTEM) as session:
        session.execute(update(Paper).values(state="failed", last_error="OSError"))
    assert "FAULT the PDFs of 1 documents could not be drawn" in said(database_url, tmp_path)
