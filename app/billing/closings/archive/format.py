"""The shape of an archive, which is all that who writes and who verifies one have in common.

A .zip of JSON Lines, a manifest and a signature. Each member of MEMBERS holds one JSON object per line:

- `documents.jsonl`: documents finalised in the month, by series and sequence; `snapshot` is the canonical text itself.
- `postings.jsonl`: postings of the ledger with their entries, in the order of recording.
- `charges.jsonl`: charges, in the order of recording.
- `closings.jsonl`: the month's daily closings, the month's, and the year's when the month is its last.
- `before.jsonl`: the last closing of each kind before the month, where there is one.

`manifest.json` names each with its SHA-256, octets and lines, and the heads of every chain before and after the month;
`signature.json` is an Ed25519 signature of the manifest's octets.
"""

from __future__ import annotations

FORMAT = "passerelle.archive/1"
DOCUMENTS, POSTINGS, CHARGES = "documents.jsonl", "postings.jsonl", "charges.jsonl"
CLOSINGS, BEFORE = "closings.jsonl", "before.jsonl"
MEMBERS = (DOCUMENTS, POSTINGS, CHARGES, CLOSINGS, BEFORE)
MANIFEST, SIGNATURE = "manifest.json", "signature.json"
ALGORITHM = "Ed25519"
ENDORSEMENT = "passerelle.archive-key/1\n"  # what an old key signs of the next: this and its public key in hexadecimal
CHARGE_FIELDS = (
    "id", "source", "kind", "service_from", "service_until", "quantity_milli", "unit", "currency", "net_cents",
    "vat_cents", "gross_cents", "vat_permille", "vat_category", "vat_ground",
)  # fmt: skip
