"""The `passerelle` command: thin, over the same services as everything else, and the one place that starts workers.

Each command imports what it needs when it runs, so that `passerelle --help` answers at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from app.config import BadSetting, Config
from app.errors import Problem

if TYPE_CHECKING:
    from sqlalchemy.orm import sessionmaker

    from app.db import TenantSession

SECRET = ("secret", "key", "password")
FOLLOW_EVERY_S = 0.5


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

    config = _connected()
    logs.configure(config)
    sys.exit(run(names, config))


@passerelle.group()
def events() -> None:
    """Follow domain events, and see to those that could not be handled."""


@events.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(0, 1000), help="How many past ones.")
@click.option("--type", "event_type", metavar="TYPE", help="Only these, e.g. booking.made.")
@click.option("--follow/--no-follow", default=True, show_default=True, help="Go on with each new one, until Ctrl-C.")
def tail(limit: int, event_type: str | None, follow: bool) -> None:
    """Print recorded events, one CloudEvents JSON per line."""
    import time

    from app.events import operations

    def rest() -> None:
        if not follow:
            raise StopIteration
        sys.stdout.flush()
        time.sleep(FOLLOW_EVERY_S)

    with _sessions() as make_session:
        for row in operations.follow(make_session, rest=rest, limit=limit, event_type=event_type):
            click.echo(row.envelope)


@events.command()
@click.option("--event", "event_id", type=click.UUID, help="Only this event.")
@click.option("--consumer", help="Only this consumer's.")
@click.option("--publish", is_flag=True, help="Put the event on the bus once more; consumers that have it ignore it.")
def replay(event_id: UUID | None, consumer: str | None, publish: bool) -> None:
    """Have failed and dead deliveries tried again, at once. What is done is never done again."""
    from app.events import operations

    if publish and event_id is None:
        raise click.UsageError("--publish needs --event")
    with _session() as session:
        again = operations.replay(session, now=_now(), event_id=event_id, consumer=consumer)
        for name, uid in again:
            click.echo(f"{name} {uid}")
        if publish and event_id and not operations.send_again(session, event_id):
            raise click.ClickException(f"there is no event {event_id}")
    click.echo(f"{len(again)} deliveries are tried again.", err=True)


@events.command()
@click.option("--consumer", help="Only this consumer's.")
@click.option("--failed", is_flag=True, help="Those that will be tried again, too.")
@click.option("--give-up", type=click.UUID, metavar="EVENT", help="Leave this event out for good (with --consumer).")
def dead(consumer: str | None, failed: bool, give_up: UUID | None) -> None:
    """List deliveries that were given up, with their last error, one JSON per line."""
    from app.events import operations

    with _session() as session:
        if give_up:
            _give_up(session, consumer, give_up)
        for row in operations.dead(session, consumer=consumer, include_failed=failed):
            click.echo(json.dumps(_delivery(row), ensure_ascii=False))


def _give_up(session: Any, consumer: str | None, event_id: UUID) -> None:
    from app.events import operations

    if consumer is None:
        raise click.UsageError("--give-up needs --consumer")
    if not operations.give_up(session, consumer=consumer, event_id=event_id, now=_now()):
        raise click.ClickException(f"{consumer} has no failed or dead event {event_id}")


def _delivery(row: Any) -> dict[str, Any]:
    return {
        "consumer": row.consumer,
        "event_id": str(row.event_id),
        "aggregate": f"{row.aggregate_type}/{row.aggregate_id}",
        "sequence": row.seq,
        "state": row.state,
        "attempts": row.attempts,
        "at": row.at.isoformat(),
        "last_error": row.last_error,
    }


@passerelle.command()
def doctor() -> None:
    """Check configuration, database, schema, bus, events; exit 1 on any fault."""
    from app.doctor import examine, show

    findings = examine(_as_found())
    show(findings)
    sys.exit(0 if all(finding.good for finding in findings) else 1)


@passerelle.command("db-url")
def db_url() -> None:
    """Print the database's address: psql "$(passerelle db-url)"."""
    click.echo(_connected().database_url)


@passerelle.command()
def migrate() -> None:
    """Bring the schema to the newest version."""
    from app.db import migrate as bring_up_to_date
    from app.db import schema_head

    bring_up_to_date(str(_connected().database_url))
    click.echo(f"The schema is at {schema_head()}.")


@passerelle.group()
def demo() -> None:
    """The demonstration: a network of 33 spaces with people in it."""


@demo.command()
def load() -> None:
    """Load the demonstration into an empty database; again is harmless."""
    from app.prepare import prepare

    for line in prepare(_connected(), create=False, demo=True):
        click.echo(line)


@demo.command()
@click.option("--count", required=True, type=click.IntRange(1, 100_000))
@click.option("--space", required=True, metavar="SLUG", help="They belong to its network.")
def members(count: int, space: str) -> None:
    """Make members for load and race checks: one JSON line {email, token} each."""
    from app.demo.members import make_members

    with _session() as session:
        made = list(make_members(session, count=count, space_slug=space, now=_now()))
    for member in made:
        click.echo(json.dumps(member))


@passerelle.command()
@click.option("--markdown", is_flag=True, help="The page docs/settings.md.")
def settings(markdown: bool) -> None:
    """Print every setting with its meaning and the value in effect (secrets hidden)."""
    from app.config import settings_page

    if markdown:
        click.echo(settings_page(), nl=False)
        return
    config = Config.from_env()
    for spec in fields(Config):
        click.echo(f"{spec.metadata['env']}={_shown(spec.name, getattr(config, spec.name))}")
        click.echo(f"    {spec.metadata['doc']}")


def _shown(name: str, value: Any) -> str:
    if value in (None, ""):
        return ""
    if any(word in name for word in SECRET):
        return "(set)"
    if name.endswith("_url") and "@" in str(value):
        scheme, _, rest = str(value).partition("://")
        return f"{scheme}://(set)@{rest.rpartition('@')[2]}"
    return str(value)


def _now() -> datetime:
    return datetime.now(UTC)


def _as_found() -> Config:
    """The settings, with the address of the embedded server when that is what runs."""
    from app.embedded import running_url

    config = Config.from_env()
    return replace(config, database_url=config.database_url or running_url(config.home))


def _connected() -> Config:
    """Raises BadSetting when there is no database to speak to."""
    config = _as_found()
    if config.database_url is None:
        raise BadSetting(
            setting="DATABASE_URL",
            remedy=f"set it, or run `passerelle up` (nothing runs in {config.home}; PASSERELLE_HOME names the folder)",
        )
    return config


@contextmanager
def _sessions() -> Iterator[sessionmaker[TenantSession]]:
    from app.db import make_engine, sessions

    engine = make_engine(str(_connected().database_url), pool_size=1, application_name="passerelle-cli")
    try:
        yield sessions(engine)
    finally:
        engine.dispose()


@contextmanager
def _session() -> Iterator[TenantSession]:
    """One transaction that sees everything: whoever may run this command may read the database."""
    from app.db import transaction
    from app.tenancy import SYSTEM

    with _sessions() as make_session, transaction(make_session, SYSTEM) as session:
        yield session


def main() -> None:
    """The console script. What cannot be done is said in one line, not in a traceback."""
    try:
        passerelle()
    except Problem as problem:
        sys.stderr.write(f"passerelle: {problem}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
