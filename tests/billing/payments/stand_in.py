"""The stand-in for Stripe as a process, and what a test has it do."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from tests.running import ROOT, free_port
from tests.waiting import until

KEY = "sk_test_stand_in"
SECRET = "whsec_stand_in"


@dataclass
class StandIn:
    """Where it is, and its controls (tests/fakes/stripe/README.md)."""

    url: str
    process: subprocess.Popen[bytes]

    def control(self, path: str, /, **given: Any) -> dict[str, Any]:
        """POST to a control; answers its JSON."""
        return self._asked("POST", f"/_control/{path}", given)

    def see(self, path: str) -> dict[str, Any]:
        return self._asked("GET", f"/_control/{path}")

    def forget(self, path: str) -> None:
        self._asked("DELETE", f"/_control/{path}")

    def fails(self, kind: str, path: str = "*", **rule: Any) -> None:
        """Have requests go wrong: `lost_after`, `lost_before`, `error_after_effect`, ..."""
        self.control("faults", kind=kind, method=rule.pop("method", "POST"), path=path, **rule)

    @property
    def balance(self) -> int:
        """What its own books say we have with it, in cents of the euro."""
        totals = self.see("books")["totals"]
        found: int = totals.get("platform", {}).get("eur", {}).get("balance", 0)
        return found

    def charges(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.see("books")["charges"]
        return found

    def api(self, method: str, path: str, **form: str) -> dict[str, Any]:
        """A request as a client of Stripe makes it, past the product."""
        return asked_of(self.url, KEY, method, path, **form)

    def _asked(self, method: str, path: str, given: dict[str, Any] | None = None) -> dict[str, Any]:
        body = json.dumps(given).encode() if given is not None else None
        try:
            with urlopen(Request(self.url + path, data=body, method=method), timeout=10) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from error


def asked_of(url: str, key: str, method: str, path: str, **form: str) -> dict[str, Any]:
    """A form, and the JSON that comes back."""
    body = urlencode(form).encode() if form else None
    asked = Request(url + path, data=body, method=method, headers={"Authorization": f"Bearer {key}"})
    with urlopen(asked, timeout=20) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


@contextmanager
def localstripe() -> Iterator[str]:
    """Another stand-in, by others: it knows less, and no idempotency. Its address."""
    port = free_port()
    command = [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: _listens(port, process), within=30, describe="localstripe serves")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "localstripe ended"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def stand_in(*, webhook_url: str | None = None, seed: int = 1) -> Iterator[StandIn]:
    """It serves on a free loopback port until the end."""
    port = free_port()
    command = [sys.executable, "-m", "tests.fakes.stripe", "--port", str(port), "--key", KEY, "--seed", str(seed)]
    if webhook_url:
        command += ["--webhook-url", webhook_url, "--webhook-secret", SECRET]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        fake = StandIn(f"http://127.0.0.1:{port}", process)
        try:
            until(lambda: _answers(fake), within=20, describe="the stand-in for Stripe serves")
            yield fake
        finally:
            process.terminate()


def _answers(fake: StandIn) -> bool:
    assert fake.process.poll() is None, "the stand-in for Stripe ended"
    try:
        return bool(fake.see("health"))
    except OSError:
        return False
