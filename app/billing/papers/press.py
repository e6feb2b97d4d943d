"""The press: draws the PDFs that are wanted, with no transaction open while it draws. Any number of presses may run.

A claim is a lease: whoever holds it alone records what became of the paper; when it dies, the lease runs out and
another press draws. Drawn twice is the same file. The file is on disk before the row that names it commits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from app import pulse
from app.billing.invoices.models import Invoice
from app.billing.papers import files
from app.billing.papers.branding import look_of
from app.billing.papers.look import Look
from app.billing.papers.models import Paper
from app.config import Config
from app.db import TenantSession, connection_lost, transaction
from app.tenancy import SYSTEM
from app.timekeeper import Clock, utc_now

log = structlog.get_logger(__name__)

BATCH = 10
LEASE = timedelta(seconds=120)  # of one paper: renewed before each; a document of ten thousand lines takes a minute
EVERY_S = 0.5
LONGEST_PAUSE_S = 6.0
BACKOFF = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 21600))


@dataclass(frozen=True, slots=True)
class Claim:
    """A paper that is ours until `until`, and which attempt this is, from 1."""

    invoice_id: int
    attempt: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be drawn, and what it was drawn to be before, if it was."""

    snapshot: str
    look: Look
    sha256: str | None
    drawn_by: str | None


class Press:
    def __init__(self, make_session: sessionmaker[TenantSession], home: Path, *, clock: Clock = utc_now) -> None:
        self._make_session = make_session
        self._home = home
        self._clock = clock
        self._pause_s = EVERY_S

    def run(self, stop: threading.Event) -> None:
        """Until `stop`: the paper in hand is finished, those claimed with it go back."""
        while not stop.is_set():
            pulse.rest(stop, self._turn(stop))

    def draw_due(self, *, limit: int = BATCH, stopping: Callable[[], bool] = lambda: False) -> int:
        """Draw up to `limit` papers whose time has come; returns how many were claimed."""
        claims = self._claim(limit)
        for position, claim in enumerate(claims):
            pulse.beat()
            if stopping():
                self._give_back(claims[position:])
                break
            self._draw(claim)
        return len(claims)

    def _turn(self, stop: threading.Event) -> float:
        """One batch; how long to rest after it."""
        try:
            claimed = self.draw_due(stopping=stop.is_set)
            self._pause_s = EVERY_S
        except Exception as error:
            if not connection_lost(error):
                raise
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
            log.warning("database_lost", sender="papers", error=str(error)[:300])
            return self._pause_s
        return 0.0 if claimed else EVERY_S

    def _claim(self, limit: int) -> list[Claim]:
        now = self._clock()
        ripe = (
            select(Paper.invoice_id)
            .where(
                Paper.state.in_(("wanted", "drawing")),
                Paper.due_at <= now,
                or_(Paper.claimed_until.is_(None), Paper.claimed_until <= now),
            )
            .order_by(Paper.due_at, Paper.invoice_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        claiming = (
            update(Paper)
            .where(Paper.invoice_id.in_(ripe.scalar_subquery()))
            .values(state="drawing", claimed_until=now + LEASE, attempts=Paper.attempts + 1)
            .returning(Paper.invoice_id, Paper.attempts)
            .execution_options(synchronize_session=False)
        )
        with transaction(self._make_session, SYSTEM) as session:
            claimed = [Claim(invoice_id, attempt, now + LEASE) for invoice_id, attempt in session.execute(claiming)]
        return sorted(claimed, key=lambda claim: claim.invoice_id)

    def _draw(self, claim: Claim) -> None:
        with transaction(self._make_session, SYSTEM) as session:
            renewed = self._renew(session, claim)
            order = _order(session, claim.invoice_id)
        if renewed is None:
            return
        try:
            drawn = self._drawn(order)
        except Exception as error:
            self._try_later(renewed, error)
            return
        self._told(renewed, order, drawn["sha256"], drawn["drawn_by"])
        self._record(renewed, state="drawn", rendered_at=self._clock(), last_error=None, **drawn)

    def _drawn(self, order: Order) -> dict[str, Any]:
        """Draw it and keep the file; what the row will say of it. Raises whatever drawing or the disk raises."""
        from app.billing.papers.drawing import VERSION, draw  # fpdf weighs 20 MB: workers load it when they first draw

        logo = files.read(self._home, order.look.logo) if order.look.logo else None
        octets = draw(order.snapshot, order.look, logo)
        sha256 = files.keep(self._home, octets)
        return {"sha256": sha256, "size": len(octets), "drawn_by": VERSION, "look": order.look.stored()}

    def _told(self, claim: Claim, order: Order, sha256: str, drawn_by: str) -> None:
        """A lost file was drawn anew: with the same versions it is the same, and nobody needs to know."""
        if order.sha256 not in (None, sha256):
            log.warning(
                "paper_differs", invoice_id=claim.invoice_id, was=order.sha256, now=sha256,
                was_drawn_by=order.drawn_by, drawn_by=drawn_by,
            )  # fmt: skip

    def _renew(self, session: Session, claim: Claim) -> Claim | None:
        until = self._clock() + LEASE
        if not _changed(session, claim, claimed_until=until):
            return None
        return Claim(claim.invoice_id, claim.attempt, until)

    def _try_later(self, claim: Claim, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"[:500]
        if claim.attempt > len(BACKOFF):
            self._record(claim, state="failed", last_error=said)
            log.error("paper_failed", invoice_id=claim.invoice_id, attempts=claim.attempt, error=said)
            return
        self._record(claim, state="wanted", due_at=self._clock() + BACKOFF[claim.attempt - 1], last_error=said)
        log.warning("paper_not_drawn", invoice_id=claim.invoice_id, attempts=claim.attempt, error=said)

    def _record(self, claim: Claim, **values: Any) -> None:
        with transaction(self._make_session, SYSTEM) as session:
            _changed(session, claim, **{"claimed_until": None, **values})

    def _give_back(self, claims: Sequence[Claim]) -> None:
        """Untried: no attempt has been made."""
        for claim in claims:
            self._record(claim, state="wanted", attempts=claim.attempt - 1)


def _order(session: Session, invoice_id: int) -> Order:
    row = session.execute(
        select(Invoice.snapshot, Invoice.operator_id, Paper.look, Paper.sha256, Paper.drawn_by)
        .join(Paper, Paper.invoice_id == Invoice.id)
        .where(Invoice.id == invoice_id)
    ).one()
    look = Look.of(row.look) if row.look else look_of(session, row.operator_id)
    return Order(row.snapshot, look, row.sha256, row.drawn_by)


def _changed(session: Session, claim: Claim, **values: Any) -> bool:
    """Change the row that is ours; False when the lease ran out and another press has it, or had it."""
    ours = update(Paper).where(
        Paper.invoice_id == claim.invoice_id, Paper.state == "drawing", Paper.claimed_until == claim.until
    )
    changed = ours.values(**values).returning(Paper.invoice_id).execution_options(synchronize_session=False)
    return session.scalar(changed) is not None


def press(config: Config, make_session: sessionmaker[TenantSession]) -> Callable[[threading.Event], None]:
    """The loop that runs beside the papers consumer."""
    return Press(make_session, config.home).run
