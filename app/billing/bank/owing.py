"""What may be meant: open invoices by their references, parties by account and name, our own SEPA items. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from app.billing.bank import references

# Words that say what a company is, not who.
_FORMS = frozenset({
    "SA", "NV", "SRL", "BV", "SPRL", "BVBA", "SC", "SCRL", "SNC", "SCS", "ASBL", "VZW", "AISBL", "SARL", "SAS", "SASU",
    "EURL", "SCI", "SCIC", "SCOP", "GMBH",
})  # fmt: skip
_TITLES = frozenset({"M", "MR", "MME", "MLLE", "MRS", "MS", "DHR", "MEVR"})


@dataclass(frozen=True, slots=True)
class Owed:
    """An invoice: `open_cents` are left to pay of it, 0 for one that is paid."""

    id: int
    party_id: int
    number: str
    communication: str
    open_cents: int


@dataclass(frozen=True, slots=True)
class Item:
    """A transfer or debit of ours that is on its way, or was settled."""

    id: int
    kind: str
    state: str
    cents: int
    party_id: int | None
    invoice_id: int | None
    end_to_end_id: str = ""
    sequence: str | None = None


@dataclass(frozen=True, slots=True)
class Came:
    """A line that became a payment, which may have to go back. One of several in a line has the item's id, negative."""

    line_id: int
    payment_id: int
    party_id: int
    cents: int


@dataclass
class Register:
    """Where an operator's invoices stand while lines are matched: `open_cents` shrinks as lines take of it."""

    invoices: dict[int, Owed]
    heads: frozenset[str]
    open_cents: dict[int, int] = field(default_factory=dict)
    by_communication: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    by_number: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    by_party: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    by_amount: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def of(cls, invoices: Iterable[Owed], heads: frozenset[str]) -> Register:
        made = cls({each.id: each for each in sorted(invoices, key=lambda each: each.id)}, heads)
        for each in made.invoices.values():
            made.open_cents[each.id] = each.open_cents
            made.by_number[each.number].append(each.id)
            made.by_number[re.sub("[^A-Z0-9]", "", each.number)].append(each.id)  # as behind an RF
            made.by_party[each.party_id].append(each.id)
            made.by_amount[each.open_cents].add(each.id)
            if (digits := references.digits_of(each.communication)) is not None:
                made.by_communication[digits].append(each.id)
                made.by_communication[digits[:10]].append(each.id)  # as behind an RF, which has a check of its own
        return made

    def take(self, invoice_id: int, cents: int) -> None:
        was = self.open_cents[invoice_id]
        self.by_amount[was].discard(invoice_id)
        self.open_cents[invoice_id] = was - cents
        self.by_amount[was - cents].add(invoice_id)

    def open_of(self, party_id: int) -> list[int]:
        """The party's open invoices, oldest first."""
        return [each for each in self.by_party.get(party_id, ()) if self.open_cents[each] > 0]


@dataclass
class Facts:
    """What lines are compared with. `in_transit_cents` is what the provider has not paid out yet, 0 without one."""

    register: Register
    items: dict[str, Item] = field(default_factory=dict)
    parties_by_iban: dict[str, set[int]] = field(default_factory=dict)
    parties_by_name: dict[frozenset[str], set[int]] = field(default_factory=dict)
    batches: dict[str, list[Item]] = field(default_factory=dict)  # what is on its way of a file, by its message's name
    came: dict[str, list[Came]] = field(default_factory=dict)
    undone: set[int] = field(default_factory=set)
    in_transit_cents: int = 0


def name_key(name: str) -> frozenset[str]:
    """The words of a name, without accents, titles and legal forms: banks turn their order about."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().upper()
    return frozenset(re.findall("[A-Z0-9]+", plain)) - _FORMS - _TITLES
