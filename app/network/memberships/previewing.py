"""What a change would ask for, without making it: it is made, and unmade. So a preview promises nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.network.memberships.charging import Line, coming
from app.network.memberships.contracts import Contract


class Preview(NamedTuple):
    """`lines` are asked for at once, `next_lines` on `next_day`; None where nothing will be asked for any more."""

    lines: list[Line]
    next_day: date | None
    next_lines: list[Line]


def preview(session: Session, act: Callable[[], Contract]) -> Preview:
    """What `act` records as owed, and what its contract will. Nothing of it stays; raises what `act` raises."""
    recorded = session.info.setdefault("recorded", [])
    before = len(recorded)
    unmade = session.begin_nested()
    try:
        contract = act()
        facts = [fact for fact in recorded[before:] if fact.type == "membership.charged"]
        next_day, next_lines = coming(session, contract) or (None, [])
        return Preview([line for fact in facts for line in fact.lines], next_day, next_lines)
    finally:
        unmade.rollback()
        del recorded[before:]
