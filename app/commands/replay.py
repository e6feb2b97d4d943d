"""`passerelle events replay`: try again, bring back what was archived, make a consumer's tables anew."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from app.commands.consumers import check_consumer
from app.commands.sessions import as_system, connected, one_session, open_sessions
from app.commands.terminal import now, progress, utc
from app.config import Config


@click.command()
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
    with one_session() as session:
        again = operations.replay(session, now=now(), event_id=event_id, consumer=consumer)
        for name, uid in again:
            click.echo(f"{name} {uid}")
        if publish and event_id and not operations.send_again(session, event_id):
            raise click.ClickException(f"there is no event {event_id}")
        if event_id and not publish and not again:
            raise click.ClickException(f"no delivery of {event_id} has failed; --publish puts it on the bus once more")
    sent = ", and the event goes out once more" if publish else ""
    if not again:
        check_consumer(consumer)
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
    with open_sessions() as make_session:
        with as_system(make_session) as session:
            if since or until:
                chosen = restoring.between(session, folder, since=utc(since), until=utc(until))
            else:
                chosen = [Path(file) for file in files] or restoring.needed(session, folder)
        total = 0
        with progress("Restoring", None) as told:
            for each in restoring.restore(make_session, chosen, now=now(), publish=publish, dry_run=dry_run, told=told):
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
    check_consumer(name)
    if name is None:
        able = sorted(each.name for each in consumers.values() if each.rebuilds)
        raise click.UsageError(f"--from-beginning needs --consumer: {', '.join(able)}")
    config = connected()
    logs.configure(config)
    engine = make_engine(str(config.database_url), pool_size=2, application_name="passerelle-rebuild")
    rebuild = Rebuild(consumers[name], engine, folder=config.home / FOLDER, leave_out=leave_out)
    with progress(f"Rebuilding {name}", rebuild.total()) as told:
        differences = rebuild.run(dry_run=dry_run, told=told)
    engine.dispose()
    were = "would be" if dry_run else "were"
    for each in differences:
        click.echo(f"{each.table}: {each.added} {were} added, {each.changed} changed, {each.removed} removed.")
