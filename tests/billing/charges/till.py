"""A space whose bookings and memberships are told to billing by their events, and what the books say of them then."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.charges.models import Charge
from app.billing.charges.recording import charge_booking, charge_membership
from app.db import raw
from app.events.envelope import Envelope, instant
from app.ids import new_id
from app.network.models import Operator
from tests.billing.charges.builders import VAT_BE
from tests.builders import a_member, a_space

NINE = datetime(2026, 3, 10, 8, tzinfo=UTC)  # a Tuesday, in Brussels
MADE_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
_BALANCES = raw("SELECT account, sum(cents) FROM ledger_entry GROUP BY 1 HAVING sum(cents) <> 0")
_UNBALANCED = raw("SELECT posting_id, sum(cents) FROM ledger_entry GROUP BY 1 HAVING sum(cents) <> 0")


class Till:
    """`now` is the hour on the worker's wall."""

    def __init__(self, session: Session, **space: Any) -> None:
        self.session = session
        self.now = MADE_AT
        self.space = a_space(session, **space)
        self.operator = session.get_one(Operator, self.space.operator_id)
        self.member = a_member(session)

    def event(self, of: UUID, seq: int, name: str, aggregate: str = "booking", **data: Any) -> Envelope:
        ids = {"space_id": str(self.space.uid), "member_id": str(self.member.uid), f"{aggregate}_id": str(of)}
        return Envelope(new_id(), f"{aggregate}.{name}", 1, aggregate, of, seq, self.now, None, {**ids, **data})

    def handle(self, event: Envelope) -> Envelope:
        handler = charge_booking if event.aggregate_type == "booking" else charge_membership
        handler(self.session, event, now=self.now)
        self.session.flush()
        return event

    def charges(self, subject: UUID | None = None) -> list[Charge]:
        query = select(Charge).order_by(Charge.id).execution_options(populate_existing=True)
        return list(self.session.scalars(query if subject is None else query.where(Charge.subject_uid == subject)))

    def balances(self) -> dict[str, int]:
        """What is on each account, in cents, debit > 0; every posting balances."""
        assert self.session.execute(_UNBALANCED).all() == []
        return {account: int(cents) for account, cents in self.session.execute(_BALANCES)}


class Told:
    """One booking, told event by event."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.uid = new_id()
        self.heard: list[Envelope] = []

    def tell(self, name: str, **data: Any) -> Told:
        self.heard.append(self.till.handle(self.till.event(self.uid, len(self.heard) + 1, name, **data)))
        return self

    def made(self, status: str = "confirmed", **price: Any) -> Told:
        return self.tell("made", status=status, **a_price(**price))

    def again(self, index: int = -1) -> Told:
        self.till.handle(self.heard[index])
        return self

    @property
    def charges(self) -> list[Charge]:
        return self.till.charges(self.uid)

    @property
    def cents(self) -> list[int]:
        """The gross of each charge, oldest first."""
        return [charge.gross_cents for charge in self.charges]

    @property
    def earned(self) -> int:
        return sum(charge.net_cents for charge in self.charges if charge.earned_on)


def a_price(
    net: int = 2500, *, money: int | None = None, start: datetime = NINE, hours: float = 4,
    vat: dict[str, Any] | None = VAT_BE, permille: int = 210, **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """The part of an event that tells period, price and cover: EUR 25 without VAT; `money` is what credits leave."""
    vat_cents = (net * permille + 500) // 1000
    gross = net + vat_cents
    money = gross if money is None else money
    parts = [("credit", gross - money), ("money", money)]
    cover = [
        {"source": source, "amount": {"amount_cents": cents, "currency": "EUR"}} for source, cents in parts if cents
    ]
    return {
        "resource_id": str(new_id()), "start": instant(start), "end": instant(start + timedelta(hours=hours)),
        "gross_cents": gross, "net_cents": net, "vat_cents": vat_cents, "currency": "EUR", "cover": cover,
        "resource_kind": "room", "payer_id": None, "vat": vat, **more,
    }  # fmt: skip


def a_fee(
    net: int = 12000, *, kind: str = "cycle", days: tuple[int, int] = (1, 31), of_days: int = 31, month: int = 3,
    version: UUID | str = "v1", vat: dict[str, Any] = VAT_BE,
) -> dict[str, Any]:  # fmt: skip
    """A line of membership.charged: EUR 120 without VAT for March 2026."""
    first, last = (date(2026, month, day) for day in days)
    vat_cents = (abs(net) * vat["permille"] + 500) // 1000 * (-1 if net < 0 else 1)
    return {
        "kind": kind, "plan_version_id": str(version), "from_day": first.isoformat(), "until_day": last.isoformat(),
        "days": (last - first).days + 1, "of_days": of_days, "gross_cents": net + vat_cents, "net_cents": net,
        "vat_cents": vat_cents, "currency": "EUR", "vat": vat,
    }  # fmt: skip
