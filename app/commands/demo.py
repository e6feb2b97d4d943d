"""`passerelle demo`: a network of 33 spaces with people in it."""

from __future__ import annotations

import json

import click

from app.commands.sessions import connected, one_session
from app.commands.terminal import now


@click.group()
def demo() -> None:
    """The demonstration: a network of 33 spaces with people in it."""


@demo.command()
def load() -> None:
    """Load the demonstration into an empty database; again is harmless."""
    from app.prepare import prepare

    for line in prepare(connected(), create=False, demo=True):
        click.echo(line)


@demo.command()
@click.option("--count", required=True, type=click.IntRange(1, 100_000))
@click.option("--space", required=True, metavar="SLUG", help="They belong to its network.")
def members(count: int, space: str) -> None:
    """Make members for load and race checks: one JSON line {email, token} each."""
    from app.demo.members import make_members

    with one_session() as session:
        made = list(make_members(session, count=count, space_slug=space, now=now()))
    for member in made:
        click.echo(json.dumps(member))
