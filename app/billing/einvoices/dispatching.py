"""The dispatcher: makes the electronic invoices that are wanted, hands over those that go out, hears the answers.

No transaction is open while it writes or delivers. A claim is a lease: who holds it alone records what became of it;
when it dies, the lease runs out and another goes on, and the port sees to it that nothing goes out twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from app import pulse
from app.billing.einvoices.file_drop import FileDrop
from app.billing.einvoices.hearing import ask_somebody, hear
from app.billing.einvoices.history import tell
from app.billing.einvoices.making import PaperFirst, make, order
from app.billing.einvoices.models import EInvoice
from app.billing.einvoices.port import Answer, Carrier, Parcel
from app.billing.einvoices.sending import goes, gone_as, lock_document, settings_of
from app.billing.einvoices.writing import file_name
from app.billing.invoices.models import Invoice
from app.billing.papers import files
from app.config import Config
from app.db import TenantSession, connection_lost, transaction
from app.errors import Problem
from app.network.models import Operator
from app.tenancy import SYSTEM
from app.timekeeper import Clock, utc_now

log = structlog.get_logger(__name__)

BATCH = 10
ANSWERS = 100
LEASE = timedelta(seconds=120)
EVERY_S = 1.0
LONGEST_PAUSE_S = 6.0
FOR_THE_PAPER = timedelta(seconds=5)
BACKOFF = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 21600))


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that is ours until `until`, and which attempt this is, from 1."""

    id: int
    attempt: int
    until: datetime


