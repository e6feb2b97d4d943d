"""Members who book, move, cancel, check in and wait for rooms without pause, and write down every answer.

Each has one connection and one thing going on at a time. What is not answered is asked again, with the same key where
there is one; what has no key is looked up first. So whatever a member remembers is what the house has told them.
"""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.chaos.people import DAY, Place, Town
from tests.running import TROUBLE, Answer, Caller

ANSWER_WITHIN_S = 8.0  # then the connection is given up, and the same is asked again
AGAIN_AFTER_S = 0.15
NEVER_S = 120.0  # not answered for so long: nobody would still ask
HOUR = timedelta(hours=1)
RUSH_S = 0.5  # for so long everybody who wants a room wants the same one
ROOMS_EACH, WAITS_EACH = 2, 12
RENAMED, REPEATED = 6, 20  # times in a row
DAYS = 300


@dataclass(frozen=True, slots=True)
class Told:
    """What was answered to a request with a key, the last time it was asked."""

    member: int
    key: str
    body: dict[str, Any]
    status: int
    content: bytes


@dataclass
class Story:
    """A booking as its owner knows it: the latest answer, and what must have happened to it so far, in order."""

    member: int
    booking: dict[str, Any]
    etag: str
    happened: list[tuple[str, dict[str, Any]]]

    @property
    def path(self) -> str:
        return f"/bookings/{self.booking['id']}"


class Pace:
    """So many events a second in all; of what a fault has kept back, a little may be caught up with."""

    def __init__(self, rate: float, *, catch_up: float = 1.0) -> None:
        self._rate, self._burst = rate, rate * catch_up
        self._lock = threading.Lock()
        self._left, self._at = 0.0, time.monotonic()

    def wait(self, events: int) -> None:
        with self._lock:
            now = time.monotonic()
            self._left = min(self._burst, self._left + (now - self._at) * self._rate) - events
            self._at = now
            debt = -self._left / self._rate
        if debt > 0:
            time.sleep(debt)


