from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.prices import Price, Tariff, minutes_by_local_day, price_of, select_tariff, tariff_cents
from app.errors import Invalid
from app.vat.decide import decide

BRUSSELS = ZoneInfo("Europe/Brussels")
ZONES = [
    ZoneInfo(name)
    for name in ("Europe/Brussels", "Europe/Paris", "Indian/Reunion", "America/Cayenne", "America/New_York")
]
DAY = date(2026, 1, 1)


def a_tariff(*hour_tiers: tuple[int | None, int], **changes: Any) -> Tariff:
    return Tariff(**{"includes_vat": False, "valid_from": DAY, "hour_tiers": hour_tiers, **changes})


def local(text: str, zone: ZoneInfo = BRUSSELS) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


HOURLY = a_tariff((None, 1000))
STACKED = a_tariff((60, 1000), (180, 600), (None, 200))
DESK = a_tariff((None, 500), half_day_cents=1400, day_cents=2200)
FREE = a_tariff((None, 0))


@pytest.mark.parametrize(
    ("tariff", "minutes", "cents"),
    [
        pytest.param(HOURLY, [90], 1500, id="an hour and a half"),
        pytest.param(HOURLY, [1], 17, id="a minute, half-up"),
        pytest.param(a_tariff((None, 30)), [1], 1, id="exactly half a cent goes up"),
        pytest.param(a_tariff((None, 29)), [1], 0, id="less than half a cent goes down"),
        pytest.param(a_tariff((None, 20)), [1, 1, 1], 1, id="rounded once on the sum, not per day"),
        pytest.param(STACKED, [60], 1000, id="the first tier"),
        pytest.param(STACKED, [90], 1300, id="the second stacks on the first"),
        pytest.param(STACKED, [240], 2400, id="the third on both"),
        pytest.param(STACKED, [60, 60], 2000, id="tiers begin again each day"),
        pytest.param(DESK, [120], 1000, id="two hours by the hour"),
        pytest.param(DESK, [180], 1400, id="three hours cost the half-day"),
        pytest.param(DESK, [300], 1900, id="a half-day and an hour"),
        pytest.param(DESK, [480], 2200, id="eight hours cost the day"),
        pytest.param(DESK, [1440], 2200, id="the whole local day costs no more"),
        pytest.param(DESK, [480, 60], 2700, id="a day and an hour of the next"),
        pytest.param(a_tariff(half_day_cents=1400), [10], 1400, id="only half-days: a started one counts"),
        pytest.param(a_tariff(half_day_cents=1400), [241], 2800, id="only half-days: two"),
        pytest.param(a_tariff(day_cents=2200), [10, 10], 4400, id="only days"),
        pytest.param(a_tariff((None, 1000), cap_cents=3000), [600, 600], 3000, id="capped for the booking"),
        pytest.param(a_tariff((None, 1000), minimum_cents=500), [10], 500, id="at least the minimum"),
        pytest.param(a_tariff((None, 1000), minimum_cents=500), [], 0, id="nothing costs nothing"),
        pytest.param(FREE, [600], 0, id="free"),
    ],
)
def test_a_booking_costs_the_cheapest_combination_per_local_day(tariff: Tariff, minutes: list[int], cents: int) -> None:
    assert tariff_cents(tariff, minutes) == cents


CENTS = st.integers(0, 5000)
TIERS = st.builds(
    lambda limits, rates: tuple(zip([*sorted(limits), None], rates, strict=False)),
    st.sets(st.integers(1, 900), max_size=3),
    st.lists(CENTS, min_size=4, max_size=4),
)
TARIFFS = st.builds(
    lambda tiers, half, half_minutes, day, cap, minimum: a_tariff(
        *tiers,
        half_day_cents=half,
        half_day_minutes=half_minutes,
        day_cents=day,
        cap_cents=cap,
        minimum_cents=min(minimum, *(ceiling for ceiling in (day, cap, minimum) if ceiling is not None)),
    ),
    TIERS,
    st.none() | CENTS,
    st.integers(60, 300),
    st.none() | CENTS,
    st.none() | CENTS,
    CENTS,
)
DAYS = st.lists(st.integers(0, 1500), min_size=1, max_size=4)


