"""libical through ctypes: the C library under Evolution, KOrganizer and many servers, and the strictest reader here.

Declared by hand from libical 3's headers: a handful of functions, so that no binding has to be installed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache

import pytest

VEVENT = 4
"""ICAL_VEVENT_COMPONENT of icalcomponent_kind."""


class _Time(ctypes.Structure):
    """struct icaltimetype of libical 3."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("year", "month", "day", "hour", "minute", "second")),
        ("is_date", ctypes.c_int),
        ("is_daylight", ctypes.c_int),
        ("zone", ctypes.c_void_p),
    ]


@cache
def _library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libical.so.3")
    except OSError:
        return None
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("icalparser_parse_string", pointer, [text]),
        ("icalcomponent_free", None, [pointer]),
        ("icalcomponent_as_ical_string", text, [pointer]),
        ("icalcomponent_count_errors", number, [pointer]),
        ("icalcomponent_get_first_component", pointer, [pointer, number]),
        ("icalcomponent_get_next_component", pointer, [pointer, number]),
        ("icalcomponent_get_uid", text, [pointer]),
        ("icalcomponent_get_summary", text, [pointer]),
        ("icalcomponent_get_status", number, [pointer]),
        ("icalcomponent_get_dtstart", _Time, [pointer]),
        ("icalcomponent_get_dtend", _Time, [pointer]),
        ("icalproperty_status_to_string", text, [number]),
        ("icalrestriction_check", number, [pointer]),
        ("icaltime_as_timet_with_zone", ctypes.c_long, [_Time, pointer]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _loaded() -> ctypes.CDLL:
    library = _library()
    if library is None:
        pytest.skip("libical: run apt-get install libical3")
    return library


def faults(calendar: bytes) -> list[str]:
    """The texts of all errors that parsing left and the check of restrictions added."""
    library = _loaded()
    with _parsed(library, calendar) as component:
        passed = library.icalrestriction_check(component)
        count = library.icalcomponent_count_errors(component)
        lines = library.icalcomponent_as_ical_string(component).decode().replace("\r\n ", "").split("\r\n")
    found = [line for line in lines if line.startswith("X-LIC-ERROR")]
    assert len(found) == count, "libical counts other faults than it names"
    assert passed or found, "libical objects without saying to what"
    return found


def events(calendar: bytes) -> Iterator[tuple[str, datetime, datetime, str, str, str]]:
    """(uid, start in UTC, end in UTC, start on the event's own clock, summary, status) of each VEVENT."""
    library = _loaded()
    with _parsed(library, calendar) as component:
        event = library.icalcomponent_get_first_component(component, VEVENT)
        while event:
            start, end = library.icalcomponent_get_dtstart(event), library.icalcomponent_get_dtend(event)
            yield (
                _text(library.icalcomponent_get_uid(event)),
                _instant(library, start),
                _instant(library, end),
                f"{start.year:04}-{start.month:02}-{start.day:02} {start.hour:02}:{start.minute:02}",
                _text(library.icalcomponent_get_summary(event)),
                _text(library.icalproperty_status_to_string(library.icalcomponent_get_status(event))),
            )
            event = library.icalcomponent_get_next_component(component, VEVENT)


@contextmanager
def _parsed(library: ctypes.CDLL, calendar: bytes) -> Iterator[int]:
    """A pointer to the calendar as libical parsed it, freed afterwards."""
    component = library.icalparser_parse_string(calendar)
    assert component, "libical read no component at all"
    try:
        yield component
    finally:
        library.icalcomponent_free(component)


def _instant(library: ctypes.CDLL, time: _Time) -> datetime:
    return datetime.fromtimestamp(library.icaltime_as_timet_with_zone(time, time.zone), UTC)


def _text(value: bytes | None) -> str:
    return (value or b"").decode()
