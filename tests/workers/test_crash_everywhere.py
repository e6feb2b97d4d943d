"""Relay, reconciler and consumers under crashes everywhere: in the end each event has had its effect, and had it once.

The relay, the reconciler, the consumers' loop with its handler and receipts, and PostgreSQL are the real ones; the bus
is a model of a bad one, and time passes when it is told to. A crash may come at every commit, publish, confirmation and
acknowledgement, before or after it took effect. One consumer blocks and one does not; each has two processes. A relay
may stand still between publishing and marking while others go on, and a process whose messages the broker has given to
another may wake up.

The tests at the end take one guarantee away, with every layer that would mask it, and expect to be told.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session, sessionmaker

from app.bus import Message, NotConfirmed
from app.db import TenantSession, make_engine, raw, sessions, transaction
from app.events import operations
from app.events.envelope import Envelope
from app.events.outbox import insert_event
from app.tenancy import SYSTEM
from tests.workers.crashing import Crash, Fuse, crashing
from tests.workers.effects import accepted, approved, create_effects, made, write_effect
from tests.workers.modelled_bus import Channel, ChannelClosed, ModelledBus, Publisher
from workers import receipts
from workers.consume import ConsumerLoop
from workers.handle import EventHandler, NotRecorded
from workers.receipts import Place, Turn
from workers.reconcile import Reconciler
from workers.registry import Consumer
from workers.relay import Relay
from workers.subscriptions import subscribe

Sessions = sessionmaker[TenantSession]
BOOKINGS, PROCESSES, PREFETCH = 3, 2, 4
BLOCKING, SKIPPING = "ledger", "feed"
NAMES = (BLOCKING, SKIPPING)
HANDLED = ("booking.made", "booking.accepted")
MOST_ROUNDS = 12  # of everybody's work until nothing is left to do
BATCH = 100
AN_AGE_S = 700  # longer than the reconciler ever waits, and than a claimed attempt is anybody's

_EMPTY = raw("""
    WITH a AS (DELETE FROM outbox), b AS (DELETE FROM delivery), c AS (DELETE FROM cursor), d AS (DELETE FROM effect)
    DELETE FROM subscription
""")
_EFFECTS = raw("SELECT consumer, aggregate_id, seq FROM effect ORDER BY id")
_RECEIPTS = raw("SELECT consumer, aggregate_id, seq, state FROM delivery ORDER BY consumer, aggregate_id, seq")
_CURSORS = raw("SELECT consumer, aggregate_id, last_seq FROM cursor")
_OPEN = raw("SELECT count(*) FROM outbox WHERE published_at IS NULL OR settled_at IS NULL")
_PASS_TIME = raw("UPDATE outbox SET published_at = published_at - make_interval(secs => :seconds)")

NEVER = ""
COMMITS, PUBLISHES, CONFIRMS, ACKS = (
    (f"before {what}", f"after {what}") for what in ("commit", "publish", "confirm", "ack")
)
MOMENTS = COMMITS + PUBLISHES + CONFIRMS + ACKS


def crash_at(*moments: str) -> st.SearchStrategy[tuple[str, int]]:
    """At one of these moments, the nth time that it comes, or never: what `ends_here` is told."""
    nths = st.sampled_from([1, 1, 1, 2, 3])
    return st.tuples(st.sampled_from((NEVER,) * (len(moments) // 2) + moments), nths)


whichever = st.integers(0, 9)
consumers = st.sampled_from(NAMES)
processes = st.integers(0, PROCESSES - 1)
seldom = st.sampled_from([False, False, False, True])


class Violation(AssertionError):
    """A guarantee does not hold."""


class CrashingConnection:
    """The relay's connection: each statement commits, and may be the last."""

    def __init__(self, connection: Connection, fuse: Fuse) -> None:
        self._connection, self._fuse = connection, fuse

    def execute(self, *statement: Any) -> Any:
        self._fuse.moment("before commit")
        result = self._connection.execute(*statement)
        self._fuse.moment("after commit")
        return result


