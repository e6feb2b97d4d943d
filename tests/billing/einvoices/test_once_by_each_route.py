"""A French document has two forms and one way: it goes in one of them, whatever is chosen afterwards, and when."""

from __future__ import annotations

import threading
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.billing.einvoices.dispatching import LEASE, Dispatcher
from app.billing.einvoices.file_drop import FileDrop
from app.billing.einvoices.models import EInvoice
from app.billing.einvoices.port import Parcel
from app.billing.einvoices.sending import lock_document
from app.billing.einvoices.wanting import send_again, want_first
from app.billing.invoices.models import Invoice
from app.billing.papers.press import Press
from app.billing.papers.wanting import want_first as want_paper
from app.db import raw, transaction
from app.errors import WrongState
from app.tenancy import SYSTEM
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
    work_all,
)
from tests.waiting import until

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def invoice(make_session: Sessions, tmp_path: Path, clock: Clock) -> Invoice:
    """A French business's, of a French operator, made in both forms; nothing is sent yet."""
    with transaction(make_session, SYSTEM) as session:
        invoice = a_document(session, a_seller(session, "FR"), a_business(session, "FR"))
        want_paper(session, invoice.uid, now=NOW)
        want_first(session, invoice.uid, now=NOW)
    Press(make_session, tmp_path, clock=clock).draw_due()
    work_all(Dispatcher(make_session, tmp_path, clock=clock))
    assert states(make_session) == {"ubl-fr": "made", "factur-x": "made"}
    return invoice


def states(make_session: Sessions) -> dict[str, str]:
    return {row.format: row.state for row in rows(make_session)}


def choose_format(make_session: Sessions, invoice: Invoice, format: str) -> None:
    switch_on(make_session, invoice, platform_from=date(2026, 9, 1), platform_format=format)


def ask_for(make_session: Sessions, invoice: Invoice, format: str) -> EInvoice:
    with transaction(make_session, SYSTEM) as session:
        return send_again(session, session.get_one(Invoice, invoice.id), format, now=NOW)


def suffixes(home: Path) -> list[str]:
    return sorted(path.suffix for path in out(home))


def test_another_format_is_for_what_has_not_gone_and_for_what_was_rejected_once_somebody_asks(
    make_session: Sessions, invoice: Invoice, clock: Clock, tmp_path: Path
) -> None:
    dispatcher = Dispatcher(make_session, tmp_path, clock=clock)
    choose_format(make_session, invoice, "ubl-fr")
    work_all(dispatcher)
    choose_format(make_session, invoice, "factur-x")
    work_all(dispatcher)
    assert (suffixes(tmp_path), states(make_session)) == ([".xml"], {"ubl-fr": "handed_over", "factur-x": "made"})
    with pytest.raises(WrongState) as refused:
        ask_for(make_session, invoice, "factur-x")
    assert (refused.value.facts["state"], refused.value.facts["format"]) == ("handed_over", "ubl-fr")

    put_answer(make_session, tmp_path, invoice, "a.json", status(invoice, "RE"))
    work_all(dispatcher)
    choose_format(make_session, invoice, "factur-x")
    work_all(dispatcher)
    assert suffixes(tmp_path) == [".xml"], "a person decides what becomes of what was rejected"
    ask_for(make_session, invoice, "factur-x")
    work_all(dispatcher)
    assert suffixes(tmp_path) == [".pdf", ".xml"]
    put_answer(make_session, tmp_path, invoice, "b.json", status(invoice, "AP"))
    work_all(dispatcher)
    assert states(make_session) == {"ubl-fr": "rejected", "factur-x": "accepted"}
    with pytest.raises(WrongState):
        ask_for(make_session, invoice, "ubl-fr")


