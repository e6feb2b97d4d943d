"""Making a SEPA file: what waits is collected as it stands now, written, sealed under its hash. One at a time for an
operator, so that two makers at the same instant make one file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.billing.months import HOME_ZONE
from app.billing.papers import files
from app.billing.papers.epc import is_iban
from app.billing.payments.models import PaymentAccount
from app.billing.sepa.collecting import collect_due, collect_refunds
from app.billing.sepa.models import SepaFile, SepaItem, SepaMandate
from app.db import Statement
from app.errors import Invalid, NotFound, WrongState
from app.ids import new_id
from app.network.models import Operator, Space
from app.network.people import Person

if TYPE_CHECKING:
    from app.billing.sepa.writing import Own, Part

LOCK = 7_200_014
MOST = 5000  # items in one file
_ALONE = Statement("SELECT pg_advisory_xact_lock(:lock::int, :operator_id::int)")


def make_files(
    session: Session, operator: Operator, kind: str, *, home: Path, execution_on: date, now: datetime,
    format: str | None = None, by_id: int | None = None,
) -> list[SepaFile]:  # fmt: skip
    """Seal what waits into a file; debits into one for each scheme. None where nothing waits.

    Raises Invalid for a day in the past, an own account that is no IBAN, a missing creditor identifier.
    """
    from app.billing.sepa import writing  # with lxml: only where a file is made

    formats = writing.FORMATS[kind]
    format = format or formats[0]
    own = _own(session, operator, kind)
    if format not in formats:
        raise Invalid.field("format", f"must be one of {', '.join(formats)}")
    if format == writing.NEEDS_BIC and not own.bic:
        raise Invalid.field("format", "this format needs the BIC of the operator's account: set it, or use .08")
    if execution_on < _today(session, operator, now):
        raise Invalid.field("execution_on", "must not be in the past")
    _ALONE.run(session, {"lock": LOCK, "operator_id": operator.id})
    _forget_waiting(session, operator.id, kind)
    if kind == "transfer":
        collect_refunds(session, operator.id, now=now)
    else:
        collect_due(session, operator.id, day=execution_on, now=now)
    made = []
    for scheme, items in _waiting(session, operator.id, kind):
        uid = new_id()
        parts = [_part(item, mandate) for item, mandate in items]
        shared: dict[str, Any] = {"format": format, "message": uid.hex, "day": execution_on, "now": now}
        if kind == "transfer":
            octets = writing.transfers(own, parts, **shared)
        else:
            octets = writing.debits(own, parts, scheme=scheme, **shared)
        sealed = SepaFile(
            uid=uid, operator_id=operator.id, kind=kind, format=format, sha256=files.keep(home, octets),
            size=len(octets), items=len(parts), cents=sum(part.cents for part in parts), currency=operator.currency,
            execution_on=execution_on, made_at=now, made_by_id=by_id,
        )  # fmt: skip
        session.add(sealed)
        session.flush()
        ids = [item.id for item, _ in items]
        session.execute(update(SepaItem).where(SepaItem.id.in_(ids)).values(file_id=sealed.id, state="in_file"))
        made.append(sealed)
    return made


def find_file(session: Session, file_id: UUID, *, person: Person) -> SepaFile:
    """Raises NotFound."""
    found = session.scalars(select(SepaFile).where(SepaFile.uid == file_id)).one_or_none()
    if found is None:
        raise NotFound()
    person.require_books(found.operator_id)
    return found


def find_item(session: Session, item_id: UUID, *, person: Person) -> SepaItem:
    """Raises NotFound."""
    found = session.scalars(select(SepaItem).where(SepaItem.uid == item_id)).one_or_none()
    if found is None:
        raise NotFound()
    person.require_books(found.operator_id)
    return found


def hand_over(session: Session, file: SepaFile, *, home: Path, now: datetime) -> SepaFile:
    """Let the file be taken. Whoever takes it may give it to the bank: from now on it cannot be cancelled. Once more
    changes nothing. Raises WrongState for one that was cancelled, or is not on the disk as it was sealed."""
    file = _held(session, file)
    if file.cancelled_at is not None:
        raise WrongState(state="cancelled", remedy="its items wait for another file: make one")
    _octets(home, file)
    file.handed_over_at = file.handed_over_at or now
    session.flush()
    return file


def content(file: SepaFile, *, home: Path) -> bytes:
    """What was sealed, for the bank; changes nothing. Raises WrongState for a file that is not handed over."""
    if file.handed_over_at is None:
        state = "cancelled" if file.cancelled_at else "sealed"
        raise WrongState(state=state, remedy="hand it over first, with POST /sepa-files/{id}/hand-over")
    return _octets(home, file)


def _octets(home: Path, file: SepaFile) -> bytes:
    octets = files.read(home, file.sha256)
    if octets is None:
        raise WrongState(state="lost", remedy="the file is not on this host's disk as it was sealed: see the doctor")
    return octets


def cancel(session: Session, file: SepaFile, reason: str, *, now: datetime) -> SepaFile:
    """Before anybody took it: what is in it is collected anew for another file. Once more changes nothing. Raises
    WrongState."""
    file = _held(session, file)
    if file.cancelled_at is not None:
        return file
    if file.handed_over_at is not None:
        raise WrongState(state="handed_over", remedy="ask the bank to cancel it; what it does is on the statement")
    file.cancelled_at, file.cancel_reason = now, reason
    freed = update(SepaItem).where(SepaItem.file_id == file.id, SepaItem.state == "in_file")
    session.execute(freed.values(file_id=None, state="cancelled"))
    session.flush()
    return file


def _forget_waiting(session: Session, operator_id: int, kind: str) -> None:
    """What no file took stands otherwise by now: paid, credited, resolved, its mandate revoked."""
    mine = (SepaItem.operator_id == operator_id, SepaItem.kind == kind, SepaItem.state == "waiting")
    session.execute(update(SepaItem).where(*mine).values(state="cancelled"))


def _held(session: Session, file: SepaFile) -> SepaFile:
    mine = select(SepaFile).where(SepaFile.id == file.id).with_for_update(key_share=True)
    return session.scalars(mine.execution_options(populate_existing=True)).one()


def _own(session: Session, operator: Operator, kind: str) -> Own:
    from app.billing.sepa.writing import Own

    iban = "".join(operator.iban.split()).upper()
    if not is_iban(iban):
        raise Invalid.field("operator_id", "the operator's own account is no valid IBAN: correct it first")
    account = session.get(PaymentAccount, operator.id)
    creditor = account.creditor_identifier if account else None
    if kind == "debit" and not creditor:
        raise Invalid.field("operator_id", "debits need the operator's SEPA creditor identifier: set it first")
    holder = account.holder if account and account.holder else operator.name
    return Own(holder, iban, account.bic if account else None, creditor, operator.currency)


def _today(session: Session, operator: Operator, now: datetime) -> date:
    first = select(Space.timezone).where(Space.operator_id == operator.id).order_by(Space.id).limit(1)
    return now.astimezone(ZoneInfo(session.scalar(first) or HOME_ZONE)).date()


def _waiting(
    session: Session, operator_id: int, kind: str
) -> list[tuple[str, Sequence[tuple[SepaItem, SepaMandate | None]]]]:
    """Items that wait, by the scheme of their mandates ("" for transfers)."""
    rows = session.execute(
        select(SepaItem, SepaMandate)
        .outerjoin(SepaMandate, SepaMandate.id == SepaItem.mandate_id)
        .where(SepaItem.operator_id == operator_id, SepaItem.kind == kind, SepaItem.state == "waiting")
        .order_by(SepaItem.id)
        .limit(MOST)
    ).all()
    found: dict[str, list[tuple[SepaItem, SepaMandate | None]]] = {}
    for item, mandate in rows:
        found.setdefault(mandate.scheme if mandate else "", []).append((item, mandate))
    return sorted(found.items())


def _part(item: SepaItem, mandate: SepaMandate | None) -> Part:
    from app.billing.sepa.writing import Part

    signed = (mandate.reference, mandate.signed_on) if mandate else None
    return Part(
        item.name, item.iban, item.bic, item.cents, item.end_to_end_id, item.remittance, signed, item.sequence
    )  # fmt: skip
