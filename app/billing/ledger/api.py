"""The ledger over HTTP, for who keeps an operator's books."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response
from sqlalchemy import select

from app.billing.ledger import schemas
from app.billing.ledger.accounts import account_named
from app.billing.ledger.balances import trial_balance
from app.billing.ledger.books import one_instant
from app.billing.ledger.exporting import Export, check_export, export, export_charset, export_name
from app.billing.ledger.models import LedgerEntry
from app.billing.ledger.statement import Place, statement
from app.errors import Invalid, NotFound
from app.http.operation import Call, operation
from app.http.paging import Page, Paged, cut, page_of
from app.http.services import Services
from app.network.audit import note
from app.network.models import Operator
from app.network.operators import kept_operator
from app.network.parties.models import Party
from app.tenancy import Scope

blueprint = Blueprint("ledger", __name__)

CLOCK = ZoneInfo("Europe/Brussels")  # which day "today" is, where no day is given


@operation(
    blueprint, "GET", "/operators/<operator_id>/trial-balance", query=schemas.PeriodQuery,
    returns=schemas.TrialBalanceShape, problems=(403,),
)  # fmt: skip
def show_trial_balance(call: Call, operator_id: UUID, query: dict[str, Any]) -> dict[str, Any]:
    """Every account that has moved: its balance before the period, debits and credits in it, its balance after. Each
    column of balances sums to zero, debits equal credits."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    since, until = _period(call, query)
    rows = trial_balance(call.session, operator.id, since=since, until=until)
    locale = call.person.locale
    return {
        "operator_id": str(operator.uid),
        "currency": operator.currency,
        "from": since.isoformat(),
        "to": until.isoformat(),
        "accounts": [schemas.describe_trial_row(row, country=operator.country, locale=locale) for row in rows],
    }


@operation(
    blueprint, "GET", "/operators/<operator_id>/accounts/<account>/statement", query=schemas.StatementQuery,
    returns=schemas.StatementLineShape, many=True, paged=True, problems=(403,),
)  # fmt: skip
def show_statement(call: Call, operator_id: UUID, account: str, query: dict[str, Any]) -> Paged:
    """The lines of one account (`party`: of one customer on it) by day, each with the balance after it."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    account_named(account)
    since, until = _period(call, query)
    page = page_of(query["limit"], query["cursor"], key=(str, int, int))
    lines = statement(
        call.session, operator.id, account, after=_place(page, since), until=until, limit=page.limit + 1,
        party_id=_party(call, query["party"]),
    )  # fmt: skip
    shown, last = cut(lines, page, lambda line: [line.place.day.isoformat(), line.place.posting_id, line.place.no])
    return Paged([schemas.describe_line(line, currency=operator.currency) for line in shown], last)


@operation(
    blueprint, "GET", "/operators/<operator_id>/ledger-export", query=schemas.ExportQuery, media="text/plain",
    problems=(403,),
)  # fmt: skip
def export_ledger(call: Call, operator_id: UUID, query: dict[str, Any]) -> Response:
    """The books of a period as a file: `format` fec (operators in France: article A47 A-1 LPF) or csv (semicolons,
    UTF-8). Where it holds customers' names, that it was taken is in the audit trail."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    wanted = Export(query["format"], *_period(call, query), query["locale"])
    check_export(operator, wanted)
    if _names_somebody(call, operator, wanted):
        note(call.session, call.person, "ledger.exported", None, str(operator.uid), call.now)
    answer = Response(
        _streamed(call.services, call.person.scope, operator, wanted),
        mimetype="text/plain",
        content_type=f"text/plain; charset={export_charset(wanted)}",
    )
    answer.headers["Content-Disposition"] = f'attachment; filename="{export_name(operator, wanted)}"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _names_somebody(call: Call, operator: Operator, wanted: Export) -> bool:
    """Whether customers other than the caller are among the lines, or among the balances brought forward."""
    own = select(Party.id).where(Party.member_id == call.person.member_id)
    named = select(LedgerEntry.posting_id).where(
        LedgerEntry.operator_id == operator.id, LedgerEntry.party_id.not_in(own), LedgerEntry.day <= wanted.until
    )
    return call.session.scalars(named.limit(1)).first() is not None


def _streamed(own: Services, scope: Scope, operator: Operator, wanted: Export) -> Iterator[bytes]:
    """In a transaction of its own, which lasts as long as the answer is read."""
    with one_instant(own.make_session, scope) as session:
        yield from export(session, operator, wanted)


def _period(call: Call, query: dict[str, Any]) -> tuple[date, date]:
    until = query["until"] or call.now.astimezone(CLOCK).date()
    since = query["since"] or until.replace(month=1, day=1)
    if since > until:
        raise Invalid.field("to", "give a day that is not before `from`")
    return since, until


def _place(page: Page, since: date) -> Place:
    if page.after is None:
        return Place(since)
    try:
        return Place(date.fromisoformat(page.after[0]), *page.after[1:])
    except ValueError:
        raise Invalid.field("cursor", "use the cursor of the Link header, or none") from None


def _party(call: Call, party_id: UUID | None) -> int | None:
    """Raises NotFound for a party that this person does not see."""
    if party_id is None:
        return None
    found = call.session.scalars(select(Party.id).where(Party.uid == party_id)).one_or_none()
    if found is None:
        raise NotFound()
    return found
