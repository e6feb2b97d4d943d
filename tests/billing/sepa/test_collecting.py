"""What is collected is what stands on that day: not what was settled, stopped, revoked, or will not be paid."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.billing.dunning.models import DunningStop
from app.billing.payments.models import Payment
from app.billing.sepa import making, mandates, shown
from app.billing.sepa.models import SepaItem
from app.errors import WrongState
from tests.billing.bank.house import NOW
from tests.billing.sepa.house import DUE, a_debtor, comes_and_goes_back, items, made, pay, signed, tasks
from tests.builders import a_manager, saved


@pytest.mark.parametrize("left", ["by a cancelled file", "by a file that was full"])
def test_what_waits_is_collected_anew_as_it_stands_now(session: Session, tmp_path: Path, left: str) -> None:
    debtor = a_debtor(session)
    owed = debtor.invoice.gross_cents
    [file] = made(session, debtor.space, tmp_path)
    making.cancel(session, file, "wrong day", now=NOW)
    if left == "by a file that was full":
        session.execute(update(SepaItem).values(state="waiting"))
    pay(session, debtor, 100)
    [again] = made(session, debtor.space, tmp_path)
    assert (again.items, again.cents) == (1, owed - 100)
    making.cancel(session, again, "wrong day", now=NOW)
    mandates.revoke(session, debtor.mandate, now=NOW)
    session.commit()
    assert made(session, debtor.space, tmp_path) == []
    assert {item.state for item in items(session)} == {"cancelled"}


@pytest.mark.parametrize(
    ("reasons", "times", "said"),
    [(["AM04", "MS03", "AM04"], 3, ""), (["AC04"], 1, "AC04"), (["AM04", "MD06"], 2, "MD06"), (["NARR"], 1, "NARR")],
)
def test_a_debit_that_came_back_is_collected_again_only_where_its_reason_passes_and_at_most_twice(
    session: Session, tmp_path: Path, reasons: list[str], times: int, said: str
) -> None:
    debtor = a_debtor(session)
    for reason in reasons:
        made(session, debtor.space, tmp_path)
        [item] = items(session, "in_file")
        comes_and_goes_back(session, debtor.space, item, reason)
    for _ in range(2):
        assert made(session, debtor.space, tmp_path) == []
    assert len(items(session, "returned")) == times
    [task] = tasks(session, "debit_not_collected")
    assert (task.invoice_id, task.cents, task.facts) == (
        debtor.invoice.id, debtor.invoice.gross_cents, {"returned": times, "reason": said},
    )  # fmt: skip
    mandates.revoke(session, debtor.mandate, now=NOW)
    signed(session, debtor.space, debtor.party, "ATH-2")
    assert len(made(session, debtor.space, tmp_path)) == 1


@pytest.mark.parametrize("whom", ["everybody", "the party", "the invoice"])
def test_where_reminders_are_stopped_nothing_is_collected(session: Session, tmp_path: Path, whom: str) -> None:
    debtor = a_debtor(session)
    whose: dict[str, Any] = {
        "the party": {"party_id": debtor.party.id},
        "the invoice": {"invoice_id": debtor.invoice.id},
    }
    stopped_by = a_manager(session, debtor.space)
    saved(session, DunningStop(
        operator_id=debtor.space.operator_id, reason="Agreed", stopped_by_id=stopped_by.id, stopped_at=NOW, until=DUE,
        **whose.get(whom, {}),
    ))  # fmt: skip
    session.commit()
    assert made(session, debtor.space, tmp_path) == []
    assert len(made(session, debtor.space, tmp_path, on=DUE + timedelta(days=1))) == 1


def test_a_debit_that_the_bank_rejects_is_as_one_that_came_back(session: Session, tmp_path: Path) -> None:
    debtor = a_debtor(session)
    [file] = made(session, debtor.space, tmp_path)
    [item] = items(session)
    with pytest.raises(WrongState, match="cancel the file"):
        shown.rejected(session, item, "AC01", now=NOW)
    making.hand_over(session, file, home=tmp_path, now=NOW)
    for _ in range(2):
        assert shown.rejected(session, item, "AC01", now=NOW).state == "returned"
    with pytest.raises(WrongState):
        shown.rejected(session, item, "AM04", now=NOW)
    session.commit()
    assert session.scalars(select(Payment)).all() == []
    assert made(session, debtor.space, tmp_path) == []
    [task] = tasks(session, "debit_not_collected")
    assert task.facts["reason"] == "AC01"
