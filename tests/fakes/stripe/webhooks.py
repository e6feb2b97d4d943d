"""Webhooks: signed, in order unless a script says otherwise, and sent again with backoff until the answer is 2xx."""

from __future__ import annotations

import hashlib
import heapq
import hmac
import itertools
import json
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from tests.fakes.stripe.chance import Script
from tests.fakes.stripe.settings import Settings
from tests.fakes.stripe.store import Thing

DUPLICATE, DELAY, LOSE, REORDER = "duplicate", "delay", "lose", "reorder"
HELD = 1.0  # real seconds that a reordered event waits for another one, or a delayed one waits at all


def signature(secret: str, payload: bytes, at: int) -> str:
    """The value of Stripe-Signature: the time, and HMAC-SHA256 over the time, a dot and the payload."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class Webhooks:
    """Endpoints, the script, what is still to be sent, and what was."""

    def __init__(self, seed: int, settings: Settings, delivered: Callable[[Thing], None]) -> None:
        self.settings, self.delivered = settings, delivered
        self.endpoints: list[dict[str, Any]] = []
        self.script = Script(seed, ("type",), (DUPLICATE, DELAY, LOSE, REORDER), ("seconds", "copies"))
        self.log: list[dict[str, Any]] = []
        self._heap: list[tuple[float, int, Thing, dict[str, Any], int]] = []
        self._held: list[Thing] = []
        self._gave_up: set[str] = set()  # held back, but no other event came
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._busy = 0
        self._stopped = False
        self._opener = build_opener(ProxyHandler({}), _NoRedirects())
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def add_endpoint(self, url: str, secret: str, types: list[str] | None = None) -> None:
        """Send events to `url` from now on; all, or those of `types`."""
        self.endpoints.append({"url": url, "secret": secret, "types": types})

    def queue(self, event: Thing) -> bool:
        """Let an event be sent, as the script says: once, twice, later, after the next one; False: never."""
        rule = self.script.pick(type=event["type"]) or {}
        kind, seconds = rule.get("kind"), rule.get("seconds", HELD)
        with self._changed:
            if kind == LOSE:
                self._note(event, "", 0, "lost by the script")
                return False
            if kind == REORDER:
                self._held.append(event)
                self._changed.notify_all()
                self._push(event, seconds, held=True)
                return True
            self._push(event, seconds if kind == DELAY else 0.0)
            for _ in range(rule.get("copies", 1) if kind == DUPLICATE else 0):
                self._push(event, 0.0)
            for held in self._held:
                self._push(held, 0.0)
            self._held.clear()
            return True

    def again(self, event: Thing) -> None:
        """Send an event once more, whatever the script says."""
        with self._changed:
            self._push(event, 0.0)

    def idle(self) -> bool:
        """Whether nothing is left to be sent."""
        with self._changed:
            return not self._heap and not self._busy

    def _push(self, event: Thing, seconds: float, *, held: bool = False) -> None:
        for endpoint in self.endpoints:
            if endpoint["types"] is None or event["type"] in endpoint["types"]:
                target = {**endpoint, "held": held}
                heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._numbers), event, target, 1))
        self._changed.notify_all()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            _, _, event, endpoint, attempt = job
            status, problem = self._send(event, endpoint)
            if 200 <= status < 300:
                self.delivered(event)
            with self._changed:
                self._note(event, endpoint["url"], status, problem, attempt)
                if not 200 <= status < 300 and attempt < self.settings.webhook_attempts:
                    due = time.monotonic() + self.settings.webhook_backoff * 2 ** (attempt - 1)
                    heapq.heappush(self._heap, (due, next(self._numbers), event, endpoint, attempt + 1))
                self._busy -= 1
                self._changed.notify_all()

    def _next(self) -> tuple[float, int, Thing, dict[str, Any], int] | None:
        with self._changed:
            while not self._stopped:
                now = time.monotonic()
                if self._heap and self._heap[0][0] <= now:
                    job = heapq.heappop(self._heap)
                    if job[3]["held"] and job[4] == 1 and not self._released(job[2]):
                        continue
                    self._busy += 1
                    return job
                self._changed.wait(self._heap[0][0] - now if self._heap else None)
            return None

    def _released(self, event: Thing) -> bool:
        """Whether an event that was held back for another one is still to be sent: its time is over."""
        still = any(held is event for held in self._held)
        if not still:
            return event["id"] in self._gave_up
        self._held = [held for held in self._held if held is not event]
        self._gave_up.add(event["id"])
        return True

    def _send(self, event: Thing, endpoint: dict[str, Any]) -> tuple[int, str]:
        payload = json.dumps(event, indent=2).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": signature(endpoint["secret"], payload, int(time.time())),
        }
        request = Request(endpoint["url"], data=payload, headers=headers, method="POST")
        try:
            with self._opener.open(request, timeout=self.settings.webhook_timeout) as answer:
                return answer.status, ""
        except HTTPError as problem:
            with problem:
                return problem.code, str(problem)
        except (URLError, OSError, ValueError) as problem:
            return 0, str(problem)

    def _note(self, event: Thing, url: str, status: int, problem: str, attempt: int = 0) -> None:
        entry = {"event": event["id"], "type": event["type"], "url": url, "attempt": attempt}
        self.log.append({**entry, "status": status, "problem": problem})
