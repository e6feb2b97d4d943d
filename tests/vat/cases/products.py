"""From the list to the document: time, shares of a cycle and fees priced by the product, then taxed.

Here stand the errors that others have made: a day dropped, one day billed as nothing, half an hour as a whole one.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from app.booking.cancellation import Step, Terms, fee_cents
from app.booking.prices import Tariff, discounted, minutes_by_local_day, tariff_cents
from app.network.memberships.proration import share
from tests.vat.cases import case, gross, net

LIST = Tariff(includes_vat=False, hour_tiers=((None, 500),), day_cents=2500, valid_from=date(2026, 1, 1))
BRUSSELS = ZoneInfo("Europe/Brussels")
HALF = Terms((Step(24, 0), Step(0, 50)))
NINE = datetime(2026, 11, 2, 9, tzinfo=BRUSSELS)
BY_DAY, BY_TIME = "Contrat : prorata par jour, bornes comprises", "Contrat : tarif à l'heure"
TERMS = "Contrat : conditions d'annulation"


def minutes(count: int) -> int:
    return tariff_cents(LIST, [count])


def small_hours(day: date) -> int:
    """From 01:30 to 03:30 by the clock on the wall."""
    since, until = (datetime(day.year, day.month, day.day, hour, 30, tzinfo=BRUSSELS) for hour in (1, 3))
    return tariff_cents(LIST, minutes_by_local_day(since, until, BRUSSELS))


CASES = (
    case("half an hour is half an hour", net(minutes(30)), (250,), ("S", 210, 250, 53, None), BY_TIME),
    case("an hour and a half", net(minutes(90)), (750,), ("S", 210, 750, 158, None), BY_TIME),
    case("twenty minutes: 1.666 goes up", net(minutes(20)), (167,), ("S", 210, 167, 35, None), BY_TIME),
    case("eight hours cost no more than the day", net(minutes(480)), (2500,), ("S", 210, 2500, 525, None), BY_TIME),
    case(
        "from 01:30 to 03:30 when the clocks go forward: one hour",
        net(small_hours(date(2026, 3, 29))),
        (500,), ("S", 210, 500, 105, None), "Directive 2000/84/CE (heure d'été)",
    ),
    case(
        "from 01:30 to 03:30 when the clocks go back: three hours",
        net(small_hours(date(2026, 10, 25))),
        (1500,), ("S", 210, 1500, 315, None), "Directive 2000/84/CE (heure d'été)",
    ),
    case(
        "a plan changed on day 15 of 30: 14 days of 300.00, 16 of 450.00",
        (net(share(30000, of_days=30, days=14)), net(share(45000, of_days=30, days=16, before=14))),
        (14000, 24000), ("S", 210, 38000, 7980, None), BY_DAY,
    ),
    case(
        "one day of 30 costs one day", net(share(9900, of_days=30, days=1)), (330,), ("S", 210, 330, 69, None), BY_DAY,
    ),
    case(
        "29 February, the last of 29 days",
        net(share(9900, of_days=29, days=1, before=28)), (341,), ("S", 210, 341, 72, None), BY_DAY,
    ),
    case(
        "a month of 31 days cut in three is the month",
        (
            net(share(9900, of_days=31, days=10)),
            net(share(9900, of_days=31, days=11, before=10)),
            net(share(9900, of_days=31, days=10, before=21)),
        ),
        (3194, 3512, 3194), ("S", 210, 9900, 2079, None), BY_DAY,
    ),
    case(
        "14 days of 30 of a French plan of 120.00 with VAT",
        gross(share(12000, of_days=30, days=14), "FR"), (4667,), ("S", 200, 4667, 933, None), BY_DAY,
    ),
    case(
        "cancelled an hour before, half is kept: 15.125 goes up",
        gross(fee_cents(HALF, 3025, start=NINE, now=NINE - timedelta(hours=1))),
        (1250,), ("S", 210, 1250, 263, None), TERMS + " ; CJUE, C-295/17 (MEO)",
    ),
    case(
        "cancelled a day before: nothing is kept",
        gross(fee_cents(HALF, 3025, start=NINE, now=NINE - timedelta(hours=24))),
        (0,), ("S", 210, 0, 0, None), TERMS,
    ),
    case(
        "a plan's 15 % off a desk of 24.99: 21.2415",
        net(discounted(2499, 15)), (2124,), ("S", 210, 2124, 446, None), "Directive 2006/112/CE, art. 79, b)",
    ),
)  # fmt: skip
