"""Made once a document is final, handed over once its operator says so, and never twice; what is answered is kept."""

from __future__ import annotations

import hashlib
import threading
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.einvoices import file_drop
from app.billing.einvoices.dispatching import BACKOFF, LEASE, Dispatcher
from app.billing.einvoices.file_drop import FileDrop
from app.billing.einvoices.port import Parcel
from app.billing.einvoices.wanting import send_again, want, want_first
from app.billing.einvoices.writing import CannotBeWritten
from app.billing.invoices.models import Invoice
from app.billing.papers import files
from app.billing.papers.press import Press
from app.billing.papers.wanting import want_first as want_paper
from app.billing.payments.models import MoneyTask
from app.db import transaction
from app.errors import WrongState
from app.events.envelope import Envelope
from app.ids import new_id
from app.tenancy import SYSTEM
from tests.billing.einvoices.answered import NO_ANSWERS, UBL_ANSWER
from tests.billing.einvoices.house import (
    NOW,
    Clock,
    Sessions,
    a_business,
    a_document,
    a_seller,
    out,
    put_answer,
    rows,
    status,
    switch_on,
    told,
    work_all,
)
from tests.billing.einvoices.reader import read
from tests.waiting import until
from workers.einvoices import EINVOICES


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def invoice(make_session: Sessions) -> Invoice:
    """A Belgian business's, of a Belgian operator; what it needs is wanted."""
    with transaction(make_session, SYSTEM) as session:
        invoice = a_document(session, a_seller(session), a_business(session))
        want_first(session, invoice.uid, now=NOW)
        return invoice


@pytest.fixture
def dispatcher(make_session: Sessions, tmp_path: Path, clock: Clock) -> Dispatcher:
    return Dispatcher(make_session, tmp_path, clock=clock)


