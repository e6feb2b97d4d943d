"""What a creditor may claim of an invoice that is paid late: interest, and a sum for the trouble. Pure.

| seller | buyer    | interest              | sum                             | from                               |
|--------|----------|-----------------------|---------------------------------|------------------------------------|
| BE, FR | business | statutory, or agreed  | 40 euros                        | the day after the due day          |
| BE     | consumer | the same, once agreed | 20, or 30 + 10 %, or 65 + 5 %   | the day after a free first reminder |
| FR     | consumer | none by itself        | none                            | –                                  |

A Belgian consumer owes nothing until 14 days have passed since the reminder.

No VAT is due on either: both make good a damage, and pay for no supply (CTVA, art. 28, 1° for Belgium; for France the
administration's doctrine on indemnities, BOI-TVA-BASE-10-10-30).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from app.billing.dunning.rates import MARGINS, YEAR_DAYS, stretches
from app.money import round_half_up

WAIT_DAYS = 14
FLAT_CENTS = 4000
BUSINESS_GROUND = {
    "BE": "Loi du 2 août 2002, art. 5 et 6",
    "FR": "Code de commerce, art. L. 441-10, II et D. 441-5",
}
CONSUMER_GROUND = "Code de droit économique, art. XIX.2 et XIX.4"


class Late(NamedTuple):
    """What is open of an invoice on a day. `reminded_on` is the day of the first reminder, None before it."""

    country: str
    to_business: bool
    due_on: date
    open_cents: int
    reminded_on: date | None = None


class Terms(NamedTuple):
    """What the operator's own terms say: the yearly rate agreed, in hundredths of a percent, and whether consumers
    have agreed to owe interest and a sum when they are late (else the law lets none be claimed of them)."""

    basis_points: int | None = None
    consumers_agreed: bool = False


class Claim(NamedTuple):
    """Cents on top of what is open. `unknown_from` is the first day that no rate is known for, None where all are."""

    interest_cents: int
    compensation_cents: int
    ground: str | None
    unknown_from: date | None = None

    @property
    def cents(self) -> int:
        return self.interest_cents + self.compensation_cents


NOTHING = Claim(0, 0, None)


def claim(late: Late, terms: Terms, *, day: date) -> Claim:
    """What may be claimed on `day` of what is still open."""
    begins = _begins(late, terms, day=day)
    if begins is None or late.open_cents <= 0 or day < begins:
        return NOTHING
    interest, unknown_from = _interest(late, terms, begins, day)
    compensation = FLAT_CENTS if late.to_business else consumers_sum(late.open_cents)
    ground = BUSINESS_GROUND[late.country] if late.to_business else CONSUMER_GROUND
    return Claim(interest, compensation, ground, unknown_from)


def consumers_sum(open_cents: int) -> int:
    """The most that a Belgian consumer may owe for the trouble (art. XIX.4, 2°): cents, by what is open."""
    if open_cents <= 15_000:
        return 2_000
    if open_cents <= 50_000:
        return 3_000 + round_half_up((open_cents - 15_000) * 10, 100)
    return min(200_000, 6_500 + round_half_up((open_cents - 50_000) * 5, 100))


def _begins(late: Late, terms: Terms, *, day: date) -> date | None:
    """The first day of interest, once anything may be claimed."""
    if late.country not in MARGINS:
        return None
    if late.to_business:
        return late.due_on + timedelta(days=1)
    if late.country != "BE" or not terms.consumers_agreed or late.reminded_on is None:
        return None
    # Sent by mail: the fourteen days begin on the day after it (art. XIX.2, § 2).
    if day <= late.reminded_on + timedelta(days=WAIT_DAYS):
        return None
    return late.reminded_on + timedelta(days=1)


def _interest(late: Late, terms: Terms, first: date, last: date) -> tuple[int, date | None]:
    """Simple interest for each day on what is open now, rounded half-up once."""
    weighed, unknown_from = 0, None
    for stretch in stretches(late.country, first, last, agreed=terms.basis_points):
        if stretch.basis_points is None:
            unknown_from = unknown_from or stretch.first
            continue
        weighed += ((stretch.last - stretch.first).days + 1) * stretch.basis_points
    return round_half_up(late.open_cents * weighed, YEAR_DAYS * 10_000), unknown_from
