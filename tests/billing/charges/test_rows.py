"""A charge is never changed or deleted; two things are added to it, each once."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.billing.charges.models import Charge
from app.db import raw, sqlstate
from app.ids import new_id
from tests.billing.charges.builders import APRIL, a_charge, a_party
from tests.builders import an_operator

DAY = date(2026, 3, 31)


@pytest.fixture
def charge(session: Session) -> Charge:
    made = a_charge(session, operator_id=an_operator(session).id, party=a_party(session))
    session.commit()
    return made


def change(session: Session, charge: Charge, **values: object) -> None:
    session.execute(update(Charge).where(Charge.id == charge.id).values(**values))
    session.commit()


@pytest.mark.parametrize(
    "values",
    [{"gross_cents": 1, "net_cents": 1, "vat_cents": 0}, {"month": APRIL}, {"facts": {"text": "x"}}, {"late": True},
     {"uid": new_id()}, {"corrects_id": 1}, {"invoice_id": 7, "vat_permille": 0}],
)  # fmt: skip
def test_nothing_that_was_charged_is_changed_afterwards(
    session: Session, charge: Charge, values: dict[str, object]
) -> None:
    with pytest.raises(DBAPIError, match="never changed") as refused:
        change(session, charge, **values)
    assert sqlstate(refused.value) == "23001"


def test_a_charge_is_not_deleted_alone_or_with_all(session: Session, charge: Charge) -> None:
    for statement in (delete(Charge).where(Charge.id == charge.id), raw("TRUNCATE charge CASCADE")):
        with pytest.raises(DBAPIError, match="never"):
            session.execute(statement)
        session.rollback()


def test_when_it_was_earned_is_said_once(session: Session, charge: Charge) -> None:
    change(session, charge, earned_on=DAY)
    change(session, charge, earned_on=DAY)
    for again in (APRIL, None):
        with pytest.raises(DBAPIError, match="never changed"):
            change(session, charge, earned_on=again)
        session.rollback()


@pytest.mark.parametrize(
    "wrong",
    [{"gross_cents": 1}, {"quantity_milli": 0}, {"month": DAY}, {"kind": "gift"}, {"service_until": date(2026, 3, 1)}],
)
def test_the_database_refuses_what_cannot_be(session: Session, charge: Charge, wrong: dict[str, object]) -> None:
    party = a_party(session)
    with pytest.raises(DBAPIError):
        a_charge(session, operator_id=charge.operator_id, party=party, **wrong)
