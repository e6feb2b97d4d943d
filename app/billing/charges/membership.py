"""From the lines of a `membership.charged` event to charges: pure. What is owed back takes back what was charged.

A negative line is allotted to what stands of the membership for the same days, the same version of the plan first and
the newest first, so that each part names the charge it corrects and goes back to who was charged. What was charged at
another VAT than the line has (the customer's number was valid then, and is not any more) is taken back at the VAT that
it was charged at (Directive 2006/112/CE, art. 90), as far as the line's price goes. What finds nothing to take back
stands alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from app.billing.charges.owing import Cents, Change, Owed, Standing, Supply, Vat, base_of, cents_of, take_back
from app.money import round_half_up

# The kind of charge for each kind of line, and what such a line may take back.
KINDS = {"cycle": "membership", "adjustment": "adjustment", "deposit": "deposit", "deposit_return": "deposit_return"}
TAKES_BACK = {
    "cycle": ("membership", "adjustment"),
    "adjustment": ("membership", "adjustment"),
    "deposit": ("deposit",),
    "deposit_return": ("deposit",),
}


def changes_of(lines: Iterable[Mapping[str, Any]], standing: Sequence[Standing], *, party_id: int) -> list[Change]:
    """The charges that the lines of an event lead to; `standing` has the oldest first."""
    changes: list[Change] = []
    left = list(standing)
    for line in lines:
        owed = owed_of(line, party_id=party_id)
        if owed.cents.gross >= 0:
            changes.append(Change(owed))
        else:
            changes += _allotted(line["kind"], owed, left)
    return [change for change in changes if change.owed.cents != Cents()]


def owed_of(line: Mapping[str, Any], *, party_id: int) -> Owed:
    return Owed(
        kind=KINDS[line["kind"]],
        party_id=party_id,
        currency=line["currency"],
        cents=Cents(line["gross_cents"], line["net_cents"], line["vat_cents"]),
        vat=Vat.of(line["vat"]),
        supply=_supply(line),
    )


def _supply(line: Mapping[str, Any]) -> Supply:
    facts = {name: line[name] for name in ("plan_version_id", "days", "of_days")}
    quantity, unit = (1, "cycle") if line["days"] == line["of_days"] else (line["days"], "day")
    if line["kind"].startswith("deposit"):
        quantity, unit = 1, "piece"
    first, last = date.fromisoformat(line["from_day"]), date.fromisoformat(line["until_day"])
    return Supply(first, last, facts, quantity * 1000, unit)


def _allotted(kind: str, owed: Owed, left: list[Standing]) -> list[Change]:
    """Corrections that together take back what a negative line says; `left` is lowered accordingly."""
    changes, rest = [], owed.cents.negated
    for each in sorted(left, key=lambda each: _nearness(each, owed), reverse=True):
        if not _may_take_back(each, kind, owed) or base_of(rest, owed.vat) <= 0:
            continue
        back, done = _of(each, rest, owed.vat)
        changes.append(_as_line(take_back(each, back), owed))
        left[left.index(each)] = each._replace(left=each.left.minus(back))
        rest = rest.minus(done)
    if rest != Cents():
        changes.append(Change(owed._replace(cents=rest.negated)))
    return changes


def _of(each: Standing, rest: Cents, vat: Vat) -> tuple[Cents, Cents]:
    """What to take back of a charge, at its own VAT, and what of `rest` (at `vat`) that settles: the same price."""
    price, left = base_of(rest, vat), each.base
    if each.owed.vat == vat:
        back = each.left if left < price else rest
        return back, back
    if left <= price:
        return each.left, rest if left == price else _priced(left, vat)
    return each.left.minus(_priced(left - price, each.owed.vat)), rest


def _priced(base: int, vat: Vat) -> Cents:
    """A price as it was agreed, with VAT in it or without."""
    if vat.includes_vat:
        return cents_of(base, vat)
    more = round_half_up(base * vat.permille, 1000)
    return Cents(base + more, base, more)


def _may_take_back(each: Standing, kind: str, owed: Owed) -> bool:
    """Of the same VAT, or the same price at another, and for some of the same days; a deposit is given back whenever
    that is."""
    same = each.owed.currency == owed.currency and each.owed.kind in TAKES_BACK[kind] and each.base > 0
    if each.owed.kind == "deposit":
        return same and each.owed.vat == owed.vat
    return same and _overlap(each.owed.supply, owed.supply) and (each.owed.vat == owed.vat or _same_price(each, owed))


def _same_price(each: Standing, owed: Owed) -> bool:
    return _same_version(each, owed) and each.owed.vat.includes_vat == owed.vat.includes_vat


def _overlap(a: Supply, b: Supply) -> bool:
    return a.service_from <= b.service_until and b.service_from <= a.service_until


def _nearness(each: Standing, owed: Owed) -> tuple[bool, bool, int]:
    return _same_version(each, owed), each.owed.vat == owed.vat, each.charge_id


def _same_version(each: Standing, owed: Owed) -> bool:
    return bool(each.owed.supply.facts.get("plan_version_id") == owed.supply.facts["plan_version_id"])


def _as_line(change: Change, owed: Owed) -> Change:
    """A correction under the line's own name, for the line's own days."""
    return change._replace(owed=change.owed._replace(kind=owed.kind, supply=owed.supply))
