"""Every alarm has its row on the operator's page: the doctor's faults, the metrics, the errors in the log."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "alarms.md").read_text()
SOURCES = sorted([*(ROOT / "app").rglob("*.py"), *(ROOT / "workers").rglob("*.py")])
LOUD = {"error", "critical", "exception"}
COLUMNS = 5  # what it says, what it means, what is at risk, what to type, how to see that it is over


def shape(text: ast.expr) -> str:
    """A text as it is written, with … for what is filled in."""
    if isinstance(text, ast.Constant):
        return str(text.value)
    if isinstance(text, ast.JoinedStr):
        return "".join(shape(part) for part in text.values)
    return "…"


def faults_of_the_doctor() -> Iterator[str]:
    files = sorted((ROOT / "app" / "doctor").glob("*.py"))
    for function in (node for file in files for node in ast.walk(ast.parse(file.read_text()))):
        if not isinstance(function, ast.FunctionDef):
            continue
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "Fault":
                said = shape(call.args[0])
                yield from [said] if re.search(r"\w{3}", said) else texts_in(function)


def texts_in(function: ast.FunctionDef) -> Iterator[str]:
    """Where a fault's text comes out of a table: the texts of the table."""
    for pair in ast.walk(function):
        if isinstance(pair, ast.Tuple) and isinstance(pair.elts[-1], ast.Constant):
            yield str(pair.elts[-1].value)


def metrics() -> set[str]:
    found: set[str] = set()
    for source in ("operating.py", "metrics.py"):
        text = (ROOT / "app" / "http" / source).read_text()
        found |= set(re.findall(r'"(passerelle_[a-z_]+)"', text))
        if 'f"passerelle_{what}"' in text:
            found |= {f"passerelle_{what}" for what in re.findall(r'^    "([a-z_]+)": \("', text, re.MULTILINE)}
    return found


def loud_lines() -> set[str]:
    calls = [call for path in SOURCES for call in ast.walk(ast.parse(path.read_text())) if isinstance(call, ast.Call)]
    return {
        str(call.args[0].value)
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in LOUD
        and ast.unparse(call.func.value) == "log"
        and isinstance(call.args[0], ast.Constant)
    }


def rows() -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in PAGE.splitlines() if line[:2] == "| "]


NAMED = "\n".join(row[0] for row in rows())


@pytest.mark.parametrize("fault", sorted(set(faults_of_the_doctor())))
def test_every_fault_that_the_doctor_finds_has_its_row(fault: str) -> None:
    assert fault in NAMED


@pytest.mark.parametrize("metric", sorted(metrics()))
def test_every_metric_has_its_row(metric: str) -> None:
    assert f"`{metric}" in NAMED


@pytest.mark.parametrize("line", sorted(loud_lines()))
def test_every_error_in_the_log_has_its_row(line: str) -> None:
    assert f"`{line}`" in NAMED


def test_every_row_says_what_is_at_risk_what_to_type_and_how_to_see_that_it_is_over() -> None:
    assert [row for row in rows() if len(row) != COLUMNS or not all(row)] == []


def test_the_scans_find_what_they_look_for() -> None:
    assert "… were given up: `passerelle events dead` lists them, `... replay` tries them again" in set(
        faults_of_the_doctor()
    )
    assert {"passerelle_outbox_lag_seconds", "passerelle_mails", "passerelle_requests"} <= metrics()
    assert {"archive_failing", "message_unreadable", "stands_still"} <= loud_lines()


def test_the_page_is_linked_from_where_operators_begin() -> None:
    assert "alarms.md" in (ROOT / "docs" / "operators.md").read_text()
    assert "docs/alarms.md" in (ROOT / "README.md").read_text()