@given(TARIFFS, DAYS, st.integers(0, 600), st.integers(0, 3))
def test_a_longer_booking_never_costs_less(tariff: Tariff, minutes: list[int], more: int, where: int) -> None:
    longer = list(minutes)
    longer[where % len(minutes)] += more
    assert tariff_cents(tariff, longer) >= tariff_cents(tariff, minutes)
    assert tariff_cents(tariff, [*minutes, more]) >= tariff_cents(tariff, minutes)


@given(TARIFFS, DAYS)
def test_no_local_day_costs_more_than_the_day_price_and_no_booking_more_than_the_cap(
    tariff: Tariff, minutes: list[int]
) -> None:
    cents = tariff_cents(tariff, minutes)
    if tariff.day_cents is not None:
        assert cents <= tariff.day_cents * sum(1 for amount in minutes if amount)
    if tariff.cap_cents is not None:
        assert cents <= tariff.cap_cents
    assert cents >= 0


def cheapest(tariff: Tariff, minutes: int) -> Fraction:
    """A naive model: minute by minute through the tiers, trying every number of half-days by recursion."""
    if minutes <= 0:
        return Fraction(0)
    rates = (next(rate for limit, rate in tariff.hour_tiers if limit is None or n < limit) for n in range(minutes))
    offers = [Fraction(sum(rates), 60)]
    if tariff.half_day_cents is not None:
        offers.append(tariff.half_day_cents + cheapest(tariff, minutes - tariff.half_day_minutes))
    if tariff.day_cents is not None:
        offers.append(Fraction(tariff.day_cents))
    return min(offers)


@given(TARIFFS, st.lists(st.integers(0, 900), min_size=1, max_size=2))
def test_the_price_is_what_trying_everything_finds(tariff: Tariff, minutes: list[int]) -> None:
    exact = sum((cheapest(tariff, amount) for amount in minutes), Fraction(0))
    expected = max((2 * exact + 1) // 2, tariff.minimum_cents) if any(minutes) else 0
    capped = expected if tariff.cap_cents is None else min(expected, tariff.cap_cents)
    assert tariff_cents(tariff, minutes) == capped


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        pytest.param("2026-03-02 09:00", "2026-03-02 17:00", [480], id="within a day"),
        pytest.param("2026-03-02 22:00", "2026-03-04 01:00", [120, 1440, 60], id="over two midnights"),
        pytest.param("2026-03-29 00:00", "2026-03-30 00:00", [1380], id="a day of 23 hours"),
        pytest.param("2026-10-25 00:00", "2026-10-26 00:00", [1500], id="a day of 25 hours"),
        pytest.param("2026-10-25 01:00", "2026-10-25 04:00", [240], id="across the hour shown twice"),
        pytest.param("2026-03-02 09:00", "2026-03-02 09:00:01", [1], id="a started minute counts"),
        pytest.param("2026-03-02 09:00", "2026-03-02 09:00", [], id="nothing"),
    ],
)
def test_minutes_are_those_that_pass_on_each_local_day(start: str, end: str, minutes: list[int]) -> None:
    assert minutes_by_local_day(local(start), local(end), BRUSSELS) == minutes


@given(st.integers(0, 366 * 1440), st.integers(0, 6000), st.sampled_from(ZONES))
def test_no_minute_is_lost_between_the_days(first: int, length: int, zone: ZoneInfo) -> None:
    start = local("2026-01-01") + timedelta(minutes=first)
    end = start + timedelta(minutes=length)
    assert sum(minutes_by_local_day(start, end, zone)) == length
    assert minutes_by_local_day(start.astimezone(zone), end.astimezone(zone), zone) == minutes_by_local_day(
        start, end, zone
    )


