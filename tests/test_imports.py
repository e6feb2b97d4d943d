"""Who may import whom, asserted from the source: the architecture, as a table that cannot drift from the code."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*ROOT.glob("app/**/*.py"), *ROOT.glob("workers/**/*.py")])

# A package may not import what is listed with it.
DIRECTIONS = {
    "app.booking": ("app.billing", "app.notifications", "app.web", "workers"),
    "app.billing": ("app.booking", "app.notifications", "app.web", "workers"),
    "app.network": ("app.booking", "app.billing", "app.notifications", "app.web", "workers"),
    "app.notifications": ("app.billing", "app.webhooks", "app.web", "workers"),
    "app.vat": ("app.booking", "app.billing", "app.network", "app.notifications", "app.web", "app.http", "workers"),
    "app.events": ("app.booking", "app.billing", "app.network", "app.notifications", "app.web", "app.http", "workers"),
    "app.http": ("app.booking", "app.billing", "app.notifications", "app.web", "workers"),
    "app.outside": (
        "app.booking",
        "app.billing",
        "app.network",
        "app.notifications",
        "app.events",
        "app.web",
        "app.http",
        "app.db",
        "workers",
    ),
    "app.webhooks": ("app.booking", "app.billing", "app.notifications", "app.web", "workers"),
    "app": ("workers",),
    "workers": ("app.web", "app.http"),
}
# The composition root starts everything, and may import everything.
COMPOSITION = {"app.cli", "app.commands.replay", "app.commands.events", "app.commands.consumers"}

# A library, and the only places that may know it ("*" stands for any part of a name).
LIMITED = {
    "flask": ("app", "app.http.*", "app.web.*", "app.cli", "*.api"),
    "werkzeug": ("app.http.*", "app.web.*", "*.api"),
    "flask_wtf": ("app.web.*",),
    "flask_babel": ("app.web.*",),
    "kombu": ("app.bus", "app.wire", "workers.*"),
    "amqp": ("app.bus", "app.wire", "workers.*"),
    "marshmallow": ("*.schemas", "app.http.openapi"),
    "apispec": ("app.http.openapi",),
    "click": ("app.cli", "app.commands.*"),
    "argon2": ("app.network.passwords",),
    "cryptography": ("app.billing.closings.archive.keys", "app.billing.closings.archive.verifying.seal"),
    "limits": ("app.http.rate_limits",),
    "lxml": ("app.billing.bank.camt", "app.billing.sepa.writing", "app.billing.einvoices.*"),
    "sepaxml": ("app.billing.sepa.writing",),
    "stripe": ("app.billing.stripe_provider",),
    "ics": ("app.booking.calendar.icalendar_text",),
    "facturx": ("app.billing.einvoices.factur_x",),
    "fpdf": ("app.billing.papers.*",),
    "fontTools": ("app.billing.papers.*",),
    "segno": ("app.billing.papers.*",),
}

# Rules of the domain that look at nothing but what they are given.
PURE = {
    "app.money", "app.ids", "app.errors", "app.vat.*", "app.booking.rules", "app.booking.hours", "app.booking.prices",
    "app.booking.access", "app.booking.giving_up",
    "app.booking.recurrence", "app.booking.cancellation", "app.booking.localtime", "app.booking.assignment",
    "app.billing.papers.epc", "app.billing.papers.labels", "app.billing.papers.look",
    "app.billing.dunning.rates", "app.billing.dunning.fees", "app.billing.dunning.steps",
    "app.billing.bank.codes", "app.billing.bank.matching", "app.billing.bank.movements", "app.billing.bank.owing",
    "app.billing.bank.proposing", "app.billing.bank.references",
    "app.billing.charges.owing", "app.billing.charges.booking", "app.billing.charges.membership",
    "app.billing.einvoices.addresses", "app.billing.einvoices.answers", "app.billing.einvoices.cii",
    "app.billing.einvoices.exemptions", "app.billing.einvoices.french", "app.billing.einvoices.markup",
    "app.billing.einvoices.needs", "app.billing.einvoices.port", "app.billing.einvoices.reading",
    "app.billing.einvoices.semantic", "app.billing.einvoices.terms", "app.billing.einvoices.ubl",
    "app.billing.einvoices.units", "app.billing.einvoices.writing",
    "app.billing.closings.days", "app.billing.closings.counters",
    "app.billing.invoices.canonical", "app.billing.invoices.communications", "app.billing.invoices.drafting",
    "app.billing.invoices.mentions", "app.billing.invoices.snapshot", "app.billing.invoices.wording",
    "app.network.roles", "app.network.memberships.cycles", "app.network.memberships.proration",
    "app.network.memberships.terms", "app.network.memberships.owed", "app.network.memberships.pools",
    "app.network.memberships.holding",
    "app.webhooks.schedule", "app.webhooks.signing", "app.billing.ledger.accounts",
    "app.billing.payments.evidence", "app.billing.payments.port", "app.billing.payments.scrubbing",
    "app.billing.payments.states",
    "app.billing.ledger.canonical",
}  # fmt: skip
PURE_MAY = {"holidays", "dateutil", "tzdata"}  # tables of facts, without input or output


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in SOURCES}


def imported(path: Path) -> Iterator[str]:
    """Everything a module imports, wherever in it: `from a import b` counts as a.b when that is a module, else as a."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else str(node.module)


def within(name: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    if pattern.endswith(".*"):
        return name == pattern[:-2] or name.startswith(pattern[:-1])
    return name == pattern


IMPORTS = {name: set(imported(path)) for name, path in MODULES.items()}


@pytest.mark.parametrize("package", DIRECTIONS)
def test_packages_are_imported_in_one_direction(package: str) -> None:
    wrong = [
        (name, target)
        for name, targets in IMPORTS.items()
        if within(name, f"{package}.*") and name not in COMPOSITION
        for target in targets
        for forbidden in DIRECTIONS[package]
        if within(target, f"{forbidden}.*")
    ]
    assert wrong == []


@pytest.mark.parametrize("library", LIMITED)
def test_a_library_is_known_only_where_the_architecture_says(library: str) -> None:
    wrong = [
        name
        for name, targets in IMPORTS.items()
        if any(target.partition(".")[0] == library for target in targets)
        and not any(within(name, place) for place in LIMITED[library])
    ]
    assert wrong == []


@pytest.mark.parametrize("name", sorted(name for name in MODULES if any(within(name, rule) for rule in PURE)))
def test_a_rule_imports_the_standard_library_money_errors_and_other_rules_only(name: str) -> None:
    wrong = [
        target
        for target in IMPORTS[name]
        if target.partition(".")[0] not in sys.stdlib_module_names | PURE_MAY
        and not any(within(target, rule) for rule in PURE)
    ]
    assert wrong == []


def test_the_table_of_pure_rules_names_modules_that_exist() -> None:
    assert [rule for rule in PURE if not any(within(name, rule) for name in MODULES)] == []


def test_every_module_says_what_it_is_for() -> None:
    written = {name: ast.parse(source) for name, path in MODULES.items() if (source := path.read_text())}
    assert [name for name, module in written.items() if not ast.get_docstring(module)] == []


def test_a_forbidden_import_is_found_wherever_it_hides(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden.py"
    hidden.write_text("def f():\n    if True:\n        from flask.globals import g\n        import app.billing as b\n")
    assert set(imported(hidden)) == {"flask.globals", "app.billing"}
