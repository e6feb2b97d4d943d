"""The doctor finds a line or a SEPA file that was changed by hand."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.billing.payments.refunding import request_refund
from app.billing.sepa.making import make_files
from app.config import Config
from app.doctor.bank import bank_check
from app.doctor.finding import Fault
from tests.billing.bank.house import NOW, an_owed_operator, credited, imported, operator_of, statement
from tests.oracles.bank.debts import debts
from tests.oracles.bank.writing import Entry, Transaction

OWED = debts(random.Random(6), count=3, prefix="ATH")
FORGED = {
    "a line's cents": ("UPDATE bank_line SET cents = cents + 1 WHERE rule = 'communication'", "were imported"),
    "a line taken away": ("DELETE FROM bank_line WHERE rule = ''", "were imported"),
    "a fee that is none": ("UPDATE bank_line SET rule = 'bank_fee' WHERE rule = 'communication'", "the books took"),
    "another's payment": ("UPDATE payment SET source = 'x' WHERE provider = 'bank'", "the books took"),
    "an item's cents": ("UPDATE sepa_item SET cents = cents + 1", "sum of its items"),
    "an item taken out": ("UPDATE sepa_item SET file_id = NULL, state = 'waiting'", "sum of its items"),
}


def test_what_was_changed_by_hand_is_found(session: Session, engine: Engine, tmp_path: Path) -> None:
    space = an_owed_operator(session, OWED)
    debt = OWED[0]
    came = credited(debt.cents, servicer="A", structured=debt.communication, account=debt.payer.account)
    fee = Entry(came.day, (Transaction(-120, "B"),), ("PMNT", "MCOP", "CHRG"))
    imported(session, space, statement(came, fee, credited(-5, servicer="C")))
    from sqlalchemy import select

    from app.billing.payments.models import Payment

    payment = session.scalars(select(Payment)).one()
    request_refund(session, payment, cents=10, reason="credit", source="t", now=NOW)
    [file] = make_files(
        session, operator_of(session, space), "transfer", home=tmp_path, execution_on=NOW.date(), now=NOW
    )
    session.commit()
    config = Config(home=tmp_path)
    with engine.connect() as connection:
        assert bank_check(config, connection).startswith("3 lines")
        for case, (forgery, said) in FORGED.items():
            connection.rollback()
            connection.execute(text(forgery))
            with pytest.raises(Fault, match=said):
                pytest.fail(f"{case} went unnoticed: {bank_check(config, connection)}")
        connection.rollback()
        (tmp_path / "files" / file.sha256).write_bytes(b"other")
        with pytest.raises(Fault, match="as it was sealed"):
            bank_check(config, connection)
