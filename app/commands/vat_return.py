"""`passerelle vat-return`: what an operator declares for a period."""

from __future__ import annotations

import json
from datetime import datetime

import click

from app.commands.operators import OPERATOR, operator_named
from app.commands.sessions import one_session


@click.command("vat-return")
@click.option("--operator", "operator_name", required=True, metavar="ID|NUMBER", help=OPERATOR)
@click.option("--from", "first", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The first day.")
@click.option("--to", "last", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The last day, counted.")
def vat_return(operator_name: str, first: datetime, last: datetime) -> None:
    """Print the boxes of the VAT return, one JSON document, from the documents issued in a period."""
    from app.billing.vat_return.returns import vat_return as returned

    with one_session() as session:
        operator = operator_named(session, operator_name)
        declared = returned(session, operator, first=first.date(), last=last.date())
    click.echo(json.dumps(declared, indent=2, ensure_ascii=False))
