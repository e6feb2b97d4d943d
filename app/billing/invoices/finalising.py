"""From drafts to documents: numbered, written, chained, posted and told, a batch in one transaction or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from app.billing.charges.posting import Document, documented
from app.billing.invoices import numbering, reading
from app.billing.invoices.drafting import Draft, Open, totals
from app.billing.invoices.issuers import Issuer
from app.billing.invoices.numbering import Series, series_of
from app.billing.invoices.reading import Customer
from app.billing.invoices.snapshot import Corrected, Place, content, period
from app.billing.invoices.wording import locale_of
from app.billing.ledger.posting import Posting, post
from app.db import Statement
from app.errors import CurrencyMismatch, Problem
from app.events.billing_facts import CreditNoteFinalised, InvoiceFinalised
from app.events.outbox import insert_events
from app.ids import new_id
from app.vat.totals import Totals

_IDS = Statement("SELECT nextval(pg_get_serial_sequence('invoice', 'id')) AS id FROM generate_series(1, :count)")
_COLUMNS = (
    "id", "uid", "operator_id", "party_id", "kind", "series", "sequence", "number", "issued_on", "due_on",
    "period_from", "period_until", "currency", "net_cents", "vat_cents", "gross_cents", "corrects_id", "communication",
    "snapshot", "hash", "previous_hash", "run_key", "finalised_at",
)  # fmt: skip
_INSERT = Statement(f"INSERT INTO invoice ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{c}' for c in _COLUMNS)})")
_DOCUMENTED = Statement("""
    UPDATE charge SET invoice_id = given.invoice_id
    FROM unnest(CAST(:charges AS bigint[]), CAST(:invoices AS bigint[])) AS given (charge_id, invoice_id)
    WHERE charge.id = given.charge_id AND charge.invoice_id IS NULL AND charge.settled_at IS NULL
""")
_SETTLED = Statement("""
    UPDATE charge SET settled_at = :now WHERE id = ANY(:charges) AND invoice_id IS NULL AND settled_at IS NULL
