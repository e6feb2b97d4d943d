"""Bookings as iCalendar text (RFC 5545): the one module that knows the library `ics`.

`ics` serialises single VEVENTs and nothing else; everything it is known to get wrong is dealt with here:
it does not fold, does not end the last line, prints METHOD last, turns every time to UTC, writes DTSTAMP only if asked,
keeps events in a set, prints a UID as it comes (line breaks included) and escapes URLs. It is never used for reading.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from ics import Event
from ics.grammar.parse import ContentLine

from app.booking.calendar.content_lines import CRLF, clean, escape, fold, one_line, uri
from app.booking.calendar.vtimezone import LOCAL, vtimezone, zone_info

__all__ = ["Entry", "calendar", "mailed", "single", "vevent", "vtimezone"]

PRODID = "-//Passerelle//Passerelle//EN"
NO_BOOKINGS_ZONE = "Etc/UTC"
STATUSES = ("CONFIRMED", "TENTATIVE", "CANCELLED")
_DURATION = re.compile(r"P(\d+W|\d+D(T\d+[HMS])?|T(\d+H)?(\d+M)?(\d+S)?)(?<!T)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One booking as a calendar shows it.

    `uid` never changes; `sequence`, `last_modified` and `dtstamp` advance with each change, or Google ignores it.
    `start` and `end` are instants (any zone), shown in the IANA zone `zone`; parts of a second are dropped.
    `geo` is latitude and longitude in degrees. A `transparent` entry does not make the person busy. `organizer` is the
    name and the mail address of who offers the place.
    Raises ValueError for what no calendar can say: naive times, `end` not after `start`, unknown zone or status.
    """

    uid: str
    start: datetime
    end: datetime
    zone: str
    summary: str
    sequence: int
    last_modified: datetime
    dtstamp: datetime
    status: Literal["CONFIRMED", "TENTATIVE", "CANCELLED"] = "CONFIRMED"
    description: str | None = None
    location: str | None = None
    url: str | None = None
    geo: tuple[float, float] | None = None
    transparent: bool = False
    organizer: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if not one_line(self.uid).strip():
            raise ValueError("an entry needs a uid: it is how a calendar knows it again")
        if any(moment.utcoffset() is None for moment in (self.start, self.end, self.last_modified, self.dtstamp)):
            raise ValueError("an entry's times must be aware")
        if self.end.replace(microsecond=0) <= self.start.replace(microsecond=0):
            raise ValueError("an entry must end after it starts (RFC 5545, section 3.8.2.2)")
        if self.status not in STATUSES:
            raise ValueError(f"{self.status!r} is none of {', '.join(STATUSES)}")
        if not 0 <= self.sequence < 2**31:
            raise ValueError("sequence must be a non-negative 32-bit integer")
        if self.geo and not (_within(self.geo[0], 90) and _within(self.geo[1], 180)):
            raise ValueError("geo must be latitude and longitude in degrees")
        zone_info(self.zone)


def vevent(entry: Entry) -> str:
    """The VEVENT of `entry`, folded, each line ended by CRLF: a fragment for `calendar` (RFC 5545, section 3.6.1)."""
    event = Event(
        uid=escape(one_line(entry.uid)),
        name=clean(entry.summary),
        description=clean(entry.description or ""),
        location=clean(entry.location or ""),
        status=entry.status,
        transparent=entry.transparent,
        geo=entry.geo,
        created=_whole(entry.dtstamp),  # what ics prints as DTSTAMP
        last_modified=_whole(entry.last_modified),
    )
    event.extra.extend(_times(entry))
    event.extra.append(ContentLine("SEQUENCE", {}, str(entry.sequence)))
    if entry.organizer:
        name, address = entry.organizer
        event.extra.append(ContentLine("ORGANIZER", {"CN": [_quoted(name)]}, f"mailto:{uri(address)}"))
    if entry.url and (url := uri(entry.url)):
        event.extra.append(ContentLine("URL", {"VALUE": ["URI"]}, url))
    return "".join(fold(line) for line in event.serialize().split(CRLF))


