"""What a booking owes, from its events: pure. A booking as billing knows it, a step for each event, and what is due.

Nothing is owed while it is held or waits for approval, nothing when it was refused, expired or cancelled in time; the
part of the price that money covers once it is confirmed, and the fee for what its member gave up of it too late; the
fee of its terms once it is cancelled too late, or refused or expired after it was moved too late. It is earned when its
time is over, whoever came or did not, and a fee when it has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from app.billing.charges.owing import Cents, Supply, Vat, cents_of
from app.money import round_half_up

MONEY = "money"
WHOLE_PRICE = frozenset({"confirmed", "checked_in", "completed", "no_show"})
OVER = frozenset({"completed", "no_show"})
ENDED = frozenset({"cancelled", "refused"})


@dataclass(frozen=True, slots=True)
class Booking:
    """What billing keeps of a booking: see models.BilledBooking."""

    status: str
    starts_at: datetime
    ends_at: datetime
    resource_kind: str | None
    payer_uid: str | None
    currency: str
    price: Cents
    money_cents: int
    vat: dict[str, Any]
    fee_cents: int = 0


def advance(booking: Booking | None, event_type: str, data: Mapping[str, Any]) -> Booking:
    """The booking after an event. The data of one with a price has its `vat`. Raises KeyError for one without effect
    on what is owed, and for any before `booking.made`."""
    if event_type == "booking.made":
        return _priced(data, data["status"])
    if booking is None:
        raise KeyError(event_type)
    return STEPS[event_type](booking, data)


def due_gross(booking: Booking) -> int:
    """What is owed for it altogether, as things stand, with VAT."""
    return booking.money_cents if booking.status in WHOLE_PRICE else booking.fee_cents


def due(booking: Booking) -> Cents:
    """The same, with its net and VAT."""
    gross = due_gross(booking)
    if not gross:
        return Cents()
    if gross == booking.price.gross:
        return booking.price
    return cents_of(gross, Vat.of(booking.vat))


def owe_the_same(before: Booking | None, after: Booking) -> bool:
    """Whether an event changed nothing of what is owed, by whom, for what: what staff took back meanwhile (a credit
    note out of goodwill) then stays taken back."""
    if before is None or before.status not in WHOLE_PRICE or after.status not in WHOLE_PRICE:
        return before is not None and due_gross(before) == due_gross(after) == 0
    return replace(before, status=after.status) == after


def kind_of(booking: Booking) -> str:
    """What a further charge for it is."""
    return "fee" if booking.status in ENDED else "booking"


def is_earned(booking: Booking) -> bool:
    return booking.status in OVER or (booking.status in ENDED and booking.fee_cents > 0)


def supply_of(booking: Booking, zone: ZoneInfo) -> Supply:
    """The local days, both counted, and the hours that money pays; what ends at midnight is not of the day after."""
    minutes = int((booking.ends_at - booking.starts_at) / timedelta(minutes=1))
    milli = round_half_up(minutes * 1000, 60)
    if 0 < booking.money_cents < booking.price.gross:  # credits cover the rest, in proportion
        milli = round_half_up(milli * booking.money_cents, booking.price.gross)
    facts = {
        "resource_kind": booking.resource_kind,
        "start": _written(booking.starts_at),
        "end": _written(booking.ends_at),
    }
    first, last = _local(booking.starts_at, zone), _local(booking.ends_at - timedelta(microseconds=1), zone)
    return Supply(first, last, facts, max(1, milli), "hour")


def _local(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def _written(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _priced(data: Mapping[str, Any], status: str) -> Booking:
    return Booking(
        status=status,
        starts_at=datetime.fromisoformat(data["start"]),
        ends_at=datetime.fromisoformat(data["end"]),
        resource_kind=data.get("resource_kind"),
        payer_uid=data.get("payer_id"),
        currency=data["currency"],
        price=Cents(data["gross_cents"], data["net_cents"], data["vat_cents"]),
        money_cents=sum(part["amount"]["amount_cents"] for part in data["cover"] if part["source"] == MONEY)
        + data.get("change_fee_cents", 0),
        vat=dict(data["vat"]),
    )


def _moved(booking: Booking, data: Mapping[str, Any]) -> Booking:
    """What an event from before there were words for it does not tell stays as it was."""
    after = _priced(data, data.get("status") or booking.status)
    if after.resource_kind is None:
        after = replace(after, resource_kind=booking.resource_kind, payer_uid=booking.payer_uid)
    return after


def _cancelled(booking: Booking, data: Mapping[str, Any]) -> Booking:
    return replace(booking, status="cancelled", fee_cents=data["fee_cents"])


def _refused(booking: Booking, data: Mapping[str, Any]) -> Booking:
    return replace(booking, status="refused", fee_cents=data.get("fee_cents", 0))


def _accepted(booking: Booking, data: Mapping[str, Any]) -> Booking:
    return replace(booking, status=data.get("status") or "confirmed")


def _becomes(booking: Booking, _data: Mapping[str, Any], *, status: str) -> Booking:
    return replace(booking, status=status)


STEPS: dict[str, Callable[[Booking, Mapping[str, Any]], Booking]] = {
    "booking.moved": _moved,
    "booking.cancelled": _cancelled,
    "booking.accepted": _accepted,
    "booking.approved": partial(_becomes, status="confirmed"),
    "booking.refused": _refused,
    "booking.completed": partial(_becomes, status="completed"),
    "booking.no_show": partial(_becomes, status="no_show"),
}
