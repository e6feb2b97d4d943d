"""The sender of payments: asks the provider what is due to be asked, several at once, with no transaction open.

One thread claims and writes down, in short transactions; calls are made by a few others, which touch no database. Any
number of processes share the work. What was asked and not written down is asked again when its claim has run out: the
same request under the same key, so that it is answered again and not done again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from queue import Empty, SimpleQueue

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from app import pulse
from app.billing.months import hold_books
from app.billing.payments import methods, passing, refunding, settling
from app.billing.payments.claiming import Asking, claim, still_ours
from app.billing.payments.evidence import evidence_of
from app.billing.payments.models import Payment, PaymentMethod, ProviderCall, Refund
from app.billing.payments.port import Heard, Means, Outcome, Passing, Provider
from app.config import Config
from app.db import TenantSession, connection_lost, retrying, sqlstate, transaction
from app.tenancy import SYSTEM
from app.timekeeper import Clock, utc_now

log = structlog.get_logger(__name__)

PLACES = 8  # calls at once
ALERT_S, IDLE_S = 0.02, 0.5  # how long it waits for something to happen: while there is something to do, and at most
MAX_PAUSE_S = 0.8  # between attempts to reach the database
FINISH_S = 12.0  # how long a stop waits for calls under way; what takes longer is asked again by the next process
LOCK_NOT_AVAILABLE = "55P03"


class Caller:
    """One per process. `run` is the loop; `round` is one turn of it, for tests with a clock of their own."""

    def __init__(
        self, make_session: sessionmaker[TenantSession], provider: Provider, *, clock: Clock = utc_now,
        places: int = PLACES,
    ) -> None:  # fmt: skip
        self._make_session = make_session
        self._provider = provider
        self._clock = clock
        self._places = places
        self._pool = ThreadPoolExecutor(places, thread_name_prefix="provider")
        self._ended: SimpleQueue[tuple[Asking, Heard]] = SimpleQueue()
        self._heard: list[tuple[Asking, Heard]] = []  # not written down yet; while there is any, nothing is claimed
        self._calls = 0

    def run(self, stop: threading.Event) -> None:
        """Ask until `stop`, then write down what is answered within a few seconds."""
        pause = 0.0
        while not stop.is_set():
            pulse.beat()
            try:
                busy = self.round()
                pause = 0.0
            except Exception as error:
                if not _comes_back(error):
                    raise
                busy, pause = 0, min(max(pause * 2, 0.1), MAX_PAUSE_S)
                log.warning("database_lost", sender="payments", error=str(error)[:300])
            stop.wait(pause)
            self._await_an_answer(ALERT_S if busy else IDLE_S)
        self._finish()

    def round(self) -> int:
        """Write down what was heard, and ask what is due as far as there is room; returns how many were begun or ended.

        Raises when the database does not answer; nothing is forgotten.
        """
        recorded = self._record()
        room = self._places - self._calls
        asked = retrying(lambda: self._claim(room)) if room > 0 else []
        for asking in asked:
            self._calls += 1
            self._pool.submit(self._call, asking)
        return len(asked) + recorded

    def finish_calls(self, *, within: float = FINISH_S) -> None:
        """Wait for the calls under way, and write down what they bring."""
        deadline = time.monotonic() + within
        while (self._calls or self._heard) and time.monotonic() < deadline:
            pulse.beat()
            self._await_an_answer(ALERT_S)
            self._record()

    @property
    def under_way(self) -> int:
        """How many calls have not been written down yet."""
        return self._calls + len(self._heard)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _claim(self, room: int) -> list[Asking]:
        with transaction(self._make_session, SYSTEM) as session:
            return claim(session, limit=room, now=self._clock())

    def _call(self, asking: Asking) -> None:
        """Make one call, in a thread of the pool. An error of ours is no answer: it may have had its effect."""
        verb: Callable[..., Heard] = getattr(self._provider, asking.verb)
        try:
            heard = verb(asking.subject)
        except Exception as error:
            log.error("provider_call_failed", verb=asking.verb, call_id=asking.call_id, kind=type(error).__name__)
            heard = Heard(Outcome.NO_ANSWER, Means.UNHEARD, code="internal")
        self._ended.put((asking, heard))

    def _await_an_answer(self, seconds: float) -> None:
        try:
            self._heard.append(self._ended.get(timeout=seconds))
        except Empty:
            return
        self._calls -= 1
        while not self._ended.empty():
            self._heard.append(self._ended.get_nowait())
            self._calls -= 1

    def _record(self) -> int:
        """What the database refuses by itself is left to its claim; it says nothing about the others."""
        while not self._ended.empty():
            self._heard.append(self._ended.get_nowait())
            self._calls -= 1
        recorded = 0
        while self._heard:
            asking, heard = self._heard[0]
            try:
                retrying(lambda asking=asking, heard=heard: self._write(asking, heard))  # type: ignore[misc]
            except Exception as error:
                if _comes_back(error):
                    raise
                log.exception("payment_not_recorded", verb=asking.verb, call_id=asking.call_id)
            del self._heard[0]
            recorded += 1
        return recorded

    def _write(self, asking: Asking, heard: Heard) -> None:
        if heard.means is Means.LATER:
            log.warning("provider_refuses", verb=asking.verb, status=heard.status, code=heard.code)
        with transaction(self._make_session, SYSTEM) as session:
            write_down(session, asking, heard, now=self._clock())

    def _finish(self) -> None:
        try:
            self.finish_calls()
        except Exception as error:
            if not _comes_back(error):
                raise
            log.warning("database_lost", sender="payments", error=str(error)[:300])
        self.close()


def write_down(session: Session, asking: Asking, heard: Heard, *, now: datetime) -> None:
    """The answer beside the question; and, if it is still ours, what follows from it."""
    said = {
        "answered_at": now, "outcome": heard.outcome.value, "status": heard.status,
        "answer": {**(heard.answer or {}), **({"code": heard.code} if heard.code else {})},
    }  # fmt: skip
    session.execute(update(ProviderCall).where(ProviderCall.id == asking.call_id).values(said))
    books = hold_books(session, asking.operator_id)
    payment = _payment_of(session, asking)  # before its refunds: the order of locks
    row = still_ours(session, asking)
    if row is None:
        return
    woken, row.claimed_until = row.next_look_at != asking.until, None
    if isinstance(asking.subject, Passing):
        passing.hear(session, row, asking.verb, asking.subject, heard, now=now)
    elif isinstance(row, PaymentMethod):
        evidence, _ = evidence_of(heard, verb=asking.verb, key_is_young=asking.key_is_young)
        methods.hear(session, row, heard, evidence=evidence, now=now)
    elif isinstance(row, Refund):
        assert payment is not None
        refunding.hear(
            session, payment, row, heard, verb=asking.verb, key_is_young=asking.key_is_young, books=books, now=now
        )
    else:
        settling.hear(
            session, row, heard, verb=asking.verb, key_is_young=asking.key_is_young, books=books, now=now
        )  # fmt: skip
    if woken:
        row.next_look_at = now
    session.flush()


def _payment_of(session: Session, asking: Asking) -> Payment | None:
    """The payment that a refund belongs to, held."""
    if asking.kind is not Refund:
        return None
    return refunding.held(session, session.scalars(select(Refund.payment_id).where(Refund.id == asking.id)).one())


class Idle:
    """Where no provider is set, there is nobody to ask."""

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            pulse.rest(stop, 60.0)


def sender(config: Config, make_session: sessionmaker[TenantSession]) -> Callable[[threading.Event], None]:
    """The loop that runs beside the payments consumer."""
    from app.billing import stripe_provider  # 30 MB: only for who has a provider

    provider = stripe_provider.of(config)
    return Caller(make_session, provider).run if provider else Idle().run


def _comes_back(error: BaseException) -> bool:
    """Whether it is the database's state of the moment, rather than what was asked of it."""
    return connection_lost(error) or sqlstate(error) == LOCK_NOT_AVAILABLE
