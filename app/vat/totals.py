"""The totals of a document: VAT once per category and rate, half-up, and not a cent more or less than its lines.

A group's VAT is that of its exact total (directive 2006/112/EC, art. 226 points 8 to 10; EN 16931 BR-CO-17): lines
are never rounded and summed. A group whose prices all contain VAT keeps the sum of them: what was announced is paid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.money import round_half_up


class Item(NamedTuple):
    """One line: signed `cents`, gross if `includes_vat`, else net; and its VAT as it was decided."""

    cents: int
    includes_vat: bool
    permille: int
    category: str
    ground: str
    mention: str | None


class Tax(NamedTuple):
    """A group of lines. Where VAT is charged there is one for each (category, rate), naming all its grounds; where
    none is, one for each ground, because each has a mention of its own to justify it."""

    category: str
    permille: int
    net_cents: int
    vat_cents: int
    ground: str
    mention: str | None


class Totals(NamedTuple):
    """Sums of `taxes`; `item_net_cents` has the net of each line, in the order given, and sums to `net_cents`."""

    item_net_cents: tuple[int, ...]
    taxes: tuple[Tax, ...]
    net_cents: int
    vat_cents: int
    gross_cents: int


_Group = tuple[str, int, str, str | None]


def document_totals(items: Sequence[Item]) -> Totals:
    """The totals of a document of `items`, in signed cents; a document of the negated items has the negated totals.

    Raises ValueError for a rate below zero.
    """
    nets = [0] * len(items)
    taxes = []
    for group, members in _grouped(items).items():
        tax, member_nets = _group_totals(group, [items[i] for i in members])
        taxes.append(tax)
        for i, net in zip(members, member_nets, strict=True):
            nets[i] = net
    taxes.sort(key=lambda tax: (-tax.permille, tax.category, tax.ground, tax.mention or ""))
    net, vat = sum(tax.net_cents for tax in taxes), sum(tax.vat_cents for tax in taxes)
    return Totals(tuple(nets), tuple(taxes), net, vat, net + vat)


def _grouped(items: Sequence[Item]) -> dict[_Group, list[int]]:
    """The places of the items of each group."""
    groups: dict[_Group, list[int]] = {}
    for i, item in enumerate(items):
        if item.permille < 0:
            raise ValueError("a rate of VAT is not negative")
        own = ("", None) if item.permille else (item.ground, item.mention)
        groups.setdefault((item.category, item.permille, *own), []).append(i)
    return groups


def _group_totals(group: _Group, items: Sequence[Item]) -> tuple[Tax, list[int]]:
    category, permille, ground, mention = group
    priced_net = sum(item.cents for item in items if not item.includes_vat)
    priced_gross = [item.cents for item in items if item.includes_vat]
    gross = sum(priced_gross)
    # VAT of both kinds together, rounded once: n * p / 1000 + g * p / (1000 + p).
    vat = round_half_up(permille * (priced_net * (1000 + permille) + gross * 1000), 1000 * (1000 + permille))
    within = iter(_nets_within(priced_gross, permille))
    nets = [next(within) if item.includes_vat else item.cents for item in items]
    if permille:
        ground, mention = _joined(item.ground for item in items), _first(item.mention for item in items)
    return Tax(category, permille, sum(nets), vat, ground, mention), nets


def _nets_within(gross: Sequence[int], permille: int) -> list[int]:
    """The net part of each price with VAT; they sum to the whole less the VAT in it, by largest remainder.

    The odd cents go to the largest remainders, and of equal ones to the first.
    """
    whole = sum(gross)
    if whole < 0:
        return [-net for net in _nets_within([-cents for cents in gross], permille)]
    parts = [divmod(cents * 1000, 1000 + permille) for cents in gross]
    nets = [floor for floor, _ in parts]
    odd = whole - round_half_up(whole * permille, 1000 + permille) - sum(nets)
    for i in sorted(range(len(parts)), key=lambda i: (-parts[i][1], i))[:odd]:
        nets[i] += 1
    return nets


def _joined(grounds: Iterable[str]) -> str:
    return " ; ".join(sorted(set(grounds)))


def _first(mentions: Iterable[str | None]) -> str | None:
    return min((mention for mention in mentions if mention), default=None)