class Process:
    """One process of a consumer: the real loop and handler, on a channel of the modelled bus."""

    def __init__(self, world: CrashEverywhere, consumer: Consumer) -> None:
        self._world, self._consumer = world, consumer
        self.start()

    def start(self) -> None:
        world = self._world
        handler = EventHandler(self._consumer, world.crashing, clock=lambda: world.now)
        self._loop = world.loop_class(SimpleNamespace(in_memory=False), handler)  # type: ignore[arg-type]
        self.channel = Channel(world.bus, self._consumer.name)

    def work(self, *, handle: int) -> None:
        """Take what the bus has, handle so many, and tell the bus, as the loop does before it waits."""
        self._loop._pause.over()
        for message in self.channel.take(PREFETCH):
            self._loop._receive(message)
        for _ in range(handle):
            self._loop._handle_next()
        self._loop._acknowledgements.send()
        self.channel.listen()

    def finish(self) -> None:
        """Work until the queue is empty."""
        self.work(handle=BATCH)
        while self._world.bus.queues[self._consumer.name]:
            self.work(handle=BATCH)

    def see_what_is_due(self) -> None:
        self._loop._pause.over()
        with suppress(NotRecorded):  # the loop would wait
            self._loop._take_what_is_due()

    def die(self) -> None:
        self.channel.close()
        self.start()


