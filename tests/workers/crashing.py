"""Crashes at chosen moments: whatever is done between them takes effect wholly, and nothing after them does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import event as listen
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession


class Crash(BaseException):
    """The process is gone: nothing after this line of it happens."""


class Fuse:
    """Blows at the nth moment after `arm`; each has a name: "before commit", "after ack" and so on."""

    def __init__(self, blown: Counter[str] | None = None) -> None:
        self.blown: Counter[str] = Counter() if blown is None else blown  # at which moments, how often
        self._left = 0
        self._only: str | None = None
        self._cut = False

    def arm(self, nth: int, *, only: str | None = None, cut: bool = False) -> None:
        """Blow at the nth moment from now (0: never), counting only those called `only` if that is given.

        `cut`: at a commit the connection breaks and the process lives, not knowing what became of it.
        """
        self._left, self._only, self._cut = nth, only, cut

    def moment(self, name: str) -> None:
        """Raises Crash, or OperationalError where a connection is cut."""
        if self._only not in (None, name) or not self._left:
            return
        self._left -= 1
        if self._left:
            return
        self.blown[name] += 1
        if self._cut and name.endswith("commit"):
            raise OperationalError("COMMIT", None, psycopg.OperationalError("cut off"), connection_invalidated=True)
        raise Crash

    @contextmanager
    def covered(self) -> Iterator[None]:
        """Meanwhile it does not burn."""
        left, self._left = self._left, 0
        yield
        self._left = left


def crashing(make_session: sessionmaker[TenantSession], fuse: Fuse) -> sessionmaker[TenantSession]:
    """Sessions whose commits are moments of `fuse`."""
    made = sessionmaker(make_session.kw["bind"], class_=TenantSession, expire_on_commit=False)
    listen.listen(made, "before_commit", lambda _: fuse.moment("before commit"))
    listen.listen(made, "after_commit", lambda _: fuse.moment("after commit"))
    return made
