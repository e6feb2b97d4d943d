"""The `passerelle` command: thin, over the same services as everything else, and the one place that starts workers.

Each command imports what it needs when it runs, so that `passerelle --help` answers at once. Topics with commands of
their own are files of app/commands.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from app.commands.archives import archive
from app.commands.bank import bank
from app.commands.billing import close_month, unbilled
from app.commands.demo import demo
from app.commands.einvoices import e_reporting, einvoices
from app.commands.events import events
from app.commands.ledger import ledger
from app.commands.mail import mail
from app.commands.sepa import sepa
from app.commands.sessions import as_found, connected
from app.commands.settings import settings
from app.commands.vat_return import vat_return
from app.config import Config
from app.errors import Problem


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="passerelle")
def passerelle() -> None:
    """Booking and membership for a network of independent coworking spaces."""


@passerelle.command()
@click.option("--demo", is_flag=True, help="Load the demonstration's network into an empty database first.")
@click.option("--port", type=click.IntRange(1, 65535), help="Instead of PORT.")
def up(demo: bool, port: int | None) -> None:
    """Run everything on this machine: database, web and workers."""
    from app.up import run_up

    config = Config.from_env()
    sys.exit(run_up(replace(config, port=port) if port else config, demo=demo))


@passerelle.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...|all")
def worker(names: tuple[str, ...]) -> None:
    """Run consumers, by name, or all of them with the relay and the timekeeper."""
    _work(names)


@passerelle.command()
def relay() -> None:
    """Take recorded events to the bus, look after lost ones, keep time. One leads; others stand by."""
    _work(("relay",))


def _work(names: tuple[str, ...]) -> None:
    from app import logs
    from workers.run import run

    config = connected()
    logs.configure(config)
    sys.exit(run(names, config))


@passerelle.command()
def doctor() -> None:
    """Check configuration, database, schema, bus, events; exit 1 on any fault."""
    from app.doctor import examine, show

    findings = examine(as_found())
    show(findings)
    sys.exit(0 if all(finding.good for finding in findings) else 1)


@passerelle.command("db-url")
def db_url() -> None:
    """Print the database's address: psql "$(passerelle db-url)"."""
    click.echo(connected().database_url)


@passerelle.command()
def migrate() -> None:
    """Bring the schema to the newest version."""
    from app.db import migrate as bring_up_to_date
    from app.db import schema_head

    bring_up_to_date(str(connected().database_url))
    click.echo(f"The schema is at {schema_head()}.")


for topic in (
    archive,
    bank,
    close_month,
    demo,
    e_reporting,
    einvoices,
    events,
    ledger,
    mail,
    sepa,
    settings,
    unbilled,
    vat_return,
):
    passerelle.add_command(topic)


def main() -> None:
    """The console script. What cannot be done is said in one line, not in a traceback."""
    try:
        passerelle()
    except Problem as problem:
        sys.stderr.write(f"passerelle: {problem}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