class CrashEverywhere(RuleBasedStateMachine):
    make_session: Sessions
    blown: Counter[str]
    loop_class: type[ConsumerLoop] = ConsumerLoop
    relay_class: type[Relay] = Relay
    loses = True  # whether the bus does
    reconciles = True

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 3, 2, 8, tzinfo=UTC)
        self.fuse = Fuse(self.blown)
        self.crashing = crashing(self.make_session, self.fuse)
        self.bus = ModelledBus(NAMES, self.fuse)
        self.failures = dict.fromkeys(NAMES, 0)
        self.facts: dict[UUID, list[str]] = {uuid.uuid4(): [] for _ in range(BOOKINGS)}
        self.unfinished: dict[UUID, tuple[TenantSession, str]] = {}
        with transaction(self.make_session, SYSTEM) as session:
            session.execute(_EMPTY)
        self.consumers = [self._consumer(name) for name in NAMES]
        subscribe(self.make_session, self.consumers)
        self.processes = {each.name: [Process(self, each) for _ in range(PROCESSES)] for each in self.consumers}
        engine: Engine = self.make_session.kw["bind"]
        self.connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self.start_relays()
        self.start_reconciler()

    def _consumer(self, name: str) -> Consumer:
        def effect(session: Session, envelope: Envelope, *, now: datetime) -> None:
            write_effect(session, envelope, consumer=name)
            if self.failures[name]:
                self.failures[name] -= 1
                raise RuntimeError("the effect does not work at the moment")

        return Consumer(
            name, ("booking",), dict.fromkeys(HANDLED, effect), prefetch=PREFETCH, blocking=name == BLOCKING
        )

    def start_relays(self) -> None:
        self.publisher = Publisher(self.bus)
        engine: Engine = self.make_session.kw["bind"]
        self.relay = self.relay_class(engine, self.publisher)  # type: ignore[arg-type]
        self.other_relay = self.relay_class(engine, Publisher(self.bus))  # type: ignore[arg-type]

    def start_reconciler(self) -> None:
        engine: Engine = self.make_session.kw["bind"]
        self.reconciler = Reconciler(engine, self.crashing, self.consumers, self.bus.depths)

    @contextmanager
    def ends_here(self, dies: Callable[[], None], *, crash: tuple[str, int], cut: bool = False) -> Iterator[None]:
        """What happens to a process: it does something, and may be gone the nth time that it is at a moment of it."""
        moment, nth = crash
        self.fuse.arm(0 if moment == NEVER else 1 if moment in CONFIRMS else nth, only=moment, cut=cut)
        try:
            yield
        except (Crash, ChannelClosed):
            dies()
        finally:
            self.fuse.arm(0)

    # --- people

    @initialize(handled=st.lists(st.booleans(), min_size=BOOKINGS, max_size=4 * BOOKINGS))
    def it_has_been_a_busy_day(self, handled: list[bool]) -> None:
        for which, each in enumerate(handled):
            self._begin(which, handled=each)
            self._commit(which, crash=(NEVER, 0))

    @rule(which=whichever, handled=st.booleans(), crash=crash_at(*COMMITS))
    def something_happens(self, which: int, handled: bool, crash: tuple[str, int]) -> None:
        self._begin(which, handled=handled)
        self._commit(which, crash=crash)

    @rule(which=whichever, handled=st.booleans(), commits=st.booleans())
    def something_takes_its_time(self, which: int, handled: bool, commits: bool) -> None:
        """A transaction has drawn the id of its event, and ends when others have drawn theirs, or not at all."""
        self._begin(which, handled=handled)
        if len(self.unfinished) == BOOKINGS:
            booking = list(self.facts)[which % BOOKINGS]
            self._commit(which, crash=(NEVER, 0)) if commits else self.unfinished.pop(booking)[0].close()

    def _begin(self, which: int, *, handled: bool) -> None:
        """It holds the booking's lock: nothing else begins there meanwhile."""
        booking = list(self.facts)[which % BOOKINGS]
        if booking in self.unfinished:
            return
        seq = len(self.facts[booking]) + 1
        fact = made(booking) if seq == 1 else accepted(booking) if handled else approved(booking)
        session = self.crashing()
        session.info["scope"] = SYSTEM
        insert_event(session, fact, aggregate_id=booking, seq=seq, at=self.now)
        self.unfinished[booking] = session, fact.type

    def _commit(self, which: int, *, crash: tuple[str, int]) -> None:
        booking = list(self.facts)[which % BOOKINGS]
        session, event_type = self.unfinished.pop(booking)
        with session, self.ends_here(lambda: None, crash=crash):
            session.commit()
        if crash != ("before commit", 1):
            self.facts[booking].append(event_type)

    # --- the bus on a bad day

    @rule(consumer=consumers, how=st.sampled_from(["repeats", "shuffles", "loses", "forgets"]), which=whichever)
    def the_bus(self, consumer: str, how: str, which: int) -> None:
        if how == "repeats":
            self.bus.repeat(consumer, which)
        elif how == "shuffles":
            self.bus.shuffle(consumer, seed=which)
        elif self.loses:
            self.bus.lose(consumer, which) if how == "loses" else self.bus.purge(consumer)

    # --- those who work

    @rule(
        crash=crash_at(*COMMITS, *PUBLISHES, *CONFIRMS),
        news=st.integers(1, BOOKINGS),
        refused=seldom,
        meanwhile=st.sampled_from(["nothing", "relay", "work", "reconcile"]),
    )
    def the_relay_takes_its_turn(self, crash: tuple[str, int], news: int, refused: bool, meanwhile: str) -> None:
        """There is `news` to publish. `meanwhile`: it stands still between publishing and marking, and others go on."""
        for which in range(news):
            self._begin(which, handled=True)
            self._commit(which, crash=(NEVER, 0))
        others: dict[str, Callable[[], object]] = {
            "nothing": lambda: None,
            "relay": lambda: self.other_relay.pump(self.connection),
            "work": self._everybody_works,
            "reconcile": self._reconcile,
        }
        self.publisher.meanwhile = lambda: self._unless_closed(others[meanwhile])
        self.publisher.refuses = refused
        with self.ends_here(self.start_relays, crash=crash):
            self._pump()
        self.publisher.meanwhile, self.publisher.refuses = lambda: None, False

    @rule(
        consumer=consumers,
        which=processes,
        handle=st.integers(1, 5),
        crash=crash_at(*COMMITS, *ACKS),
        first=st.sampled_from(["the relay", "what is due", "nothing"]),
        cut=seldom,
    )
    def a_process_works(
        self, consumer: str, which: int, handle: int, crash: tuple[str, int], first: str, cut: bool
    ) -> None:
        worker = self.processes[consumer][which]
        if first == "the relay":
            self._pump()
        with self.ends_here(worker.die, crash=crash, cut=cut):
            if first == "what is due":
                worker.see_what_is_due()
            worker.work(handle=handle)

    @rule(consumer=consumers, process=processes, is_dead=st.booleans())
    def a_process_is_killed(self, consumer: str, process: int, is_dead: bool) -> None:
        """Or only taken for dead by the bus: others get its messages, and it goes on with those in its hands."""
        worker = self.processes[consumer][process]
        worker.die() if is_dead else worker.channel.close()

    @rule(crash=crash_at(*COMMITS), seconds=st.sampled_from([1, 6, 61, 700, 7200, 200_000]))
    def time_passes_and_the_reconciler_takes_its_turn(self, crash: tuple[str, int], seconds: int) -> None:
        self._pass_time(seconds)
        with self.ends_here(self.start_reconciler, crash=crash):
            self._reconcile()

    @rule(consumer=consumers, times=st.integers(1, 12))
    def effects_fail_for_a_while(self, consumer: str, times: int) -> None:
        self.failures[consumer] = times

    def _pass_time(self, seconds: int) -> None:
        """For PostgreSQL's clock, which nobody can move, what was published becomes older."""
        self.now += timedelta(seconds=seconds)
        with transaction(self.make_session, SYSTEM) as session:
            session.execute(_PASS_TIME, {"seconds": seconds})

    def _pump(self) -> int:
        try:
            return self.relay.pump(CrashingConnection(self.connection, self.fuse))  # type: ignore[arg-type]
        except NotConfirmed:
            return 0

    def _reconcile(self) -> None:
        if self.reconciles:
            self.reconciler.turn(self.connection)
        else:
            self.reconciler.settle()

    def _everybody_works(self) -> None:
        for process in self._all_processes():
            process.work(handle=2)

    def _all_processes(self) -> list[Process]:
        return [process for several in self.processes.values() for process in several]

    def _unless_closed(self, action: Callable[[], object]) -> None:
        try:
            action()
        except ChannelClosed:
            for process in self._all_processes():
                process.die()

    # --- what must hold

    @invariant()
    def no_effect_is_doubled_and_where_order_matters_none_is_early(self) -> None:
        for name, effects in self._effects().items():
            for booking, seqs in effects.items():
                wanted = self._handled(booking)
                if name == BLOCKING and seqs != wanted[: len(seqs)]:
                    raise Violation(f"{name}: {seqs} of {wanted}")
                if len(set(seqs)) < len(seqs) or not set(seqs) <= set(wanted):
                    raise Violation(f"{name}: {sorted(seqs)} of {wanted}")

    def _effects(self) -> dict[str, dict[UUID, list[int]]]:
        found: dict[str, dict[UUID, list[int]]] = {name: {booking: [] for booking in self.facts} for name in NAMES}
        with transaction(self.make_session, SYSTEM) as session:
            for row in session.execute(_EFFECTS):
                found[row.consumer][row.aggregate_id].append(row.seq)
        return found

    def _handled(self, booking: UUID) -> list[int]:
        return [seq for seq, name in enumerate(self.facts[booking], start=1) if name in HANDLED]

    def teardown(self) -> None:
        try:
            self._come_to_rest()
            self._nothing_is_missing()
        finally:
            for session, _ in self.unfinished.values():
                session.close()
            self.connection.close()

    def _come_to_rest(self) -> None:
        """Nothing is broken any more, an operator has the dead tried again, and everybody works until all is done."""
        for which, booking in enumerate(self.facts):
            if booking in self.unfinished:
                self._commit(which, crash=(NEVER, 0))
        self.failures = dict.fromkeys(NAMES, 0)
        for _ in range(MOST_ROUNDS):
            self._pass_time(AN_AGE_S)
            self._reconcile()
            self._pump()
            with transaction(self.make_session, SYSTEM) as session:
                operations.replay(session, now=self.now)
            for process in self._all_processes():
                self._unless_closed(process.see_what_is_due)
                self._unless_closed(process.finish)
            self._reconcile()
            if self._is_done():
                return

    def _is_done(self) -> bool:
        with transaction(self.make_session, SYSTEM) as session:
            return session.scalar(_OPEN) == 0 and not any(self.bus.queues.values())

    def _nothing_is_missing(self) -> None:
        events = [(booking, seq, name) for booking, told in self.facts.items() for seq, name in enumerate(told, 1)]
        with transaction(self.make_session, SYSTEM) as session:
            receipts = {tuple(row) for row in session.execute(_RECEIPTS)}
            cursors = {tuple(row) for row in session.execute(_CURSORS)}
        self._same("effects", {
            name: {booking: sorted(seqs) for booking, seqs in effects.items()}
            for name, effects in self._effects().items()
        }, {name: {booking: self._handled(booking) for booking in self.facts} for name in NAMES})  # fmt: skip
        self.no_effect_is_doubled_and_where_order_matters_none_is_early()
        self._same("receipts", receipts, {
            (name, booking, seq, "done" if event_type in HANDLED else "skipped")
            for name in NAMES for booking, seq, event_type in events
        })  # fmt: skip
        self._same("cursors", cursors, {
            (name, booking, len(told)) for name in NAMES for booking, told in self.facts.items() if told
        })  # fmt: skip
        if not self._is_done():
            raise Violation("something is neither published nor settled, or waits on the bus")

    def _same(self, what: str, found: Any, wanted: Any) -> None:
        if found != wanted:
            raise Violation(f"{what}: {found} instead of {wanted}")


