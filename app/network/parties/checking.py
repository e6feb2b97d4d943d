"""Which VAT numbers to ask about, and what an answer changes.

A number is asked about when it is new, and again once an answer is a week old: so a closing of a month never rests on
an older one, unless nobody has answered since. "No answer" changes nothing that was known and is tried again, later
each time. Each question and its answer stay as evidence: the consultation number proves what was known that day.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import column, select, table, update
from sqlalchemy.orm import Session

from app.db import raw
from app.network.parties.models import Party, VatNumberCheck
from app.network.parties.vat_numbers import LETTERS
from app.network.parties.vies import NO, NONE, YES, Answer
from app.vat.rates import EU_COUNTRIES

log = structlog.get_logger(__name__)

FRESH_FOR = timedelta(days=7)
# After so many times without an answer, in a row; then the last of them for ever.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720, 1440))
STATUS = {YES: "valid", NO: "invalid"}

_QUESTIONS = raw("""
    SELECT p.id, p.vat_number FROM party p
    CROSS JOIN LATERAL (
        SELECT count(*) AS times, max(c.asked_at) AS last FROM vat_number_check c
        WHERE c.party_id = p.id AND c.vat_number = p.vat_number AND c.answer = 'none' AND c.id > coalesce(
            (SELECT max(a.id) FROM vat_number_check a WHERE a.party_id = p.id AND a.answer <> 'none'), 0)) unheard
    WHERE p.vat_number IS NOT NULL AND p.is_business AND left(p.vat_number, 2) = ANY(:letters)
      AND (p.vat_checked_at IS NULL OR p.vat_checked_at <= :stale)
      AND (unheard.times = 0
           OR unheard.last + (CAST(:pauses AS interval[]))[least(unheard.times, :most)] <= :now)
    ORDER BY p.vat_checked_at NULLS FIRST, p.id LIMIT :limit
""")
_LAST = raw("""
    SELECT asked_at, answer, consultation FROM vat_number_check
    WHERE party_id = :party_id AND vat_number = :vat_number AND answer <> 'none' ORDER BY id DESC LIMIT 1
""")
_charges = table("charge", column("party_id"), column("operator_id"), column("invoice_id"))


class Question(NamedTuple):
    """A number as a party had it when it was decided to ask."""

    party_id: int
    vat_number: str


class Stale(NamedTuple):
    """A customer whose number has not been confirmed or denied since some time."""

    party_id: int
    party_uid: UUID
    vat_number: str | None
    vat_status: str
    checked_at: datetime | None


def next_questions(session: Session, *, now: datetime, limit: int = 10) -> list[Question]:
    """Numbers of the Union to ask about now: those never answered about first, then the oldest answers."""
    given = {
        "letters": [LETTERS.get(country, country) for country in EU_COUNTRIES], "now": now, "stale": now - FRESH_FOR,
        "pauses": list(PAUSES), "most": len(PAUSES), "limit": limit,
    }  # fmt: skip
    return [Question(row.id, row.vat_number) for row in session.execute(_QUESTIONS, given)]


def record_answer(session: Session, question: Question, answer: Answer, *, now: datetime) -> None:
    """Keep an answer, and have the party follow it, unless its number has changed since the question was asked."""
    wanted = select(Party).where(Party.id == question.party_id)
    party = session.scalars(wanted.with_for_update(key_share=True).execution_options(populate_existing=True)).one()
    session.add(
        VatNumberCheck(
            party_id=party.id, vat_number=question.vat_number, asked_at=now, answer=answer.answer,
            detail=answer.detail, consultation=answer.consultation,
        )
    )  # fmt: skip
    if party.vat_number != question.vat_number:
        return
    if answer.answer == NONE:
        party.vat_status = "unknown" if party.vat_status == "unchecked" else party.vat_status
        return
    before, party.vat_status = party.vat_status, STATUS[answer.answer]
    party.vat_checked_at = now
    if before != party.vat_status:
        log.info("vat_number_answered", party=str(party.uid), before=before, after=party.vat_status)


def stale(session: Session, operator_id: int, *, since: datetime) -> list[Stale]:
    """Customers with something not invoiced yet whose number nobody has confirmed or denied since then.

    For whoever closes a month: these documents follow what was last known. `ask_again` has them asked about at once.
    """
    unbilled = (
        select(_charges.c.party_id)
        .where(_charges.c.operator_id == operator_id, _charges.c.invoice_id.is_(None))
        .scalar_subquery()
    )
    rows = session.execute(
        select(Party.id, Party.uid, Party.vat_number, Party.vat_status, Party.vat_checked_at)
        .where(Party.id.in_(unbilled), Party.is_business, Party.vat_number.is_not(None))
        .where((Party.vat_checked_at < since) | Party.vat_checked_at.is_(None))
        .order_by(Party.id)
    )
    return [Stale(*row) for row in rows]


def ask_again(session: Session, party_ids: list[int]) -> None:
    """Have these parties' numbers asked about at the next turn; what is known of them stays till there is an answer."""
    session.execute(
        update(Party)
        .where(Party.id.in_(party_ids), Party.vat_number.is_not(None))
        .values(vat_checked_at=None)
        .execution_options(synchronize_session=False)
    )


class Evidence(NamedTuple):
    """An answer that stands, and what proves it."""

    asked_at: datetime
    answer: str
    consultation: str | None


def last_answer(session: Session, party: Party) -> Evidence | None:
    """The last yes or no about the number that a party has now, for whoever may see the party."""
    row = session.execute(_LAST, {"party_id": party.id, "vat_number": party.vat_number}).one_or_none()
    return Evidence(*row) if row else None
