"""What somebody might change in an archive, and what the verifier says of it when the manifest was made to fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from tests.billing.closings.unpacked import Members, lines


def _cent_of_document(found: Members) -> None:
    found["documents.jsonl"] = found["documents.jsonl"].replace(b'\\"net_cents\\":10000', b'\\"net_cents\\":10001')


def _cent_of_posting(found: Members) -> None:
    found["postings.jsonl"] = found["postings.jsonl"].replace(b'"cents":12100', b'"cents":12101')


def _cent_of_charge(found: Members) -> None:
    found["charges.jsonl"] = found["charges.jsonl"].replace(b'"net_cents":10000', b'"net_cents":10001')


def _cent_of_payment(found: Members) -> None:
    found["payments.jsonl"] = found["payments.jsonl"].replace(b'"cents":50000', b'"cents":49999')


def _means_of_payment(found: Members) -> None:
    found["payments.jsonl"] = found["payments.jsonl"].replace(b'"kind":"cash"', b'"kind":"card"', 1)


def _cents_that_hide(found: Members) -> None:
    """A charge that adds up in itself."""
    _cent_of_charge(found)
    found["charges.jsonl"] = found["charges.jsonl"].replace(b'"gross_cents":12100', b'"gross_cents":12101')


def _line_less(found: Members, member: str) -> None:
    kept = found[member].splitlines(keepends=True)
    found[member] = b"".join(kept[:1] + kept[2:])


def _swapped(found: Members, member: str, place: int = 0) -> None:
    kept = found[member].splitlines(keepends=True)
    kept[place : place + 2] = reversed(kept[place : place + 2])
    found[member] = b"".join(kept)


def _rehashed_document(found: Members) -> None:
    """A document changed by who knows how its hash is made."""
    first, second, *rest = lines(found["documents.jsonl"])
    said = json.loads(second["snapshot"])
    said["totals"] = {name: cents + (name != "vat_cents") for name, cents in said["totals"].items()}
    said["taxes"][0]["net_cents"] += 1
    said["lines"][0]["net_cents"] += 1
    second["snapshot"] = json.dumps(said, sort_keys=True, separators=(",", ":"))
    second["hash"] = hashlib.sha256(second["snapshot"].encode()).hexdigest()
    found["documents.jsonl"] = b"".join(json.dumps(line).encode() + b"\n" for line in [first, second, *rest])


def _closing_less(found: Members) -> None:
    _line_less(found, "closings.jsonl")


def _cent_of_closing(found: Members) -> None:
    found["closings.jsonl"] = found["closings.jsonl"].replace(b'\\"gross_cents\\":16940', b'\\"gross_cents\\":16941', 1)


def _no_before(found: Members) -> None:
    found["before.jsonl"] = b""


FORGED: dict[str, tuple[Callable[[Members], None], str]] = {
    "a cent of a document": (_cent_of_document, "its hash is not that of its content"),
    "a document, rehashed": (_rehashed_document, "the chain is broken"),
    "a document less": (lambda found: _line_less(found, "documents.jsonl"), "number 2 of I2026 should come here"),
    "two documents swapped": (lambda found: _swapped(found, "documents.jsonl", 1), "of I2026 should come here"),
    "a cent of a posting": (_cent_of_posting, "out of balance by 1 cents"),
    "a posting less": (lambda found: _line_less(found, "postings.jsonl"), "ledger EUR: postings is 2, recomputed 1"),
    "two postings swapped": (lambda found: _swapped(found, "postings.jsonl"), "what is here of postings is not"),
    "a cent of a charge": (_cent_of_charge, "net and VAT are not its gross"),
    "cents that hide in a charge": (_cents_that_hide, "charges EUR: net_cents is 14000, recomputed 14001"),
    "two charges swapped": (lambda found: _swapped(found, "charges.jsonl"), "what is here of charges is not"),
    "a cent of a payment": (_cent_of_payment, "payments cash EUR: cents is 50000, recomputed 49999"),
    "another means of payment": (_means_of_payment, "payments cash EUR: count is 1, recomputed 0"),
    "a payment less": (
        lambda found: _line_less(found, "payments.jsonl"),
        "payments cash EUR: count is 1, recomputed 0",
    ),
    "a closing less": (_closing_less, "its number does not follow"),
    "a cent of a closing": (_cent_of_closing, "its hash is not that of its content"),
    "no closings before": (_no_before, "chain before the month is not as it says"),
}
