"""Papers are drawn once they are wanted, kept on disk before a row says so, and drawn again the same when lost."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app.billing.invoices.models import Invoice
from app.billing.papers import files, press
from app.billing.papers.files import stored
from app.billing.papers.models import OperatorBranding, Paper
from app.billing.papers.press import BACKOFF, LEASE, Press
from app.billing.papers.wanting import want, want_first
from app.db import TenantSession, transaction
from app.events.billing_facts import CreditNoteFinalised, InvoiceFinalised
from app.events.envelope import Envelope
from app.ids import new_id
from app.network.people import person_of
from app.tenancy import SYSTEM
from tests.billing.papers.documents import a_document, a_party
from tests.billing.papers.reading import text
from tests.builders import a_manager, a_member, a_space
from workers.papers import PAPERS, want_paper

NOW = datetime(2026, 4, 1, 6, 0, tzinfo=UTC)
Sessions = sessionmaker[TenantSession]


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def invoice(make_session: Sessions) -> Invoice:
    with transaction(make_session, SYSTEM) as session:
        space = a_space(session)
        return a_document(session, space, a_party(session, a_member(session, network_id=space.network_id)))


def wanted(make_session: Sessions, invoice: Invoice, *, now: datetime = NOW) -> None:
    with transaction(make_session, SYSTEM) as session:
        want(session, invoice.id, now=now)


def paper(make_session: Sessions, invoice: Invoice) -> Paper:
    with transaction(make_session, SYSTEM) as session:
        return session.get_one(Paper, invoice.id)


def where(make_session: Sessions, invoice: Invoice, home: Path) -> Path | None:
    with transaction(make_session, SYSTEM) as session:
        return stored(session, invoice.id, home=home)


def test_a_finalised_document_gets_its_paper_once(make_session: Sessions, invoice: Invoice, tmp_path: Path) -> None:
    for _ in range(2):  # the event comes again
        with transaction(make_session, SYSTEM) as session:
            want_first(session, invoice.uid, now=NOW)
        assert where(make_session, invoice, tmp_path) is None or _ == 1
        Press(make_session, tmp_path, clock=lambda: NOW).draw_due()
    row, path = paper(make_session, invoice), where(make_session, invoice, tmp_path)
    assert path is not None and path.name == row.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (row.state, row.attempts, row.size) == ("drawn", 1, path.stat().st_size)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and [each.name for each in path.parent.iterdir()] == [path.name]
    assert invoice.number in text(path.read_bytes())


def test_both_events_of_documents_lead_to_a_paper(make_session: Sessions, invoice: Invoice) -> None:
    assert {"invoice.finalised", "credit_note.finalised"} == set(PAPERS.handlers) <= set(PAPERS.event_types)
    assert {InvoiceFinalised.aggregate_type, CreditNoteFinalised.aggregate_type} == set(PAPERS.aggregate_types)
    envelope = Envelope(
        event_id=new_id(), type="invoice.finalised", version=1, aggregate_type="invoice", aggregate_id=invoice.uid,
        seq=1, occurred_at=NOW, data={}, request_id=None,
    )  # fmt: skip
    with transaction(make_session, SYSTEM) as session:
        want_paper(session, envelope, now=NOW)
    assert paper(make_session, invoice).state == "wanted"


@pytest.mark.parametrize("harm", ["lost", "cut short"])
def test_a_lost_file_is_drawn_again_the_same_whatever_the_operator_chose_since(
    make_session: Sessions, invoice: Invoice, tmp_path: Path, harm: str
) -> None:
    wanted(make_session, invoice)
    machine = Press(make_session, tmp_path, clock=lambda: NOW)
    machine.draw_due()
    before = where(make_session, invoice, tmp_path)
    assert before is not None
    octets = before.read_bytes()
    before.unlink() if harm == "lost" else os.truncate(before, 100)
    with transaction(make_session, SYSTEM) as session:
        session.add(OperatorBranding(operator_id=invoice.operator_id, accent="#aa2244", text="Otherwise"))
    assert where(make_session, invoice, tmp_path) is None
    wanted(make_session, invoice)
    assert machine.draw_due() == 1
    after = where(make_session, invoice, tmp_path)
    assert after == before and after.read_bytes() == octets


def test_no_transaction_is_open_and_the_file_is_on_disk_before_its_row(
    make_session: Sessions, invoice: Invoice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def keeping(home: Path, octets: bytes) -> str:
        with transaction(make_session, SYSTEM) as session:  # waits for nobody: the row is not locked
            row = session.scalars(select(Paper).with_for_update(nowait=True)).one()
            seen.append(row.state)
        return files_keep(home, octets)

    files_keep = files.keep
    monkeypatch.setattr(press.files, "keep", keeping)
    wanted(make_session, invoice)
    Press(make_session, tmp_path, clock=lambda: NOW).draw_due()
    assert seen == ["drawing"]
    assert where(make_session, invoice, tmp_path) is not None


def test_what_fails_is_tried_later_and_in_the_end_given_up_until_somebody_asks(
    make_session: Sessions, tmp_path: Path, clock: Clock
) -> None:
    with transaction(make_session, SYSTEM) as session:
        invoice = a_document(session, a_space(session), a_party(session), snapshot='{"format":"of tomorrow"}')
    wanted(make_session, invoice)
    machine = Press(make_session, tmp_path, clock=clock)
    for attempt, pause in enumerate(BACKOFF, start=1):
        assert machine.draw_due() == 1
        row = paper(make_session, invoice)
        assert (row.state, row.attempts, row.due_at) == ("wanted", attempt, clock.now + pause)
        assert machine.draw_due() == 0, "not before its time"
        clock.now += pause
    assert machine.draw_due() == 1
    row = paper(make_session, invoice)
    assert row.state == "failed" and "unknown_document_format" in str(row.last_error)
    assert machine.draw_due() == 0
    wanted(make_session, invoice, now=clock.now)
    assert machine.draw_due() == 1
    assert paper(make_session, invoice).attempts == 1


def test_a_full_disk_leaves_the_row_unsaid_and_nothing_half_written(
    make_session: Sessions, invoice: Invoice, tmp_path: Path
) -> None:
    wanted(make_session, invoice)
    (tmp_path / "files").write_text("in the way")
    Press(make_session, tmp_path, clock=lambda: NOW).draw_due()
    row = paper(make_session, invoice)
    assert (row.state, row.sha256) == ("wanted", None)
    assert row.last_error


def test_what_a_dead_press_held_another_draws_and_the_late_one_records_nothing(
    make_session: Sessions, invoice: Invoice, tmp_path: Path, clock: Clock
) -> None:
    wanted(make_session, invoice)
    first, second = (Press(make_session, tmp_path, clock=clock) for _ in range(2))
    (claim,) = first._claim(10)
    assert second.draw_due() == 0, "it is held"
    clock.now += LEASE + timedelta(seconds=1)
    assert second.draw_due() == 1
    drawn = paper(make_session, invoice)
    first._draw(claim)
    first._record(claim, state="wanted")
    after = paper(make_session, invoice)
    assert (after.state, after.sha256, after.attempts) == ("drawn", drawn.sha256, 2)


def test_a_stop_gives_back_what_was_not_begun(make_session: Sessions, tmp_path: Path) -> None:
    with transaction(make_session, SYSTEM) as session:
        space, party = a_space(session), a_party(session)
        invoices = [a_document(session, space, party) for _ in range(3)]
        for each in invoices:
            want(session, each.id, now=NOW)
    answers = iter([False, True])
    assert Press(make_session, tmp_path, clock=lambda: NOW).draw_due(stopping=lambda: next(answers)) == 3
    states = [(paper(make_session, each).state, paper(make_session, each).attempts) for each in invoices]
    assert states == [("drawn", 1), ("wanted", 0), ("wanted", 0)]


def test_only_who_sees_the_document_sees_its_paper(make_session: Sessions, tmp_path: Path) -> None:
    with transaction(make_session, SYSTEM) as session:
        space, other = a_space(session), a_space(session, slug="elsewhere")
        customer, stranger = a_member(session), a_member(session)
        manager, foreigner = a_manager(session, space), a_manager(session, other)
        invoice = a_document(session, space, a_party(session, customer))
        want(session, invoice.id, now=NOW)
    Press(make_session, tmp_path, clock=lambda: NOW).draw_due()
    found = {}
    for name, member in {"customer": customer, "stranger": stranger, "books": manager, "other": foreigner}.items():
        with transaction(make_session, SYSTEM) as session:
            scope = person_of(session, member.id).scope
        with transaction(make_session, scope) as session:
            found[name] = stored(session, invoice.id, home=tmp_path) is not None
    assert found == {"customer": True, "stranger": False, "books": True, "other": False}


def test_a_web_process_never_loads_what_draws() -> None:
    code = """
import sys, app, app.web.pages, app.billing.papers.files, app.billing.papers.branding, workers.papers
assert app.create_app
print(sorted({"fpdf", "fontTools", "PIL", "segno"} & {name.partition(".")[0] for name in sys.modules}))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
