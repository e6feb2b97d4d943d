"""Asking about VAT numbers: when, what an answer changes, and what no answer does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from app.db import TenantSession, raw
from app.doctor.finding import Fault
from app.doctor.outgoing import OUTGOING_CHECKS
from app.network.parties import checking
from app.network.parties.checking import FRESH_FOR, PAUSES, ask_again, last_answer, record_answer, stale
from app.network.parties.models import Party, VatNumberCheck
from app.network.parties.vies import Answer
from tests.billing.charges.builders import a_charge
from tests.builders import an_operator, saved
from tests.conftest import Clock
from tests.network.parties.fake_vies import FakeVies
from workers.vat_numbers import VatNumberAsker

NUMBER, OTHER = "BE0200000043", "FR46800000010"


def a_business(session: Session, number: str | None = NUMBER, **values: object) -> Party:
    row = {"name": "A business", "country": "BE", "is_business": True, "vat_number": number, **values}
    return saved(session, Party(**row))


@pytest.fixture
def asker(engine: Engine, make_session: sessionmaker[TenantSession], vies: FakeVies, clock: Clock) -> VatNumberAsker:
    return VatNumberAsker(engine, make_session, vies.client(requester=OTHER), clock=clock)


def known(session: Session, party: Party) -> tuple[str, bool]:
    session.commit()
    session.refresh(party)
    return party.vat_status, party.vat_checked_at is not None


def test_a_new_number_is_asked_about_once_and_the_evidence_is_kept(
    session: Session, asker: VatNumberAsker, vies: FakeVies, clock: Clock
) -> None:
    party = a_business(session)
    session.commit()
    vies.says[NUMBER] = "yes"
    assert (asker.ask_next(), asker.ask_next()) == (1, 0)
    assert known(session, party) == ("valid", True)
    evidence = session.scalars(select(VatNumberCheck)).one()
    assert (evidence.vat_number, evidence.answer, evidence.consultation) == (NUMBER, "yes", "WAPI0200000043")
    assert evidence.asked_at == clock.now


def test_nobody_else_is_asked_about(session: Session, asker: VatNumberAsker, vies: FakeVies) -> None:
    a_business(session, None)
    a_business(session, "CHE000000001", country="CH")
    a_business(session, NUMBER, is_business=False)
    session.commit()
    assert asker.ask_next() == 0
    assert vies.asked == []


def test_a_number_that_stops_being_valid_is_noticed_within_a_week(
    session: Session, asker: VatNumberAsker, vies: FakeVies, clock: Clock
) -> None:
    party = a_business(session)
    session.commit()
    vies.says[NUMBER] = "yes"
    asker.ask_next()
    vies.says[NUMBER] = "no"
    clock.now += FRESH_FOR - timedelta(seconds=1)
    assert asker.ask_next() == 0
    clock.now += timedelta(seconds=1)
    assert asker.ask_next() == 1
    assert known(session, party) == ("invalid", True)


def test_no_answer_keeps_what_was_known(session: Session, asker: VatNumberAsker, vies: FakeVies, clock: Clock) -> None:
    valid, new = a_business(session), a_business(session, OTHER, country="FR")
    vies.says |= {NUMBER: "yes", OTHER: "MS_UNAVAILABLE"}
    session.commit()
    asker.ask_next()
    assert (known(session, valid), known(session, new)) == (("valid", True), ("unknown", False))
    vies.says[NUMBER] = "TIMEOUT"
    clock.now += FRESH_FOR
    assert asker.ask_next() == 2
    assert (known(session, valid), known(session, new)) == (("valid", True), ("unknown", False))
    vies.says[NUMBER] = vies.says[OTHER] = "no"
    clock.now += PAUSES[-1]
    asker.ask_next()
    assert known(session, valid) == known(session, new) == ("invalid", True)


def test_without_an_answer_it_is_tried_again_later_each_time(
    session: Session, asker: VatNumberAsker, vies: FakeVies, clock: Clock
) -> None:
    a_business(session)
    session.commit()
    vies.says[NUMBER] = "MS_UNAVAILABLE"
    assert asker.ask_next() == 1
    for pause in (*PAUSES, PAUSES[-1]):
        clock.now += pause - timedelta(seconds=1)
        assert asker.ask_next() == 0, pause
        clock.now += timedelta(seconds=1)
        assert asker.ask_next() == 1, pause
    vies.says[NUMBER] = "yes"
    clock.now += PAUSES[-1]
    asker.ask_next()
    vies.says[NUMBER] = "MS_UNAVAILABLE"
    clock.now += FRESH_FOR
    asker.ask_next()
    clock.now += PAUSES[0]
    assert asker.ask_next() == 1  # an answer begins the pauses anew


def test_an_answer_about_a_number_that_was_changed_meanwhile_is_evidence_and_no_more(
    session: Session, clock: Clock
) -> None:
    party = a_business(session)
    question = checking.next_questions(session, now=clock.now)[0]
    party.vat_number = OTHER
    session.flush()
    record_answer(session, question, Answer("yes", consultation="WAPI"), now=clock.now)
    assert (party.vat_status, party.vat_checked_at) == ("unchecked", None)
    assert last_answer(session, party) is None
    assert session.scalars(select(VatNumberCheck.vat_number)).all() == [NUMBER]
    assert [each.vat_number for each in checking.next_questions(session, now=clock.now)] == [OTHER]


def test_nobody_is_asked_inside_a_transaction(
    session: Session, asker: VatNumberAsker, vies: FakeVies, make_session: sessionmaker[TenantSession]
) -> None:
    a_business(session)
    session.commit()
    found: list[int] = []
    open_now = raw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
                   " AND pid <> pg_backend_pid()")  # fmt: skip

    def look(exchange) -> None:
        with make_session() as other:
            other.info["scope"] = session.info["scope"]
            found.append(other.execute(open_now).scalar_one())
        exchange.reply(200, b'{"valid": true}')

    vies.says[NUMBER] = look
    asker.ask_next()
    assert found == [0]


def test_whoever_closes_a_month_is_told_of_numbers_not_heard_about_since(session: Session, clock: Clock) -> None:
    operator, other = an_operator(session), an_operator(session)
    fresh, old, silent, private = (
        a_business(session, vat_status="valid", vat_checked_at=clock.now),
        a_business(session, vat_status="valid", vat_checked_at=clock.now - timedelta(days=9)),
        a_business(session, OTHER, vat_status="unknown"),
        a_business(session, None, is_business=False),
    )
    for party in (fresh, old, silent, private):
        a_charge(session, operator_id=operator.id, party=party)
    a_charge(session, operator_id=other.id, party=a_business(session))
    since = clock.now - timedelta(days=1)
    found = stale(session, operator.id, since=since)
    assert [(each.party_id, each.vat_status) for each in found] == [(old.id, "valid"), (silent.id, "unknown")]
    ask_again(session, [each.party_id for each in found])
    session.expire_all()
    assert (old.vat_status, old.vat_checked_at) == ("valid", None)
    asked = {question.party_id for question in checking.next_questions(session, now=clock.now)}
    assert {old.id, silent.id} <= asked
    assert fresh.id not in asked


def test_the_doctor_says_when_nobody_has_answered_for_days(session: Session, engine: Engine) -> None:
    check = dict(OUTGOING_CHECKS)["VAT numbers"]
    party = a_business(session)
    long_ago = datetime.now(UTC) - timedelta(days=4)

    def heard(answer: str, *, at: datetime) -> None:
        saved(session, VatNumberCheck(party_id=party.id, vat_number=NUMBER, asked_at=at, answer=answer))
        session.commit()

    heard("none", at=long_ago)
    heard("none", at=datetime.now(UTC))
    with engine.connect() as connection, pytest.raises(Fault, match=r"1 VAT numbers .* for 4 days"):
        check(connection)
    heard("yes", at=datetime.now(UTC))
    heard("none", at=datetime.now(UTC))
    with engine.connect() as connection:
        assert check(connection) == "1 VAT numbers wait for an answer"
