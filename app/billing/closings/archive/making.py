"""Making the archive of an operator's closed month: by command, and by itself after each monthly closing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.closings.archive import contents, format, keys
from app.billing.closings.archive.writing import write
from app.billing.closings.content import instant
from app.billing.closings.days import KINDS, MONTH, YEAR
from app.billing.closings.models import Closing, SealedArchive
from app.billing.closings.sealing import ARCHIVE, AT_ONCE, daily
from app.config import Config
from app.errors import Problem
from app.events.archive import FOLDER
from app.network.models import Operator
from app.timekeeper import due, schedule

BOOKS = Path(FOLDER) / "books"  # under PASSERELLE_HOME


class MonthNotClosed(Problem):
    code = "month_not_closed"
    status = 409
    title = "Only a month that is closed goes into an archive; it closes at midnight after its last day."


@due(ARCHIVE)
def archive_closed_months(session: Session, operator_id: int, *, now: datetime) -> None:
    """Write the archive of the first closed month that has none, on this host; again at once while there are more."""
    months = _without_archive(session, operator_id)
    if not months:
        return
    make_archive(session, months[0], home=Config.from_env().home, by_itself=True, now=now)
    if months[1:]:
        schedule(session, ARCHIVE, operator_id, now + AT_ONCE)


def _without_archive(session: Session, operator_id: int) -> list[Closing]:
    made = select(SealedArchive.month).filter_by(operator_id=operator_id, by_itself=True)
    monthly = select(Closing).filter_by(operator_id=operator_id, kind=MONTH).order_by(Closing.number)
    done = set(session.scalars(made))
    return [month for month in session.scalars(monthly) if month.first_day.replace(day=1) not in done]


def closed_month(session: Session, operator_id: int, month: date) -> Closing:
    """The closing of the month that begins on `month`. Raises MonthNotClosed."""
    last_day = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    found = session.scalars(
        select(Closing).filter_by(operator_id=operator_id, kind=MONTH, last_day=last_day)
    ).one_or_none()
    if found is None:
        raise MonthNotClosed(month=f"{month:%Y-%m}")
    return found


def default_path(home: Path, operator: Operator, month: date) -> Path:
    return home / BOOKS / str(operator.uid) / f"{month:%Y-%m}.zip"


def make_archive(
    session: Session, month: Closing, *, home: Path, now: datetime, output: Path | None = None, by_itself: bool = False
) -> SealedArchive:
    """Write the archive of a closed month, synced to disk, and record it. An older file of that name is replaced.

    Raises OSError when it cannot be written, BadSetting when the key cannot be used.
    """
    operator = session.get_one(Operator, month.operator_id)
    begins = month.first_day.replace(day=1)
    key = keys.registered(session, keys.signer(home))
    path = output or default_path(home, operator, begins)
    closings, before = list(_closings(session, month)), list(_before(session, month))
    members = {
        format.DOCUMENTS: contents.documents(session, month),
        format.POSTINGS: contents.postings(session, month),
        format.CHARGES: contents.charges(session, month),
        format.PAYMENTS: contents.payments(session, month),
        format.CLOSINGS: map(contents.closing_line, closings),
        format.BEFORE: map(contents.closing_line, before),
    }

    def manifest() -> dict[str, Any]:
        said = _about(operator, month) | {"made_at": instant(now), "keys": keys.lineage(session, key.public_key)}
        series = contents.series_heads(session, month)
        return said | {"heads": {"documents": series, "closings": _heads(before, closings)}}

    octets, sha256 = write(path, members, manifest, key=key, now=now)
    made = SealedArchive(
        operator_id=operator.id, month=begins, host=socket.gethostname(), path=str(path.absolute()), octets=octets,
        sha256=sha256, public_key=key.public_key, by_itself=by_itself, made_at=now,
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def _closings(session: Session, month: Closing) -> Iterator[Closing]:
    """The month's daily closings, its own, and the year's where the month ends one."""
    yield from daily(session, month.operator_id, month.first_day, month.last_day)
    yield month
    year = select(Closing).filter_by(operator_id=month.operator_id, kind=YEAR, last_day=month.last_day)
    yield from session.scalars(year)


def _before(session: Session, month: Closing) -> Iterator[Closing]:
    for kind in KINDS:
        earlier = select(Closing).filter_by(operator_id=month.operator_id, kind=kind)
        earlier = earlier.where(Closing.last_day < month.first_day).order_by(Closing.number.desc())
        yield from session.scalars(earlier.limit(1))


def _about(operator: Operator, month: Closing) -> dict[str, Any]:
    said = json.loads(month.snapshot)
    return {
        "format": format.FORMAT,
        "software": f"passerelle {version('passerelle')}",
        "operator": {
            "id": str(operator.uid), "name": operator.name, "country": operator.country,
            "company_number": operator.company_number, "vat_number": operator.vat_number,
        },
        "month": f"{month.first_day:%Y-%m}",
        "timezone": said["timezone"],
        "starts_at": said["starts_at"],
        "ends_at": said["ends_at"],
        "totals": said["totals"],
    }  # fmt: skip


def _heads(before: list[Closing], closings: list[Closing]) -> dict[str, Any]:
    """By kind, number and hash of the last closing before the month and of the last in it."""
    found: dict[str, Any] = {kind: {"before": None, "after": None} for kind in KINDS}
    for when, those in (("before", before), ("after", closings)):
        for closing in those:
            found[closing.kind][when] = {"number": closing.number, "hash": closing.hash}
    return found
