"""The `passerelle` command: thin, over the same services as everything else, and the one place that starts workers.

Each command imports what it needs when it runs, so that `passerelle --help` answers at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from app.config import BadSetting, Config
from app.errors import Problem

if TYPE_CHECKING:
    from sqlalchemy.orm import sessionmaker

    from app.db import TenantSession
    from app.notifications.reports import Failure

SECRET = ("secret", "key", "password")
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: mail servers keep what they piped in, and do so again
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


def _check_consumer(name: str | None) -> None:
    """Asked when nothing was found: a misspelt name must not look like "there is nothing". Raises BadParameter."""
    from workers import registry

    if name is not None and name not in (known := registry.load()):
        raise click.BadParameter(f"{name} is none of {', '.join(sorted(known))}", param_hint="--consumer")


def _one_of_the_events(_context: Any, _option: Any, name: str | None) -> str | None:
    from app.events.catalogue import CATALOGUE

    if name is not None and name not in (known := {event_type for event_type, _ in CATALOGUE}):
        raise click.BadParameter(f"{name} is none of {', '.join(sorted(known))}")
    return name


@passerelle.group()
def events() -> None:
    """Follow domain events, and see to those that could not be handled."""


@events.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(0, 1000), help="How many past ones.")
@click.option(
    "--type", "event_type", metavar="TYPE", callback=_one_of_the_events, help="Only these, e.g. booking.made."
)
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
@click.argument("event_type", metavar="[TYPE]", required=False)
@click.option("--json", "as_json", is_flag=True, help="The JSON schema of its data, newest version.")
def show(event_type: str | None, as_json: bool) -> None:
    """Say what an event means, field by field, who publishes and who consumes it; all of them without TYPE."""
    from app.events import readers, showing
    from workers import registry

    if as_json:
        click.echo(json.dumps(showing.schema(event_type), indent=2, ensure_ascii=False))
    else:
        found = showing.chosen(event_type)
        click.echo(showing.pages(found, readers.readers_of(registry.load().values())))


@events.command()
@click.option("--event", "event_id", type=click.UUID, help="Only this event.")
@click.option("--consumer", help="Only this consumer's.")
@click.option("--publish", is_flag=True, help="Put the event on the bus once more; consumers that have it ignore it.")
@click.option("--from-archive", is_flag=True, help="Bring archived events back, for consumers that never had them.")
@click.option("--from-beginning", is_flag=True, help="With --consumer: make its tables anew from all its events.")
@click.option(
    "--leave-out", type=click.UUID, multiple=True, metavar="EVENT", help="With --from-beginning: not this one."
)
@click.option("--since", type=click.DateTime(), help="With --from-archive: files with events from then on (UTC).")
@click.option("--until", type=click.DateTime(), help="With --from-archive: files with events before then (UTC).")
@click.option("--dry-run", is_flag=True, help="Say what would come of it, and change nothing.")
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(exists=True, dir_okay=False))
def replay(
    event_id: UUID | None, consumer: str | None, publish: bool, from_archive: bool, from_beginning: bool,
    leave_out: tuple[UUID, ...], since: datetime | None, until: datetime | None, dry_run: bool, files: tuple[str, ...],
) -> None:  # fmt: skip
    """Have failed and dead deliveries tried again, at once. What is done is never done again.

    With --from-archive: bring archived events back into the database, those of FILEs, those between two dates, or those
    that some consumer has never had. They go out to whoever has not had them, and are archived again later.

    With --from-beginning: rebuild a consumer beside the live one, and switch over. Nothing is sent to anybody.
    """
    if from_beginning:
        _refuse(event=event_id, publish=publish, from_archive=from_archive, since=since, until=until)
        if files:
            raise click.UsageError("FILE needs --from-archive")
        _rebuild(consumer, leave_out, dry_run=dry_run)
    elif from_archive:
        _refuse(event=event_id, consumer=consumer, leave_out=leave_out)
        _restore(files, since=since, until=until, publish=publish, dry_run=dry_run)
    else:
        _refuse(since=since, until=until, dry_run=dry_run, leave_out=leave_out)
        if files:
            raise click.UsageError("FILE needs --from-archive")
        _try_again(event_id, consumer, publish=publish)


def _refuse(**options: Any) -> None:
    """Raises UsageError for options that mean nothing here."""
    if given := [name.replace("_", "-") for name, value in options.items() if value]:
        raise click.UsageError(f"--{given[0]} has no meaning here")


def _try_again(event_id: UUID | None, consumer: str | None, *, publish: bool) -> None:
    from app.events import operations

    if publish and event_id is None:
        raise click.UsageError("--publish needs --event")
    with _session() as session:
        again = operations.replay(session, now=_now(), event_id=event_id, consumer=consumer)
        for name, uid in again:
            click.echo(f"{name} {uid}")
        if publish and event_id and not operations.send_again(session, event_id):
            raise click.ClickException(f"there is no event {event_id}")
        if event_id and not publish and not again:
            raise click.ClickException(f"no delivery of {event_id} has failed; --publish puts it on the bus once more")
    sent = ", and the event goes out once more" if publish else ""
    if not again:
        _check_consumer(consumer)
    click.echo(f"{len(again)} deliveries are tried again{sent}.", err=True)


def _restore(
    files: tuple[str, ...], *, since: datetime | None, until: datetime | None, publish: bool, dry_run: bool
) -> None:
    from dataclasses import asdict

    from app.events import restoring
    from app.events.archive import FOLDER

    if files and (since or until):
        raise click.UsageError("name FILEs, or dates, not both")
    if since and until and since >= until:
        raise click.UsageError("--since must come before --until")
    folder = Config.from_env().home / FOLDER
    with _sessions() as make_session:
        with _transaction(make_session) as session:
            if since or until:
                chosen = restoring.between(session, folder, since=_utc(since), until=_utc(until))
            else:
                chosen = [Path(file) for file in files] or restoring.needed(session, folder)
        total = 0
        with _progress("Restoring", None) as told:
            for each in restoring.restore(
                make_session, chosen, now=_now(), publish=publish, dry_run=dry_run, told=told
            ):
                total += each.restored
                click.echo(json.dumps(asdict(each)))
    would = "would come" if dry_run else "came"
    click.echo(f"{total} events {would} back from {len(chosen)} files.", err=True)


def _rebuild(name: str | None, leave_out: tuple[UUID, ...], *, dry_run: bool) -> None:
    from app import logs
    from app.db import make_engine
    from app.events.archive import FOLDER
    from workers import registry
    from workers.rebuild import Rebuild

    consumers = registry.load()
    _check_consumer(name)
    if name is None:
        able = sorted(each.name for each in consumers.values() if each.rebuilds)
        raise click.UsageError(f"--from-beginning needs --consumer: {', '.join(able)}")
    config = _connected()
    logs.configure(config)
    engine = make_engine(str(config.database_url), pool_size=2, application_name="passerelle-rebuild")
    rebuild = Rebuild(consumers[name], engine, folder=config.home / FOLDER, leave_out=leave_out)
    with _progress(f"Rebuilding {name}", rebuild.total()) as told:
        differences = rebuild.run(dry_run=dry_run, told=told)
    engine.dispose()
    were = "would be" if dry_run else "were"
    for each in differences:
        click.echo(f"{each.table}: {each.added} {were} added, {each.changed} changed, {each.removed} removed.")


@events.command()
@click.option("--verify", is_flag=True, help="Read each file of this host's folder; exit 1 when one is not as written.")
def archives(verify: bool) -> None:
    """List the files that old events are in, one JSON per line."""
    from app.events import archive, retention

    folder, damaged = Config.from_env().home / archive.FOLDER, 0
    with _session() as session:
        for row in retention.archives(session):
            state = _state_of(folder / row.name, verify=verify)
            damaged += state == "damaged"
            click.echo(json.dumps({
                "file": row.name, "host": row.host, "here": state, "events": row.count,
                "from": row.recorded_from.isoformat(), "to": row.recorded_to.isoformat(),
                "also_in_database": row.emptied_at is None,
            }))  # fmt: skip
    if damaged:
        raise click.ClickException(f"{damaged} files are damaged: put good copies in their place")


def _state_of(path: Path, *, verify: bool) -> str:
    from app.events import archive

    if not path.exists():
        return "no"
    try:
        if verify:
            archive.read(path)
    except archive.ArchiveDamaged:
        return "damaged"
    return "verified" if verify else "yes"


@events.command()
@click.option("--consumer", help="Only this consumer's.")
@click.option("--failed", is_flag=True, help="Those that will be tried again, too.")
@click.option("--give-up", type=click.UUID, metavar="EVENT", help="Leave this event out for good (with --consumer).")
def dead(consumer: str | None, failed: bool, give_up: UUID | None) -> None:
    """List deliveries that were given up, with their last error and how many wait behind each, one JSON per line."""
    from app.events import operations

    with _session() as session:
        if give_up:
            _give_up(session, consumer, give_up)
        rows = operations.dead(session, consumer=consumer, include_failed=failed)
        if not rows:
            _check_consumer(consumer)
        for row in rows:
            behind = operations.waiting_behind(session, row)
            click.echo(json.dumps(_delivery(row) | {"waiting_behind": behind}, ensure_ascii=False))


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


@passerelle.group()
def mail() -> None:
    """Take from the mail server what becomes of our mails."""


@mail.command()
def bounced() -> None:
    """Read, from standard input, a report that a mail came back, as a mail server pipes it in.

    Ends with 0 for any other mail, too, which nobody wants back; with 75 when it cannot be recorded now and should be
    piped in again.
    """
    from app.notifications.reports import LARGEST, read_report

    octets = sys.stdin.buffer.read(LARGEST)
    while sys.stdin.buffer.read(LARGEST):
        pass  # a server whose pipe breaks takes the report for undelivered
    if (failure := read_report(octets)) is None:
        click.echo("No report of a failed mail.")
        return
    try:
        click.echo(_recorded(failure))
    except Exception as error:  # whatever it is, the report must not be lost
        sys.stderr.write(f"passerelle: {type(error).__name__}: the report could not be recorded now\n")
        sys.exit(TRY_AGAIN)


def _recorded(failure: Failure) -> str:
    from app.notifications.bounces import record_report

    with _session() as session:
        notification = record_report(session, failure, now=_now())
        if notification is None:
            return "It names no mail of ours."
        return f"{notification.state} {notification.uid} {notification.reason}"


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


def _utc(given: datetime | None) -> datetime | None:
    return given and given.replace(tzinfo=UTC)


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
    with _sessions() as make_session, _transaction(make_session) as session:
        yield session


@contextmanager
def _transaction(make_session: sessionmaker[TenantSession]) -> Iterator[TenantSession]:
    from app.db import transaction
    from app.tenancy import SYSTEM

    with transaction(make_session, SYSTEM) as session:
        yield session


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal, which is told how many more are done; nothing where there is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)


def main() -> None:
    """The console script. What cannot be done is said in one line, not in a traceback."""
    try:
        passerelle()
    except Problem as problem:
        sys.stderr.write(f"passerelle: {problem}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
