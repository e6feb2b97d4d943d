"""An operator with customers and charges, for the tests of documents."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.billing.charges.models import Charge
from app.billing.invoices.at_once import invoice_at_once
from app.billing.invoices.closing import Closed, close_month
from app.billing.invoices.models import Invoice
from app.db import TenantSession, transaction
from app.network.models import Member, Space
from app.network.parties.models import Party
from app.tenancy import SYSTEM
from tests.billing.charges.builders import MARCH, a_charge, a_party
from tests.builders import a_space

APRIL_1 = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
MAY_1 = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)


def a_house(session: Session, *, charges: list[list[int]], **space: Any) -> Space:
    """An operator with one space, and a customer for each list of net amounts, all of March."""
    place = a_space(session, **space)
    for amounts in charges:
        party = a_party(session, country=place.country)
        for net in amounts:
            a_charge(session, operator_id=place.operator_id, party=party, net=net, space_id=place.id)
    session.commit()
    return place


def a_correction(session: Session, of: Charge, net: int, **values: Any) -> Charge:
    """What takes back some of a charge, or all, at its VAT; `net` is negative."""
    party = session.get_one(Party, of.party_id)
    vat = -((-net * of.vat_permille + 500) // 1000)
    own = {"corrects_id": of.id, "vat_cents": vat, "space_id": of.space_id, "kind": of.kind}
    return a_charge(session, operator_id=of.operator_id, party=party, net=net, **{**own, **values})


def an_invoice(session: Session, space: Space, member: Member, *, now: datetime, net: int = 10000) -> Invoice:
    """An invoice of a space's operator to a member, finalised at once."""
    party = session.scalar(select(Party).where(Party.member_id == member.id)) or a_party(session, member_id=member.id)
    charge = a_charge(session, operator_id=space.operator_id, party=party, net=net, space_id=space.id)
    made = invoice_at_once(session, space.operator_id, party.uid, charges=[charge.uid], now=now)
    return session.get_one(Invoice, made[0].id)


def closed(
    make_session: sessionmaker[TenantSession], space: Space, month: date = MARCH, *, now: datetime = APRIL_1
) -> Closed:
    return close_month(make_session, space.operator_id, month, now=now)


def documents(make_session: sessionmaker[TenantSession], operator_id: int) -> list[Invoice]:
    with transaction(make_session, SYSTEM) as session:
        rows = select(Invoice).where(Invoice.operator_id == operator_id).order_by(Invoice.series, Invoice.sequence)
        return list(session.scalars(rows))


def content(invoice: Invoice) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(invoice.snapshot)
    return found