@dataclass
class Crowd:
    """All members, each in a thread; `faults` are answers that no fault of the machine excuses."""

    town: Town
    port: int
    seed: int
    rate: float
    weights: dict[str, float]
    members: list[Member] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.stopping = threading.Event()
        pace = Pace(self.rate)
        self.members = [
            Member(n, self.town.place, self.port, token, random.Random(f"{self.seed} {n}"), pace, self)
            for n, token in enumerate(self.town.tokens)
        ]
        self._threads = [threading.Thread(target=member.live, daemon=True) for member in self.members]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Nobody begins anything new; call `gone` until everybody has heard their last answer."""
        self.stopping.set()

    def gone(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def answered(self) -> int:
        return sum(member.answered for member in self.members)

    def said(self) -> Counter[str]:
        return sum((member.said for member in self.members), Counter())

    def stories(self) -> dict[str, Story]:
        return {uid: story for member in self.members for uid, story in member.stories.items()}

    def told(self) -> list[Told]:
        return [told for member in self.members for told in member.told.values()]


class Member:
    def __init__(
        self, number: int, place: Place, port: int, token: str, chance: random.Random, pace: Pace, crowd: Crowd
    ) -> None:
        self.number, self.place, self.chance, self.pace, self.crowd = number, place, chance, pace, crowd
        self.caller = Caller(port, token, timeout=ANSWER_WITHIN_S)
        self.answered = 0
        self.said: Counter[str] = Counter()
        self.stories: dict[str, Story] = {}
        self.told: dict[str, Told] = {}
        self.standing: list[Story] = []  # at desks, for good
        self.rooms: list[Story] = []
        self.waits: dict[str, dict[str, Any]] = {}
        self._slots = 0
        self._listed_at = 0.0

    def live(self) -> None:
        acts: list[Callable[[], None]] = [getattr(self, name) for name in self.crowd.weights]
        weights = list(self.crowd.weights.values())
        try:
            while not self.crowd.stopping.is_set():
                self.chance.choices(acts, weights)[0]()
        except Exception as error:
            self.fault(f"gave up: {type(error).__name__}: {error}")
        finally:
            self.caller.connection.close()

    def fault(self, what: str) -> None:
        self.crowd.faults.append(f"member {self.number}: {what}")

    # --- what members do

    def stay(self) -> None:
        if story := self._book_a_desk():
            self.standing.append(story)

    def call_off(self) -> None:
        if story := self._book_a_desk():
            self._cancel(story)

    def move(self) -> None:
        if story := self._book_a_desk():
            self._move(story, by=12 * HOUR)
            if self.chance.random() < 0.8:
                self._cancel(story)

    def repeat(self) -> None:
        """The same hour on many days, all of them or none."""
        self._slots += REPEATED
        start = self.place.first_day + self._slots % DAYS * DAY + self.number * HOUR
        wish = _wish(self.place.weekly, start, start + HOUR)
        # Refused as a whole where one of the nights has no such hour.
        body = {**wish, "recurrence": {"freq": "daily", "count": REPEATED}}
        first = self._book(body, excused=("nonexistent_local_time",))
        for date in first.booking.pop("occurrences") if first else []:
            made = self._booked(date["id"], {**first.booking, **date}, f'"{date["id"]}.0"', wish["resource_id"])
            self.standing.append(made)

    def rename(self) -> None:
        """A booking that stands: what costs the house little, and is an event all the same."""
        if self.standing:
            story = self.chance.choice(self.standing)
            for _ in range(RENAMED):
                self._rename(story)

    def walk_in(self) -> None:
        minute = datetime.now(UTC).replace(second=0, microsecond=0)
        body = _wish(self.place.door, minute, minute + timedelta(minutes=2))
        story = self._book(body, excused=("in_the_past", "slot_taken"))
        if story is None:
            return
        answer, _ = self.ask("POST", f"{story.path}/check-in")
        self._happened(story, answer, "booking.checked_in", excused=("wrong_state", "check_in_window"))

    def want_a_room(self) -> None:
        if len(self.rooms) >= ROOMS_EACH:
            self._cancel(self.rooms.pop(0))
        turn = int(time.monotonic() / RUSH_S)
        room = self.place.rooms[turn % len(self.place.rooms)]
        start = self.place.first_day + turn // 96 % DAYS * DAY + turn // 4 % 24 * HOUR
        body = _wish(room, start, start + HOUR)
        story = self._book(body, excused=("slot_taken",))
        if story is not None:
            self.rooms.append(story)
        elif len(self.waits) < WAITS_EACH:
            self._wait_for(body)

    def look_at_the_list(self) -> None:
        """Take up what is offered; give up waiting for what has not come for long."""
        now = time.monotonic()
        if not self.waits or now < self._listed_at + 1:
            return
        self._listed_at = now
        entries = {entry["id"]: entry for entry in self._list()}
        for uid in list(self.waits):
            entry = entries.get(uid)
            if entry is None:
                self.fault(f"the waiting-list entry {uid} is gone")
                del self.waits[uid]
            elif entry["status"] == "offered":
                del self.waits[uid]
                self._take_up(entry)
            elif len(self.waits) > WAITS_EACH // 2:
                del self.waits[uid]
                self.ask("DELETE", f"/waitlist/{uid}")

    def ask_again(self) -> None:
        """The same key long after: the same answer."""
        if not self.told:
            return
        told = self.told[self.chance.choice(list(self.told))]
        if told.status == 201:
            answer, _ = self.ask("POST", "/bookings", told.body, key=told.key)
            self._compare(told, answer)

    # --- how they do it

    def _book_a_desk(self) -> Story | None:
        self._slots += 1
        start = self.place.first_day + self._slots % DAYS * DAY + self.number * HOUR
        return self._book(_wish(self.place.pool, start, start + HOUR))

    def _book(self, body: dict[str, Any], *, excused: tuple[str, ...] = ()) -> Story | None:
        key = str(uuid.UUID(int=self.chance.getrandbits(128), version=4))
        answer, _ = self.ask("POST", "/bookings", body, key=key)
        told = self.told[key] = Told(self.number, key, body, answer.status, answer.content)
        if answer.status != 201:
            if not _is_excused(answer, excused):
                self.fault(f"refused in vain: {body} {answer.status} {answer.content[:300]!r}")
            return None
        if self.chance.random() < 0.03:
            again, _ = self.ask("POST", "/bookings", body, key=key)
            self._compare(told, again)
        return self._booked(answer.json["id"], answer.json, answer.headers["etag"], body["resource_id"])

    def _booked(self, uid: str, booking: dict[str, Any], etag: str, resource: str) -> Story:
        made = {"resource_id": resource, "start": booking["start"], "end": booking["end"], "status": "confirmed"}
        story = self.stories[uid] = Story(self.number, booking, etag, [("booking.made", made)])
        return story

    def _compare(self, told: Told, answer: Answer) -> None:
        if (answer.status, answer.content) != (told.status, told.content):
            self.fault(f"another answer to key {told.key}: {told.content!r} then {answer.status} {answer.content!r}")

    def _move(self, story: Story, *, by: timedelta) -> None:
        wanted = {name: _shifted(story.booking[name], by) for name in ("start", "end")}
        self._change(story, wanted, "booking.moved", wanted)

    def _rename(self, story: Story) -> None:
        self._change(story, {"title": f"{self.chance.random():.12f}"}, "booking.edited", {"fields": ["title"]})

    def _change(self, story: Story, wanted: dict[str, Any], event: str, facts: dict[str, Any]) -> None:
        while True:
            answer, unsure = self.ask("PATCH", story.path, wanted, etag=story.etag)
            if answer.status == 412 and unsure:  # the first may have got through: look
                answer, _ = self.ask("GET", story.path)
                if not all(same(answer.json[name], value) for name, value in wanted.items()):
                    story.etag = answer.headers["etag"]
                    continue
            self._happened(story, answer, event, **facts)
            return

    def _cancel(self, story: Story) -> None:
        answer, _ = self.ask("DELETE", story.path, etag=story.etag)
        self._happened(story, answer, "booking.cancelled")

    def _happened(
        self, story: Story, answer: Answer, event: str, *, excused: tuple[str, ...] = (), **facts: Any
    ) -> None:
        if answer.status == 200:
            story.booking, story.etag = answer.json, answer.headers["etag"]
            story.happened.append((event, facts))
        elif not _is_excused(answer, excused):
            self.fault(f"{event} of {story.booking['id']} answered {answer.status} {answer.content[:300]!r}")

    def _wait_for(self, body: dict[str, Any]) -> None:
        answer, unsure = self.ask("POST", "/waitlist", body)
        if answer.status == 201:
            self.waits[answer.json["id"]] = answer.json
        elif unsure and answer.status == 422:  # they wait already: by the request that was not answered
            mine = [
                entry for entry in self._list()
                if (entry["resource_id"], _at(entry["start"])) == (body["resource_id"], _at(body["start"]))
                and entry["status"] in ("waiting", "offered")
            ]  # fmt: skip
            self.waits |= {entry["id"]: entry for entry in mine}
        elif not _is_excused(answer, ("not_taken", "invalid", "refused")):
            self.fault(f"waiting answered {answer.status} {answer.content[:300]!r}")

    def _list(self) -> list[dict[str, Any]]:
        answer, _ = self.ask("GET", "/waitlist?limit=100")
        return answer.json if answer.status == 200 else []

    def _take_up(self, entry: dict[str, Any]) -> None:
        answer, _ = self.ask("POST", f"/bookings/{entry['booking_id']}/accept")
        if answer.status != 200:
            self.fault(f"accepting {entry} answered {answer.status} {answer.content[:300]!r}")
            return
        made = {**{name: entry[name] for name in ("resource_id", "start", "end")}, "status": "held"}
        happened: list[tuple[str, dict[str, Any]]] = [("booking.made", made), ("booking.accepted", {})]
        story = Story(self.number, answer.json, answer.headers["etag"], happened)
        self.stories[answer.json["id"]] = story
        self.rooms.append(story)

    def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, etag: str | None = None
    ) -> tuple[Answer, bool]:
        """The answer, and whether an earlier request for the same may have got through unheard.

        Raises TimeoutError when nobody answers at all.
        """
        if method != "GET":
            self.pace.wait(REPEATED if body and "recurrence" in body else 1)
        unsure, deadline = False, time.monotonic() + NEVER_S
        while time.monotonic() < deadline:
            try:
                answer = self.caller.call(method, path, body, key=key, etag=etag)
            except TROUBLE:
                self.said["unheard"] += 1
                unsure = True
            else:
                self.said[str(answer.status)] += 1
                if answer.status < 500 and answer.code != "request_in_flight":
                    self.answered += 1
                    return answer, unsure
                unsure = True
            time.sleep(AGAIN_AFTER_S)
        raise TimeoutError(f"{method} {path} {json.dumps(body)} was never answered")


def _wish(resource: str, start: datetime, end: datetime) -> dict[str, Any]:
    return {"resource_id": resource, "start": start.isoformat(), "end": end.isoformat()}


def _shifted(instant: str, by: timedelta) -> str:
    return (_at(instant) + by).isoformat()


def _at(instant: str) -> datetime:
    return datetime.fromisoformat(instant)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same, or two ways to write the same instant."""
    if one == other:
        return True
    try:
        return _at(one) == _at(other)
    except (TypeError, ValueError):
        return False


def _is_excused(answer: Answer, codes: tuple[str, ...]) -> bool:
    problem = answer.json
    return problem.get("code") in codes or problem.get("rule") in codes
