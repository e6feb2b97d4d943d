"""Which box of a VAT return an amount belongs in, as rows: pure, and read by one function.

Belgium: the periodic return (AR n° 1, art. 18; form 625), where credit notes have boxes of their own. France: form
3310-CA3, where they lessen the boxes of what they correct; its amounts are rounded to whole euros by who files it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

INVOICE, CREDIT_NOTE = "invoice", "credit_note"
BASE, TAX = "base", "tax"
OTHER = "other"  # an amount that this return has no box for


class Declared(NamedTuple):
    """The sum of one kind of document's taxes of one category, rate and mention, in cents; never negative."""

    document: str
    category: str
    permille: int
    mention: str | None
    net_cents: int
    vat_cents: int


class Row(NamedTuple):
    """A rule: where a category (at `permille`, or at any rate when null; with a mention, or with any) goes."""

    category: str
    permille: int | None
    mention: str | None
    base: str | None
    tax: str | None


class Form(NamedTuple):
    """A country's return: rows for invoices, rows for credit notes, the boxes in the form's order, what each means."""

    invoices: Sequence[Row]
    credit_notes: Sequence[Row]
    credit_notes_lessen: bool
    labels: dict[str, str]


_BELGIUM = Form(
    invoices=(
        Row("S", 60, None, "01", "54"),
        Row("S", 120, None, "02", "54"),
        Row("S", 210, None, "03", "54"),
        Row("AE", None, None, "44", None),
        Row("O", None, "outside_eu_art_44", "47", None),
    ),
    credit_notes=(
        Row("S", None, None, "49", "64"),
        Row("AE", None, None, "48", None),
        Row("O", None, "outside_eu_art_44", "49", None),
    ),
    credit_notes_lessen=False,
    labels={
        "01": "Opérations soumises à la TVA au taux de 6 %",
        "02": "Opérations soumises à la TVA au taux de 12 %",
        "03": "Opérations soumises à la TVA au taux de 21 %",
        "44": "Services pour lesquels la TVA étrangère est due par le cocontractant",
        "47": "Autres opérations exemptées, et opérations effectuées à l'étranger",
        "48": "Notes de crédit délivrées relatives aux opérations des grilles 44 et 46",
        "49": "Notes de crédit délivrées relatives aux autres opérations",
        "54": "TVA due relative aux opérations des grilles 01, 02 et 03",
        "64": "TVA à récupérer relative aux notes de crédit délivrées",
    },
)
_FRENCH_ROWS = (
    Row("S", 200, None, "08", "08-T"),
    Row("S", 100, None, "9B", "9B-T"),
    Row("S", 55, None, "09", "09-T"),
    Row("S", 85, None, "10", "10-T"),
    Row("S", 21, None, "11", "11-T"),
    Row("AE", None, None, "E2", None),
    Row("O", None, "outside_eu_art_44", "E2", None),
    Row("E", None, "fr_letting_exempt_261d", "E2", None),
)
_FRANCE = Form(
    invoices=_FRENCH_ROWS,
    credit_notes=_FRENCH_ROWS,
    credit_notes_lessen=True,
    labels={
        "A1": "Ventes, prestations de services",
        "E2": "Autres opérations non imposables",
        "08": "Taux normal 20 % : base",
        "08-T": "Taux normal 20 % : taxe due",
        "09": "Taux réduit 5,5 % : base",
        "09-T": "Taux réduit 5,5 % : taxe due",
        "9B": "Taux réduit 10 % : base",
        "9B-T": "Taux réduit 10 % : taxe due",
        "10": "DOM, taux normal 8,5 % : base",
        "10-T": "DOM, taux normal 8,5 % : taxe due",
        "11": "DOM, taux réduit 2,1 % : base",
        "11-T": "DOM, taux réduit 2,1 % : taxe due",
        "16": "Total de la TVA brute due",
    },
)
FORMS = {"BE": _BELGIUM, "FR": _FRANCE}
_FRENCH_SUMS = {"A1": ("08", "09", "9B", "10", "11"), "16": ("08-T", "09-T", "9B-T", "10-T", "11-T")}
_SUMS = {"BE": {}, "FR": _FRENCH_SUMS}


def fill(country: str, declared: Iterable[Declared]) -> dict[str, int]:
    """The boxes of `country`'s return in cents, in the form's order, and `other` with the bases that have no box.

    Deposits, exempt small businesses and associations outside VAT declare nothing here: their bases are in `other`.
    Raises KeyError for a country without a form.
    """
    form = FORMS[country]
    boxes = dict.fromkeys([*form.labels, OTHER], 0)
    for each in declared:
        rows = form.invoices if each.document == INVOICE else form.credit_notes
        row = next((row for row in rows if _fits(row, each)), None)
        sign = -1 if each.document == CREDIT_NOTE and (form.credit_notes_lessen or row is None) else 1
        boxes[(row and row.base) or OTHER] += sign * each.net_cents
        if row and row.tax:
            boxes[row.tax] += sign * each.vat_cents
    for box, parts in _SUMS[country].items():
        boxes[box] = sum(boxes[part] for part in parts)
    return boxes


def _fits(row: Row, each: Declared) -> bool:
    return (
        row.category == each.category and row.permille in (None, each.permille) and row.mention in (None, each.mention)
    )
