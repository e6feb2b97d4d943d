"""What an offer costs: the list in force, the VAT on it, and the price of a period."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from app.booking.catalogue.offers import Offer
from app.booking.localtime import local_day
from app.booking.prices import Price, Tariff, discounted, minutes_by_local_day, priced, select_tariff, tariff_cents
from app.errors import Refused
from app.network.memberships.holding import Customer
from app.vat.decide import Decision, decide
from app.vat.lettings import Letting


def tariff_in_force(offer: Offer, day: date, audience: str) -> Tariff | None:
    """The list that prices a day for `audience` (anyone, members); None for a resource without any, which is free.

    Raises Refused (rule `price`) where there are lists, but none for that day and audience.
    """
    tariff = select_tariff(offer.tariffs, day=day, audience=audience)
    if tariff is None and offer.tariffs:
        raise Refused(rule="price", limit={"audience": audience, "day": day.isoformat()})
    return tariff


def letting_of(offer: Offer, start: datetime, end: datetime) -> Letting | None:
    """The letting that a booking of `[start, end)` is: for its own local days, each date of a recurrence by itself."""
    if offer.premises is None:
        return None
    first, last = local_day(start, offer.zone), local_day(end - timedelta(microseconds=1), offer.zone)
    return offer.premises.let(day=first, starts_on=first, ends_on=last)


def vat_of(
    offer: Offer, place_of_supply: str, day: date, customer: Customer | None = None, letting: Letting | None = None
) -> Decision:
    """The VAT on what is offered there on a day. Raises VatUndecided where the tables have no answer."""
    return decide(
        country=offer.country,
        postcode=offer.postcode,
        regime=offer.regime_on(day),
        place_of_supply=place_of_supply,
        day=day,
        customer_country=customer.country if customer else None,
        customer_is_business=customer is not None and customer.is_business,
        letting=letting,
    )


def quote_price(
    offer: Offer, *, start: datetime, end: datetime, audience: str, percent_off: int = 0,
    customer: Customer | None = None, as_part_of: Price | None = None,
) -> Price:  # fmt: skip
    """The price of `[start, end)` for `audience`, by the tariff and VAT of its first local day, less a discount.

    What only comes along is taxed like what it comes with (`as_part_of`): an ancillary supply shares the treatment of
    the principal one (CJEU C-349/96, Card Protection Plan). Raises Refused (rule `price`), VatUndecided.
    """
    day = local_day(start, offer.zone)
    tariff = tariff_in_force(offer, day, audience)
    if tariff is None:
        return Price(0, 0, 0, offer.currency, 0)
    cents = discounted(tariff_cents(tariff, minutes_by_local_day(start, end, offer.zone)), percent_off)
    decision = (as_part_of and as_part_of.vat) or vat_of(
        offer, tariff.place_of_supply, day, customer, letting_of(offer, start, end)
    )
    return priced(cents, tariff, decision)
