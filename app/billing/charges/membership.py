"""From the lines of a `membership.charged` event to charges: pure. What is owed back takes back what was charged.

A negative line is allotted to what stands of the membership for the same days, the same version of the plan first and
the newest first, so that each part names the charge it corrects and goes back to who was charged. What finds nothing
to take back stands alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from app.billing.charges.owing import Cents, Change, Owed, Standing, Supply, Vat, base_of, take_back

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
        back = each.left if each.base < base_of(rest, owed.vat) else rest
        changes.append(_as_line(take_back(each, back), owed))
        left[left.index(each)] = each._replace(left=each.left.minus(back))
        rest = rest.minus(back)
    if rest != Cents():
        changes.append(Change(owed._replace(cents=rest.negated)))
    return changes


def _may_take_back(each: Standing, kind: str, owed: Owed) -> bool:
    """At the same VAT, and for some of the same days; a deposit is given back whenever that is."""
    same = (each.owed.currency, each.owed.vat) == (owed.currency, owed.vat) and each.owed.kind in TAKES_BACK[kind]
    return same and each.base > 0 and (each.owed.kind == "deposit" or _overlap(each.owed.supply, owed.supply))


def _overlap(a: Supply, b: Supply) -> bool:
    return a.service_from <= b.service_until and b.service_from <= a.service_until


def _nearness(each: Standing, owed: Owed) -> tuple[bool, int]:
    same = each.owed.supply.facts.get("plan_version_id") == owed.supply.facts["plan_version_id"]
    return same, each.charge_id


def _as_line(change: Change, owed: Owed) -> Change:
    """A correction under the line's own name, for the line's own days."""
    return change._replace(owed=change.owed._replace(kind=owed.kind, supply=owed.supply))
