"""The sender: carries deliveries out of the house, to many receivers at once, none of which can hold up another.

One thread claims and records, in short transactions; each call has a thread of its own and touches no database, so that
no transaction is open while somebody outside takes their time. Any number of processes share the work. A call whose
result was not written down is made again under the same message id when its claim has run out: at least once.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

import structlog
from sqlalchemy.orm import sessionmaker

from app.config import Config
from app.db import TenantSession, connection_lost, retrying, sqlstate, transaction
from app.errors import Invalid
from app.outside.address import AddressNotPermitted, NameNotFound, Policy
from app.outside.client import AGENT, NoAnswer, Outside
from app.pulse import beat
from app.tenancy import SYSTEM
from app.timekeeper import Clock, utc_now
from app.webhooks.claiming import Message, claim, due_receivers
from app.webhooks.recording import KEPT_BODY, Result, disable_receiver, record_results
from app.webhooks.room import Room
from app.webhooks.schedule import GONE, after
from app.webhooks.signing import signed

log = structlog.get_logger(__name__)

ROUND_S = 0.02  # a round begins no sooner than that after the one before: results are recorded several at a time
ALERT_S, IDLE_S = 0.05, 0.25  # how long it waits for something to happen: just after something did, and at most
STAYS_ALERT_S = 2.0
MAX_PAUSE_S = 0.8  # between attempts to reach the database
FINISH_S = 3.0  # how long a stop waits for calls under way; what takes longer is sent again by the next process
BATCH = 50  # results in one transaction
LOCK_NOT_AVAILABLE = "55P03"


class Sender:
    """One per process. `run` is the loop; `round` is one turn of it, for tests with a clock of their own."""

    def __init__(
        self,
        make_session: sessionmaker[TenantSession],
        outside: Outside,
        *,
        clock: Clock = utc_now,
        chance: Callable[[], float] = random.random,
        room: Room | None = None,
    ) -> None:
        self._make_session = make_session
        self._outside = outside
        self._clock = clock
        self._chance = chance
        self._room = room or Room()
        self._ended: SimpleQueue[tuple[int, Result]] = SimpleQueue()
        self._results: list[Result] = []  # not written down yet; while there are any, nothing more is claimed
        self._over: dict[int, str] = {}  # receivers to be disabled, and why
        self._rest = ALERT_S
        self._last_event = 0.0

    def run(self, stop: threading.Event) -> None:
        """Send until `stop`, then finish within a few seconds."""
        pause = 0.0
        while not stop.is_set():
            began = time.monotonic()
            beat()
            try:
                self.round()
                pause = 0.0
            except Exception as error:
                if not _comes_back(error):
                    raise
                pause = min(max(pause * 2, 0.1), MAX_PAUSE_S)
                log.warning("database_lost", sender="webhooks", error=str(error)[:300], pause_s=pause)
            stop.wait(max(pause, began + ROUND_S - time.monotonic()))
            self._await_a_result(self._rest)
        self._finish()

    def round(self) -> int:
        """Write down what has ended, and send what is due as far as there is room; returns how many were begun.

        Raises when the database does not answer; nothing is forgotten.
        """
        self._gather()
        self._record()
        messages = retrying(self._claim)
        for message in messages:
            number = self._room.enter(message.webhook_id)
            threading.Thread(target=self._call, args=[message, number], name="webhook", daemon=True).start()
        self._rest = self._rest_after(len(messages))
        return len(messages)

    @property
    def under_way(self) -> int:
        """How many calls have not been written down yet."""
        return len(self._room) + len(self._results)

    def _gather(self) -> None:
        """Take over what the calls have brought back so far."""
        while not self._ended.empty():
            self._await_a_result(0.0)

    def _await_a_result(self, seconds: float) -> None:
        try:
            number, result = self._ended.get(timeout=seconds) if seconds else self._ended.get_nowait()
        except Empty:
            return
        self._room.leave(number)
        self._results.append(result)

    def _record(self) -> None:
        """What cannot be written is kept and tried again; it says nothing about the others."""
        if self._results:
            self._last_event = time.monotonic()
        while self._results:
            batch = self._results[:BATCH]
            try:
                self._write(batch)
            except Exception as error:
                if _comes_back(error):
                    raise
                batch = batch[:1]
                self._write_alone(batch)
            del self._results[: len(batch)]
        for webhook_id, reason in list(self._over.items()):
            self._disable(webhook_id, reason)
            del self._over[webhook_id]

    def _write(self, results: list[Result]) -> None:
        def work() -> dict[int, str]:
            with transaction(self._make_session, SYSTEM) as session:
                return record_results(session, results)

        self._over |= retrying(work)

    def _write_alone(self, result: list[Result]) -> None:
        """One that the database refuses by itself is left to its claim: it comes again when that has run out."""
        try:
            self._write(result)
        except Exception as error:
            if _comes_back(error):
                raise
            log.exception("webhook_not_recorded", delivery_id=result[0].message.delivery_id)

    def _disable(self, webhook_id: int, reason: str) -> None:
        def work() -> bool:
            with transaction(self._make_session, SYSTEM) as session:
                return disable_receiver(session, webhook_id, reason=reason, now=self._clock())

        if retrying(work):
            log.warning("webhook_disabled", webhook_id=webhook_id, reason=reason)

    def _claim(self) -> list[Message]:
        self._room.look()
        now = self._clock()
        with transaction(self._make_session, SYSTEM) as session:
            return claim(session, self._room.share(due_receivers(session, now=now)), now=now)

    def _rest_after(self, begun: int) -> float:
        now = time.monotonic()
        if begun:
            self._last_event = now
        return ALERT_S if now - self._last_event < STAYS_ALERT_S else min(self._rest * 1.5, IDLE_S)

    def _finish(self) -> None:
        """Write down what ends soon; the claims of the rest run out by themselves."""
        deadline = time.monotonic() + FINISH_S
        try:
            while self.under_way and time.monotonic() < deadline:
                beat()
                self._await_a_result(ALERT_S)
                self._gather()
                self._record()
        except Exception as error:
            if not _comes_back(error):
                raise
            log.warning("database_lost", sender="webhooks", error=str(error)[:300])
        if self.under_way:
            log.info("webhooks_left", under_way=self.under_way)

    def _call(self, message: Message, number: int) -> None:
        """Send one message, in a thread of its own."""
        at, began = self._clock(), time.monotonic()
        answer, error, headers = None, None, {"Content-Type": "application/json", "User-Agent": AGENT}
        try:
            body = message.body.encode()
            headers |= signed(message.secrets, message_id=message.message_id, at=at, body=body)
            answer = self._outside.post(message.url, body, headers, keep=KEPT_BODY)
        except Exception as failure:
            error = _said(failure, message)
        ended = self._clock()
        status, found = (answer.status, answer.headers) if answer else (None, {})
        result = Result(
            message=message,
            at=at,
            ended=ended,
            duration_ms=round((time.monotonic() - began) * 1000),
            next=after(status, found, attempt=message.attempt, now=ended, chance=self._chance()),
            status=status,
            error=error or _why_not(status),
            request_headers={name: value for name, value in headers.items() if name != "webhook-signature"},
            response_headers=found,
            response_body=answer.body if answer else b"",
        )
        self._ended.put((number, result))


def sender(config: Config, make_session: sessionmaker[TenantSession]) -> Callable[[threading.Event], None]:
    """The loop that carries webhooks out. Raises BadSetting when what may be called cannot be read."""
    return Sender(make_session, Outside(Policy.of(config))).run


def _comes_back(error: BaseException) -> bool:
    """Whether it is the database's state of the moment, rather than what was asked of it."""
    return connection_lost(error) or sqlstate(error) == LOCK_NOT_AVAILABLE


def _said(failure: Exception, message: Message) -> str:
    """Why nothing was answered, as a code and a few words for whoever looks after the receiver."""
    match failure:
        case NoAnswer():
            return f"{failure.facts['reason']}: {failure.facts['detail']}"
        case NameNotFound():
            return f"{failure.code}: {failure.facts['reason']}"
        case Invalid():
            return f"{AddressNotPermitted.code}: {failure.facts['errors'][0]['message']}"
        case AddressNotPermitted():
            return f"{failure.code}: {failure.title}"
    log.error("webhook_not_sent", delivery_id=message.delivery_id, exc_info=failure)
    return f"internal: {type(failure).__name__}"


def _why_not(status: int | None) -> str | None:
    """Why an answer is no success; None for one that is."""
    if status is None or 200 <= status < 300:
        return None
    if status == GONE:
        return "gone: nothing more will be sent"
    if 300 <= status < 400:
        return "redirect: not followed; enter the address that it leads to"
    return "status: only 2xx counts as received"
