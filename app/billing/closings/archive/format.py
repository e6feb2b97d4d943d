"""The shape of an archive, which is all that who writes and who verifies one have in common.

A .zip of JSON Lines, a manifest and a signature. Each member of MEMBERS holds one JSON object per line:

- `documents.jsonl`: documents finalised in the month, by series and sequence; `snapshot` is the canonical text itself.
- `postings.jsonl`: postings of the ledger with their entries, in the order of recording.
- `charges.jsonl`: charges, in the order of recording.
- `payments.jsonl`: money that came and went back, in the order in which it was posted, with its evidence: what the
  provider was asked and answered (by SHA-256), and which documents it pays. Since format 2.
- `closings.jsonl`: the month's daily closings, the month's, and the year's when the month is its last.
- `before.jsonl`: the last closing of each kind before the month, where there is one.

`manifest.json` names each with its SHA-256, octets and lines, and the heads of every chain before and after the month;
`signature.json` is an Ed25519 signature of the manifest's octets.
"""

from __future__ import annotations

FORMAT = "passerelle.archive/2"
DOCUMENTS, POSTINGS, CHARGES, PAYMENTS = "documents.jsonl", "postings.jsonl", "charges.jsonl", "payments.jsonl"
CLOSINGS, BEFORE = "closings.jsonl", "before.jsonl"
MEMBERS = (DOCUMENTS, POSTINGS, CHARGES, PAYMENTS, CLOSINGS, BEFORE)
# What each format has: archives are kept for ten years, and all that were ever written can be verified.
FORMATS = {
    "passerelle.archive/1": tuple(name for name in MEMBERS if name != PAYMENTS),
    FORMAT: MEMBERS,
}
MANIFEST, SIGNATURE = "manifest.json", "signature.json"
ALGORITHM = "Ed25519"
ENDORSEMENT = "passerelle.archive-key/1\n"  # what an old key signs of the next: this and its public key in hexadecimal
CHARGE_FIELDS = (
    "id", "source", "kind", "service_from", "service_until", "quantity_milli", "unit", "currency", "net_cents",
    "vat_cents", "gross_cents", "vat_permille", "vat_category", "vat_ground",
)  # fmt: skip
