"""The shape of a mail before it is one: what is known when it is composed, and what it says, in one language.

One structure makes the text and the HTML, so that both always say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from app.languages import clock, compiled, long_day, money, short_day

FOLDER = Path(__file__).parent / "translations"


@dataclass(frozen=True, slots=True)
class Letter:
    """`rows` are the facts at a glance, `lists` have titles, `action` is the one thing to do: its words and address."""

    subject: str
    lead: str
    rows: Sequence[tuple[str, str]] = ()
    paragraphs: Sequence[str] = ()
    lists: Sequence[tuple[str, Sequence[str]]] = ()
    action: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """One language and one wall clock: sentences, times, amounts."""

    language: str
    zone: ZoneInfo = ZoneInfo("Europe/Brussels")

    def say(self, sentence: str, **values: object) -> str:
        """The sentence with its %(name)s filled in."""
        told = compiled(FOLDER, self.language).gettext(sentence)
        return told % values if values else told

    def ngettext(self, one: str, many: str, num: int) -> str:
        return compiled(FOLDER, self.language).ngettext(one, many, num) % {"num": num}

    def day(self, instant: datetime) -> str:
        return long_day(instant.astimezone(self.zone), self.language)

    def on(self, day: date) -> str:
        """A day that is the same everywhere."""
        return long_day(day, self.language)

    def time(self, instant: datetime) -> str:
        return clock(instant.astimezone(self.zone))

    def moment(self, instant: datetime) -> str:
        """A day and a time."""
        _ = self.say
        return _("%(day)s at %(time)s", day=self.day(instant), time=self.time(instant))

    def period(self, start: datetime, end: datetime) -> str:
        """`Tuesday 3 March, 09:00 – 11:00`; both days where it ends on another one."""
        if start.astimezone(self.zone).date() == end.astimezone(self.zone).date():
            return f"{self.day(start)}, {self.time(start)} – {self.time(end)}"
        return f"{self.day(start)}, {self.time(start)} – {self.day(end)}, {self.time(end)}"

    def brief(self, start: datetime) -> str:
        """A day and a time for a subject line."""
        return f"{short_day(start.astimezone(self.zone), self.language)}, {self.time(start)}"

    def money(self, cents: int, currency: str) -> str:
        return money(cents, currency, self.language)

    def duration(self, minutes: int) -> str:
        hours, rest = divmod(minutes, 60)
        parts = [self.ngettext("%(num)s hour", "%(num)s hours", hours)] if hours else []
        if rest or not hours:
            parts.append(self.ngettext("%(num)s minute", "%(num)s minutes", rest))
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Story:
    """What a mail is made of: the facts frozen with its row, and the names read now.

    `names` has those of the resources in the facts, by public id; `status` is the booking's now, where a mail depends
    on it; `more` is what a kind reads for itself.
    """

    words: Words
    facts: Mapping[str, Any]
    base_url: str
    created_at: datetime
    member: str = ""
    space: str = ""
    address: str = ""
    units: Sequence[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    status: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def at(self, name: str) -> datetime:
        """An instant among the facts."""
        return datetime.fromisoformat(self.facts[name])

    def resource(self, name: str = "resource_id") -> str:
        return self.names.get(self.facts.get(name) or "", "")
