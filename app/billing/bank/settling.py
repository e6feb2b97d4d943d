"""New lines, decided: what is certain is done, what is likely is proposed, the rest is open. Few statements for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.billing.bank import holding, matching, proposing, reading, returning
from app.billing.bank.bulk import Bulk
from app.billing.bank.matching import Verdict
from app.billing.bank.movements import Movement
from app.billing.bank.owing import Came, Facts, Item
from app.billing.bank.proposing import Proposal
from app.billing.bank.taking import House, Taken, post_others, take, taken
from app.billing.payments.standing import Due
from app.db import Statement
from app.ids import new_id

if TYPE_CHECKING:
    from app.billing.bank.importing import Keyed

_IDS = Statement("SELECT nextval(pg_get_serial_sequence('bank_line', 'id')) AS id FROM generate_series(1, :count)")
_LINES = Bulk(
    "bank_line", id="bigint", uid="uuid", operator_id="bigint", statement_id="bigint", key="text", position="int",
    booked_on="date", cents="bigint", currency="text", code="text", is_reversal="boolean", return_reason="text",
    end_to_end_id="text", bank_ref="text", structured="text", remittance="text", counterparty_name="text",
    counterparty_iban="text", state="text", rule="text", reasons="jsonb", party_id="bigint", payment_id="bigint",
    decided_at="timestamptz",
)  # fmt: skip
_PROPOSALS = Bulk(
    "bank_proposal", uid="uuid", operator_id="bigint", line_id="bigint", party_id="bigint", certainty="int",
    reasons="jsonb", aims="jsonb",
)  # fmt: skip


@dataclass(slots=True)
class Decided:
    """A new line and what is to be done with it."""

    id: int
    uid: UUID
    key: str
    line: Movement
    verdict: Verdict | None = None
    proposals: list[Proposal] = field(default_factory=list)
    payment_id: int | None = None

    @property
    def state(self) -> str:
        return "matched" if self.verdict else "proposed" if self.proposals else "open"


def settle(
    session: Session, house: House, statement_id: int, new: Sequence[Keyed], *, now: datetime
) -> Iterator[tuple[str, int]]:
    """Decide lines and write them with all that follows; yields the state and the cents of each."""
    rows = _IDS.run(session, {"count": len(new)}).fetchall()
    decided = [Decided(row.id, new_id(), each.key, each.line) for row, each in zip(rows, new, strict=True)]
    dues = _decide(session, house, decided)
    payments = _take(session, house, decided, dues, now)
    _LINES.insert(session, [_row(house, statement_id, each, now) for each in decided])
    _PROPOSALS.insert(session, [_proposal(house, each, found) for each in decided for found in each.proposals])
    others = [(each.uid, each.line, each.verdict.account) for each in decided if each.verdict and each.verdict.account]
    post_others(session, house, [(uid, line, str(account)) for uid, line, account in others], now=now)
    returning.follow(session, house, decided, payments, now=now)
    for each in decided:
        yield each.state, each.line.cents


def _decide(session: Session, house: House, decided: Sequence[Decided]) -> dict[int, Due]:
    """Verdicts and proposals for lines, from invoices that stand as they were read: held, then read once more."""
    lines = [each.line for each in decided]
    held: set[int] = set()
    while True:
        facts = reading.facts_for(session, house.id, lines, currency=house.currency)
        believed = dict(facts.register.open_cents)
        for each in sorted(decided, key=lambda each: (each.line.cents < 0, each.line.booked_on)):
            each.verdict = matching.exact(each.line, facts)
            _remember(each, facts)
        wanted = {key for each in decided if each.verdict for key, _ in each.verdict.aims}
        dues = holding.hold(session, house, [each.verdict for each in decided if each.verdict], wanted | held)
        held |= wanted
        if all(dues[key].left_cents == believed[key] for key in wanted):
            break
    for each in decided:
        each.proposals = [] if each.verdict else proposing.proposals(each.line, facts)
    return dues


def _remember(each: Decided, facts: Facts) -> None:
    """What comes in a file may go back in the same file."""
    if each.verdict is None or each.line.cents < 0 or each.verdict.account:
        return
    for item in each.verdict.items:
        facts.came[f"e2e:{item.end_to_end_id}"] = [Came(-item.id, 0, item.party_id or 0, item.cents)]
    if each.verdict.party_id is None:
        return
    came = Came(each.id, 0, each.verdict.party_id, each.line.cents)
    for key in matching.keys_of(each.line.end_to_end_id, each.line.bank_ref):
        facts.came.setdefault(key, []).append(came)


def _take(
    session: Session, house: House, decided: Sequence[Decided], dues: dict[int, Due], now: datetime
) -> dict[int, int]:
    """Payments of the lines that are some, or of their parts; returns them by what Came calls a line."""
    wanted: list[tuple[Decided, int, Taken]] = []
    for each in decided:
        verdict = each.verdict
        if verdict and verdict.party_id and each.line.cents > 0 and verdict.rule != "returned_transfer":
            kind = "debit" if verdict.item else "transfer"
            payment = taken(str(each.uid), each.line, verdict.party_id, kind, dict(verdict.aims))
            wanted.append((each, each.id, payment))
        elif verdict and verdict.items and each.line.cents > 0:
            wanted.extend((each, -item.id, _part(each, item)) for item in verdict.items)
    take(session, house, [payment for _, _, payment in wanted], dues, now=now)
    for each, line_id, payment in wanted:
        each.payment_id = payment.payment_id if line_id == each.id else None
    return {line_id: payment.payment_id for _, line_id, payment in wanted}


def _part(each: Decided, item: Item) -> Taken:
    """The payment of one debit out of those that a line books in one sum."""
    line = replace(each.line, cents=item.cents)
    aims = {item.invoice_id: item.cents} if item.invoice_id else {}
    return taken(f"{each.uid}:{item.end_to_end_id}", line, item.party_id or 0, "debit", aims)


def _row(house: House, statement_id: int, each: Decided, now: datetime) -> dict[str, Any]:
    line, verdict = each.line, each.verdict
    return {
        "id": each.id, "uid": each.uid, "operator_id": house.id, "statement_id": statement_id, "key": each.key,
        "position": line.position, "booked_on": line.booked_on, "cents": line.cents, "currency": line.currency,
        "code": line.code, "is_reversal": line.is_reversal, "return_reason": line.return_reason,
        "end_to_end_id": line.end_to_end_id, "bank_ref": line.bank_ref, "structured": line.structured,
        "remittance": line.text, "counterparty_name": line.name, "counterparty_iban": line.iban,
        "state": each.state, "rule": verdict.rule if verdict else "",
        "reasons": [verdict.rule] if verdict else list(each.proposals[0].reasons) if each.proposals else [],
        "party_id": verdict.party_id if verdict else None, "payment_id": each.payment_id,
        "decided_at": now if verdict else None,
    }  # fmt: skip


def _proposal(house: House, each: Decided, found: Proposal) -> dict[str, Any]:
    return {
        "uid": new_id(), "operator_id": house.id, "line_id": each.id, "party_id": found.party_id,
        "certainty": found.certainty, "reasons": list(found.reasons), "aims": [list(aim) for aim in found.aims],
    }  # fmt: skip