class Dispatcher:
    def __init__(
        self,
        make_session: sessionmaker[TenantSession],
        home: Path,
        *,
        carrier: Carrier | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._make_session = make_session
        self._home = home
        self._carrier = carrier or FileDrop(home)
        self._clock = clock
        self._pause_s = EVERY_S

    def run(self, stop: threading.Event) -> None:
        """Until `stop`: what is in hand is finished, what was claimed with it waits for its lease."""
        while not stop.is_set():
            pulse.rest(stop, self._turn(stop))

    def _turn(self, stop: threading.Event) -> float:
        """One batch; how long to rest after it."""
        try:
            done = self.work(stopping=stop.is_set) + self.listen()
            self._pause_s = EVERY_S
        except Exception as error:
            if not connection_lost(error):
                raise
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
            log.warning("database_lost", sender="einvoices", error=str(error)[:300])
            return self._pause_s
        return 0.0 if done else EVERY_S

    def work(self, *, limit: int = BATCH, stopping: Callable[[], bool] = lambda: False) -> int:
        """Make or hand over up to `limit` that are due; returns how many were claimed."""
        claims = self._claim(limit)
        for claim in claims:
            pulse.beat()
            if stopping():
                self._record(claim, attempts=claim.attempt - 1)
                continue
            self._take(claim)
        return len(claims)

    def listen(self) -> int:
        """Hear the answers that have come; returns how many were settled, the others are told again."""
        settled = 0
        for answer in self._carrier.ask(most=ANSWERS):
            pulse.beat()
            used = self._hear(answer)
            if used is not None:
                self._carrier.heard(answer, used=used)
                settled += 1
        return settled

    def _hear(self, answer: Answer) -> bool | None:
        """Whether it was about something; None where the database could not just now. One stops no other."""
        try:
            with transaction(self._make_session, SYSTEM) as session:
                used = hear(session, answer, now=self._clock())
        except Exception as error:
            if connection_lost(error):
                raise
            if isinstance(error, OperationalError):  # somebody held it for too long, or a deadlock was broken
                log.warning("einvoice_answer_waits", number=answer.number, error=str(error)[:300])
                return None
            log.exception("einvoice_answer_failed", number=answer.number, key=answer.key)
            return False
        if not used:
            log.warning("einvoice_answer_unread", number=answer.number, error="about nothing that was handed over")
        return used

    def _claim(self, limit: int) -> list[Claim]:
        now = self._clock()
        ripe = (
            select(EInvoice.id)
            .where(EInvoice.due_at <= now, or_(EInvoice.claimed_until.is_(None), EInvoice.claimed_until <= now))
            .order_by(EInvoice.due_at, EInvoice.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        claiming = (
            update(EInvoice)
            .where(EInvoice.id.in_(ripe.scalar_subquery()))
            .values(claimed_until=now + LEASE, attempts=EInvoice.attempts + 1)
            .returning(EInvoice.id, EInvoice.attempts)
            .execution_options(synchronize_session=False)
        )
        with transaction(self._make_session, SYSTEM) as session:
            claimed = [Claim(key, attempt, now + LEASE) for key, attempt in session.execute(claiming)]
        return sorted(claimed, key=lambda claim: claim.id)

    def _take(self, claim: Claim) -> None:
        """Make it, or hand it over: one step, after which the next one is due."""
        try:
            with transaction(self._make_session, SYSTEM) as session:
                row = session.get_one(EInvoice, claim.id)
                held = row.claimed_until == claim.until
                wanted = order(session, row) if held and self._is_missing(row) else None
            if not held:
                return
            if wanted is not None:
                self._made(claim, make(wanted, home=self._home))
            else:
                self._hand_over(claim)
        except PaperFirst:
            self._record(claim, due_at=self._clock() + FOR_THE_PAPER, attempts=claim.attempt - 1)
        except Exception as error:
            if connection_lost(error):
                raise
            self._try_later(claim, error)

    def _is_missing(self, row: EInvoice) -> bool:
        """Whether its file has to be written: for the first time, or because it was lost."""
        if row.sha256 is None or row.state == "wanted":
            return True
        with suppress(FileNotFoundError):
            return files.path_of(self._home, row.sha256).stat().st_size != row.size
        return True

    def _made(self, claim: Claim, written: dict[str, Any]) -> None:
        now = self._clock()
        with transaction(self._make_session, SYSTEM) as session:
            row = _held(session, claim)
            if row is None:
                return
            if row.sha256 not in (None, written["sha256"]):
                log.warning("einvoice_differs", einvoice_id=row.id, was=row.sha256, now=written["sha256"])
            for name, value in written.items():
                setattr(row, name, value)
            row.made_at = row.made_at or now
            if row.state in ("wanted", "failed"):
                row.state = "made"
                tell(session, row, state="made", key=f"made:{row.round}", now=now)
            row.attempts, row.claimed_until, row.last_error = 0, None, None
            row.due_at = now if row.state == "made" and row.route else None

    def _hand_over(self, claim: Claim) -> None:
        """Where it goes, give it to the carrier; where it does not (yet), it waits to be looked at again.

        That it may be gone is on disk before it is: from then on no other format of the document goes that way.
        """
        now = self._clock()
        with transaction(self._make_session, SYSTEM) as session:
            lock_document(session, session.scalars(select(EInvoice.invoice_id).where(EInvoice.id == claim.id)).one())
            row = _held(session, claim)
            parcel = self._parcel(session, row) if row is not None else None
            if row is not None and parcel is not None:
                row.handed_over_at = row.handed_over_at or now
        if parcel is None:
            self._record(claim, due_at=None, attempts=0)
            return
        reference = self._carrier.hand_over(parcel)
        with transaction(self._make_session, SYSTEM) as session:
            row = _held(session, claim)
            if row is None:
                return  # another holds it, and is told the same by the carrier
            row.handed_over_at, row.reference = now, reference
            if row.state == "made":  # else it has been answered already
                row.state = "handed_over"
            row.due_at, row.claimed_until, row.attempts, row.last_error = None, None, 0, None
            tell(session, row, state="handed_over", key=f"handed_over:{row.round}", detail=reference, now=now)

    def _parcel(self, session: Session, row: EInvoice) -> Parcel | None:
        invoice = session.get_one(Invoice, row.invoice_id)
        chosen = settings_of(session, row.operator_id)
        if row.state != "made" or not goes(
            chosen,
            route=row.route,
            format=row.format,
            issued_on=invoice.issued_on,
            is_under_way=row.handed_over_at is not None,
        ):
            return None
        if gone_as(session, row.invoice_id, route=row.route, format=row.format) is not None:
            return None
        octets = files.read(self._home, row.sha256 or "")
        if octets is None:
            raise OSError(f"the file {row.sha256} is not what its name says")
        return Parcel(
            key=f"{row.uid}.{row.round}",
            operator_uid=session.get_one(Operator, row.operator_id).uid,
            route=row.route or "",
            name=file_name(invoice.number, row.format),
            octets=octets,
        )

    def _try_later(self, claim: Claim, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"[:500]
        hopeless = isinstance(error, Problem) or claim.attempt > len(BACKOFF)
        if not hopeless:
            self._record(claim, due_at=self._clock() + BACKOFF[claim.attempt - 1], last_error=said)
            log.warning("einvoice_not_done", einvoice_id=claim.id, attempts=claim.attempt, error=said)
            return
        now = self._clock()
        with transaction(self._make_session, SYSTEM) as session:
            row = _held(session, claim)
            if row is None:
                return
            row.state, row.due_at, row.claimed_until, row.last_error = "failed", None, None, said
            tell(session, row, state="failed", key=f"failed:{row.round}:{now.isoformat()}", detail=said, now=now)
            ask_somebody(session, row, kind="einvoice_failed", about=now.isoformat(), code="", now=now)
        log.error("einvoice_failed", einvoice_id=claim.id, attempts=claim.attempt, error=said)

    def _record(self, claim: Claim, **values: Any) -> None:
        with transaction(self._make_session, SYSTEM) as session:
            row = _held(session, claim)
            if row is not None:
                for name, value in {"claimed_until": None, **values}.items():
                    setattr(row, name, value)


def _held(session: Session, claim: Claim) -> EInvoice | None:
    """The row, locked, while it is ours; None when the lease ran out and another has it, or had it."""
    ours = select(EInvoice).where(EInvoice.id == claim.id, EInvoice.claimed_until == claim.until)
    return session.scalars(ours.with_for_update(key_share=True)).one_or_none()


def dispatcher(config: Config, make_session: sessionmaker[TenantSession]) -> Callable[[threading.Event], None]:
    """The loop that runs beside the einvoices consumer."""
    return Dispatcher(make_session, config.home).run
