"""What France wants reported: sales to private persons and across borders, which with the rest are the VAT return."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.billing.einvoices.reporting import e_reporting, kind_of
from app.billing.invoices.at_once import invoice_at_once
from app.billing.invoices.crediting import credit
from app.billing.invoices.models import Invoice
from app.billing.vat_return.returns import vat_return
from app.errors import Invalid
from app.network.models import Operator
from tests.billing.charges.builders import a_charge
from tests.billing.einvoices.house import NOW, a_business, a_seller

DAYS: dict[str, Any] = {"first": date(2026, 10, 1), "last": date(2026, 10, 31)}
PRIVATE: dict[str, Any] = {"is_business": False, "company_number": None, "vat_number": None}


@pytest.fixture
def operator(session: Session) -> Operator:
    """A French one with an invoice and its credit note to every sort of customer, at two rates and outside VAT."""
    space = a_seller(session, "FR")
    own = {"operator_id": space.operator_id, "space_id": space.id}
    french = {"vat_permille": 200, "vat_ground": "CGI, art. 278"}
    outside = {"vat_permille": 0, "vat_category": "AE", "vat_mention": "reverse_charge", "vat_cents": 0}
    parties = [
        (a_business(session, "FR"), french), (a_business(session, "FR", **PRIVATE), french),
        (a_business(session, "BE", 63, **PRIVATE), french), (a_business(session, "BE", 64), outside),
    ]  # fmt: skip
    for party, vat in parties:
        for net in (10000, 3333):
            given = {"vat_cents": net // 5, **vat}
            a_charge(session, **own, party=party, net=net, **given)
        (made,) = invoice_at_once(session, space.operator_id, party.uid, now=NOW)
        credit(session, session.get_one(Invoice, made.id), now=NOW) if party.country == "BE" else None
    deposit = a_charge(
        session, **own, party=parties[0][0], net=5000, kind="deposit", vat_cents=0, vat_permille=0, vat_category="O"
    )
    invoice_at_once(session, space.operator_id, parties[0][0].uid, charges=[deposit.uid], now=NOW)
    return session.get_one(Operator, space.operator_id)


def test_totals_of_a_day_by_kind_category_and_rate(session: Session, operator: Operator) -> None:
    told = e_reporting(session, operator, **DAYS)
    assert told["owed"] is True
    lines = {
        (each["kind"], each["transaction"], each["rate_permille"]): (
            each["net_cents"],
            each["vat_cents"],
            each["documents"],
        )
        for each in told["totals"]
    }
    assert lines == {("b2c", "TPS1", 200): (13333, 2667, 3), ("cross_border", "TNT1", 0): (0, 0, 2)}
    assert {each["kind"] for each in told["not_reported"]} == {"invoiced", "no_supply"}
    assert e_reporting(session, operator, first=date(2026, 9, 1), last=date(2026, 9, 30))["totals"] == []


def test_with_what_is_not_reported_it_is_the_vat_return_to_the_cent(session: Session, operator: Operator) -> None:
    told, declared = e_reporting(session, operator, **DAYS), vat_return(session, operator, **DAYS)
    sums: Counter[tuple[str, int, str]] = Counter()
    for each in told["totals"] + told["not_reported"]:
        for name in ("net_cents", "vat_cents"):
            sums[each["category"], each["rate_permille"], name] += each[name]
    returned: Counter[tuple[str, int, str]] = Counter()
    for tax in declared["taxes"]:
        for name in ("net_cents", "vat_cents"):
            returned[tax["category"], tax["rate_permille"], name] += tax[name] * (
                -1 if tax["document"] == "credit_note" else 1
            )
    assert {key: cents for key, cents in sums.items() if cents} == {
        key: cents for key, cents in returned.items() if cents
    }


def test_days_in_the_wrong_order_are_refused(session: Session, operator: Operator) -> None:
    with pytest.raises(Invalid):
        e_reporting(session, operator, first=DAYS["last"], last=DAYS["first"])


@pytest.mark.parametrize(
    ("buyer", "is_business", "no_supply", "kind"),
    [("FR", True, False, "invoiced"), ("RE", True, False, "invoiced"), ("BE", True, False, "cross_border"),
     ("FR", False, False, "b2c"), ("BE", False, False, "b2c"), ("FR", False, True, "no_supply")],
)  # fmt: skip
def test_each_sale_is_of_one_kind(buyer: str, is_business: bool, no_supply: bool, kind: str) -> None:
    assert kind_of(seller="FR", buyer=buyer, is_business=is_business, no_supply=no_supply) == kind
