"""`passerelle events`: follow domain events, and see to those that could not be handled."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from app.commands.consumers import check_consumer, one_of_the_events
from app.commands.replay import replay
from app.commands.sessions import one_session, open_sessions
from app.commands.terminal import now
from app.config import Config

FOLLOW_EVERY_S = 0.5


@click.group()
def events() -> None:
    """Follow domain events, and see to those that could not be handled."""


@events.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(0, 1000), help="How many past ones.")
@click.option("--type", "event_type", metavar="TYPE", callback=one_of_the_events, help="Only these, e.g. booking.made.")
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

    with open_sessions() as make_session:
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


events.add_command(replay)


@events.command()
@click.option("--verify", is_flag=True, help="Read each file of this host's folder; exit 1 when one is not as written.")
def archives(verify: bool) -> None:
    """List the files that old events are in, one JSON per line."""
    from app.events import archive, retention

    folder, damaged = Config.from_env().home / archive.FOLDER, 0
    with one_session() as session:
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

    with one_session() as session:
        if give_up:
            _give_up(session, consumer, give_up)
        rows = operations.dead(session, consumer=consumer, include_failed=failed)
        if not rows:
            check_consumer(consumer)
        for row in rows:
            behind = operations.waiting_behind(session, row)
            click.echo(json.dumps(_delivery(row) | {"waiting_behind": behind}, ensure_ascii=False))


def _give_up(session: Any, consumer: str | None, event_id: UUID) -> None:
    from app.events import operations

    if consumer is None:
        raise click.UsageError("--give-up needs --consumer")
    if not operations.give_up(session, consumer=consumer, event_id=event_id, now=now()):
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
