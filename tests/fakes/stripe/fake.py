"""The stand-in as a whole: its parts, its lock, and the answer to one request."""

from __future__ import annotations

import base64
import binascii
import copy
import json
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from tests.fakes.stripe import expand, families, faults, forms, idempotency, routes, versions
from tests.fakes.stripe.books import Books
from tests.fakes.stripe.call import Call
from tests.fakes.stripe.clock import Clock, Schedule
from tests.fakes.stripe.errors import Refusal, locked, no_access, rate_limited, server_error, unauthorized
from tests.fakes.stripe.events import PLATFORM, Events
from tests.fakes.stripe.params import checked
from tests.fakes.stripe.settings import Settings
from tests.fakes.stripe.store import Store, Thing
from tests.fakes.stripe.webhooks import Webhooks
from tests.fakes.stripe.wire import Answer, Asked

ACTIONS: dict[str, Callable[..., Any]] = families.ACTIONS
TICK = 0.02


class ControlFailed(Exception):
    """A command that was refused."""


class Fake:
    """A provider of payments in memory. All state changes happen under `lock`."""

    def __init__(self, key: str, *, seed: int = 1) -> None:
        self.key, self.seed = key, seed
        self.lock = threading.RLock()
        self.settings, self.clock, self.schedule = Settings(), Clock(), Schedule()
        self.store, self.books, self.keys = Store(seed), Books(), idempotency.Keys()
        self.faults = faults.script(seed)
        self.webhooks = Webhooks(seed, self.settings, self._delivered)
        self.events = Events(self)
        self.requests: list[dict[str, Any]] = []
        self.crashes: list[str] = []
        self.changes = 0
        self.url = ""  # where it is reached, once it serves
        self._stopped = threading.Event()
        families.found(self)

    def start(self) -> None:
        """Begin to send webhooks and to do what is due."""
        self.webhooks.start()
        threading.Thread(target=self._ticking, name="schedule", daemon=True).start()

    def stop(self) -> None:
        """Stop both."""
        self._stopped.set()
        self.webhooks.stop()

    def control(self, method: str, command: str, /, **arguments: Any) -> dict[str, Any]:
        """A command of the control interface, without HTTP; raises ControlFailed with the answer otherwise."""
        from tests.fakes.stripe import control

        asked = Asked(method, control.PREFIX + command, "", json.dumps(arguments), {})
        answer = control.answer(self, asked)
        if answer.status != 200:
            raise ControlFailed(f"{method} {command}: {answer.body}")
        return answer.body

    def call(self, account: str = PLATFORM, **params: Any) -> Call:
        """Work that no request asked for: of the test, or of the clock."""
        return Call(self, account, params)

    def run_due(self) -> int:
        """Do all that is due by now, in order; returns how many things were done."""
        done = 0
        with self.lock:
            while (due := self.schedule.take_due(self.clock.now())) is not None:
                action, arguments = due
                account = arguments.pop("account")
                self._guarded(lambda: ACTIONS[action](self.call(account), **arguments))  # noqa: B023
                done += 1
                self.changes += 1
        return done

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request, after all the checks and faults that come before and behind the work."""
        request = self._number(asked)
        entry: dict[str, Any] = {"id": request, "method": asked.method, "path": asked.path, "at": self.clock.now()}
        entry.update(key=asked.headers.get("idempotency-key"), status=None, fault=None)
        headers = {"Request-Id": request, "Stripe-Version": self.settings.api_version}
        try:
            answer = self._judged(asked, request, entry)
        except Refusal as refusal:
            answer = Answer(refusal.status, refusal.body(), refusal.headers)
        except Exception:
            self._crashed()
            answer = Answer(500, server_error(began=False).body())
        entry["status"] = None if answer.lost else answer.status
        version = asked.headers.get("stripe-version")
        shown = {"Stripe-Version": version} if version else {}
        key = {"Idempotency-Key": entry["key"]} if entry["key"] else {}
        answer.headers = {**headers, **shown, **key, **answer.headers}
        return answer

    def _number(self, asked: Asked) -> str:
        with self.lock:
            return self.store.new_id("req")

    def _judged(self, asked: Asked, request: str, entry: dict[str, Any]) -> Answer:
        with self.lock:
            self.requests.append(entry)
            self._authenticate(asked)
            account = self._account(asked)
            version = versions.dated(asked.headers.get("stripe-version"), self.settings.api_version)
            params = forms.parse(asked.body if asked.method == "POST" else asked.query)
            entry.update(account=account, params=params)
            rule = self.faults.pick(method=asked.method, path=asked.path) or {}
        kind = entry["fault"] = rule.get("kind")
        held = rule.get("seconds", faults.HOLDS)
        if kind in (faults.LOST_BEFORE, faults.TIMEOUT_BEFORE):
            return Answer(lost=True, held=held if kind == faults.TIMEOUT_BEFORE else 0.0)
        if kind == faults.RATE_LIMIT:
            raise rate_limited()
        if kind == faults.LOCKED:
            raise locked()
        if kind == faults.UNAVAILABLE:
            raise server_error(began=False, status=503)
        call = Call(self, account, params, request=request, key=entry["key"], version=version)
        if kind == faults.DECLINE:
            call.forced["decline"] = rule.get("code", "generic_decline")
        answer = self._once(asked, call, kind, held)
        if kind in (faults.LOST_AFTER, faults.TIMEOUT_AFTER):
            return Answer(lost=True, held=held if kind == faults.TIMEOUT_AFTER else 0.0)
        return answer

    def _once(self, asked: Asked, call: Call, kind: str | None, held: float) -> Answer:
        """The work, or the kept answer of its idempotency key."""
        key = call.key if asked.method == "POST" else None
        if key is not None:
            with self.lock:
                now, request = self.clock.now(), call.request or ""
                kept = self.keys.begin(call.account, key, asked.path, call.params, now=now, request=request)
            if kept is not None:
                replayed = {"Idempotent-Replayed": "true", "Original-Request": kept.request}
                return Answer(kept.status or 0, kept.body or {}, replayed)
        time.sleep(held if kind == faults.SLOW else self.settings.latency)
        with self.lock:
            status, body, began, headers = self._worked(asked, call, kind)
            if key is not None and began:
                self.keys.finish(call.account, key, status, body)
            elif key is not None:
                self.keys.forget(call.account, key)
        return Answer(status, body, headers)

    def _worked(self, asked: Asked, call: Call, kind: str | None) -> tuple[int, dict[str, Any], bool, dict[str, str]]:
        try:
            body = self._work(asked, call, kind)
            self.changes += asked.method != "GET"
            if kind == faults.ERROR_AFTER:
                raise server_error(began=True)
            return 200, body, True, {}
        except Refusal as refusal:
            self.changes += refusal.began
            return refusal.status, copy.deepcopy(refusal.body()), refusal.began, refusal.headers
        except Exception:
            self._crashed()
            failure = server_error(began=True)
            return failure.status, failure.body(), True, {}

    def _work(self, asked: Asked, call: Call, kind: str | None) -> dict[str, Any]:
        found = routes.find(asked.method, asked.path)
        if found is None:
            message = f"Unrecognized request URL ({asked.method}: {asked.path})."
            raise Refusal(404, {"type": "invalid_request_error", "message": message}, began=False)
        entry, call.ids = found
        versions.check(asked.method, asked.path, call.params, call.version)
        call.params = checked(entry.spec, call.params)
        paths = call.params.pop("expand", [])
        listed = asked.method == "GET" and ("limit" in entry.spec)
        expand.check(entry.kind, paths, listed=listed)
        if kind == faults.ERROR_WITHOUT_EFFECT:
            raise server_error(began=True)
        self.run_due()
        return expand.expanded(self.store, call.account, entry.work(call), paths)

    def _authenticate(self, asked: Asked) -> None:
        given = asked.headers.get("authorization", "")
        key = given.removeprefix("Bearer ") if given.startswith("Bearer ") else _basic(given)
        if key != self.key:
            raise unauthorized(key)

    def _account(self, asked: Asked) -> str:
        name = asked.headers.get("stripe-account")
        if name is None or name == self.store.facts(PLATFORM)["id"]:
            return PLATFORM
        if self.store.get(PLATFORM, "account", name) is None:
            raise no_access(name)
        return name

    def _delivered(self, event: Thing) -> None:
        with self.lock:
            event["pending_webhooks"] = max(0, event["pending_webhooks"] - 1)

    def _guarded(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except Refusal:
            pass  # what was due is not possible any more
        except Exception:
            self._crashed()

    def _crashed(self) -> None:
        self.crashes.append(traceback.format_exc())
        sys.stderr.write(self.crashes[-1])

    def _ticking(self) -> None:
        while not self._stopped.wait(TICK):
            self.run_due()


def _basic(given: str) -> str:
    """The key in an Authorization header of the form Basic, whose user name it is; "" where there is none."""
    try:
        return base64.b64decode(given.removeprefix("Basic "), validate=True).decode().split(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
