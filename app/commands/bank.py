"""`passerelle bank import`: a bank's statement becomes payments, proposals, and what a person must look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.operators import OPERATOR, operator_named
from app.commands.sessions import as_system, open_sessions
from app.commands.terminal import now

if TYPE_CHECKING:
    from app.billing.bank.importing import Imported


class _Undone(Exception):
    """A dry run is rolled back."""


@click.group()
def bank() -> None:
    """Bank statements."""


@bank.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--operator", required=True, metavar="ID|NUMBER", help=OPERATOR)
@click.option("--dry-run", is_flag=True, help="Say what it would do, and write nothing.")
def import_statement(file: Path, operator: str, dry_run: bool) -> None:
    """Import a CAMT.053 file of an operator's own account: once, however often it is tried."""
    from app.billing.bank.importing import import_file

    done: Imported | None = None
    try:
        with open_sessions() as make_session, as_system(make_session) as session:
            done = import_file(session, operator_named(session, operator), file.read_bytes(), now=now())
            if dry_run:
                raise _Undone()
    except _Undone:
        click.echo("Nothing was written.", err=True)
    if done is not None:
        _show(done)


def _show(done: Imported) -> None:
    for state in ("matched", "proposed", "open"):
        cents = getattr(done, f"{state}_cents")
        click.echo(
            f"{state}\t{getattr(done, state)}\t{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"
        )
    click.echo(f"ignored\t{done.ignored}")


def _amount(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"