def test_a_belgian_invoice_is_made_and_waits_until_sending_is_switched_on(
    make_session: Sessions, invoice: Invoice, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    with transaction(make_session, SYSTEM) as session:
        want_first(session, invoice.uid, now=NOW)  # the event comes again
    work_all(dispatcher)
    (row,) = rows(make_session)
    assert (row.format, row.route, row.state, row.due_at, row.attempts) == ("peppol", "peppol", "made", None, 0)
    octets = files.read(tmp_path, row.sha256 or "")
    assert octets is not None and (len(octets), hashlib.sha256(octets).hexdigest()) == (row.size, row.sha256)
    assert read(octets)["gross_cents"] == invoice.gross_cents
    assert out(tmp_path) == []
    switch_on(make_session, invoice)
    work_all(dispatcher)
    (path,) = out(tmp_path)
    assert path.read_bytes() == octets and path.name.endswith(f".{invoice.number}.xml")
    assert [each.state for each in rows(make_session)] == ["handed_over"]
    assert told(make_session) == [("made", ""), ("handed_over", "")]


def test_what_was_issued_before_the_chosen_day_is_not_sent(
    make_session: Sessions, invoice: Invoice, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    switch_on(make_session, invoice, peppol_from=date(2026, 10, 2))
    work_all(dispatcher)
    assert (out(tmp_path), [row.state for row in rows(make_session)]) == ([], ["made"])


def test_a_french_invoice_gets_both_forms_the_hybrid_after_its_paper_and_one_is_sent(
    make_session: Sessions, dispatcher: Dispatcher, clock: Clock, tmp_path: Path
) -> None:
    with transaction(make_session, SYSTEM) as session:
        invoice = a_document(session, a_seller(session, "FR"), a_business(session, "FR"))
        want_first(session, invoice.uid, now=NOW)
    switch_on(make_session, invoice, platform_from=date(2026, 9, 1), platform_format="factur-x")
    work_all(dispatcher)
    assert [(row.format, row.state) for row in rows(make_session)] == [("ubl-fr", "made"), ("factur-x", "wanted")]
    with transaction(make_session, SYSTEM) as session:
        want_paper(session, invoice.uid, now=NOW)
    Press(make_session, tmp_path, clock=clock).draw_due()
    clock.on(seconds=5)
    work_all(dispatcher)
    assert [(row.format, row.state) for row in rows(make_session)] == [("ubl-fr", "made"), ("factur-x", "handed_over")]
    (path,) = out(tmp_path)
    assert path.suffix == ".pdf" and path.read_bytes().startswith(b"%PDF")


def test_answers_lead_on_and_never_back_and_count_once(
    make_session: Sessions, invoice: Invoice, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    switch_on(make_session, invoice)
    work_all(dispatcher)
    seen = []
    for name, code in (("1", "AB"), ("2", "AP"), ("3", "AP"), ("4", "AB"), ("5", "RE")):
        said = status(invoice, code, at=None if name != "4" else "2026-10-01T08:00:00Z")
        put_answer(make_session, tmp_path, invoice, f"{name}.json", said)
        work_all(dispatcher)
        seen.append(rows(make_session)[0].state)
    assert seen == ["delivered", "accepted", "accepted", "accepted", "accepted"]
    codes = [code for _, code in told(make_session)]
    assert codes == ["", "", "AB", "AP", "AB", "RE"], "the second AP is the first one again"
    assert len(list(tmp_path.glob("einvoices/read/*/*"))) == 5


def test_an_answer_may_come_before_it_is_written_down_that_the_document_went(
    make_session: Sessions, invoice: Invoice, clock: Clock, tmp_path: Path
) -> None:
    switch_on(make_session, invoice)

    class Quick(FileDrop):
        def hand_over(self, parcel: Parcel) -> str:
            reference = super().hand_over(parcel)
            put_answer(make_session, tmp_path, invoice, "a.json", status(invoice, "AP"))
            assert Dispatcher(make_session, tmp_path, clock=clock).listen() == 1
            return reference

    work_all(Dispatcher(make_session, tmp_path, clock=clock, carrier=Quick(tmp_path)))
    (row,) = rows(make_session)
    assert (row.state, row.handed_over_at, row.due_at, row.claimed_until) == ("accepted", NOW, None, None)
    assert len(out(tmp_path)) == 1


def test_an_answer_about_what_never_went_changes_nothing(
    make_session: Sessions, invoice: Invoice, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    work_all(dispatcher)
    put_answer(make_session, tmp_path, invoice, "a.json", status(invoice, "AP"))
    work_all(dispatcher)
    assert rows(make_session)[0].state == "made"
    assert len(list(tmp_path.glob("einvoices/unread/*/*"))) == 1


def test_a_rejection_is_kept_with_its_reason_asks_a_person_and_may_go_again_the_same(
    make_session: Sessions, invoice: Invoice, dispatcher: Dispatcher, clock: Clock, tmp_path: Path
) -> None:
    switch_on(make_session, invoice)
    work_all(dispatcher)
    put_answer(make_session, tmp_path, invoice, "a.json", status(invoice, "RE", reason="Unknown receiver"))
    work_all(dispatcher)
    (row,) = rows(make_session)
    assert (row.state, row.reason) == ("rejected", "Unknown receiver")
    with transaction(make_session, SYSTEM) as session:
        (task,) = session.scalars(select(MoneyTask)).all()
        assert (task.kind, task.invoice_id) == ("einvoice_rejected", invoice.id)
    clock.on(hours=1)
    with transaction(make_session, SYSTEM) as session:
        assert send_again(session, session.get_one(Invoice, invoice.id), "peppol", now=clock.now).round == 2
    work_all(dispatcher)
    first, second = out(tmp_path)
    assert first.read_bytes() == second.read_bytes()
    late = status(invoice, "RE", reason="late", at=(NOW).isoformat())
    put_answer(make_session, tmp_path, invoice, "late.json", late)
    work_all(dispatcher)
    (row,) = rows(make_session)
    assert (row.state, row.round, row.reason) == ("handed_over", 2, None), "an answer to the first round"


def test_a_rejection_in_the_same_words_counts_again_in_the_next_round_and_before_it_went_changes_nothing(
    make_session: Sessions, invoice: Invoice, dispatcher: Dispatcher, clock: Clock, tmp_path: Path
) -> None:
    switch_on(make_session, invoice)
    work_all(dispatcher)
    refusal = status(invoice, "RE", reason="Unknown receiver")
    put_answer(make_session, tmp_path, invoice, "a.json", refusal)
    work_all(dispatcher)
    clock.on(hours=1)
    with transaction(make_session, SYSTEM) as session:
        send_again(session, session.get_one(Invoice, invoice.id), "peppol", now=clock.now)
    for late in (refusal, status(invoice, "AP")):
        put_answer(make_session, tmp_path, invoice, "late.json", late)
        assert dispatcher.listen() == 1
    (row,) = rows(make_session)
    assert (row.state, row.round, row.handed_over_at) == ("made", 2, None), "it has not gone again: they are of round 1"
    work_all(dispatcher)
    assert len(out(tmp_path)) == 2
    for name in ("a.json", "again.json"):
        put_answer(make_session, tmp_path, invoice, name, refusal)
        work_all(dispatcher)
    (row,) = rows(make_session)
    assert (row.state, row.round, row.reason) == ("rejected", 2, "Unknown receiver")
    assert [step for step in told(make_session) if step[1]] == [
        ("rejected", "RE"),
        ("accepted", "AP"),
        ("rejected", "RE"),
    ]
    with transaction(make_session, SYSTEM) as session:
        assert session.scalars(select(MoneyTask.kind)).all() == ["einvoice_rejected"] * 2


def test_what_is_on_its_way_is_not_sent_again(
    make_session: Sessions, invoice: Invoice, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    switch_on(make_session, invoice)
    work_all(dispatcher)
    with pytest.raises(WrongState), transaction(make_session, SYSTEM) as session:
        send_again(session, session.get_one(Invoice, invoice.id), "peppol", now=NOW)
    assert len(out(tmp_path)) == 1


def test_what_is_no_answer_is_put_aside_and_stops_nothing(
    make_session: Sessions, invoice: Invoice, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    switch_on(make_session, invoice)
    work_all(dispatcher)
    for number, octets in enumerate(NO_ANSWERS):
        put_answer(make_session, tmp_path, invoice, f"{number:02}.json", octets)
    put_answer(
        make_session,
        tmp_path,
        invoice,
        "99.xml",
        UBL_ANSWER.format(kind="mlr", code="RE", number=invoice.number).encode(),
    )
    work_all(dispatcher)
    assert (rows(make_session)[0].state, rows(make_session)[0].reason) == ("rejected", "Because")
    aside = [path.read_bytes() for path in tmp_path.glob("einvoices/unread/*/*")]
    assert sorted(aside) == sorted(NO_ANSWERS)


@pytest.mark.parametrize("dies", ["draft", "mark", "file", "row"])
def test_whenever_the_dispatcher_dies_a_document_goes_out_once_even_when_it_was_picked_up(
    make_session: Sessions, invoice: Invoice, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    """It dies right after one of the steps; meanwhile the access point takes what there is; another goes on."""
    switch_on(make_session, invoice)

    class Dead(BaseException):
        pass

    class Dying(FileDrop):
        def hand_over(self, parcel: Parcel) -> str:
            super().hand_over(parcel)
            raise Dead

    first = Dispatcher(make_session, tmp_path, clock=clock, carrier=Dying(tmp_path) if dies == "row" else None)
    first.work()  # made
    with monkeypatch.context() as patch:
        patch.setattr(file_drop, "_write", _dying_after(dies, file_drop._write, Dead))
        if dies == "file":
            patch.setattr(file_drop, "_sync", _raising_at_out(file_drop._sync, Dead))
        with pytest.raises(Dead):
            first.work()
    taken = [path.rename(tmp_path / f"taken-{path.name}") for path in out(tmp_path)]
    clock.on(seconds=LEASE.total_seconds() + 1)
    work_all(Dispatcher(make_session, tmp_path, clock=clock))
    assert len(taken) + len(out(tmp_path)) == 1
    assert [row.state for row in rows(make_session)] == ["handed_over"]


def _dying_after(step: str, write: Any, dead: type[BaseException]) -> Any:
    def writing(path: Path, octets: bytes) -> None:
        write(path, octets)
        if path.parent.name == {"draft": "drafts", "mark": "handed"}.get(step):
            raise dead

    return writing


def _raising_at_out(sync: Any, dead: type[BaseException]) -> Any:
    def syncing(folder: Path) -> None:
        sync(folder)
        if folder.parent.name == "out":
            raise dead

    return syncing


def test_a_lost_file_is_made_again_the_same_and_nothing_is_sent_twice(
    make_session: Sessions, invoice: Invoice, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    switch_on(make_session, invoice)
    work_all(dispatcher)
    (row,) = rows(make_session)
    path = files.path_of(tmp_path, row.sha256 or "")
    octets = path.read_bytes()
    path.unlink()
    with transaction(make_session, SYSTEM) as session:
        want(session, session.get_one(Invoice, invoice.id), "peppol", now=NOW)
    work_all(dispatcher)
    assert path.read_bytes() == octets
    assert ([each.state for each in rows(make_session)], len(out(tmp_path))) == (["handed_over"], 1)


def test_a_disk_that_refuses_is_tried_later_and_given_up_with_a_task(
    make_session: Sessions, invoice: Invoice, dispatcher: Dispatcher, clock: Clock, tmp_path: Path
) -> None:
    (tmp_path / "files").write_text("in the way")
    for pause in BACKOFF:
        assert dispatcher.work() == 1
        assert (rows(make_session)[0].state, dispatcher.work()) == ("wanted", 0)
        clock.on(seconds=pause.total_seconds())
    assert dispatcher.work() == 1
    (row,) = rows(make_session)
    assert row.state == "failed" and row.last_error
    with transaction(make_session, SYSTEM) as session:
        assert session.scalars(select(MoneyTask.kind)).all() == ["einvoice_failed"]
    (tmp_path / "files").unlink()
    with transaction(make_session, SYSTEM) as session:
        send_again(session, session.get_one(Invoice, invoice.id), "peppol", now=clock.now)
    work_all(dispatcher)
    assert rows(make_session)[0].state == "made"


def test_a_buyer_without_any_number_makes_a_task_at_once_and_the_plain_standard_can_be_read(
    make_session: Sessions, dispatcher: Dispatcher
) -> None:
    with transaction(make_session, SYSTEM) as session:
        party = a_business(session, company_number=None, vat_number=None)
        invoice = a_document(session, a_seller(session), party)
        want_first(session, invoice.uid, now=NOW)
    work_all(dispatcher)
    (row,) = rows(make_session)
    assert row.state == "failed" and "the buyer has no electronic address" in str(row.last_error)
    with transaction(make_session, SYSTEM) as session:
        with pytest.raises(CannotBeWritten):
            want(session, session.get_one(Invoice, invoice.id), "peppol", now=NOW)
        want(session, session.get_one(Invoice, invoice.id), "ubl", now=NOW)
    work_all(dispatcher)
    assert [(each.format, each.route, each.state) for each in rows(make_session)][1] == ("ubl", None, "made")


def test_private_persons_and_documents_of_before_get_none(make_session: Sessions, session: Session) -> None:
    space = a_seller(session)
    private = a_business(session, is_business=False, company_number=None, vat_number=None)
    want_first(session, a_document(session, space, private).uid, now=NOW)
    french = a_seller(session, "FR", 71)
    early = NOW.replace(month=8)
    want_first(session, a_document(session, french, a_business(session, "FR", 72), now=early).uid, now=NOW)
    session.commit()
    assert rows(make_session) == []


def test_two_dispatchers_never_hold_the_same_row(
    make_session: Sessions, invoice: Invoice, clock: Clock, tmp_path: Path
) -> None:
    first, second = (Dispatcher(make_session, tmp_path, clock=clock) for _ in range(2))
    assert first.work(stopping=lambda: True) == 1
    assert (rows(make_session)[0].state, rows(make_session)[0].attempts) == ("wanted", 0), "given back untried"
    (claim,) = first._claim(10)
    assert second.work() == 0, "it is held"
    clock.on(seconds=LEASE.total_seconds() + 1)
    assert second.work() == 1
    before = rows(make_session)[0]
    first._take(claim)
    first._record(claim, state="failed")
    after = rows(make_session)[0]
    assert (after.state, after.sha256, after.made_at) == ("made", before.sha256, before.made_at)


def test_the_loop_makes_what_is_wanted_until_it_is_stopped(
    make_session: Sessions, invoice: Invoice, dispatcher: Dispatcher
) -> None:
    stop = threading.Event()
    loop = threading.Thread(target=dispatcher.run, args=(stop,))
    loop.start()
    try:
        until(lambda: rows(make_session)[0].state == "made", within=30, describe="it is made")
    finally:
        stop.set()
        loop.join(timeout=30)
    assert not loop.is_alive()


def test_what_a_customer_wanted_to_read_first_is_sent_all_the_same(
    make_session: Sessions, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    with transaction(make_session, SYSTEM) as session:
        invoice = a_document(session, a_seller(session), a_business(session))
        want(session, invoice, "peppol", now=NOW)
    switch_on(make_session, invoice)
    work_all(dispatcher)
    assert ([row.state for row in rows(make_session)], out(tmp_path)) == (["made"], [])
    with transaction(make_session, SYSTEM) as session:
        want_first(session, invoice.uid, now=NOW)
    work_all(dispatcher)
    assert ([row.state for row in rows(make_session)], len(out(tmp_path))) == (["handed_over"], 1)


@pytest.mark.parametrize("event", ["invoice.finalised", "credit_note.finalised"])
def test_both_events_of_documents_lead_to_what_they_need(make_session: Sessions, event: str) -> None:
    assert {"invoice.finalised", "credit_note.finalised"} == set(EINVOICES.handlers) <= set(EINVOICES.event_types)
    with transaction(make_session, SYSTEM) as session:
        invoice = a_document(session, a_seller(session), a_business(session))
    envelope = Envelope(
        event_id=new_id(), type=event, version=1, aggregate_type="invoice", aggregate_id=invoice.uid, seq=1,
        occurred_at=NOW, data={}, request_id=None,
    )  # fmt: skip
    with transaction(make_session, SYSTEM) as session:
        EINVOICES.handlers[event](session, envelope, now=NOW)
    assert [(row.format, row.state) for row in rows(make_session)] == [("peppol", "wanted")]
