"""Statements with all the mess of real ones: what is exact is matched, nothing is matched wrongly, the rest is left to
a person. Judged by an oracle that shares nothing with the product."""

from __future__ import annotations

import random

from sqlalchemy.orm import Session

from tests.billing.bank.house import an_owed_operator, imported
from tests.oracles.bank.debts import account_of, debts
from tests.oracles.bank.judging import faults, tally
from tests.oracles.bank.mess import mess
from tests.oracles.bank.writing import Account, Sheet, file_of


def test_everything_exact_is_matched_and_nothing_else(session: Session) -> None:
    owed = debts(random.Random(5), count=700, prefix="ATH")
    space = an_owed_operator(session, owed)
    made = mess(5, owed, entries=500)
    octets = file_of(Account(account_of(7)), Sheet("2026/11", 50_000, made.entries))
    done = imported(session, space, octets)
    assert list(faults(session.connection(), made)) == []
    counted = tally(session.connection())
    assert {"matched": done.matched, "proposed": done.proposed, "open": done.open} == dict(counted)
    assert done.ignored == 2
