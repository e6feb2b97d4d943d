"""`passerelle archive`: an operator's closed months in signed files, made and verified."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.commands.operators import OPERATOR, operator_named
from app.commands.sessions import one_session
from app.commands.terminal import now
from app.config import Config

if TYPE_CHECKING:
    pass


def _month(_context: Any, _option: Any, given: str) -> date:
    try:
        return datetime.strptime(given, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise click.BadParameter("a month is written 2026-10") from error


@click.group()
def archive() -> None:
    """Closed months of an operator's books in signed files, that prove themselves without the database."""


@archive.command()
@click.option("--operator", required=True, metavar="ID|NUMBER", help=OPERATOR)
@click.option("--month", required=True, callback=_month, metavar="YYYY-MM")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: in PASSERELLE_HOME/archive.")
def make(operator: str, month: date, output: Path | None) -> None:
    """Write the archive of a closed month, and print where it is and the key that it is signed with."""
    from app.billing.closings.archive.making import closed_month, make_archive

    with one_session() as session:
        closing = closed_month(session, operator_named(session, operator).id, month)
        made = make_archive(session, closing, home=Config.from_env().home, now=now(), output=output)
    click.echo(f"{made.path}\n{made.octets} octets, SHA-256 {made.sha256}")
    click.echo(f"Signed with {made.public_key}: keep that elsewhere.")


@archive.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--public-key", metavar="HEX", help="The key that it must be signed with, kept from when it was made.")
def verify(file: Path, public_key: str | None) -> None:
    """Check an archive against itself and its signature; exit 1 when something is wrong. Needs no database."""
    from app.billing.closings.archive.verifying import verify as examine

    report = examine(file, public_key=public_key)
    for fault in report.faults:
        click.echo(fault)
    if report.faults:
        click.echo(f"{file} is not as it was sealed.", err=True)
        sys.exit(1)
    click.echo(", ".join(f"{lines} {name.partition('.')[0]}" for name, lines in report.counts.items()))
    click.echo(f"Whole and unchanged, signed with {report.public_key}.")
    if public_key is None:
        click.echo("Compare that with the key you kept, or give it with --public-key: anybody can sign with one.")


@archive.command("rotate-key")
def rotate_key() -> None:
    """Sign from now on with a new key, recorded with the old one's signature of it, and print its public part."""
    from app.billing.closings.archive import keys

    home = Config.from_env().home
    with one_session() as session:
        draft, public_key = keys.prepare_rotation(session, home)
    keys.install(draft, home)
    click.echo(f"New archives are signed with {public_key}: keep that elsewhere.")
