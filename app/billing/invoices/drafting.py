"""Which documents the open charges of a customer make: pure, so that a table of cases can show it.

Charges of one currency go on one invoice, lines grouped by space and person, but
- a correction that lowers what is on a finalised invoice goes on a credit note of that invoice;
- what stands outside VAT stands alone (EN 16931 BR-O-11 to 14: category O and others do not mix), deposits too;
- a charge and its corrections that cancel out before any document need none: they are settled;
- what would make an invoice below zero waits for the next one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from app.vat.totals import Item, Totals, document_totals

DEPOSITS = frozenset({"deposit", "deposit_return"})


class Open(NamedTuple):
    """A charge that is on no document yet, with the names its line will copy. Cents are signed.

    `root_id` is the charge it corrects (its own id where it corrects none), `root_invoice_id` the document that one is
    on, and `left_cents` what is left of that one, in the cents it was priced in, counting every correction.
    """

    id: int
    uid: UUID
    party_id: int
    kind: str
    space: str | None
    timezone: str | None
    person: str | None
    plan: str | None
    service_from: date
    service_until: date
    facts: Mapping[str, Any]
    quantity_milli: int
    unit: str
    currency: str
    net_cents: int
    vat_cents: int
    gross_cents: int
    vat_permille: int
    vat_category: str
    vat_ground: str
    vat_mention: str | None
    includes_vat: bool
    late: bool
    earned: bool
    root_id: int
    root_uid: UUID
    root_invoice_id: int | None
    left_cents: int = 0

    @property
    def corrects(self) -> UUID | None:
        return self.root_uid if self.root_id != self.id else None

    @property
    def cents(self) -> int:
        """The amount it was priced in: gross where the price includes VAT, else net."""
        return self.gross_cents if self.includes_vat else self.net_cents

    @property
    def item(self) -> Item:
        return Item(
            self.cents, self.includes_vat, self.vat_permille, self.vat_category, self.vat_ground, self.vat_mention
        )


class Draft(NamedTuple):
    """A document to be: its lines in order, and its invoice where it is a credit note of one."""

    party_id: int
    kind: str
    currency: str
    lines: tuple[Open, ...]
    corrects_id: int | None = None


class Drafted(NamedTuple):
    """What becomes of a customer's open charges: each is in exactly one of the three."""

    documents: tuple[Draft, ...]
    settled: tuple[Open, ...]
    waiting: tuple[Open, ...]


def draft(charges: Iterable[Open], *, purpose: str) -> Drafted:
    """The documents of one party's open `charges`; `purpose` is monthly or now."""
    lines: dict[tuple[str, str], list[Open]] = defaultdict(list)
    credits: dict[int, list[Open]] = defaultdict(list)
    settled: list[Open] = []
    waiting: list[Open] = []
    for group in _by_root(charges):
        if _is_nothing(group):
            settled += group
        elif (invoice_id := group[0].root_invoice_id) is not None and _sum(group) < 0:
            (credits[invoice_id] if group[0].left_cents >= 0 else waiting).extend(group)
        else:
            for charge in group:
                lines[charge.currency, _sort_of(charge, purpose)].append(charge)
    documents = []
    for (_, sort), members in sorted(lines.items()):
        if _is_nothing(members):
            settled += members
        elif document_totals([charge.item for charge in members]).gross_cents > 0:
            documents.append(_document(members, purpose if sort == "outside" else sort))
        else:
            waiting += members
    documents += [_document(members, "credit_note", invoice_id) for invoice_id, members in sorted(credits.items())]
    return Drafted(tuple(documents), tuple(settled), tuple(waiting))


def totals(draft: Draft, standing: Sequence[Item] = ()) -> Totals:
    """The totals of a draft; of a credit note positive, given what still stands of its invoice (signed items)."""
    if draft.corrects_id is None:
        return document_totals([charge.item for charge in draft.lines])
    return credit_totals(standing, [charge.item._replace(cents=-charge.cents) for charge in draft.lines])


def credit_totals(standing: Sequence[Item], credited: Sequence[Item]) -> Totals:
    """What credit of these items makes: the totals of what stood less those of what is left, positive.

    So credit notes telescope: all together are never a cent more or less than their invoice, whatever was rounded on
    the way; each alone is its own items at the original rates, within the cent that rounding moves.
    """
    before = document_totals(standing)
    after = document_totals([*standing, *(item._replace(cents=-item.cents) for item in credited)])
    nets = [-net for net in after.item_net_cents[len(standing) :]]
    left = {_group(tax): tax for tax in after.taxes}
    stood = {_group(tax): tax for tax in before.taxes}
    taxes = []
    for key, tax in {**left, **stood}.items():
        net = (stood[key].net_cents if key in stood else 0) - (left[key].net_cents if key in left else 0)
        vat = (stood[key].vat_cents if key in stood else 0) - (left[key].vat_cents if key in left else 0)
        members = [i for i, item in enumerate(credited) if _group_of(item) == key]
        if net or vat or members:
            taxes.append(tax._replace(net_cents=net, vat_cents=vat))
        if members:
            nets[members[-1]] += net - sum(nets[i] for i in members)
    taxes.sort(key=lambda tax: (-tax.permille, tax.category, tax.ground, tax.mention or ""))
    net, vat = sum(tax.net_cents for tax in taxes), sum(tax.vat_cents for tax in taxes)
    return Totals(tuple(nets), tuple(taxes), net, vat, net + vat)


def _group(tax: Any) -> tuple[str, int, str, str | None]:
    return (tax.category, tax.permille, *(("", None) if tax.permille else (tax.ground, tax.mention)))


_group_of = _group  # an item says its category, rate, ground and mention by the same names


def _by_root(charges: Iterable[Open]) -> list[list[Open]]:
    """Each charge with its corrections, oldest first."""
    groups: dict[tuple[int, str], list[Open]] = defaultdict(list)
    for charge in sorted(charges, key=lambda charge: charge.id):
        groups[charge.root_id, charge.currency].append(charge)
    return list(groups.values())


def _is_nothing(charges: Sequence[Open]) -> bool:
    """Whether charges cancel out to the cent, what is earned of them too: the ledger then has nothing open of them."""
    return all(
        sum(charge.net_cents for charge in some) == 0 and sum(charge.vat_cents for charge in some) == 0
        for some in (charges, [charge for charge in charges if charge.earned])
    )


def _sum(charges: Iterable[Open]) -> int:
    return sum(charge.gross_cents for charge in charges)


def _sort_of(charge: Open, purpose: str) -> str:
    if charge.kind in DEPOSITS:
        return "deposit"
    return "outside" if charge.vat_category == "O" else purpose


def _document(charges: Iterable[Open], kind: str, corrects_id: int | None = None) -> Draft:
    """Lines by space, then person, then day; of one booking, the correction after what it corrects."""
    ordered = sorted(
        charges, key=lambda line: (line.space or "", line.person or "", line.service_from, line.root_id, line.id)
    )
    return Draft(ordered[0].party_id, kind, ordered[0].currency, tuple(ordered), corrects_id)
