"""What charges and documents are in the ledger: each row a situation and the entries it makes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.billing.charges.posting import (
    REVENUE,
    Document,
    Earned,
    documented,
    earned_after_document,
    earned_before_document,
)
from app.billing.ledger.accounts import ACCOUNTS
from app.billing.ledger.posting import Posting
from app.ids import new_id

DAY, OPERATOR, PARTY = date(2026, 3, 31), 1, 7
RECEIVABLE, UNBILLED = ("receivable", PARTY), ("unbilled", PARTY)
PENDING, DUE, DEFERRED = ("vat_pending", None), ("vat_due", None), ("deferred", None)
HELD, ROUNDING = ("deposits_held", None), ("rounding", None)


@dataclass(frozen=True)
class Line:
    """A charge on a document."""

    net_cents: int
    vat_cents: int = 0
    kind: str = "booking"
    earned: bool = True

    @property
    def gross_cents(self) -> int:
        return self.net_cents + self.vat_cents


def entries(posting: Posting) -> dict[tuple[str, int | None], int]:
    assert sum(line.cents for line in posting.lines) == 0
    assert len({(line.account, line.party_id) for line in posting.lines}) == len(posting.lines)
    return {(line.account, line.party_id): line.cents for line in posting.lines}


def document(gross: int, vat: int) -> Document:
    return Document(new_id(), OPERATOR, PARTY, "ATH-2026-000001", DAY, "EUR", gross, vat)


def charge(kind: str, net: int, vat: int) -> Earned:
    return Earned(new_id(), OPERATOR, PARTY, kind, "EUR", net, vat, net + vat, DAY)


@pytest.mark.parametrize(("kind", "account"), REVENUE.items())
def test_income_is_of_its_kind_and_unbilled_until_there_is_a_document(kind: str, account: str) -> None:
    assert account in ACCOUNTS
    earned = charge(kind, 2500, 525)
    before = earned_before_document(earned)
    assert entries(before) == {UNBILLED: 3025, (account, None): -2500, PENDING: -525}
    assert (before.key, before.kind, before.day) == (f"earn:{earned.uid}", "earn", DAY)
    after = earned_after_document(earned)
    assert entries(after) == {DEFERRED: 2500, (account, None): -2500}
    assert after.key == before.key, "income once, whichever came first"


@pytest.mark.parametrize(
    ("lines", "gross", "vat", "expected"),
    [
        ([Line(2500, 525)], 3025, 525,
         {RECEIVABLE: 3025, UNBILLED: -3025, PENDING: 525, DUE: -525}),
        ([Line(2500, 525, earned=False)], 3025, 525,
         {RECEIVABLE: 3025, DEFERRED: -2500, DUE: -525}),
        ([Line(2500, 525), Line(1000, 210, earned=False)], 4235, 735,
         {RECEIVABLE: 4235, UNBILLED: -3025, PENDING: 525,
          DEFERRED: -1000, DUE: -735}),
        ([Line(333, 70), Line(333, 70), Line(333, 70)], 1208, 209,  # 21 % of 999 is 209.79: here the gross was agreed
         {RECEIVABLE: 1208, UNBILLED: -1209, PENDING: 210, DUE: -209}),
        ([Line(333, 70, earned=False)] * 3, 1209, 211,
         {RECEIVABLE: 1209, DEFERRED: -999, DUE: -211, ROUNDING: 1}),
        ([Line(20000, kind="deposit", earned=False)], 20000, 0,
         {RECEIVABLE: 20000, HELD: -20000}),
        ([Line(-20000, kind="deposit_return", earned=False)], -20000, 0,
         {RECEIVABLE: -20000, HELD: 20000}),
        ([Line(-2500, -525)], -3025, -525,
         {RECEIVABLE: -3025, UNBILLED: 3025, PENDING: -525, DUE: 525}),
        ([Line(2500, 525), Line(-2500, -525)], 0, 0, {}),
    ],
)  # fmt: skip
def test_a_document_takes_its_charges_from_where_they_were(
    lines: list[Line], gross: int, vat: int, expected: dict[tuple[str, int | None], int]
) -> None:
    posting = documented(document(gross, vat), lines)
    assert entries(posting) == expected
    assert posting.kind == ("credit_note" if gross < 0 else "invoice")
    assert posting.document == "ATH-2026-000001"


cents = st.integers(-(10**9), 10**9)


@given(
    lines=st.lists(st.builds(Line, cents, cents, st.sampled_from([*REVENUE, "deposit"]), st.booleans()), max_size=8),
    gross=cents,
    vat=cents,
)
def test_whatever_is_on_a_document_its_posting_balances(lines: list[Line], gross: int, vat: int) -> None:
    entries(documented(document(gross, vat), lines))
