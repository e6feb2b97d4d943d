"""Which documents a customer's open charges make: a table of cases, each with the lines and totals expected."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from app.billing.invoices.drafting import Open, credit_totals, draft, totals
from app.ids import new_id
from app.vat.totals import Item, document_totals

BE, FR, NONE = ("S", 210), ("S", 200), ("O", 0)


def charge(number: int, net: int, vat: tuple[str, int] = BE, **values: Any) -> Open:
    """A charge of a net price, or of a gross one with `gross=True`, not earned and not late."""
    category, permille = vat
    gross = values.pop("gross", False)
    tax = (
        (net * permille * 2 + 1000) // 2000
        if not gross
        else (net * permille * 2 + 1000 + permille) // (2000 + 2 * permille)
    )
    amounts = (net - tax, tax, net) if gross else (net, tax, net + tax)
    own = {
        "id": number, "uid": new_id(), "party_id": 1, "kind": "booking", "space": "Ath", "timezone": "Europe/Brussels",
        "person": None, "plan": None, "service_from": date(2026, 3, 2), "service_until": date(2026, 3, 2), "facts": {},
        "quantity_milli": 1000, "unit": "hour", "currency": "EUR", "vat_permille": permille, "vat_category": category,
        "vat_ground": "ground", "vat_mention": None, "includes_vat": gross, "late": False, "earned": False,
        "root_id": number, "root_uid": new_id(), "root_invoice_id": None,
    }  # fmt: skip
    net_cents, vat_cents, gross_cents = amounts
    sums = {"net_cents": net_cents, "vat_cents": vat_cents, "gross_cents": gross_cents}
    return Open(**{**own, **sums, **values})


def back(number: int, of: Open, net: int, **values: Any) -> Open:
    """What takes back some of a charge."""
    positive = charge(number, -net, (of.vat_category, of.vat_permille), gross=of.includes_vat)
    turned = {name: -getattr(positive, name) for name in ("net_cents", "vat_cents", "gross_cents")}
    return positive._replace(**turned, kind=of.kind, root_id=of.id, root_uid=of.uid, **values)


A, B = charge(1, 10000), charge(2, 5000)
DEPOSIT = charge(3, 20000, NONE, kind="deposit")
ON_INVOICE = {"root_invoice_id": 77}

# situation: the charges → (kind, charges on it, gross) of each document, and which are settled, and which wait
CASES: dict[str, tuple[list[Open], list[tuple[str, list[int], int]], list[int], list[int]]] = {
    "nothing is owed": ([], [], [], []),
    "one of everything is one invoice": ([A, B], [("monthly", [1, 2], 18150)], [], []),
    "two rates are one invoice of two taxes": ([A, charge(4, 1000, FR)], [("monthly", [1, 4], 13300)], [], []),
    "a deposit comes on its own": ([A, DEPOSIT], [("deposit", [3], 20000), ("monthly", [1], 12100)], [], []),
    "what is outside VAT comes on its own": (
        [A, charge(4, 700, NONE)], [("monthly", [1], 12100), ("monthly", [4], 700)], [], [],
    ),
    "what was cancelled before any document is on none": (
        [A, B, back(5, A, -10000)], [("monthly", [2], 6050)], [1, 5], [],
    ),
    "cancelled with a fee is the price and what came off it": (
        [A, back(5, A, -5000)], [("monthly", [1, 5], 6050)], [], [],
    ),
    "all cancelled is nothing at all": ([A, back(5, A, -10000)], [], [1, 5], []),
    "what cancels out, earned in part, is still shown": (
        [A._replace(earned=True), back(5, A, -10000), B], [("monthly", [1, 5, 2], 6050)], [], [],
    ),
    "cancelled after its invoice is a credit note": (
        [back(5, A, -10000, **ON_INVOICE)], [("credit_note", [5], 12100)], [], [],
    ),
    "a credit note beside an invoice": (
        [B, back(5, A, -2500, **ON_INVOICE)], [("monthly", [2], 6050), ("credit_note", [5], 3025)], [], [],
    ),
    "two invoices corrected are two credit notes": (
        [back(5, A, -2500, root_invoice_id=78), back(6, B, -2500, **ON_INVOICE)],
        [("credit_note", [6], 3025), ("credit_note", [5], 3025)], [], [],
    ),
    "a deposit given back is a credit note of its document": (
        [back(5, DEPOSIT, -20000, **ON_INVOICE)._replace(kind="deposit_return")],
        [("credit_note", [5], 20000)], [], [],
    ),
    "more back than was left waits for a person": ([back(5, A, -9000, left_cents=-1, **ON_INVOICE)], [], [], [5]),
    "less than nothing waits for the next": ([charge(4, 100), back(5, A, -9000)], [], [], [4, 5]),
    "lines of nothing make no document": ([charge(4, 0)], [], [4], []),
    "two currencies never mix": (
        [A, charge(4, 1000, currency="CHF")], [("monthly", [4], 1210), ("monthly", [1], 12100)], [], [],
    ),
    "a price with VAT keeps its gross": ([charge(4, 1000, gross=True)], [("monthly", [4], 1000)], [], []),
    "three cents are rounded once": ([charge(n, 3) for n in (4, 5, 6)], [("monthly", [4, 5, 6], 11)], [], []),
}  # fmt: skip


@pytest.mark.parametrize("situation", CASES)
def test_what_becomes_of_open_charges(situation: str) -> None:
    charges, documents, settled, waiting = CASES[situation]
    drafted = draft(charges, purpose="monthly")
    standing = {77: [A.item, B.item, DEPOSIT.item], 78: [A.item]}
    made = [
        (each.kind, [line.id for line in each.lines], totals(each, standing.get(each.corrects_id or 0, ())).gross_cents)
        for each in drafted.documents
    ]
    assert made == documents
    assert [each.id for each in drafted.settled] == settled
    assert [each.id for each in drafted.waiting] == waiting


def test_lines_stand_by_space_then_person_then_day() -> None:
    def line(number: int, space: str | None, person: str | None, day: int) -> Open:
        return charge(number, 100, space=space, person=person, service_from=date(2026, 3, day))

    given = [line(1, "Namur", "Zoé", 1), line(2, "Ath", "Zoé", 9), line(3, "Ath", "Ana", 9), line(4, "Ath", "Ana", 3),
             line(5, None, None, 1)]  # fmt: skip
    (document,) = draft(given, purpose="now").documents
    assert [each.id for each in document.lines] == [5, 4, 3, 2, 1]


def test_credit_notes_together_are_their_invoice_to_the_cent() -> None:
    items = [
        Item(cents, includes, 210, "S", "ground", None) for cents, includes in ((333, True), (334, True), (101, False))
    ]
    whole = document_totals(items)
    standing, net, vat = list(items), 0, 0
    for part in (Item(111, True, 210, "S", "ground", None), Item(222, True, 210, "S", "ground", None), *items[1:]):
        note = credit_totals(standing, [part])
        assert abs(note.gross_cents - document_totals([part]).gross_cents) <= 1
        assert sum(note.item_net_cents) == note.net_cents
        net, vat = net + note.net_cents, vat + note.vat_cents
        standing.append(part._replace(cents=-part.cents))
    assert (net, vat) == (whole.net_cents, whole.vat_cents)


def test_a_credit_note_names_only_the_taxes_it_credits() -> None:
    items = [Item(1000, False, 210, "S", "be", None), Item(1000, False, 200, "S", "fr", None)]
    assert [tax.permille for tax in credit_totals(items, [items[1]]).taxes] == [200]
