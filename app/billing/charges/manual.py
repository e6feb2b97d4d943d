"""What staff add to a party's account: something supplied, priced by hand, its VAT decided like any other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing import months
from app.billing.charges.models import Charge
from app.billing.charges.parties import Payer, named_by_staff
from app.billing.charges.places import Place, first_place_of, place_of, regime_on
from app.billing.charges.writing import earn_charges
from app.billing.months import Books, MonthClosed
from app.errors import CurrencyMismatch, Invalid, NotFound
from app.ids import new_id
from app.money import round_half_up
from app.network.models import Operator, Space
from app.vat.decide import Decision, decide, price_with_vat

MOST_MILLI = 10_000_000  # ten thousand of a thing
MOST_CENTS = 100_000_000  # a million euros: more is a slip of the hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A charge to add. Either `party_id` or `member_id` names who owes it; `space_id` None is the operator at large.

    `quantity_milli` is in thousandths of `unit`; the days, both counted, are past or today.
    """

    description: str
    quantity_milli: int
    unit_price_cents: int
    service_from: date
    service_until: date | None = None
    unit: str = "piece"
    currency: str | None = None
    includes_vat: bool = False
    place_of_supply: str = "IMMOVABLE"
    party_id: UUID | None = None
    member_id: UUID | None = None
    space_id: UUID | None = None

    @property
    def until(self) -> date:
        return self.service_until or self.service_from

    @property
    def cents(self) -> int:
        """Quantity times price, half-up once."""
        return round_half_up(self.quantity_milli * self.unit_price_cents, 1000)


def add_charge(session: Session, operator: Operator, wish: Wish, *, now: datetime) -> Charge:
    """Charge `wish`, earned with its last day. The caller keeps its books.

    Raises Invalid for amounts or days that cannot be, CurrencyMismatch, MonthClosed, NotFound for a party, member or
    space that is not the operator's, VatUndecided.
    """
    place = _place(session, operator, wish)
    _check(wish, place, today=place.day_of(now))
    payer = named_by_staff(session, party_uid=wish.party_id, member_uid=wish.member_id, place=place, now=now)
    _check_open(months.hold_books(session, operator.id), wish)
    charge = _charge(wish, place, payer, _decided(session, place, payer, wish), now=now)
    session.add(charge)
    session.flush()
    earn_charges(session, [charge], day=wish.until, now=now)
    session.refresh(charge)
    return charge


def _place(session: Session, operator: Operator, wish: Wish) -> Place:
    if wish.space_id is None:
        return first_place_of(session, operator)
    query = select(Space.id).where(Space.uid == wish.space_id, Space.operator_id == operator.id)
    if session.scalar(query) is None:
        raise NotFound()
    return place_of(session, wish.space_id)


def _check(wish: Wish, place: Place, *, today: date) -> None:
    if wish.currency not in (None, place.currency):
        raise CurrencyMismatch(expected=place.currency, given=wish.currency)
    for holds, field, remedy in (
        (0 < wish.quantity_milli <= MOST_MILLI, "quantity_milli", f"must be 1 to {MOST_MILLI}"),
        (0 <= wish.unit_price_cents <= MOST_CENTS, "unit_price_cents", f"must be 0 to {MOST_CENTS}"),
        (0 < wish.cents <= MOST_CENTS, "quantity_milli", f"times the price must be 1 to {MOST_CENTS} cents"),
        (wish.service_from <= wish.until, "service_until", "must not be before service_from"),
        (wish.until <= today, "service_until", "must not lie ahead: charge what was supplied"),
    ):
        if not holds:
            raise Invalid.field(field, remedy)


def _check_open(books: Books, wish: Wish) -> None:
    """It is of the month of its last day: what was supplied until then is invoiced with it."""
    if books.is_closed(wish.until):
        raise MonthClosed(month=months.written(wish.until), open=months.written(books.month_for(wish.until)[0]))
    if not books.is_ours(wish.until):
        raise Invalid.field("service_until", "is before billing began here")


def _decided(session: Session, place: Place, payer: Payer, wish: Wish) -> Decision:
    return decide(
        country=place.country,
        postcode=place.postcode,
        regime=regime_on(session, place, wish.until),
        place_of_supply=wish.place_of_supply,
        day=wish.until,
        customer_country=payer.country,
        customer_is_business=payer.is_business,
    )


def _charge(wish: Wish, place: Place, payer: Payer, decision: Decision, *, now: datetime) -> Charge:
    uid = new_id()
    amounts = price_with_vat(wish.cents, wish.includes_vat, decision)
    return Charge(
        uid=uid,
        operator_id=place.operator_id,
        space_id=place.space_id,
        party_id=payer.party_id,
        member_id=payer.member_id,
        kind="manual",
        source=f"manual:{uid}",
        service_from=wish.service_from,
        service_until=wish.until,
        facts={"text": wish.description, "unit_price_cents": wish.unit_price_cents},
        quantity_milli=wish.quantity_milli,
        unit=wish.unit,
        currency=place.currency,
        net_cents=amounts.net,
        vat_cents=amounts.vat,
        gross_cents=amounts.gross,
        vat_permille=decision.rate_permille,
        vat_category=decision.category,
        vat_ground=decision.ground,
        vat_mention=decision.mention_code,
        includes_vat=wish.includes_vat,
        month=months.month_of(wish.until),
        created_at=now,
    )