def test_both_wait_and_the_one_goes_that_is_chosen_when_sending_begins(
    make_session: Sessions, invoice: Invoice, clock: Clock, tmp_path: Path
) -> None:
    for format in ("ubl-fr", "factur-x"):
        ask_for(make_session, invoice, format)
    dispatcher = Dispatcher(make_session, tmp_path, clock=clock)
    work_all(dispatcher)
    assert suffixes(tmp_path) == []
    choose_format(make_session, invoice, "factur-x")
    work_all(dispatcher)
    choose_format(make_session, invoice, "ubl-fr")
    work_all(dispatcher)
    assert suffixes(tmp_path) == [".pdf"]


@pytest.mark.parametrize("dies", [False, True])
def test_what_is_in_hand_in_one_format_does_not_go_in_another_even_when_nobody_knows_whether_it_went(
    make_session: Sessions, invoice: Invoice, clock: Clock, tmp_path: Path, dies: bool
) -> None:
    """While it is handed over the other format is chosen, and due at another dispatcher; the first one may die."""

    class Dead(BaseException):
        pass

    class Overtaken(FileDrop):
        def hand_over(self, parcel: Parcel) -> str:
            reference = super().hand_over(parcel)
            choose_format(make_session, invoice, "factur-x")
            with transaction(make_session, SYSTEM) as session:
                other = next(row for row in rows(make_session) if row.format == "factur-x")
                session.get_one(EInvoice, other.id).due_at = NOW
            work_all(Dispatcher(make_session, tmp_path, clock=clock))
            if dies:
                raise Dead
            return reference

    choose_format(make_session, invoice, "ubl-fr")
    with transaction(make_session, SYSTEM) as session:  # the other is not looked at before
        other = next(row for row in rows(make_session) if row.format == "factur-x")
        session.get_one(EInvoice, other.id).due_at = None
    try:
        Dispatcher(make_session, tmp_path, clock=clock, carrier=Overtaken(tmp_path)).work()
    except Dead:
        clock.on(seconds=LEASE.total_seconds() + 1)
    work_all(Dispatcher(make_session, tmp_path, clock=clock))
    assert (suffixes(tmp_path), states(make_session)) == ([".xml"], {"ubl-fr": "handed_over", "factur-x": "made"})


def test_what_failed_while_it_was_handed_over_may_have_gone_and_goes_on_in_its_own_format_alone(
    make_session: Sessions, invoice: Invoice, clock: Clock, tmp_path: Path
) -> None:
    choose_format(make_session, invoice, "ubl-fr")
    with transaction(make_session, SYSTEM) as session:
        row = next(row for row in rows(make_session) if row.format == "ubl-fr")
        found = session.get_one(EInvoice, row.id)
        found.state, found.due_at, found.handed_over_at = "failed", None, NOW
    choose_format(make_session, invoice, "factur-x")
    with pytest.raises(WrongState) as refused:
        ask_for(make_session, invoice, "factur-x")
    assert refused.value.facts["remedy"].endswith("send it again in that one")
    ask_for(make_session, invoice, "ubl-fr")
    work_all(Dispatcher(make_session, tmp_path, clock=clock))
    assert (suffixes(tmp_path), states(make_session)) == ([".xml"], {"ubl-fr": "handed_over", "factur-x": "made"})


def test_who_asks_for_one_waits_for_who_sends_the_other(make_session: Sessions, invoice: Invoice) -> None:
    said: list[Any] = []

    def ask() -> None:
        try:
            said.append(ask_for(make_session, invoice, "factur-x"))
        except WrongState as refused:
            said.append(refused.facts["format"])

    asking = threading.Thread(target=ask)
    with transaction(make_session, SYSTEM) as session:
        lock_document(session, invoice.id)
        row = next(row for row in rows(make_session) if row.format == "ubl-fr")
        session.get_one(EInvoice, row.id).handed_over_at = NOW
        session.flush()
        asking.start()
        until(lambda: _waiting(make_session), describe="it waits")
    asking.join(timeout=10)
    assert said == ["ubl-fr"]


def _waiting(make_session: Sessions) -> bool:
    with transaction(make_session, SYSTEM) as session:
        watching: Session = session
        return bool(watching.execute(raw(WAITING)).scalar_one())
