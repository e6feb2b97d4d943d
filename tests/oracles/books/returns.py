"""The boxes that documents make, in cents: the Belgian periodic return and the French CA3, as their notices say.

Belgium: 01, 02, 03 bases at 6, 12 and 21 %; 54 their VAT; 44 services to businesses of other member states, who owe the
VAT there; 47 what is located outside of the Union; 48 credit notes on 44, 49 on all else, 64 the VAT of credit notes.
France: A1 what is taxed, E2 what is not, 08 the standard rate, 09 and 9B the reduced ones, 16 their sum; credit notes
lessen them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

# Council Directive 2006/112/EC, as of 2021.
UNION = {
    *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"),
    *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
}
BELGIAN_BASES = {60: "01", 120: "02", 210: "03"}
FRENCH_RATES = {200: "08", 55: "09", 100: "9B"}
RATES = {"BE": BELGIAN_BASES.keys(), "FR": FRENCH_RATES.keys()}
UNKNOWN = "of no rate"


def expected_boxes(country: str, documents: list[dict[str, Any]]) -> Counter[str]:
    """Of the documents' contents. What belongs to no box, such as supplies of an exempt small business, is `other`."""
    boxes: Counter[str] = Counter()
    enter = {"BE": _belgian, "FR": _french}[country]
    for content in documents:
        for tax in content["taxes"]:
            enter(boxes, content, tax)
    return boxes


def _abroad(content: dict[str, Any]) -> bool:
    return bool(content["buyer"]["is_business"]) and content["buyer"]["country"] != content["seller"]["country"]


def _belgian(boxes: Counter[str], content: dict[str, Any], tax: dict[str, Any]) -> None:
    credit = content["kind"] == "credit_note"
    if tax["permille"]:
        boxes["49" if credit else BELGIAN_BASES.get(tax["permille"], UNKNOWN)] += tax["net_cents"]
        boxes["64" if credit else "54"] += tax["vat_cents"]
    elif tax["category"] != "E" and _abroad(content):
        inside = content["buyer"]["country"] in UNION
        boxes[("48" if credit else "44") if inside else ("49" if credit else "47")] += tax["net_cents"]
    else:
        boxes["other"] += -tax["net_cents"] if credit else tax["net_cents"]


def _french(boxes: Counter[str], content: dict[str, Any], tax: dict[str, Any]) -> None:
    way = -1 if content["kind"] == "credit_note" else 1
    if tax["permille"]:
        box = FRENCH_RATES.get(tax["permille"], UNKNOWN)
        boxes["A1"] += way * tax["net_cents"]
        boxes[box] += way * tax["net_cents"]
        boxes[f"{box}-T"] += way * tax["vat_cents"]
        boxes["16"] += way * tax["vat_cents"]
    else:
        boxes["E2"] += way * tax["net_cents"]
