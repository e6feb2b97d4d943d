"""Bank statements over HTTP, for who keeps an operator's books."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, request
from werkzeug.exceptions import RequestEntityTooLarge

from app.billing.bank import deciding, listing, schemas
from app.billing.bank.importing import import_file
from app.billing.bank.models import BankLine
from app.billing.bank.movements import LARGEST, StatementRefused
from app.errors import Problem
from app.http.operation import Call, UnsupportedMediaType, operation
from app.http.paging import Paged, cut, page_of
from app.network import audit
from app.network.operators import kept_operator

blueprint = Blueprint("bank", __name__)

AROUND = 64 * 1024  # octets of a form around its file


class StatementTooLarge(Problem):
    code = "statement_too_large"
    status = 413
    title = "This file is too large: ask the bank for shorter periods."


@operation(
    blueprint, "POST", "/operators/<operator_id>/bank-statements", returns=schemas.ImportedShape, status=201,
    problems=(403, 413, 415, 422),
)  # fmt: skip
def import_statements(call: Call, operator_id: UUID) -> dict[str, Any]:
    """Import a CAMT.053 file of the operator's own account, sent as `file` of a multipart form. What is certain is
    paid, the rest is proposed or left open; the same file again changes nothing."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    done = import_file(call.session, operator, _uploaded(), now=call.now, by_id=call.person.member_id)
    audit.note(call.session, call.person, "bank_statement.imported", None, str(operator.uid), call.now)
    return schemas.describe_import(done)


def _uploaded() -> bytes:
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType.field("Content-Type", "send multipart/form-data with the statement as `file`")
    request.max_content_length = LARGEST + AROUND
    try:
        file = request.files.get("file")
    except RequestEntityTooLarge:
        raise StatementTooLarge(largest_mib=LARGEST // 2**20) from None
    if file is None:
        message = "send the bank's file as `file` of a multipart form"
        raise StatementRefused(errors=[{"field": "file", "message": message}])
    return file.read()


@operation(blueprint, "GET", "/bank-statements/<statement_id>", returns=schemas.BankStatementShape)
def show_bank_statement(call: Call, statement_id: UUID) -> dict[str, Any]:
    """A statement, and how many of its lines are in which state."""
    found = listing.find_statement(call.session, statement_id, person=call.person)
    return schemas.describe_statement(found, listing.counts(call.session, found))


@operation(
    blueprint, "GET", "/operators/<operator_id>/bank-lines", query=schemas.LinesQuery, returns=schemas.BankLineShape,
    many=True, paged=True, problems=(403,),
)  # fmt: skip
def list_bank_lines(call: Call, operator_id: UUID, query: dict[str, Any]) -> Paged:
    """Movements of the operator's account, newest first, with what is proposed for those that wait for a person."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    page = page_of(query["limit"], query["cursor"], key=(int,))
    before = page.after[0] if page.after else None
    found = listing.lines_of(call.session, operator.id, state=query["state"], before=before, limit=page.limit + 1)
    rows, last = cut(found, page, lambda line: [line.id])
    audit.note(call.session, call.person, "bank_lines.viewed", None, str(operator.uid), call.now)
    return Paged([schemas.describe_line(each) for each in listing.shown(call.session, rows)], last)


@operation(
    blueprint, "POST", "/bank-lines/<line_id>/match", body=schemas.MatchShape, returns=schemas.BankLineShape,
    idempotent=True, problems=(403, 404, 409),
)  # fmt: skip
def match_bank_line(call: Call, line_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Say what a line pays: invoices of one customer with an amount each, or what was proposed. What is left of it
    stays the customer's credit. A line is decided once (409 `wrong_state`)."""
    line = deciding.find_line(call.session, line_id, person=call.person)
    if "proposal_id" in body:
        decided = deciding.accept(call.session, line, body["proposal_id"], person=call.person, now=call.now)
    else:
        wanted = {aim["invoice_id"]: aim["amount_cents"] for aim in body["invoices"]}
        decided = deciding.match_invoices(call.session, line, wanted, person=call.person, now=call.now)
    return _told(call, decided, "bank_line.matched")


@operation(
    blueprint, "POST", "/bank-lines/<line_id>/dismissal", body=schemas.DismissalShape, returns=schemas.BankLineShape,
    problems=(403, 409),
)  # fmt: skip
def dismiss_bank_line(call: Call, line_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Say that a line pays nothing here, and why. The same reason again changes nothing."""
    line = deciding.find_line(call.session, line_id, person=call.person)
    decided = deciding.dismiss(call.session, line, body["reason"], person=call.person, now=call.now)
    return _told(call, decided, "bank_line.dismissed")


def _told(call: Call, line: BankLine, action: str) -> dict[str, Any]:
    audit.note(call.session, call.person, action, None, str(line.uid), call.now)
    (shown,) = listing.shown(call.session, [line])
    return schemas.describe_line(shown)
