"""The table of legal and arithmetic cases, each against the product: lines, rates, mentions, cents."""

from __future__ import annotations

import pytest

from app.vat.mentions import LOCALES, mention_text
from app.vat.totals import document_totals
from tests.vat.cases import Case, amounts, corrections, lettings, places, products, rates_and_regimes, vouchers

TOPICS = (rates_and_regimes, places, lettings, amounts, products, corrections, vouchers)
CASES = [case for topic in TOPICS for case in topic.CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.situation)
def test_the_law_is_followed_to_the_cent(case: Case) -> None:
    totals = document_totals([line.item for line in case.lines])
    assert totals.item_net_cents == case.nets
    assert [(tax.category, tax.permille, tax.net_cents, tax.vat_cents, tax.mention) for tax in totals.taxes] == list(
        case.taxes
    )
    assert totals.net_cents == sum(tax[2] for tax in case.taxes)
    assert totals.vat_cents == sum(tax[3] for tax in case.taxes)
    assert totals.gross_cents == totals.net_cents + totals.vat_cents


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.situation)
def test_every_line_says_why(case: Case) -> None:
    assert case.source
    for line in case.lines[:40]:
        decision = line.decision
        assert decision.ground
        assert all(mention_text(decision.mention_code, locale) for locale in LOCALES if decision.mention_code)


def test_the_table_has_at_least_sixty_different_cases() -> None:
    assert len({case.situation for case in CASES}) == len(CASES) >= 60


def test_a_price_announced_with_vat_is_what_is_paid() -> None:
    for case in CASES:
        if case.lines and all(line.includes_vat and not line.decision.waived_permille for line in case.lines):
            announced = sum(line.cents for line in case.lines)
            assert document_totals([line.item for line in case.lines]).gross_cents == announced
