"""What holds for any document: whatever was rounded on the way, its electronic forms say its amounts to the cent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.billing.einvoices.reading import document
from app.billing.einvoices.units import quantified
from app.billing.einvoices.writing import xml
from tests.billing.einvoices.cases import BE
from tests.billing.einvoices.corpus import ATH, credit_note, invoices, supply
from tests.billing.einvoices.reader import read

lines = st.tuples(
    st.integers(1, 10**7), st.booleans(), st.sampled_from([None, 60, 120, 200]), st.integers(0, 10**7),
    st.text(max_size=30),
)  # fmt: skip


def charges(drawn: list[tuple[int, bool, int | None, int, str]]) -> list[Any]:
    return [
        supply(
            cents,
            sold_by=ATH,
            to=BE,
            includes_vat=includes,
            rate=rate,
            quantity_milli=milli,
            facts={"text": text or "x"},
        )
        for cents, includes, rate, milli, text in drawn
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(lines, min_size=1, max_size=8))
def test_lines_taxes_and_totals_tie_out_in_both_syntaxes(drawn: list[tuple[int, bool, int | None, int, str]]) -> None:
    made = charges(drawn)
    for content in (*invoices(*made, sold_by=ATH, to=BE), credit_note(made, sold_by=ATH, to=BE)):
        for format in ("peppol", "cii"):
            said = read(xml(document(content), format))
            assert said["gross_cents"] == content["totals"]["gross_cents"] == said["net_cents"] + said["vat_cents"]
            assert said["net_cents"] == sum(line["net_cents"] for line in said["lines"])
            for (category, permille), (net, vat) in said["taxes"].items():
                of_rate = [
                    each for each in said["lines"] if (each["category"], each["permille"]) == (category, permille)
                ]
                assert net == sum(line["net_cents"] for line in of_rate)
                assert abs(vat * 1000 - net * permille) <= 1000 * (1 + len(of_rate)), "the VAT of another amount"
            assert said["vat_cents"] == sum(vat for _, vat in said["taxes"].values())


@given(
    st.integers(-(10**9), 10**9), st.integers(-(10**8), 10**8), st.sampled_from(["hour", "day", "piece", "cycle", "?"])
)
def test_quantity_times_price_is_the_amount_and_no_price_is_below_zero(cents: int, milli: int, unit: str) -> None:
    told = quantified(milli, unit, cents)
    assert Decimal(told.price) >= 0
    assert abs(Decimal(told.quantity) * Decimal(told.price) * 100 - cents) <= Decimal("0.1")