OLD = a_tariff((None, 900), valid_until=date(2026, 7, 1))
NEW = a_tariff((None, 1000), valid_from=date(2026, 7, 1))
MEMBERS = a_tariff((None, 700), valid_from=date(2026, 3, 1), valid_until=date(2026, 9, 1), audience="members")
OPEN_ENDED = a_tariff((None, 800), valid_from=date(2025, 1, 1))


@pytest.mark.parametrize(
    ("day", "audience", "expected"),
    [
        pytest.param(date(2024, 12, 31), "anyone", None, id="before the first"),
        pytest.param(date(2025, 6, 1), "anyone", OPEN_ENDED, id="the only one so far"),
        pytest.param(date(2026, 6, 30), "anyone", OLD, id="the latest started wins"),
        pytest.param(date(2026, 7, 1), "anyone", NEW, id="the day a version ends, the next holds"),
        pytest.param(date(2026, 2, 28), "members", OLD, id="a member before there is a members' list"),
        pytest.param(date(2026, 8, 31), "members", MEMBERS, id="the members' list wins over a later general one"),
        pytest.param(date(2026, 8, 31), "anyone", NEW, id="and is not for others"),
        pytest.param(date(2026, 9, 1), "members", NEW, id="a member after it has ended"),
    ],
)
def test_the_price_list_of_a_day_is_the_version_in_force(day: date, audience: str, expected: Tariff | None) -> None:
    for tariffs in ([OLD, NEW, MEMBERS, OPEN_ENDED], [OPEN_ENDED, MEMBERS, NEW, OLD]):
        assert select_tariff(tariffs, day=day, audience=audience) is expected


@pytest.mark.parametrize(
    ("includes_vat", "expected"),
    [
        pytest.param(False, Price(1815, 1500, 315, "EUR", 210), id="a list without VAT"),
        pytest.param(True, Price(1500, 1240, 260, "EUR", 210), id="a list with VAT"),
    ],
)
def test_the_price_of_a_booking_carries_its_vat(includes_vat: bool, expected: Price) -> None:
    tariff = a_tariff((None, 1000), includes_vat=includes_vat)
    decision = decide(country="BE", regime="standard", day=date(2026, 3, 2))
    start, end = local("2026-03-02 09:00"), local("2026-03-02 10:30")
    assert price_of(tariff, start=start, end=end, zone=BRUSSELS, decision=decision) == expected


def test_a_price_that_does_not_add_up_cannot_exist() -> None:
    with pytest.raises(ValueError, match="is not gross"):
        Price(1210, 1000, 209, "EUR", 210)


@pytest.mark.parametrize(
    ("tiers", "changes"),
    [
        pytest.param([], {}, id="no price at all"),
        pytest.param([(60, 1000)], {}, id="a last tier that ends"),
        pytest.param([(None, 1000), (None, 500)], {}, id="an endless tier before the last"),
        pytest.param([(60, 1000), (60, 800), (None, 500)], {}, id="limits that do not rise"),
        pytest.param([(0, 1000), (None, 500)], {}, id="an empty tier"),
        pytest.param([(None, -1)], {}, id="a negative rate"),
        pytest.param([(None, 1000)], {"day_cents": -1}, id="a negative day"),
        pytest.param([(None, 1000)], {"minimum_cents": -1}, id="a negative minimum"),
        pytest.param([(None, 1000)], {"minimum_cents": 600, "day_cents": 500}, id="a minimum above the day"),
        pytest.param([(None, 1000)], {"minimum_cents": 600, "cap_cents": 500}, id="a minimum above the cap"),
        pytest.param([(None, 1000)], {"half_day_minutes": 0}, id="a half-day without length"),
        pytest.param([(None, 1000)], {"audience": "staff"}, id="an unknown audience"),
    ],
)
def test_a_price_list_that_contradicts_itself_is_refused(tiers: list, changes: dict) -> None:
    with pytest.raises(Invalid) as error:
        a_tariff(*tiers, **changes)
    assert error.value.facts["errors"][0]["field"] == next(iter(changes), "hour_tiers")
