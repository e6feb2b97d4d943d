"""What may be claimed of an invoice that is paid late, worked out by hand from the laws that are named there."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.billing.dunning.fees import Claim, Late, Terms, claim, consumers_sum
from app.billing.dunning.rates import KNOWN_UNTIL, stretches, yearly

DUE = date(2026, 2, 1)
BE, FR = "Loi du 2 août 2002, art. 5 et 6", "Code de commerce, art. L. 441-10, II et D. 441-5"
CONSUMER = "Code de droit économique, art. XIX.2 et XIX.4"
AGREED = Terms(consumers_agreed=True)


def late(**values: object) -> Late:
    return Late(**{"country": "BE", "to_business": True, "due_on": DUE, "open_cents": 100_000, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("since", "belgian", "french"),
    [
        # Published in the Moniteur belge: 12 %, 12.5 %, 12.5 %, 11.5 %, 10.5 %, 10.5 %.
        (date(2023, 7, 1), 1200, 1400),
        (date(2024, 1, 1), 1250, 1450),
        (date(2024, 7, 1), 1250, 1425),
        (date(2025, 1, 1), 1150, 1315),
        (date(2025, 7, 1), 1050, 1215),
        (date(2026, 1, 1), 1050, 1215),
    ],
    ids=str,
)
def test_the_statutory_rates_of_a_half_year(since: date, belgian: int, french: int) -> None:
    assert (yearly("BE", since), yearly("FR", since)) == (belgian, french)


CASES = {
    # 1,000 euros at 10.5 % for the 30 days from 2 February to 3 March: 100000 × 0.105 × 30 / 365 = 863.01
    "a Belgian business, thirty days": (late(), Terms(), date(2026, 3, 3), Claim(863, 4000, BE)),
    # 12.15 %: 100000 × 0.1215 × 30 / 365 = 998.63
    "a French business, thirty days": (late(country="FR"), Terms(), date(2026, 3, 3), Claim(999, 4000, FR)),
    "on the due day nobody is late": (late(), Terms(), DUE, Claim(0, 0, None)),
    # 100000 × 0.105 / 365 = 28.77
    "the day after it": (late(), Terms(), date(2026, 2, 2), Claim(29, 4000, BE)),
    # 8 %: 100000 × 0.08 × 30 / 365 = 657.53
    "at the rate that was agreed": (late(), Terms(800), date(2026, 3, 3), Claim(658, 4000, BE)),
    # 184 days of 2025's second half at 10.5 %, 181 of its first at 11.5 %: (181 × 11.5 + 184 × 10.5) / 365 = 10.99589
    "over a change of the rate": (late(due_on=date(2024, 12, 31)), Terms(), date(2025, 12, 31), Claim(10996, 4000, BE)),
    "a rate that nobody has published yet": (
        late(due_on=date(2026, 6, 29)), Terms(), date(2026, 7, 31), Claim(29, 4000, BE, date(2026, 7, 1)),
    ),
    "a French consumer owes nothing by itself": (
        late(country="FR", to_business=False, reminded_on=DUE), AGREED, date(2026, 6, 1), Claim(0, 0, None),
    ),
    "a Belgian consumer, nothing agreed": (
        late(to_business=False, reminded_on=date(2026, 2, 10)), Terms(), date(2026, 6, 1), Claim(0, 0, None),
    ),
    "a Belgian consumer who was never reminded": (late(to_business=False), AGREED, date(2026, 6, 1), Claim(0, 0, None)),
    # Reminded by mail on the 10th: the fourteen days are 11 to 24 February.
    "a Belgian consumer on the fourteenth day": (
        late(to_business=False, reminded_on=date(2026, 2, 10)), AGREED, date(2026, 2, 24), Claim(0, 0, None),
    ),
    # The day after: interest since the 11th, 15 days at 10.5 %: 431.51; 65 + 5 % of 500 = 90 euros
    "a Belgian consumer on the fifteenth day": (
        late(to_business=False, reminded_on=date(2026, 2, 10)), AGREED, date(2026, 2, 25), Claim(432, 9000, CONSUMER),
    ),
    "a seller whose law we do not know": (late(country="NL"), Terms(), date(2026, 6, 1), Claim(0, 0, None)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_may_be_claimed(case: str) -> None:
    situation, terms, day, expected = CASES[case]
    assert claim(situation, terms, day=day) == expected


@pytest.mark.parametrize(
    ("open_cents", "most"),
    [(1, 2000), (15_000, 2000), (15_001, 3000), (20_000, 3500), (50_000, 6500), (50_001, 6500), (100_000, 9000),
     (3_920_000, 200_000), (10_000_000, 200_000)],
)  # fmt: skip
def test_a_consumer_owes_no_more_for_the_trouble_than_the_law_has_it(open_cents: int, most: int) -> None:
    assert consumers_sum(open_cents) == most


days = st.dates(date(2022, 1, 1), date(2028, 12, 31))


@given(st.sampled_from(["BE", "FR"]), days, st.integers(0, 2000))
def test_the_stretches_of_rates_cover_each_day_once(country: str, first: date, length: int) -> None:
    last = first + timedelta(days=length)
    cut = list(stretches(country, first, last))
    assert cut[0].first == first and cut[-1].last == last
    assert all(after.first == before.last + timedelta(days=1) for before, after in pairwise(cut))
    assert all((stretch.basis_points is None) == (stretch.last > KNOWN_UNTIL or stretch.last < date(2023, 7, 1))
               for stretch in cut)  # fmt: skip


@given(days, st.integers(0, 400), st.integers(1, 10**8))
def test_waiting_longer_never_costs_less(due_on: date, length: int, open_cents: int) -> None:
    day = due_on + timedelta(days=length)
    one = claim(late(due_on=due_on, open_cents=open_cents), Terms(), day=day)
    other = claim(late(due_on=due_on, open_cents=open_cents), Terms(), day=day + timedelta(days=1))
    assert one.cents <= other.cents
