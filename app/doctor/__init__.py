"""`passerelle doctor`: is everything in place that the guarantees rest on?

Each check is a function that returns what it found, or raises; a row of its file's table names it. Nothing it does
stays: what it inserts, to see it refused, is rolled back.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection, Engine

from app.config import Config
from app.db import make_engine
from app.doctor.bank import bank_check
from app.doctor.billing import BILLING_CHECKS, sealed_archives_check
from app.doctor.database import DATABASE_CHECKS
from app.doctor.einvoices import einvoices_check
from app.doctor.events import EVENT_CHECKS, archive_check
from app.doctor.finding import Fault, Finding
from app.doctor.machine import MACHINE_CHECKS
from app.doctor.outgoing import OUTGOING_CHECKS
from app.doctor.owed import OWED_CHECKS
from app.doctor.paid import PAID_CHECKS
from app.doctor.papers import papers_check
from app.doctor.payments import PAYMENT_CHECKS

ALL_ELSE_NEEDS = ("database", "schema")


def examine(config: Config) -> list[Finding]:
    """Every check, in order; without a database and its schema, those that ask it more are not tried."""
    findings = [_tried(name, partial(check, config)) for name, check in MACHINE_CHECKS]
    if config.database_url is None:
        remedy = f"DATABASE_URL is not set, and no embedded server runs in {config.home}: `passerelle up` starts one"
        return [*findings, Finding("database", False, remedy)]
    engine = make_engine(config.database_url, pool_size=1, application_name="passerelle-doctor")
    try:
        return findings + _examine_database(engine, config)
    finally:
        engine.dispose()


def _examine_database(engine: Engine, config: Config) -> list[Finding]:
    findings = []
    checks: list[tuple[str, Callable[[Connection], str]]] = [
        *DATABASE_CHECKS,
        *EVENT_CHECKS,
        *OUTGOING_CHECKS,
        ("archive", partial(archive_check, config)),
        *BILLING_CHECKS,
        *OWED_CHECKS,
        *PAYMENT_CHECKS,
        *PAID_CHECKS,
        ("sealed archives", partial(sealed_archives_check, config)),
        ("bank", partial(bank_check, config)),
        ("papers", partial(papers_check, config)),
        ("einvoices", partial(einvoices_check, config)),
    ]
    for name, check in checks:
        findings.append(_tried(name, partial(_in_undone_transaction, engine, check)))
        if name in ALL_ELSE_NEEDS and not findings[-1].good:
            break
    return findings


def _in_undone_transaction(engine: Engine, check: Callable[[Connection], str]) -> str:
    with engine.connect() as connection:
        try:
            return check(connection)
        finally:
            connection.rollback()


def _tried(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except Fault as fault:
        return Finding(name, False, str(fault))
    except Exception as error:
        return Finding(name, False, f"{type(error).__name__}: {str(error).splitlines()[0][:300] if str(error) else ''}")


def show(findings: list[Finding]) -> None:
    """A table on the terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table("check", "", "found", box=None, pad_edge=False)
    for finding in findings:
        table.add_row(finding.name, "[green]ok[/]" if finding.good else "[bold red]FAULT[/]", finding.detail)
    Console(highlight=False).print(table)
