"""Closing a month: what it documents, twice, in order, and not too early; what it says and what it posts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from app.billing.charges.models import BillingMonth, Charge
from app.billing.invoices import closing, finishing
from app.billing.invoices.canonical import GENESIS
from app.billing.invoices.chain import verify_chain
from app.billing.invoices.models import Invoice, Letterhead
from app.billing.ledger.models import LedgerEntry
from app.billing.months import MonthNotOver, MonthOutOfOrder
from app.db import TenantSession, raw, transaction
from app.events.models import OutboxRow
from app.network.models import Member
from app.tenancy import SYSTEM
from app.timekeeper import Timekeeper
from tests.billing.charges.builders import APRIL, MARCH, a_charge, a_party
from tests.billing.invoices.house import APRIL_1, MAY_1, a_correction, a_house, closed, content, documents
from tests.builders import a_member, a_space, saved
from tests.http.operations import fingerprint

Sessions = sessionmaker[TenantSession]


def test_a_month_becomes_an_invoice_for_each_customer(session: Session, make_session: Sessions) -> None:
    space = a_house(session, charges=[[10000, 2550], [333]])
    done = closed(make_session, space)
    assert (dict(done.documents), done.charges, done.waiting) == ({"monthly": 2}, 3, 0)
    first, second = documents(make_session, space.operator_id)
    assert (first.number, second.number) == ("ATH-2026-000001", "ATH-2026-000002")
    assert (first.net_cents, first.vat_cents, first.gross_cents) == (12550, 2636, 15186)
    assert (first.issued_on, first.due_on) == (date(2026, 4, 1), date(2026, 5, 1))
    assert (first.previous_hash, second.previous_hash) == (GENESIS, first.hash)
    assert content(first)["payment"]["communication"] == first.communication == "+++261/0000/00149+++"
    assert list(verify_chain(session, space.operator_id)) == []


def test_a_month_closed_twice_changes_nothing_and_says_so(session: Session, make_session: Sessions) -> None:
    space = a_house(session, charges=[[100]])
    assert not closed(make_session, space).before
    before = fingerprint(session)
    again = closed(make_session, space)
    assert (again.before, again.did_nothing) == (True, True)
    assert fingerprint(session) == before


@pytest.mark.parametrize(
    ("zone", "over"),
    [("Europe/Brussels", datetime(2026, 3, 31, 22, 15, tzinfo=UTC)),
     ("Indian/Reunion", datetime(2026, 3, 31, 20, 15, tzinfo=UTC)),
     ("America/Cayenne", datetime(2026, 4, 1, 3, 15, tzinfo=UTC))],
)  # fmt: skip
def test_a_month_is_over_a_quarter_of_an_hour_after_its_last_local_midnight(
    session: Session, make_session: Sessions, zone: str, over: datetime
) -> None:
    space = a_house(session, charges=[[100]], timezone=zone)
    for early in (timedelta(minutes=20), timedelta(seconds=1)):
        with pytest.raises(MonthNotOver) as refused:
            closed(make_session, space, now=over - early)
        assert over.isoformat() in refused.value.facts["remedy"]
        session.rollback()
        assert session.scalars(select(BillingMonth.closed)).all() in ([], [None])
    assert closed(make_session, space, now=over).documents["monthly"] == 1


def test_months_are_closed_in_order(session: Session, make_session: Sessions) -> None:
    space = a_house(session, charges=[[100]])
    closed(make_session, space)
    with pytest.raises(MonthOutOfOrder):
        closed(make_session, space, date(2026, 5, 1), now=datetime(2026, 7, 1, tzinfo=UTC))


def test_days_of_issue_never_go_back_within_a_series(session: Session, make_session: Sessions) -> None:
    space = a_house(session, charges=[[100]])
    closed(make_session, space, now=APRIL_1 + timedelta(days=1))
    party = a_party(session)
    a_charge(session, operator_id=space.operator_id, party=party, month=MARCH)
    session.commit()
    assert closed(make_session, space, now=APRIL_1).documents["monthly"] == 1
    assert [each.issued_on for each in documents(make_session, space.operator_id)] == [date(2026, 4, 2)] * 2


def test_what_cancels_out_is_settled_and_never_documented(session: Session, make_session: Sessions) -> None:
    space = a_house(session, charges=[[10000]])
    whole = session.scalars(select(Charge)).one()
    a_correction(session, whole, -10000)
    session.commit()
    done = closed(make_session, space)
    assert (done.settled, dict(done.documents)) == (2, {})
    session.rollback()
    assert session.scalars(select(Charge.settled_at.is_not(None))).all() == [True, True]
    assert closed(make_session, space).did_nothing


def test_what_was_invoiced_and_cancelled_comes_as_a_credit_note_next_month(
    session: Session, make_session: Sessions
) -> None:
    space = a_house(session, charges=[[10000, 5000]])
    closed(make_session, space)
    a_correction(session, session.scalars(select(Charge).order_by(Charge.id)).first(), -10000, month=APRIL)
    session.commit()
    assert dict(closed(make_session, space, APRIL, now=MAY_1).documents) == {"credit_note": 1}
    note, invoice = documents(make_session, space.operator_id)
    assert (note.number, note.corrects_id, note.gross_cents) == ("ATH-C2026-000001", invoice.id, 12100)
    said = content(note)
    assert said["corrects"] == {"id": str(invoice.uid), "number": invoice.number, "issued_on": "2026-04-01"}
    assert [line["net_cents"] for line in said["lines"]] == [10000]
    assert list(verify_chain(session, space.operator_id)) == []
    session.rollback()
    party = LedgerEntry.party_id == invoice.party_id
    owed = select(func.sum(LedgerEntry.cents)).where(LedgerEntry.account == "receivable", party)
    assert session.scalars(owed).one() == 6050


def test_an_event_and_a_posting_for_each_document(session: Session, make_session: Sessions) -> None:
    space = a_house(session, charges=[[10000], [5000]])
    closed(make_session, space)
    assert session.scalars(select(OutboxRow.type)).all() == ["invoice.finalised"] * 2
    totals = dict(
        session.execute(select(LedgerEntry.account, func.sum(LedgerEntry.cents)).group_by(LedgerEntry.account)).all()
    )
    assert totals == {"receivable": 18150, "vat_due": -3150, "deferred": -15000}


def test_rounding_is_per_rate_on_totals_and_the_ledger_takes_the_difference(
    session: Session, make_session: Sessions
) -> None:
    space = a_house(session, charges=[[3, 3, 3]])
    closed(make_session, space)
    (invoice,) = documents(make_session, space.operator_id)
    assert (invoice.net_cents, invoice.vat_cents) == (9, 2)
    assert session.scalars(select(func.sum(LedgerEntry.cents))).one() == 0


def test_names_stay_on_the_document_when_the_person_is_erased(session: Session, make_session: Sessions) -> None:
    space = a_space(session)
    member = a_member(session, name="Ana Dupont")
    party = a_party(session, name="Ana Dupont", member_id=member.id, locale="nl")
    facts = {"resource_kind": "room", "start": "2026-03-02T08:00:00Z", "end": "2026-03-02T10:30:00Z"}
    used = {"space_id": space.id, "member_id": member.id, "kind": "booking", "facts": facts}
    a_charge(session, operator_id=space.operator_id, party=party, **used)
    session.commit()
    closed(make_session, space)
    with transaction(make_session, SYSTEM) as own:
        own.execute(update(Member).where(Member.id == member.id).values(name="", erased_at=APRIL_1))
    said = content(documents(make_session, space.operator_id)[0])
    (line,) = said["lines"]
    assert (said["buyer"]["name"], line["person"], line["space"]) == ("Ana Dupont", "Ana Dupont", space.name)
    assert (said["locale"], line["text"]) == ("nl", "Zaal, 09:00–11:30")


@pytest.mark.parametrize(
    ("country", "business", "codes"),
    [("BE", True, ["be_late_payment"]), ("BE", False, []),
     ("FR", True, ["fr_late_interest", "fr_recovery_40", "fr_no_discount"]), ("FR", False, [])],
)  # fmt: skip
def test_a_document_says_what_the_law_of_its_country_wants(
    session: Session, make_session: Sessions, country: str, business: bool, codes: list[str]
) -> None:
    space = a_space(session, country=country, town="Nantes" if country == "FR" else "Ath")
    party = a_party(session, is_business=business)
    deposit = {"kind": "deposit", "vat_permille": 0, "vat_category": "O", "vat_cents": 0}
    a_charge(session, operator_id=space.operator_id, party=party)
    a_charge(session, operator_id=space.operator_id, party=party, net=20000, **deposit)
    session.commit()
    closed(make_session, space)
    held, invoice = sorted(map(content, documents(make_session, space.operator_id)), key=lambda each: each["purpose"])
    assert [mention["code"] for mention in invoice["mentions"]] == codes
    assert all(mention["text"] for mention in invoice["mentions"])
    assert [mention["code"] for mention in held["mentions"]] == ["deposit_outside_vat"]
    assert (held["purpose"], held["period"], held["totals"]["vat_cents"]) == ("deposit", None, 0)
    if country == "FR":
        assert invoice["payment"]["communication"] == invoice["number"] == "NAN-2026-000002"


def test_a_chosen_letterhead_is_what_documents_say(session: Session, make_session: Sessions) -> None:
    space = a_house(session, charges=[[100]])
    chosen = {"prefix": "CWA", "street": "Rue Haute 1", "postcode": "7800", "town": "Ath", "terms_days": 14}
    saved(session, Letterhead(operator_id=space.operator_id, **chosen))
    session.commit()
    closed(make_session, space)
    (invoice,) = documents(make_session, space.operator_id)
    assert (invoice.number, invoice.due_on) == ("CWA-2026-000001", date(2026, 4, 15))
    assert content(invoice)["seller"]["street"] == "Rue Haute 1"


def test_a_preview_says_the_same_and_writes_nothing(session: Session, make_session: Sessions) -> None:
    space = a_house(session, charges=[[10000, 2550], [333]])
    before = fingerprint(session)
    foreseen = closing.preview(session, space.operator_id, MARCH, now=APRIL_1)
    session.commit()
    assert fingerprint(session) == before
    done = closed(make_session, space)
    assert foreseen == done
    with pytest.raises(MonthNotOver):
        closing.preview(session, space.operator_id, APRIL, now=APRIL_1)


def test_a_batch_that_fails_gives_its_numbers_back(
    session: Session, make_session: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = a_house(session, charges=[[100], [200]])

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr("app.billing.invoices.finalising.insert_events", broken)
        closed(make_session, space)
    assert documents(make_session, space.operator_id) == []
    assert closed(make_session, space).documents["monthly"] == 2
    assert [each.sequence for each in documents(make_session, space.operator_id)] == [1, 2]


@pytest.mark.parametrize("statement", ["UPDATE invoice SET gross_cents = 1, net_cents = 1, vat_cents = 0",
                                       "DELETE FROM invoice", "TRUNCATE invoice CASCADE",
                                       "UPDATE invoice SET snapshot = '{}'"])  # fmt: skip
def test_a_finalised_document_is_neither_changed_nor_removed(
    session: Session, make_session: Sessions, statement: str
) -> None:
    space = a_house(session, charges=[[100]])
    closed(make_session, space)
    with pytest.raises(DBAPIError, match="neither changed nor removed"):
        session.execute(raw(statement))


TAMPERED = {
    "an amount": "UPDATE invoice SET net_cents = net_cents - 1, gross_cents = gross_cents - 1 WHERE sequence = 2",
    "its content": "UPDATE invoice SET snapshot = replace(snapshot, 'Party', 'Parti') WHERE sequence = 2",
    "its content and hash": (
        "UPDATE invoice SET snapshot = replace(snapshot, 'EUR', 'CHF'),"
        " hash = encode(sha256(convert_to(replace(snapshot, 'EUR', 'CHF'), 'UTF8')), 'hex') WHERE sequence = 2"
    ),
    "its day": "UPDATE invoice SET due_on = due_on + 30 WHERE sequence = 2",
    "the last": "DELETE FROM invoice WHERE sequence = 3",
    "one between": "DELETE FROM invoice WHERE sequence = 2",
    "the first": "DELETE FROM invoice WHERE sequence = 1",
    "the counter": "UPDATE invoice_series SET last_sequence = 4",
}


@pytest.mark.parametrize("what", list(TAMPERED))
def test_whatever_is_changed_by_hand_is_found(session: Session, make_session: Sessions, what: str) -> None:
    space = a_house(session, charges=[[100], [200], [300]])
    closed(make_session, space)
    assert list(verify_chain(session, space.operator_id)) == []
    for statement in ("SET LOCAL session_replication_role = replica", TAMPERED[what]):
        session.execute(raw(statement))
    assert list(verify_chain(session, space.operator_id)) != []


def test_a_month_closed_in_a_request_gets_its_documents_from_the_timekeeper(
    session: Session, make_session: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "CUSTOMERS", 2)
    space = a_house(session, charges=[[100]] * 5)
    with transaction(make_session, SYSTEM) as own:
        assert finishing.close_here(own, space.operator_id, MARCH, now=APRIL_1)
    assert documents(make_session, space.operator_id) == []
    ticking = iter(range(100))
    clock = Timekeeper(make_session, clock=lambda: APRIL_1 + timedelta(seconds=next(ticking)))
    while clock.run_due():
        pass
    assert len(documents(make_session, space.operator_id)) == 5
    with transaction(make_session, SYSTEM) as own:
        assert not finishing.close_here(own, space.operator_id, MARCH, now=APRIL_1)


def test_a_charge_is_on_one_document_whoever_asks(session: Session, make_session: Sessions) -> None:
    """The second layer: without any lock, the key of a run still refuses the second document of a charge."""
    space = a_house(session, charges=[[100]])
    closed(make_session, space)
    columns = ", ".join(
        column.name for column in Invoice.__table__.columns if column.name not in ("id", "uid", "sequence", "number")
    )
    again = f"""
        INSERT INTO invoice (uid, sequence, number, {columns}) SELECT gen_random_uuid(), 2, 'X', {columns} FROM invoice
    """
    with pytest.raises(DBAPIError, match="uq_invoice_run_key"):
        session.execute(raw(again))
