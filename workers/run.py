"""Running workers: which loops a process runs, and how it ends.

Every loop is a thread. A stop (SIGTERM, SIGINT) lets each finish what it has in hand. A loop that ends for any other
reason takes the process down with it, non-zero, so that whoever supervises it starts everything afresh: half a worker
that looks alive is worse than none. A loop that stands still does so too, by the watchdog.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import structlog

from app.billing.closings.sealing import begin_closings
from app.billing.ledger.checkpoints import begin_rolling_up
from app.bus import Bus, Publisher
from app.config import BadSetting, Config
from app.db import connection_lost, make_engine, sessions, transaction
from app.errors import NotFound, Problem
from app.events import figures
from app.events.archive import FOLDER
from app.housekeeping import begin_housekeeping
from app.notifications.digest import begin_digests
from app.tenancy import SYSTEM
from app.timekeeper import Timekeeper, utc_now
from workers import registry
from workers.archive import Archivist
from workers.consume import ConsumerLoop, Pause
from workers.handle import EventHandler
from workers.keep_time import TimekeeperLoop
from workers.observe import Observer
from workers.reconcile import Reconciler
from workers.registry import Consumer, Loop
from workers.relay import Relay
from workers.subscriptions import subscribe
from workers.vat_numbers import VatNumberAsker
from workers.watchdog import Watchdog

log = structlog.get_logger(__name__)

ALL, RELAY = "all", "relay"
# Loops mostly wait for PostgreSQL. With Python's default of 5 ms, each answer would wait for a busy neighbour.
SWITCH_S = 0.0005
IDLE_TRANSACTION_S = 5  # ours are never idle: only a frozen process says nothing within one
FINISH_S = 20.0  # how long a stop waits for what is in hand
LOOK_UP_S = 0.5  # the longest that a stop signal goes unnoticed


class BusNotShared(Problem):
    """The embedded bus lives inside one process: relay and consumers in others would never hear of each other."""

    code = "bus_not_shared"
    status = 500
    title = "With BROKER_URL=memory:// one process runs everything: use `passerelle worker all`."


class Crew:
    """The loops of one process, and what they share.

    Raises BadSetting without a database, NotFound for a name that is no worker, BusNotShared when these alone cannot
    work on this bus.
    """

    def __init__(self, names: Iterable[str], config: Config, consumers: Mapping[str, Consumer], *, prefix: str) -> None:
        if config.database_url is None:
            raise BadSetting(setting="DATABASE_URL", value=None, remedy="the address of a running PostgreSQL")
        self._config = config
        self._names = set(names)
        self._consumers = consumers
        self._bus = Bus(config.broker_url, prefix=prefix)
        if self._bus.in_memory and ALL not in self._names:
            raise BusNotShared(workers=sorted(self._names))
        if unknown := self._names - {ALL, RELAY, *consumers}:
            raise NotFound(workers=sorted(unknown), known=[ALL, RELAY, *consumers])
        engine = partial(
            make_engine,
            config.database_url,
            application_name="passerelle worker",
            idle_transaction_s=IDLE_TRANSACTION_S,
        )
        self._engine = engine(pool_size=len(consumers) + 4)
        self._make_session = sessions(self._engine)
        self._relaxed = engine(pool_size=len(consumers), durable=False)

    def prepare(self, stop: threading.Event) -> None:
        """Tell the database who subscribes, however long it takes to answer."""
        pause = Pause()
        while not stop.is_set():
            try:
                subscribe(self._make_session, self._consumers.values())
                with transaction(self._make_session, SYSTEM) as session:
                    begin_housekeeping(session, now=utc_now())
                    begin_closings(session, now=utc_now())
                    begin_rolling_up(session, now=utc_now())
                    figures.count(session, figures.WORKER_STARTS, now=utc_now())
                    begin_digests(session, now=utc_now())
                return
            except Exception as error:
                if not connection_lost(error):
                    raise
                log.warning("database_lost", error=str(error)[:300])
                stop.wait(pause.next())

    def loops(self) -> dict[str, Loop]:
        loops: dict[str, Loop] = {
            name: ConsumerLoop(self._bus, self._handler(consumer)).run
            for name, consumer in self._consumers.items()
            if self._names & {ALL, name}
        }
        loops |= {
            f"{name} sender": consumer.sender(self._config, self._make_session)
            for name, consumer in self._consumers.items()
            if consumer.sender and self._names & {ALL, name}
        }
        return loops | (self._leading() if self._names & {ALL, RELAY} else {})

    def _handler(self, consumer: Consumer) -> EventHandler:
        return EventHandler(consumer, self._make_session if consumer.durable else sessions(self._relaxed))

    def _leading(self) -> dict[str, Loop]:
        bus, engine, everyone = self._bus, self._engine, list(self._consumers.values())
        loops: dict[str, Loop] = {
            "relay": Relay(engine, Publisher(bus, everyone)).run,
            "reconciler": Reconciler(engine, self._make_session, everyone, bus.depths).run,
            "timekeeper": TimekeeperLoop(engine, Timekeeper(self._make_session)).run,
            "archivist": self._archivist().run,
            "observer": Observer(engine, self._make_session, bus).run,
        }
        if self._config.vies_url:
            loops["vat numbers"] = VatNumberAsker.of(self._config, engine, self._make_session).run
        return loops

    def _archivist(self) -> Archivist:
        keep = timedelta(days=self._config.events_keep_days)
        return Archivist(self._engine, self._make_session, folder=self._config.home / FOLDER, keep=keep)

    def close(self) -> None:
        self._engine.dispose()
        self._relaxed.dispose()


def run(
    names: Iterable[str],
    config: Config,
    *,
    consumers: Mapping[str, Consumer] | None = None,
    prefix: str = "passerelle",
) -> int:
    """Run workers until a stop signal; returns the process's exit code, 0 only after a clean stop.

    `names` are consumers, `relay` (with it the reconciler and the timekeeper), or `all`. Call it in the main thread;
    `config.database_url` must be set. Raises what `Crew` raises.
    """
    sys.setswitchinterval(SWITCH_S)
    crew = Crew(names, config, registry.load() if consumers is None else consumers, prefix=prefix)
    try:
        with _stop_signals() as stop:
            crew.prepare(stop)
            return run_loops(crew.loops(), stop)
    finally:
        crew.close()


def run_loops(loops: Mapping[str, Loop], stop: threading.Event) -> int:
    """Run loops as threads until `stop`; returns 1 when one of them ended by itself or did not end in time."""
    failed: list[str] = []

    def watch(name: str, loop: Loop) -> None:
        try:
            loop(stop)
        except BaseException:
            log.exception("worker_died", worker=name)
        if not stop.is_set():
            failed.append(name)
            stop.set()

    threads = [threading.Thread(target=watch, args=item, name=item[0], daemon=True) for item in loops.items()]
    ended = threading.Event()
    watchdog = threading.Thread(target=Watchdog(threads).run, args=[ended], name="watchdog", daemon=True)
    for thread in (*threads, watchdog):
        thread.start()
    log.info("working", workers=sorted(loops))
    while not stop.wait(LOOK_UP_S):  # the kernel may give a signal to any thread, and only this one can act on it
        pass
    deadline = time.monotonic() + FINISH_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    ended.set()
    stuck = [thread.name for thread in threads if thread.is_alive()]
    log.info("stopped", failed=failed, stuck=stuck)
    return 1 if failed or stuck else 0


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; from a thread, because an event's lock must not be taken in a handler."""
    stop = threading.Event()

    def ask(_number: int, _frame: object) -> None:
        threading.Thread(target=stop.set).start()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