""")


class AlreadyDocumented(Problem):
    """A charge is on a document already: somebody else was quicker. Nothing was done."""

    code = "already_documented"
    status = 409
    title = "Some of these charges are on a document already."


class Finalised(NamedTuple):
    """A document that was written."""

    id: int
    uid: UUID
    kind: str
    number: str
    gross_cents: int
    lines: int


class _Prepared(NamedTuple):
    """A document that lacks only its place in a series."""

    draft: Draft
    uid: UUID
    customer: Customer
    totals: Totals
    corrected: Corrected | None
    content: dict[str, Any]


def finalise(
    session: Session, issuer: Issuer, drafts: Sequence[Draft], *, now: datetime, terms_days: int | None = None
) -> list[Finalised]:
    """Write documents of one operator, in the order given, with consecutive numbers.

    The charges must be locked by this transaction. Raises AlreadyDocumented when one of them is on a document, and
    CurrencyMismatch for another currency than the operator's.
    """
    if not drafts:
        return []
    terms = issuer.terms_days if terms_days is None else terms_days
    prepared = _prepare(session, issuer, drafts, terms)
    ids = [row.id for row in _IDS.run(session, {"count": len(prepared)}).fetchall()]
    series = numbering.lock(session, issuer, {draft.kind for draft in drafts})
    placed = [(each, *_place(series, issuer, each, terms)) for each in prepared]
    rows = [
        _row(issuer, key, each, place, text, digest, now)
        for key, (each, place, text, digest) in zip(ids, placed, strict=True)
    ]
    _INSERT.run(session, rows)
    _document(session, drafts, ids)
    post(session, [_posting(issuer, each, place) for each, place, _, _ in placed], now=now)
    insert_events(session, [(_fact(issuer, each, place), each.uid, 1) for each, place, _, _ in placed], at=now)
    numbering.keep(session, series.values())
    return [
        Finalised(key, each.uid, each.draft.kind, place.number, each.totals.gross_cents, len(each.draft.lines))
        for key, (each, place, _, _) in zip(ids, placed, strict=True)
    ]


def settle(session: Session, charges: Sequence[Open], *, now: datetime) -> None:
    """Mark charges that cancel out: they will never be on a document."""
    if charges:
        _SETTLED.run(session, {"charges": [charge.id for charge in charges], "now": now})


def _prepare(session: Session, issuer: Issuer, drafts: Sequence[Draft], terms: int) -> list[_Prepared]:
    invoices = [draft.corrects_id for draft in drafts if draft.corrects_id is not None]
    corrected = reading.corrected(session, invoices)
    standing = reading.standing(session, invoices)
    customers = reading.customers(session, [draft.party_id for draft in drafts])
    prepared = []
    for draft in drafts:
        if draft.currency != issuer.currency:
            raise CurrencyMismatch(expected=issuer.currency, given=draft.currency)
        key, uid, customer = draft.corrects_id or 0, new_id(), customers[draft.party_id]
        sums = totals(draft, standing.get(key, ()))
        whole = content(
            draft, sums, uid=uid, locale=locale_of(customer.locale), seller=issuer.seller, buyer=customer.buyer,
            day=issuer.today, terms_days=terms, corrected=corrected.get(key),
        )  # fmt: skip
        prepared.append(_Prepared(draft, uid, customer, sums, corrected.get(key), whole))
    return prepared


def _place(series: dict[str, Series], issuer: Issuer, each: _Prepared, terms: int) -> tuple[Place, str, str]:
    return series[series_of(each.draft.kind, issuer.today)].add(each.content, terms_days=terms)


def _row(
    issuer: Issuer, key: int, each: _Prepared, place: Place, text: str, digest: str, now: datetime
) -> dict[str, Any]:
    days = period(each.draft)
    return {
        "id": key,
        "uid": each.uid,
        "operator_id": issuer.operator_id,
        "party_id": each.draft.party_id,
        "kind": each.draft.kind,
        **place._asdict(),
        "period_from": date.fromisoformat(days["from"]) if days else None,
        "period_until": date.fromisoformat(days["until"]) if days else None,
        "currency": each.draft.currency,
        "net_cents": each.totals.net_cents,
        "vat_cents": each.totals.vat_cents,
        "gross_cents": each.totals.gross_cents,
        "corrects_id": each.draft.corrects_id,
        "snapshot": text,
        "hash": digest,
        "run_key": f"charge:{min(charge.id for charge in each.draft.lines)}",
        "finalised_at": now,
    }


def _document(session: Session, drafts: Sequence[Draft], ids: Sequence[int]) -> None:
    pairs = [(charge.id, key) for draft, key in zip(drafts, ids, strict=True) for charge in draft.lines]
    given = {"charges": [charge for charge, _ in pairs], "invoices": [key for _, key in pairs]}
    if _DOCUMENTED.run(session, given).rowcount != len(pairs):
        raise AlreadyDocumented()


def _posting(issuer: Issuer, each: _Prepared, place: Place) -> Posting:
    sign = -1 if each.draft.corrects_id else 1
    document = Document(
        uid=each.uid,
        operator_id=issuer.operator_id,
        party_id=each.draft.party_id,
        number=place.number,
        day=place.issued_on,
        currency=each.draft.currency,
        gross_cents=sign * each.totals.gross_cents,
        vat_cents=sign * each.totals.vat_cents,
    )
    return documented(document, each.draft.lines)


def _fact(issuer: Issuer, each: _Prepared, place: Place) -> InvoiceFinalised | CreditNoteFinalised:
    shared: dict[str, Any] = {
        "invoice_id": str(each.uid),
        "operator_id": issuer.seller.id,
        "party_id": str(each.customer.uid),
        "number": place.number,
        "issued_on": place.issued_on.isoformat(),
        "gross_cents": each.totals.gross_cents,
        "net_cents": each.totals.net_cents,
        "vat_cents": each.totals.vat_cents,
        "currency": each.draft.currency,
    }
    if each.corrected is not None:
        return CreditNoteFinalised(**shared, corrects_id=each.corrected.id)
    return InvoiceFinalised(**shared, kind=each.draft.kind, due_on=place.due_on.isoformat())
