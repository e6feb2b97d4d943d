"""A refund goes out once: by a file or by hand; and what the bank does all the same is seen by a person."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.billing.months import hold_books
from app.billing.payments import refunding
from app.billing.payments.models import Refund
from app.billing.payments.resolving import InFile, resolve
from app.billing.sepa import making, shown
from app.db import TenantSession, transaction
from app.network.models import Operator
from app.network.people import find_person
from app.tenancy import SYSTEM
from tests.billing.bank.house import NOW, imported, operator_of, statement
from tests.billing.sepa.house import TODAY, a_refund, items, made, tasks, waits
from tests.builders import a_manager, a_token
from tests.oracles.bank.writing import Entry, Transaction
from tests.waiting import until

OUT = ("PMNT", "ICDT", "ESCT")


def by_hand(session: Session, space: Any, *, done: bool) -> None:
    person = find_person(session, a_token(session, a_manager(session, space)), now=NOW)
    [task] = tasks(session, "refund_by_hand")
    resolve(
        session, operator_of(session, space), task.uid, note="n", done=done, space_id=None, person=person, now=NOW
    )  # fmt: skip


@pytest.mark.parametrize("done", [True, False])
def test_what_a_file_gives_back_is_not_resolved_by_hand_until_the_file_is_cancelled(
    session: Session, tmp_path: Path, done: bool
) -> None:
    space, refund = a_refund(session)
    [file] = made(session, space, tmp_path, "transfer", TODAY)
    with pytest.raises(InFile, match="cancel") as refused:
        by_hand(session, space, done=done)
    session.rollback()
    assert refused.value.facts["file_id"] == str(file.uid)
    making.cancel(session, file, "by hand instead", now=NOW)
    session.commit()
    by_hand(session, space, done=done)
    session.commit()
    assert refund.state == ("settled" if done else "failed")
    assert made(session, space, tmp_path, "transfer", TODAY) == []


def test_what_the_bank_has_is_not_resolved_by_hand_until_the_bank_refused_it(session: Session, tmp_path: Path) -> None:
    space, refund = a_refund(session)
    [file] = made(session, space, tmp_path, "transfer", TODAY)
    making.hand_over(session, file, home=tmp_path, now=NOW)
    with pytest.raises(InFile, match="statement"):
        by_hand(session, space, done=False)
    [item] = items(session)
    shown.rejected(session, item, "AC01", now=NOW)
    session.commit()
    assert (refund.state, refund.failure_code, item.state) == ("failed", "AC01", "returned")
    [failed] = tasks(session, "refund_failed")
    assert failed.cents == refund.amount_cents


def test_whoever_resolves_waits_for_a_file_that_is_being_made(
    session: Session, make_session: sessionmaker[TenantSession], tmp_path: Path
) -> None:
    space, _ = a_refund(session)

    def resolved() -> None:
        with transaction(make_session, SYSTEM) as own:
            by_hand(own, space, done=False)

    with ThreadPoolExecutor(1) as other:
        with transaction(make_session, SYSTEM) as own:
            operator = own.get_one(Operator, space.operator_id)
            making.make_files(own, operator, "transfer", home=tmp_path, execution_on=TODAY, now=NOW)
            pending = other.submit(resolved)
            until(lambda: waits(session), describe="whoever resolves waits for whoever makes the file")
        with pytest.raises(InFile):
            pending.result(10)


@pytest.mark.parametrize("state", ["failed", "settled"])
def test_a_transfer_of_what_had_failed_or_was_given_asks_a_person(session: Session, tmp_path: Path, state: str) -> None:
    """As it may be from before a resolved refund was kept out of files."""
    space, refund = a_refund(session)
    made(session, space, tmp_path, "transfer", TODAY)
    books, payment = hold_books(session, refund.operator_id), refunding.held(session, refund.payment_id)
    refunding.follow(session, payment, refund, state, None, books=books, now=NOW)
    session.commit()
    [item] = items(session)
    out = Entry(TODAY, (Transaction(-item.cents, "OUT", end_to_end=item.end_to_end_id),), OUT)
    imported(session, space, statement(out, reference="S2"))
    assert item.state == "settled" and session.get_one(Refund, refund.id).state == state
    [task] = tasks(session, "refund_paid_again")
    assert (task.cents, task.facts["refund_id"]) == (item.cents, str(refund.uid))
