"""SEPA files in XML: pain.001 (credit transfers) and pain.008 (direct debits), valid by ISO's own schemas. The only
module that knows the library which writes them.

The library makes names of its own out of chance, and takes the wall's clock: both are replaced by ours. Text is of the
characters that the EPC's rules let pass everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import sepaxml
from lxml import etree
from sepaxml import SepaDD, SepaTransfer
from text_unidecode import unidecode

from app.errors import Problem

FORMATS = {
    "transfer": ("pain.001.001.09", "pain.001.001.03"),
    "debit": ("pain.008.001.08", "pain.008.001.02"),
}
NEEDS_BIC = "pain.008.001.02"
LONGEST_NAME, LONGEST_TEXT = 70, 140
_OTHERS = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")


class FileInvalid(Problem):
    """A fault of ours, or of a value that was let in: the file was not made."""

    code = "sepa_file_invalid"
    status = 500
    title = "The file would not be valid: it was not made."


class Own(NamedTuple):
    """The operator's account. `creditor_identifier` is needed for debits."""

    name: str
    iban: str
    bic: str | None
    creditor_identifier: str | None
    currency: str


class Part(NamedTuple):
    """One transfer or debit; a debit has its mandate's reference and day, and FRST or RCUR."""

    name: str
    iban: str
    bic: str | None
    cents: int
    end_to_end_id: str
    remittance: str
    mandate: tuple[str, date] | None = None
    sequence: str | None = None


def transfers(own: Own, parts: Sequence[Part], *, format: str, message: str, day: date, now: datetime) -> bytes:
    """A pain.001 file that pays `parts` on `day`. Raises FileInvalid."""
    written = SepaTransfer(_config(own), schema=format, clean=False)
    for part in parts:
        written.add_payment({**_payment(part), "execution_date": day})
    return _sealed(written, format, message, now)


def debits(
    own: Own, parts: Sequence[Part], *, format: str, message: str, day: date, scheme: str, now: datetime
) -> bytes:
    """A pain.008 file that collects `parts` on `day`; `scheme` is CORE or B2B. Raises FileInvalid."""
    config = {**_config(own), "creditor_id": own.creditor_identifier, "instrument": scheme}
    written = SepaDD(config, schema=format, clean=False)
    for part in parts:
        reference, signed_on = part.mandate or ("", day)
        mandate = {"type": part.sequence, "mandate_id": reference, "mandate_date": signed_on, "collection_date": day}
        written.add_payment({**_payment(part), **mandate})
    return _sealed(written, format, message, now)


def plain(text: str, longest: int) -> str:
    """In the Latin characters that every bank takes, no line of it beginning or ending with a slash."""
    return " ".join(_OTHERS.sub(" ", unidecode(text)).split()).strip("/ ")[:longest].strip() or "-"


def _config(own: Own) -> dict[str, Any]:
    config = {"name": plain(own.name, LONGEST_NAME), "IBAN": own.iban, "batch": True, "currency": own.currency}
    return {**config, "BIC": own.bic} if own.bic else config


def _payment(part: Part) -> dict[str, Any]:
    payment = {
        "name": plain(part.name, LONGEST_NAME), "IBAN": part.iban, "amount": part.cents,
        "description": plain(part.remittance, LONGEST_TEXT), "endtoend_id": part.end_to_end_id,
    }  # fmt: skip
    return {**payment, "BIC": part.bic} if part.bic else payment


def _sealed(written: Any, format: str, message: str, now: datetime) -> bytes:
    """With our own names and hour, and checked."""
    tree = etree.fromstring(written.export(validate=False))
    space = {"p": f"urn:iso:std:iso:20022:tech:xsd:{format}"}
    tree.find(".//p:GrpHdr/p:MsgId", space).text = message
    tree.find(".//p:GrpHdr/p:CreDtTm", space).text = now.strftime("%Y-%m-%dT%H:%M:%S")
    for n, block in enumerate(tree.iterfind(".//p:PmtInf/p:PmtInfId", space), start=1):
        block.text = f"{message}-{n}"
    schema = _schema(format)
    if not schema.validate(tree):
        first = schema.error_log[0]
        raise FileInvalid(line=first.line, type=first.type_name)
    octets: bytes = etree.tostring(tree, xml_declaration=True, encoding="UTF-8")
    return octets


@cache
def _schema(format: str) -> Any:
    return etree.XMLSchema(etree.parse(str(Path(sepaxml.__file__).parent / "schemas" / f"{format}.xsd")))
