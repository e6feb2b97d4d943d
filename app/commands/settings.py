"""`passerelle settings`: every setting, what it means, and what is in effect."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click

from app.config import Config

SECRET = ("secret", "key", "password")


@click.command()
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
