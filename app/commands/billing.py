"""`passerelle close-month`: close a month of one operator or of all, and finalise its documents; `passerelle unbilled`:
what is on no document yet."""

from __future__ import annotations

import sys
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from app.commands.operators import operator_named
from app.commands.sessions import as_system, open_sessions
from app.commands.terminal import now, progress
from app.errors import Problem

if TYPE_CHECKING:
    from sqlalchemy.orm import sessionmaker

    from app.billing.invoices.closing import Closed
    from app.db import TenantSession

_NAMES = {"monthly": "invoices", "deposit": "deposits", "credit_note": "credit notes", "now": "invoices at once"}


def _month(_context: click.Context, _parameter: click.Parameter, given: str) -> date:
    try:
        return date.fromisoformat(f"{given}-01")
    except ValueError:
        raise click.BadParameter("write a month as 2026-11") from None


@click.command("close-month")
@click.argument("month", metavar="YYYY-MM", callback=_month)
@click.option("--operator", metavar="ID|NUMBER", help="Only this one; else all, in the order of their names.")
@click.option("--dry-run", is_flag=True, help="Say what it would do, and write nothing.")
def close_month(month: date, operator: str | None, dry_run: bool) -> None:
    """Close a month: nothing is charged to it any more, and everything in it gets its invoice or credit note.

    It may be stopped and run again at any time, and from several terminals: what has its document keeps it, the rest
    is done. Exits with 1 when an operator's month could not be closed.
    """
    with open_sessions() as make_session:
        found = _operators(make_session, operator)
        failed = [name for key, name in found if not _closed(make_session, key, name, month, dry_run=dry_run)]
    sys.exit(1 if failed else 0)


@click.command()
@click.option("--operator", metavar="ID|NUMBER", help="Only this one; else all, in the order of their names.")
def unbilled(operator: str | None) -> None:
    """Print what is owed and on no document yet: operator, month, party, kind, count, net, VAT, gross, currency.

    One line each with tabs between, amounts in euros, and a sum of each operator on standard error.
    """
    with open_sessions() as make_session:
        for key, name in _operators(make_session, operator):
            _show_unbilled(make_session, key, name)


def _show_unbilled(make_session: sessionmaker[TenantSession], key: int, name: str) -> None:
    from app.billing.charges import listing
    from app.network.models import Operator

    with as_system(make_session) as session:
        lines = listing.unbilled(session, session.get_one(Operator, key))
    for line in lines:
        amounts = (_amount(cents) for cents in (line.net_cents, line.vat_cents, line.gross_cents))
        words = (name, f"{line.month:%Y-%m}", line.party, line.kind, line.charges, *amounts, line.currency)
        click.echo("\t".join(str(word) for word in words))
    total = sum(line.gross_cents for line in lines)
    click.echo(
        f"{name}: {sum(line.charges for line in lines)} charges of {_amount(total)} on no document yet", err=True
    )


def _operators(make_session: sessionmaker[TenantSession], name: str | None) -> list[tuple[int, str]]:
    from sqlalchemy import select

    from app.network.models import Operator

    with as_system(make_session) as session:
        if name is not None:
            found = operator_named(session, name)
            return [(found.id, found.name)]
        rows = session.execute(select(Operator.id, Operator.name).order_by(Operator.name, Operator.id)).all()
    return [(row.id, row.name) for row in rows]


def _closed(make_session: sessionmaker[TenantSession], key: int, name: str, month: date, *, dry_run: bool) -> bool:
    """Close one operator's month and say so; False, and why, when that cannot be."""
    try:
        done = _previewed(make_session, key, name, month) if dry_run else _done(make_session, key, name, month)
    except Problem as problem:
        click.echo(f"{name}: {problem}", err=True)
        return False
    click.echo(f"{name}: {_said(done, month, dry_run=dry_run)}")
    return True


def _done(make_session: sessionmaker[TenantSession], key: int, name: str, month: date) -> Closed:
    from app.billing.invoices import closing

    with as_system(make_session) as session:
        total = closing.open_count(session, key, month)
    with progress(name, total) as advance:
        return closing.close_month(make_session, key, month, now=now(), progress=advance)


def _previewed(make_session: sessionmaker[TenantSession], key: int, name: str, month: date) -> Closed:
    from app.billing.invoices import closing

    with as_system(make_session) as session:
        total = closing.open_count(session, key, month)
        with progress(name, total) as advance:
            return closing.preview(session, key, month, now=now(), progress=advance)


def _said(done: Closed, month: date, *, dry_run: bool) -> str:
    parts: list[Any] = [
        f"{done.documents[kind]} {_NAMES[kind]} of {_amount(done.gross_cents[kind])}"
        for kind in _NAMES
        if done.documents[kind]
    ]
    if done.settled:
        parts.append(f"{done.settled} charges cancel out")
    if done.waiting:
        parts.append(f"{done.waiting} charges wait for a later document")
    if done.did_nothing and done.before:
        return f"{month:%Y-%m} was closed before, and nothing was left to do"
    begin = "would close" if dry_run else "went on with" if done.before else "closed"
    return f"{begin} {month:%Y-%m}: {', '.join(parts) or 'nothing to document'}"


def _amount(cents: int) -> str:
    euros, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{euros}.{rest:02d}"
