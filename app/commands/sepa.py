"""`passerelle sepa make`: seal what waits for a SEPA file."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click

from app.commands.operators import OPERATOR, operator_named
from app.commands.sessions import connected, one_session
from app.commands.terminal import now


@click.group()
def sepa() -> None:
    """SEPA files: transfers and debits."""


@sepa.command()
@click.argument("kind", type=click.Choice(["transfer", "debit"]))
@click.option("--operator", required=True, metavar="ID|NUMBER", help=OPERATOR)
@click.option("--on", "on", type=click.DateTime(["%Y-%m-%d"]), help="The day of execution; else today.")
def make(kind: str, operator: str, on: datetime | None) -> None:
    """Seal refunds to be transferred, or invoices to be debited, into a file; each is in one file, once."""
    from app.billing.sepa.making import make_files

    home = Path(connected().home)
    with one_session() as session:
        found = operator_named(session, operator)
        day: date = on.date() if on else now().date()
        made = make_files(session, found, kind, home=home, execution_on=day, now=now())
        for each in made:
            click.echo(f"{each.uid}\t{each.format}\t{each.items}\t{each.cents // 100}.{each.cents % 100:02d}")
    if not made:
        click.echo("Nothing waits.", err=True)