def calendar(
    name: str,
    fragments: Iterable[str],
    zones: Iterable[str],
    *,
    refresh: str = "PT15M",
    first_year: int,
    last_year: int,
) -> bytes:
    """A subscription feed of `fragments` made by `vevent`, in their order, with a VTIMEZONE for each of `zones`.

    `zones` must name every zone of the entries, whose times lie in `first_year` to `last_year`. `refresh` is the
    ISO 8601 duration after which clients should look again. There is no METHOD: a feed is no invitation (RFC 5546).
    Raises ValueError for an unknown zone or a `refresh` that is no duration.
    """
    if not _DURATION.fullmatch(refresh):
        raise ValueError(f"{refresh!r} is no duration such as PT15M")
    title = escape(clean(name))
    header = (
        fold(f"NAME:{title}"),
        fold(f"X-WR-CALNAME:{title}"),
        f"REFRESH-INTERVAL;VALUE=DURATION:{refresh}\r\n",
        f"X-PUBLISHED-TTL:{refresh}\r\n",
    )
    return _document(header, zones, fragments, first_year=first_year, last_year=last_year)


def single(entry: Entry) -> bytes:
    """One booking as a file to download.

    Without METHOD: PUBLISH would demand an ORGANIZER (RFC 5546, section 3.2.1), and this is no invitation.
    """
    zone = zone_info(entry.zone)
    first, last = entry.start.astimezone(zone).year, entry.end.astimezone(zone).year
    return _document((), (entry.zone,), (vevent(entry),), first_year=first, last_year=last)


def mailed(entries: Sequence[Entry], *, organizer: tuple[str, str]) -> tuple[str, bytes] | None:
    """Bookings as a mail carries them, and the METHOD that its part must name too (RFC 6047, section 2.4).

    Those that stand are published. Cancelled ones are left out beside others; a single one is cancelled (CANCEL speaks
    of one UID alone: RFC 5546, section 3.2.5), and of several there is nothing to say: None.
    """
    standing = [entry for entry in entries if entry.status != "CANCELLED"]
    if not standing and len(entries) != 1:
        return None
    method = "PUBLISH" if standing else "CANCEL"
    said = [replace(entry, organizer=organizer) for entry in standing or entries]
    years = [moment.year for entry in said for moment in (entry.start, entry.end)]
    return method, _document(
        (f"METHOD:{method}\r\n",),
        {entry.zone for entry in said},
        [vevent(entry) for entry in said],
        first_year=min(years) - 1,
        last_year=max(years) + 1,
    )


def _quoted(name: str) -> str:
    """A parameter's value in quotes, which nothing in it can end (RFC 5545, section 3.2)."""
    return '"' + one_line(name).replace('"', "'") + '"'


def _document(
    header: Iterable[str], zones: Iterable[str], fragments: Iterable[str], *, first_year: int, last_year: int
) -> bytes:
    # Encoded one by one and joined once: CPython copies ASCII text as it is, but walks a joined one to its first other
    # character, and each further copy of a long feed costs more than joining it (ten times less for 1,000 bookings).
    body = [fragment.encode() for fragment in fragments]
    # A calendar needs one component at least (RFC 5545, section 3.4), also that of somebody without bookings.
    names = sorted(set(zones)) or ([] if any(body) else [NO_BOOKINGS_ZONE])
    blocks = (vtimezone(zone, first_year=first_year, last_year=last_year) for zone in names)
    opening = ("BEGIN:VCALENDAR\r\n", "VERSION:2.0\r\n", f"PRODID:{PRODID}\r\n", "CALSCALE:GREGORIAN\r\n")
    return b"".join(("".join((*opening, *header, *blocks)).encode(), *body, b"END:VCALENDAR\r\n"))


def _times(entry: Entry) -> list[ContentLine]:
    """DTSTART and DTEND in the entry's zone, or both in UTC where a clock shows either of them twice that night.

    A local time then means its first pass (RFC 5545, section 3.3.5), so the second cannot be said at all; and libical
    and node-ical take it for the second, so that the first is not safe either.
    """
    zone = zone_info(entry.zone)
    times = [("DTSTART", entry.start.astimezone(zone)), ("DTEND", entry.end.astimezone(zone))]
    if any(_shown_twice(when) for _, when in times):
        return [ContentLine(name, {}, when.astimezone(UTC).strftime(LOCAL) + "Z") for name, when in times]
    return [ContentLine(name, {"TZID": [entry.zone]}, when.strftime(LOCAL)) for name, when in times]


def _shown_twice(local: datetime) -> bool:
    return local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()


def _whole(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _within(degrees: float, bound: int) -> bool:
    return math.isfinite(degrees) and abs(degrees) <= bound
