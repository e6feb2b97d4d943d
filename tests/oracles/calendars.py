"""Four independent readers of a calendar, each a library or program that people's own calendars are built on.

Each takes the calendar's bytes or an http address on loopback and returns what it saw, sorted. A reader that is not
installed skips the test and names what is missing. None of this shares code with app/booking/calendar.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.oracles import libical

NODE = Path(__file__).parent / "node"


class Seen(NamedTuple):
    """An event as a reader understood it; `local_start` is `YYYY-MM-DD HH:MM` on the clock the reader would show."""

    uid: str
    start_utc: datetime
    end_utc: datetime
    local_start: str
    summary: str
    status: str


def by_icalendar(source: bytes | str, *, start: date, end: date) -> list[Seen]:
    """icalendar, recurrences expanded by recurring-ical-events, from `start` to `end` (exclusive)."""
    import icalendar
    import recurring_ical_events

    parsed = icalendar.Calendar.from_ical(content(source))
    return sorted(
        Seen(
            str(event["UID"]),
            event["DTSTART"].dt.astimezone(UTC),
            event["DTEND"].dt.astimezone(UTC),
            f"{event['DTSTART'].dt:%Y-%m-%d %H:%M}",
            str(event.get("SUMMARY", "")),
            str(event.get("STATUS", "")),
        )
        for event in recurring_ical_events.of(parsed).between(start, end)
    )


def by_node_ical(source: bytes | str) -> list[Seen]:
    """node-ical. Recurrences are not expanded."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node-ical: node is not installed")
    if not (NODE / "node_modules" / "node-ical").is_dir():
        pytest.skip("node-ical: run npm install in tests/oracles/node")
    events = json.loads(_run([node, str(NODE / "read.mjs")], given=content(source)))
    return sorted(
        Seen(
            event["uid"],
            datetime.fromisoformat(event["start"]),
            datetime.fromisoformat(event["end"]),
            event["local"],
            event["summary"],
            event["status"],
        )
        for event in events
    )


def by_khal(source: bytes | str, *, home: Path, zone: str, start: date, end: date) -> list[Seen]:
    """vdirsyncer fetches it over HTTP, khal lists it for somebody living in `zone`, from `start` to `end` (inclusive).

    `home` is an empty folder that both take for the person's own.
    """
    vdirsyncer, khal = _script("vdirsyncer"), _script("khal")
    if isinstance(source, bytes):
        with served(source) as url:
            return by_khal(url, home=home, zone=zone, start=start, end=end)
    _loopback(source)
    _subscribe(vdirsyncer, source, home)
    instants = {item["uid"]: item for item in _khal_list(khal, home, "UTC", start, end)}
    return sorted(
        Seen(
            item["uid"],
            _utc(instants[item["uid"]]["start-long-full"]),
            _utc(instants[item["uid"]]["end-long-full"]),
            item["start-long-full"],
            item["title"],
            item["status"].strip(),
        )
        for item in _khal_list(khal, home, zone, start, end)
    )


def by_libical(source: bytes | str) -> list[Seen]:
    """libical, which takes each time by the VTIMEZONE of the calendar. Recurrences are not expanded."""
    return sorted(Seen(*event) for event in libical.events(content(source)))


def libical_faults(source: bytes | str) -> list[str]:
    """What libical's parser and its check of the RFCs' restrictions object to, each objection once.

    The whole calendar is checked as it is, then each event as if it were published alone: without a METHOD libical
    asks for neither UID nor DTSTAMP, and with one it looks at the first event only. (That METHOD:PUBLISH demands an
    ORGANIZER is then no fault of the calendar.)
    """
    calendar = content(source)
    found = libical.faults(calendar)
    for event in re.findall(rb"BEGIN:VEVENT\r\n.*?END:VEVENT\r\n", calendar, re.DOTALL):
        alone = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:oracle\r\nMETHOD:PUBLISH\r\n" + event + b"END:VCALENDAR\r\n"
        found += [fault for fault in libical.faults(alone) if "for ORGANIZER property" not in fault]
    return list(dict.fromkeys(found))


def content(source: bytes | str) -> bytes:
    """The calendar itself, fetched if `source` is an address."""
    if isinstance(source, bytes):
        return source
    _loopback(source)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(source, timeout=10) as answer:
        body: bytes = answer.read()
        return body


@contextmanager
def served(calendar: bytes) -> Iterator[str]:
    """The loopback address at which `calendar` can be fetched meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/calendar; charset=utf-8")
            self.send_header("Content-Length", str(len(calendar)))
            self.end_headers()
            self.wfile.write(calendar)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/calendar.ics"
        finally:
            server.shutdown()
            thread.join()


def _subscribe(vdirsyncer: str, url: str, home: Path) -> None:
    (home / "vdirsyncer.ini").write_text(
        f'[general]\nstatus_path = "{home}/status"\n'
        '[pair feed]\na = "here"\nb = "there"\ncollections = null\nconflict_resolution = "b wins"\n'
        f'[storage here]\ntype = "filesystem"\npath = "{home}/calendar"\nfileext = ".ics"\n'
        f'[storage there]\ntype = "http"\nurl = "{url}"\n'
    )
    (home / "calendar").mkdir(exist_ok=True)
    for verb in ("discover", "sync"):
        _run([vdirsyncer, "-c", str(home / "vdirsyncer.ini"), verb], home=home)


def _khal_list(khal: str, home: Path, zone: str, start: date, end: date) -> list[dict[str, str]]:
    config = home / "khal.ini"
    config.write_text(
        f"[calendars]\n[[feed]]\npath = {home}/calendar\nreadonly = True\n"
        f"[sqlite]\npath = {home}/khal.db\n"
        f"[locale]\nlocal_timezone = {zone}\ndefault_timezone = {zone}\nunicode_symbols = False\n"
        "timeformat = %H:%M\ndateformat = %Y-%m-%d\nlongdateformat = %Y-%m-%d\n"
        "datetimeformat = %Y-%m-%d %H:%M\nlongdatetimeformat = %Y-%m-%d %H:%M\n"
    )
    fields = ("uid", "title", "status", "start-long-full", "end-long-full")
    asked = [argument for field in fields for argument in ("--json", field)]
    command = [khal, "-c", str(config), "list", "--once", *asked, start.isoformat(), end.isoformat()]
    # khal prints one JSON array for each day.
    return [item for line in _run(command, home=home).splitlines() if line.startswith("[") for item in json.loads(line)]


def _script(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f'{name}: run pip install -e ".[dev]"')
    return found


def _run(command: list[str], *, given: bytes = b"", home: Path | None = None) -> str:
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    if home is not None:
        environment |= {"HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CACHE_HOME": str(home)}
    done = subprocess.run(command, input=given, capture_output=True, env=environment, timeout=120, check=False)
    if done.returncode:
        raise AssertionError(f"{Path(command[0]).name} failed: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout.decode()


def _utc(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def _loopback(url: str) -> None:
    if urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ValueError(f"only loopback is read here: {url}")