@pytest.fixture
def quick(database_url: str) -> Iterator[Sessions]:
    """A database with the table of effects, whose commits do not wait for the disk; and nobody writes a log."""
    engine = make_engine(database_url, pool_size=10, durable=False)
    create_effects(engine)
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield sessions(engine)
    structlog.configure(**before)
    engine.dispose()


def explore(machine: type[CrashEverywhere], make_session: Sessions, *, examples: int, **changed: Any) -> Counter[str]:
    """Returns how often it crashed at which moments. Raises Violation with the steps that led to it."""
    blown: Counter[str] = Counter()
    run_state_machine_as_test(
        type("CrashEverywhere", (machine,), {"make_session": make_session, "blown": blown, **changed}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],  # a failing run is short enough to read; shrinking it would take minutes
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return blown


@pytest.mark.slow
def test_no_crash_anywhere_loses_or_doubles_an_effect(quick: Sessions) -> None:
    blown = explore(CrashEverywhere, quick, examples=30)
    assert set(blown) == set(MOMENTS), blown


# --- sabotage: a guarantee taken away, with every layer that would mask it


class AcknowledgesFirst(ConsumerLoop):
    """Tells the bus to forget a message before the database has taken its outcome."""

    def _receive(self, message: Any) -> None:
        message.ack()
        super()._receive(message)
        self._acknowledgements.clear()
        self._hands[-1] = type(self._hands[-1])(self._hands[-1].text)


class MarksFirst(Relay):
    """Marks events as published, and then publishes them."""

    def pump(self, connection: Any) -> int:
        rows = connection.execute(
            raw("SELECT id, event_id, type, envelope FROM outbox WHERE published_at IS NULL")
        ).all()
        now = raw("UPDATE outbox SET published_at = clock_timestamp(), publish_count = 1 WHERE id = ANY(:ids)")
        connection.execute(now, {"ids": [row.id for row in rows]})
        self._publisher.publish([Message(str(row.event_id), row.type, row.envelope) for row in rows])
        return len(rows)


class LooksAboveTheLast(Relay):
    """Finds events by "id above the last": what commits late is overlooked."""

    def pump(self, connection: Any) -> int:
        last = "(SELECT coalesce(max(id), 0) FROM outbox WHERE published_at IS NOT NULL)"
        rows = connection.execute(raw(f"SELECT id, event_id, type, envelope FROM outbox WHERE id > {last}")).all()
        self._publisher.publish([Message(str(row.event_id), row.type, row.envelope) for row in rows])
        now = raw("UPDATE outbox SET published_at = clock_timestamp(), publish_count = 1 WHERE id = ANY(:ids)")
        connection.execute(now, {"ids": [row.id for row in rows]})
        return len(rows)


def take_whatever_comes(session: Session, consumer: str, event: Envelope, *, handled: bool, **_: object) -> Place:
    """Neither the receipt nor the cursor is asked: each arrival is a first one."""
    facts = receipts._facts(consumer, event) | {"state": "done" if handled else "skipped", "first": event.seq}
    receipts.TAKE.run(session, facts)
    return Place(Turn.NOW)


# Without reconciler and losses nothing else mends or excuses what goes missing: the machine as it is still holds.
BARE = {"loses": False, "reconciles": False}


@pytest.mark.slow
def test_without_losses_there_is_nothing_to_reconcile(quick: Sessions) -> None:
    explore(CrashEverywhere, quick, examples=15, **BARE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(BARE | {"loop_class": AcknowledgesFirst}, id="acknowledged before the commit"),
        pytest.param(BARE | {"relay_class": MarksFirst}, id="marked before it was published"),
        pytest.param(BARE | {"relay_class": LooksAboveTheLast}, id="found by id above the last"),
        pytest.param({"reconciles": False}, id="a bus that loses and nobody who looks"),
    ],
)
def test_a_guarantee_taken_away_is_missed(quick: Sessions, changed: dict[str, Any]) -> None:
    with pytest.raises(Violation):
        explore(CrashEverywhere, quick, examples=40, **changed)


@pytest.mark.slow
def test_receipts_and_cursors_that_nobody_asks_are_missed(quick: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "take", take_whatever_comes)
    with pytest.raises(Violation):
        explore(CrashEverywhere, quick, examples=40)
