"""The people of the stage: members with open connections, a large pool, rooms that everybody wants, and a door."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from app.db import make_engine, sessions
from app.tenancy import SYSTEM
from tests.builders import a_member, a_pool, a_room, a_space, a_token

MEMBERS = 12  # at most: each has two hours of the day for its own
DESKS, DOOR, ROOMS = 20, 200, 4
LANGUAGES = ("fr", "en", "nl", "de")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Place:
    """What can be booked: `pool` never runs out, nor does `weekly`, for those who repeat; `rooms` always do; the `door`
    takes who walks in, by the minute."""

    pool: str
    weekly: str
    rooms: tuple[str, ...]
    door: str
    first_day: datetime


@dataclass(frozen=True, slots=True)
class Town:
    place: Place
    tokens: tuple[str, ...]


def a_town(database_url: str, *, members: int = MEMBERS) -> Town:
    """Open day and night, so that it does not matter when this runs."""
    with ExitStack() as stack:
        engine = make_engine(database_url, pool_size=1)
        stack.callback(engine.dispose)
        session = stack.enter_context(sessions(engine)())
        session.info["scope"] = SYSTEM
        space = a_space(session, opens="00:00", closes="00:00")
        by_the_minute = {"min_minutes": 1, "step_minutes": 1}
        pool = a_pool(session, space, desks=DESKS)
        weekly = a_pool(session, space, desks=DESKS)
        rooms = [a_room(session, space) for _ in range(ROOMS)]
        door = a_pool(session, space, desks=DOOR, rules=by_the_minute)
        tokens = tuple(
            a_token(session, a_member(session, locale=LANGUAGES[n % len(LANGUAGES)])) for n in range(members)
        )
        midnight = datetime.combine(datetime.now(UTC).date(), time(), tzinfo=UTC)
        place = Place(
            str(pool.uid), str(weekly.uid), tuple(str(room.uid) for room in rooms), str(door.uid), midnight + 3 * DAY
        )
        session.commit()
    return Town(place, tokens)
