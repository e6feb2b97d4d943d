"""`passerelle ledger`: the books of an operator for its accountant, and whether they are as they were written."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

import click

from app.commands.operators import OPERATOR, operator_named
from app.commands.sessions import one_session, open_sessions

DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def ledger() -> None:
    """The books of an operator for its accountant, and whether they are as they were written."""


@ledger.command("export")
@click.option("--operator", "operator_name", required=True, metavar="ID|NUMBER", help=OPERATOR)
@click.option("--from", "since", required=True, type=DAY, help="First day.")
@click.option("--to", "until", required=True, type=DAY, help="Last day.")
@click.option("--format", "form", required=True, type=click.Choice(["fec", "csv"]))
@click.option("--locale", default="fr", show_default=True, type=click.Choice(["fr", "nl", "en", "de"]), help="For csv.")
@click.option(
    "--output", required=True, type=click.Path(path_type=Path), help="A file; or a folder, which gets one named by law."
)
def export_command(operator_name: str, since: datetime, until: datetime, form: str, locale: str, output: Path) -> None:
    """Write the books: `fec` as French law wants them (article A47 A-1 LPF), `csv` for any other accounting package.

    A file that is there is replaced once the new one is whole.
    """
    from app.billing.ledger.books import one_instant
    from app.billing.ledger.exporting import Export, export, export_name
    from app.tenancy import SYSTEM

    wanted = Export(form, since.date(), until.date(), locale)
    with open_sessions() as make_session, one_instant(make_session, SYSTEM) as session:
        operator = operator_named(session, operator_name)
        lines = export(session, operator, wanted)
        target = output / export_name(operator, wanted) if output.is_dir() else output
        part = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with part.open("wb") as file:
                written = sum(1 for line in lines if file.write(line)) - 1
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    click.echo(f"{target}: {written} lines")


@ledger.command()
@click.option("--operator", "operator_name", metavar="ID|NUMBER", help=f"{OPERATOR} All of them without.")
def verify(operator_name: str | None) -> None:
    """Compare every posting with its digest, and every checkpoint with its entries; exit 1 on any fault."""
    from app.billing.ledger.checkpoints import wrong_checkpoints
    from app.billing.ledger.verifying import verify as find_faults

    wrong = 0
    with one_session() as session:
        operator_id = operator_named(session, operator_name).id if operator_name else None
        for fault in find_faults(session, operator_id=operator_id):
            wrong += 1
            click.echo(f"{fault.wrong}: posting {fault.posting or ''} ({fault.key}) of operator {fault.operator}")
        for checkpoint in wrong_checkpoints(session, operator_id=operator_id):
            wrong += 1
            click.echo(f"checkpoint: {checkpoint.account} in {checkpoint.month:%Y-%m}, party {checkpoint.party_id}")
    click.echo(f"{wrong} faults", err=True)
    sys.exit(1 if wrong else 0)


@ledger.command()
@click.option("--operator", "operator_name", required=True, metavar="ID|NUMBER", help=OPERATOR)
def remake(operator_name: str) -> None:
    """Make an operator's checkpoints anew from its entries: for sums that `verify` found wrong over whole postings."""
    from app.billing.ledger.checkpoints import remake as made_anew

    with one_session() as session:
        operator = operator_named(session, operator_name)
        made_anew(session, operator_id=operator.id)
    click.echo(f"The checkpoints of {operator.name} are made anew within the hour; sums are right meanwhile.")
