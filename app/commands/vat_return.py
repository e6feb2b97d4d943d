"""`passerelle vat-return`: what an operator declares for a period."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

import click

from app.commands.sessions import one_session


@click.command("vat-return")
@click.option("--operator", required=True, type=click.UUID, metavar="ID")
@click.option("--from", "first", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The first day.")
@click.option("--to", "last", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The last day, counted.")
def vat_return(operator: UUID, first: datetime, last: datetime) -> None:
    """Print the boxes of the VAT return, one JSON document, from the documents issued in a period."""
    from sqlalchemy import select

    from app.billing.vat_return.returns import vat_return as returned
    from app.network.models import Operator

    with one_session() as session:
        found = session.scalars(select(Operator).where(Operator.uid == operator)).one_or_none()
        if found is None:
            raise click.BadParameter(f"there is no operator {operator}", param_hint="--operator")
        declared = returned(session, found, first=first.date(), last=last.date())
    click.echo(json.dumps(declared, indent=2, ensure_ascii=False))
