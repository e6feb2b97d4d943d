"""Credit notes by hand: some of an invoice's lines, or of each line some, taken back at the original VAT.

Never more than what is left: of each line, what corrects it is counted, whether on a document already or not yet. The
charges of the lines are locked first, as they are by whoever corrects them on an event, so that two refunds at once
cannot both be made.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing import months
from app.billing.charges.models import Charge
from app.billing.charges.posting import DEPOSITS, Earned, earned_before_document
from app.billing.invoices import reading
from app.billing.invoices.drafting import Draft
from app.billing.invoices.finalising import Finalised, finalise
from app.billing.invoices.issuers import Issuer, issuer
from app.billing.invoices.models import Invoice
from app.billing.ledger.posting import post
from app.errors import Invalid, Problem, WrongState
from app.ids import new_id
from app.money import round_half_up

# What a correction has in common with the charge it takes back.
SHARED = (
    "operator_id", "space_id", "party_id", "member_id", "kind", "subject_uid", "service_from", "service_until",
    "currency", "vat_permille", "vat_category", "vat_ground", "vat_mention", "includes_vat",
)  # fmt: skip


class MoreThanLeft(Problem):
    """Of `line` only `left_cents` are left to be credited, in the cents it was priced in."""

    code = "more_than_left"
    status = 409
    title = "That is more than what is left of the line."


class CreditedAlready(Problem):
    """The credit note `number` says the very same; another one has to be asked for as such."""

    code = "credited_already"
    status = 409
    title = "This invoice has a credit note of the same lines and amounts already."


class Part(NamedTuple):
    """How much of a line: `cents` as it was priced (with VAT where its price includes it), or percent of it."""

    no: int
    cents: int | None = None
    percent: int | None = None


class _Cents(NamedTuple):
    net: int
    vat: int

    @property
    def gross(self) -> int:
        return self.net + self.vat


def credit(
    session: Session,
    invoice: Invoice,
    parts: Sequence[Part] = (),
    *,
    reason: str = "",
    again: bool = False,
    now: datetime,
) -> Finalised:
    """A credit note of an invoice for `parts` of its lines; without parts, for all that is left of all.

    Raises WrongState for a credit note or where nothing is left, Invalid for a line that is not there or lowers the
    invoice itself, MoreThanLeft, and CreditedAlready for the same once more unless `again` says that it is meant.
    """
    if invoice.kind == "credit_note":
        raise WrongState(state=invoice.kind, remedy="correct the invoice, not its credit note")
    reading.be_patient(session)
    lines = _lines(session, invoice)
    books = months.hold_books(session, invoice.operator_id)
    wanted = _wanted(session, lines, parts)
    if not wanted:
        raise WrongState(state="credited", remedy="nothing is left of this invoice")
    if not again:
        _refuse_twice(session, invoice, {line.id: cents for line, cents in wanted})
    own = issuer(session, invoice.operator_id, now=now)
    made = [_take_back(session, line, cents, reason, own, books, now) for line, cents in wanted]
    draft = Draft(invoice.party_id, "credit_note", invoice.currency, tuple(reading.charges(session, made)), invoice.id)
    return finalise(session, own, [draft], now=now)[0]


def _lines(session: Session, invoice: Invoice) -> dict[int, Charge]:
    """The charges of an invoice by the number of their line, locked until commit."""
    own = select(Charge).where(Charge.invoice_id == invoice.id).order_by(Charge.id)
    locked = own.with_for_update(key_share=True).execution_options(populate_existing=True)
    charges = {str(charge.uid): charge for charge in session.scalars(locked)}
    return {line["no"]: charges[line["charge_id"]] for line in json.loads(invoice.snapshot)["lines"]}


def _priced(charge: Charge) -> int:
    return charge.gross_cents if charge.includes_vat else charge.net_cents


def _wanted(session: Session, lines: dict[int, Charge], parts: Sequence[Part]) -> list[tuple[Charge, int]]:
    """Which charges to credit by how much, in the cents they were priced in."""
    left = reading.left_of(session, [charge.id for charge in lines.values()])
    if not parts:
        return [(line, left[line.id]) for line in lines.values() if _priced(line) > 0 and left[line.id] > 0]
    numbers = [part.no for part in parts]
    if len(set(numbers)) < len(numbers):
        raise Invalid.field("lines", "name each line once")
    return [_part(lines.get(part.no), part, left) for part in parts]


def _part(line: Charge | None, part: Part, left: dict[int, int]) -> tuple[Charge, int]:
    if line is None or _priced(line) <= 0:
        raise Invalid.field("lines", f"line {part.no} is not one that can be credited")
    cents = part.cents if part.cents is not None else round_half_up(_priced(line) * (part.percent or 0), 100)
    if cents <= 0:
        raise Invalid.field("lines", f"credit at least a cent of line {part.no}")
    if cents > left[line.id]:
        raise MoreThanLeft(line=part.no, left_cents=left[line.id], asked_cents=cents)
    return line, cents


def _refuse_twice(session: Session, invoice: Invoice, wanted: dict[int, int]) -> None:
    """Raises CreditedAlready when a credit note of this invoice says the same."""
    rows = session.execute(
        select(Invoice.number, Charge)
        .join(Charge, Charge.invoice_id == Invoice.id)
        .where(Invoice.corrects_id == invoice.id)
    )
    said: dict[str, dict[int | None, int]] = {}
    for number, charge in rows:
        said.setdefault(number, {})[charge.corrects_id] = -_priced(charge)
    for number, credited in said.items():
        if credited == wanted:
            raise CreditedAlready(number=number, remedy="look at it; if another is meant, send again: true")


def _take_back(
    session: Session, line: Charge, cents: int, reason: str, own: Issuer, books: months.Books, now: datetime
) -> int:
    """A charge that takes back some of another, for the same days and party at the same VAT; returns its id."""
    amount = _amount(session, line, cents)
    month, _ = books.month_for(own.today)
    earned = line.earned_on is not None and line.kind not in DEPOSITS
    uid = new_id()
    values: dict[str, Any] = {name: getattr(line, name) for name in SHARED}
    whole = cents == _priced(line)
    back = Charge(
        **values,
        uid=uid,
        source=f"manual:{uid}",
        facts={**line.facts, "note": reason} if reason else line.facts,
        quantity_milli=line.quantity_milli if whole else 1000,
        unit=line.unit if whole else "piece",
        net_cents=-amount.net,
        vat_cents=-amount.vat,
        gross_cents=-amount.gross,
        corrects_id=line.id,
        earned_on=own.today if earned else None,
        month=month,
        created_at=now,
    )
    session.add(back)
    session.flush()
    if earned:
        post(session, [earned_before_document(_as_earned(back, own))], now=now)
    return back.id


def _as_earned(back: Charge, own: Issuer) -> Earned:
    return Earned(
        back.uid, back.operator_id, back.party_id, back.kind, back.currency, back.net_cents, back.vat_cents,
        back.gross_cents, own.today,
    )  # fmt: skip


def _amount(session: Session, line: Charge, cents: int) -> _Cents:
    """Net and VAT of `cents` of a line: the difference it makes to what stands, so that parts sum to the whole."""
    rows = session.scalars(select(Charge).where((Charge.id == line.id) | (Charge.corrects_id == line.id))).all()
    before = _Cents(sum(row.net_cents for row in rows), sum(row.vat_cents for row in rows))
    after = _of(line, (before.gross if line.includes_vat else before.net) - cents)
    return _Cents(before.net - after.net, before.vat - after.vat)


def _of(line: Charge, cents: int) -> _Cents:
    """Net and VAT of an amount priced as the line was, half-up."""
    if line.includes_vat:
        vat = round_half_up(cents * line.vat_permille, 1000 + line.vat_permille)
        return _Cents(cents - vat, vat)
    return _Cents(cents, round_half_up(cents * line.vat_permille, 1000))
