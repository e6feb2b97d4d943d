"""A bank's file becomes statements and lines, each line once, and what is certain becomes payments: all or nothing.

One import of an operator runs at a time. The same file again changes nothing, nor does another one that shows only what
is known. A line is the same line wherever the bank's reference, day, amount and sign are the same; without a reference,
where everything that is told of it is. Several that are alike are counted.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.bank import settling
from app.billing.bank.models import BankStatement
from app.billing.bank.movements import AccountStatement, Movement, StatementRefused
from app.billing.bank.taking import House
from app.billing.months import HOME_ZONE, hold_books
from app.billing.payments.tasks import open_task
from app.db import Statement
from app.network.models import Operator, Space

LOCK = 7_200_013
_ALONE = Statement("SELECT pg_advisory_xact_lock(:lock::int, :operator_id::int)")
_KNOWN = Statement("SELECT key FROM bank_line WHERE operator_id = :operator_id AND key = ANY(:keys)")


@dataclass(slots=True)
class Imported:
    """What became of the lines of a file. `ignored`: known before, not booked yet, or in a foreign currency."""

    statements: list[UUID]
    matched: int = 0
    proposed: int = 0
    open: int = 0
    ignored: int = 0
    matched_cents: int = 0
    proposed_cents: int = 0
    open_cents: int = 0


class Keyed(NamedTuple):
    key: str
    line: Movement


def import_file(
    session: Session, operator: Operator, octets: bytes, *, now: datetime, by_id: int | None = None
) -> Imported:
    """Import every statement of a file. Raises StatementRefused and its kind; nothing is written then.

    The caller has seen to it that whoever asks keeps the operator's books.
    """
    from app.billing.bank import camt  # lxml is not loaded where no statement comes

    statements = camt.read(octets)
    for statement in statements:
        _check(statement, operator)
    _ALONE.run(session, {"lock": LOCK, "operator_id": operator.id})
    sha256 = hashlib.sha256(octets).hexdigest()
    done = Imported([])
    for position, statement in enumerate(statements, start=1):
        _import_one(session, operator, statement, (sha256, position), done, now=now, by_id=by_id)
    return done


def _check(statement: AccountStatement, operator: Operator) -> None:
    """Raises StatementRefused for another's account, or another currency than the operator's books."""
    if statement.iban != "".join(operator.iban.split()).upper():
        raise _refused(f"statement {statement.reference} is of another account than the operator's own")
    if statement.currency != operator.currency:
        raise _refused(f"statement {statement.reference} is in {statement.currency}, the books in {operator.currency}")


def _import_one(
    session: Session, operator: Operator, statement: AccountStatement, place: tuple[str, int], done: Imported, *,
    now: datetime, by_id: int | None,
) -> None:  # fmt: skip
    keyed = list(keys(statement.movements))
    new = _unknown(session, operator.id, keyed)
    ignored = len(keyed) - len(new) + statement.pending + len(statement.foreign)
    row = _row(session, operator, statement, place, lines=len(new), ignored=ignored, now=now, by_id=by_id)
    done.statements.append(row.uid)
    done.ignored += ignored
    if not new:
        return
    house = house_of(session, operator, now=now)
    for state, cents in settling.settle(session, house, row.id, new, now=now):
        setattr(done, state, getattr(done, state) + 1)
        setattr(done, f"{state}_cents", getattr(done, f"{state}_cents") + cents)
    _refuse_foreign(session, operator, row, statement.foreign, now=now)


def _row(
    session: Session, operator: Operator, statement: AccountStatement, place: tuple[str, int], *, lines: int,
    ignored: int, now: datetime, by_id: int | None,
) -> BankStatement:  # fmt: skip
    """The statement's row: that of the same file, or of an earlier one that showed all of it, or a new one."""
    mine = select(BankStatement).where(BankStatement.operator_id == operator.id)
    same = mine.where(BankStatement.sha256 == place[0], BankStatement.position == place[1])
    found = session.scalars(same).one_or_none()
    if found is None and not lines:
        known = mine.where(BankStatement.reference == statement.reference).order_by(BankStatement.id)
        found = session.scalars(known.limit(1)).one_or_none()
    if found is not None:
        return found
    made = BankStatement(
        operator_id=operator.id, sha256=place[0], position=place[1], format=statement.format,
        reference=statement.reference, from_day=statement.from_day, until_day=statement.until_day,
        currency=statement.currency, opening_cents=statement.opening_cents, closing_cents=statement.closing_cents,
        lines=lines, ignored=ignored, imported_at=now, imported_by_id=by_id,
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def keys(lines: Iterable[Movement]) -> Iterable[Keyed]:
    """Each line with what makes it the same in every statement that shows it."""
    seen: Counter[str] = Counter()
    for line in lines:
        told = replace(line, position=0)
        if line.bank_ref is not None:
            told = Movement(0, line.booked_on, line.cents, line.currency, bank_ref=line.bank_ref,
                            is_reversal=line.is_reversal, end_to_end_id=line.end_to_end_id)  # fmt: skip
        digest = hashlib.sha256(repr(told).encode()).hexdigest()[:40]
        seen[digest] += 1
        yield Keyed(f"{digest}:{seen[digest]}", line)


def _unknown(session: Session, operator_id: int, keyed: Sequence[Keyed]) -> list[Keyed]:
    asked = {"operator_id": operator_id, "keys": [each.key for each in keyed]}
    known = {row.key for row in _KNOWN.run(session, asked).fetchall()}
    return [each for each in keyed if each.key not in known]


def house_of(session: Session, operator: Operator, *, now: datetime) -> House:
    """The operator whose books are held open until commit; its day is that of its first space."""
    first = select(Space.timezone).where(Space.operator_id == operator.id).order_by(Space.id).limit(1)
    zone = ZoneInfo(session.scalar(first) or HOME_ZONE)
    books = hold_books(session, operator.id)
    return House(operator.id, operator.uid, operator.currency, books, now.astimezone(zone).date())


def _refuse_foreign(
    session: Session, operator: Operator, row: BankStatement, lines: Iterable[Movement], *, now: datetime
) -> None:
    """An entry in another currency than its account's is no money of these books: a person looks at it."""
    for line in lines:
        open_task(
            session, operator_id=operator.id, kind="foreign_currency", key=f"foreign:{row.uid}:{line.position}",
            cents=line.cents, currency=line.currency, facts={"statement_id": str(row.uid), "entry": line.position},
            now=now,
        )  # fmt: skip


def _refused(message: str) -> StatementRefused:
    return StatementRefused(errors=[{"field": "file", "message": message}])
