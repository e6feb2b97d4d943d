"""How many calls a sender has under way, and for whom there is room: the slow never fill the places of the quick.

Who answered quickly last time has room for several messages at once. Whoever is not known yet, or took their time, gets
one at a time, and so does whoever is failing: each kind in a room of its own, in turns. A call that takes long gives up
its place in the room, while there is space in the corridor, so that the next in line need not wait for its end.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count

from app.webhooks.claiming import Due

SLOW_S = 1.0  # what takes longer than that is slow


class Kind(StrEnum):
    """What is known of a receiver."""

    QUICK = "quick"
    UNPROVEN = "unproven"
    FAILING = "failing"


EACH = {Kind.QUICK: 4, Kind.UNPROVEN: 1, Kind.FAILING: 1}  # messages at once to one receiver
PLACES = {Kind.QUICK: 64, Kind.UNPROVEN: 32, Kind.FAILING: 32}  # for calls at once in each room
CORRIDOR = 128  # for calls that take long


@dataclass(slots=True)
class Call:
    webhook_id: int
    began: float
    room: Kind | None  # None: in the corridor


class Room:
    """Belongs to one thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._numbers = count()
        self._calls: dict[int, Call] = {}
        self._quick: set[int] = set()  # receivers
        self._failing: set[int] = set()  # those among the ones that were due last time
        self._served = dict.fromkeys(Kind, 0)  # the receiver of each kind whose turn was last

    def __len__(self) -> int:
        return len(self._calls)

    def enter(self, webhook_id: int) -> int:
        """Note a call that begins; returns its number for `leave`."""
        number = next(self._numbers)
        self._calls[number] = Call(webhook_id, self._clock(), self.kind(webhook_id))
        return number

    def leave(self, number: int) -> None:
        """Note that a call is over, and how quick it was."""
        call = self._calls.pop(number)
        if self._clock() - call.began > SLOW_S:
            self._quick.discard(call.webhook_id)
        else:
            self._quick.add(call.webhook_id)

    def look(self) -> None:
        """Let what takes long make room for others. A failing receiver keeps its place: its calls are the last to."""
        since = self._clock() - SLOW_S
        space = CORRIDOR - sum(call.room is None for call in self._calls.values())
        for call in self._calls.values():
            if call.began < since and call.room in (Kind.QUICK, Kind.UNPROVEN):
                self._quick.discard(call.webhook_id)
                if space > 0:
                    call.room = None
                    space -= 1

    def kind(self, webhook_id: int) -> Kind:
        if webhook_id in self._failing:
            return Kind.FAILING
        return Kind.QUICK if webhook_id in self._quick else Kind.UNPROVEN

    def share(self, due: Iterable[Due]) -> dict[int, int]:
        """How many messages each receiver may have in flight, those under way included, as far as there is room.

        Everybody gets one before anybody gets another, and those served last come last.
        """
        due = list(due)
        self._failing = {each.webhook_id for each in due if each.is_failing}
        turns = self._turns(due)
        taken = Counter(call.room for call in self._calls.values())
        held = Counter(call.webhook_id for call in self._calls.values())
        shares: dict[int, int] = {}
        for _ in range(max(EACH.values())):
            for kind, webhook_id in turns:
                in_flight = shares.get(webhook_id, held[webhook_id])
                if in_flight < EACH[kind] and taken[kind] < PLACES[kind]:
                    if webhook_id not in shares:
                        self._served[kind] = webhook_id
                    shares[webhook_id] = in_flight + 1
                    taken[kind] += 1
        return shares

    def _turns(self, due: Iterable[Due]) -> list[tuple[Kind, int]]:
        """Everybody with their kind, beginning behind the one of that kind who was served last."""
        kinds = [(self.kind(each.webhook_id), each.webhook_id) for each in due]
        return sorted(kinds, key=lambda each: (each[1] <= self._served[each[0]], each[1]))
