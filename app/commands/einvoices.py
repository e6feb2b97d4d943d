"""`passerelle einvoices`: what became of electronic invoices, sending one again, judging them by the official rules;
`passerelle e-reporting`: what a French operator reports."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from app.commands.operators import OPERATOR, operator_named
from app.commands.sessions import one_session
from app.commands.terminal import now

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from app.billing.invoices.models import Invoice

FORMATS = ("peppol", "ubl-fr", "factur-x")
STATES = ("wanted", "made", "handed_over", "delivered", "accepted", "rejected", "failed")


@click.group()
def einvoices() -> None:
    """Documents as machines read them: where they are, sending one again, the official rules."""


@einvoices.command()
@click.option("--operator", "operator_name", metavar="ID|NUMBER", help=f"{OPERATOR} Default: all.")
@click.option("--state", type=click.Choice(STATES), help="Only these, each with its reason.")
def status(operator_name: str | None, state: str | None) -> None:
    """Print how many are in each state, by operator, format and state; with --state, each of them: operator, number,
    format, when it was handed over, why. Tabs between."""
    with one_session() as session:
        key = operator_named(session, operator_name).id if operator_name else None
        for row in _each(session, key, state) if state else _counted(session, key):
            click.echo("\t".join("" if value is None else str(value) for value in row))


@einvoices.command()
@click.argument("number")
@click.option("--operator", "operator_name", required=True, metavar="ID|NUMBER", help=OPERATOR)
@click.option("--format", "form", type=click.Choice(FORMATS), default="peppol", show_default=True)
def send(number: str, operator_name: str, form: str) -> None:
    """Have the document NUMBER made and sent: a first time, or again after a rejection. The worker does it."""
    from app.billing.einvoices.wanting import send_again

    with one_session() as session:
        row = send_again(session, _document(session, operator_name, number), form, now=now())
        click.echo(f"{number} is {row.state}, round {row.round}: the einvoices worker goes on.")


@einvoices.command()
@click.argument("number")
@click.option("--operator", "operator_name", required=True, metavar="ID|NUMBER", help=OPERATOR)
def check(number: str, operator_name: str) -> None:
    """Judge the document NUMBER by the official rules, in each format it can be written in; exit 1 on any error.

    Each family of rules runs in a process of its own, and takes a few hundred megabytes for a second.
    """
    with one_session() as session:
        snapshot = _document(session, operator_name, number).snapshot
    errors = _judge(snapshot)
    for line in errors:
        click.echo(line)
    click.echo(f"{number}: {len(errors)} errors", err=True)
    sys.exit(1 if errors else 0)


@click.command("e-reporting")
@click.option("--operator", "operator_name", required=True, metavar="ID|NUMBER", help=OPERATOR)
@click.option("--from", "first", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The first day.")
@click.option("--to", "last", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The last day, counted.")
def e_reporting(operator_name: str, first: datetime, last: datetime) -> None:
    """Print day totals of sales to private persons and across borders, one JSON document, from the documents issued."""
    from app.billing.einvoices.reporting import e_reporting as reported

    with one_session() as session:
        operator = operator_named(session, operator_name)
        told = reported(session, operator, first=first.date(), last=last.date())
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))


def _document(session: Session, operator_name: str, number: str) -> Invoice:
    from sqlalchemy import select

    from app.billing.invoices.models import Invoice

    operator = operator_named(session, operator_name)
    found = session.scalar(select(Invoice).where(Invoice.operator_id == operator.id, Invoice.number == number))
    if found is None:
        raise click.BadParameter(f"{operator.name} has no document {number}", param_hint="NUMBER")
    return found


def _judge(snapshot: str) -> list[str]:
    """The errors of a document in every format that it can be written in, a line each."""
    from app.billing.einvoices import checking
    from app.billing.einvoices.needs import lacking
    from app.billing.einvoices.reading import read
    from app.billing.einvoices.writing import xml

    document = read(snapshot)
    errors = []
    with TemporaryDirectory() as folder:
        for form in checking.ALWAYS:
            if missing := lacking(document, form):
                click.echo(f"{form}: cannot be written: {'; '.join(missing)}", err=True)
                continue
            path, known = Path(folder) / f"{form}.xml", Path(folder) / f"{form}.known.xml"
            path.write_bytes(xml(document, form))
            known.write_bytes(checking.restated(path.read_bytes()))
            country = document.seller.state
            for family in checking.families(form, is_credit_note=document.is_credit_note, seller_country=country):
                judged = checking.judged(family, [known if family == "peppol" else path])
                click.echo(f"{form}: {family}: {sum(len(each.errors) for each in judged)} errors", err=True)
                errors += checking.errors_of(judged)
    return errors


def _counted(session: Session, operator_id: int | None) -> list[Any]:
    from sqlalchemy import func, select

    from app.billing.einvoices.models import EInvoice
    from app.network.models import Operator

    columns = (Operator.name, EInvoice.format, EInvoice.state)
    counted = select(*columns, func.count()).join(Operator, Operator.id == EInvoice.operator_id).group_by(*columns)
    if operator_id is not None:
        counted = counted.where(EInvoice.operator_id == operator_id)
    return list(session.execute(counted.order_by(*columns)))


def _each(session: Session, operator_id: int | None, state: str) -> list[Any]:
    from sqlalchemy import func, select

    from app.billing.einvoices.models import EInvoice
    from app.billing.invoices.models import Invoice
    from app.network.models import Operator

    why = func.coalesce(EInvoice.reason, EInvoice.last_error)
    each = (
        select(Operator.name, Invoice.number, EInvoice.format, EInvoice.handed_over_at, why)
        .join(Operator, Operator.id == EInvoice.operator_id)
        .join(Invoice, Invoice.id == EInvoice.invoice_id)
        .where(EInvoice.state == state)
    )
    if operator_id is not None:
        each = each.where(EInvoice.operator_id == operator_id)
    return list(session.execute(each.order_by(EInvoice.id)))
