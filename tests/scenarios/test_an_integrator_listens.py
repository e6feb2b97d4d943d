"""An operator's own program listens: entered over the API, told within a second, verified as docs/integrators.md says.

Real processes on both sides; the receiver runs the page's own example, and the library it names is not ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.db import make_engine, sessions
from app.network.models import Operator
from app.tenancy import SYSTEM
from tests.builders import a_manager, a_member, a_pool, a_space, a_token
from tests.outside.receivers import HOST, Authority, Exchange, Receiver
from tests.running import Caller, web, worker
from tests.waiting import until

PAGE = (Path(__file__).parents[2] / "docs" / "integrators.md").read_text()
UNDECIDED = """
    SELECT count(*) FROM outbox o WHERE o.type = 'booking.made'
      AND NOT EXISTS (SELECT FROM delivery d WHERE d.consumer = 'webhooks' AND d.event_id = o.event_id)
"""
EXAMPLE = re.compile(r"^```python\n(from standardwebhooks .*?)^```", re.DOTALL | re.MULTILINE)


class Program:
    """A receiver that answers as the page's example does, or `instead` with a status of its own."""

    def __init__(self) -> None:
        self.handled: list[Any] = []
        self.answers: list[int] = []
        self.instead: int | None = None
        self._receive: Any = None

    def learns(self, secret: str) -> None:
        """Run the example with this secret; what it has seen it keeps in its database, and so over a new secret."""
        (example,) = EXAMPLE.findall(PAGE)
        names: dict[str, Any] = {"handle": self.handled.append}
        exec(example.replace("whsec_\u2026", secret), names)
        if self._receive is not None:
            names["seen"].update(self._receive.__globals__["seen"])
        self._receive = names["receive"]

    def __call__(self, exchange: Exchange) -> None:
        status = self.instead or self._receive(exchange.headers, exchange.body)
        self.answers.append(status)
        exchange.reply(status)

    def types(self) -> list[str]:
        return [event["type"] for event in self.handled]


class Integrator:
    """A space with its manager and a member at the API, and the manager's program on the loopback."""

    def __init__(
        self, caller: Caller, member: Caller, receiver: Receiver, program: Program, ids: dict[str, str], database: str
    ) -> None:
        self.caller, self.member, self.receiver, self.program, self.ids = caller, member, receiver, program, ids
        self.database = database

    def enters(self, **values: Any) -> Any:
        body = {"url": self.receiver.url("/hook", name=HOST), "event_types": ["booking.*"], **values}
        answer = self.caller.post("/webhooks", {"operator_id": self.ids["operator"], **body})
        assert answer.status == 201, answer.content
        self.program.learns(answer.json["secret"])
        return answer.json

    def somebody_books(self, *, day: int) -> str:
        start = datetime.now(UTC).replace(hour=10, minute=0, second=0, microsecond=0) + timedelta(days=day)
        body = {
            "resource_id": self.ids["pool"],
            "start": start.isoformat(),
            "end": (start + timedelta(hours=1)).isoformat(),
        }
        answer = self.member.post("/bookings", body)
        assert answer.status == 201, answer.content
        return str(answer.json["id"])

    def events_are_decided(self) -> None:
        """Until the worker has decided, of every booking so far, whom to tell of it."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            until(lambda: connection.execute(UNDECIDED).fetchone() == (0,), describe="every booking is decided on")

    def hears(self, count: int) -> list[Any]:
        until(lambda: len(self.program.handled) >= count, describe=f"{count} messages are handled")
        return self.program.handled

    def log(self, webhook: Any, **query: str) -> list[Any]:
        found: list[Any] = self.caller.get(f"/webhooks/{webhook['id']}/deliveries").json
        return [each for each in found if all(each[name] == value for name, value in query.items())]

    def change(self, webhook: Any, **values: Any) -> None:
        answer = self.caller.patch(f"/webhooks/{webhook['id']}", values, etag="*")
        assert answer.status == 200, answer.content

    def state(self, webhook: Any) -> str:
        return str(self.caller.get(f"/webhooks/{webhook['id']}").json["state"])


@pytest.fixture
def integrator(database_url: str, tmp_path: Path) -> Iterator[Integrator]:
    with ExitStack() as stack:
        ids, manager, member = _a_house(database_url)
        program, authority = Program(), Authority(tmp_path)
        receiver = stack.enter_context(Receiver(authority.server(HOST), program))
        outside = {"outside_allow": f"{HOST}:{receiver.port}", "outside_ca_file": authority.ca_file}
        server = stack.enter_context(web(database_url, home=tmp_path, workers=1, **outside))
        stack.enter_context(worker(database_url, "all", home=tmp_path, **outside))
        callers = [stack.enter_context(Caller(server.port, token)) for token in (manager, member)]
        yield Integrator(*callers, receiver, program, ids, database_url)


def _a_house(database_url: str) -> tuple[dict[str, str], str, str]:
    engine = make_engine(database_url, pool_size=1)
    with sessions(engine)() as session:
        session.info["scope"] = SYSTEM
        space = a_space(session)
        pool = a_pool(session, space)
        manager, member = a_token(session, a_manager(session, space)), a_token(session, a_member(session))
        session.commit()
        operator = session.get_one(Operator, space.operator_id)
        ids = {"pool": str(pool.uid), "space": str(space.uid), "operator": str(operator.uid)}
    engine.dispose()
    return ids, manager, member


def test_an_integrator_listens(integrator: Integrator) -> None:
    webhook = integrator.enters()
    integrator.caller.post(f"/webhooks/{webhook['id']}/tests")
    assert integrator.hears(1)[0]["type"] == "webhook.test"

    booking = integrator.somebody_books(day=3)
    event = integrator.hears(2)[1]
    assert (event["type"], event["data"]["booking_id"], event["sequence"]) == ("booking.made", booking, 1)
    told = until(lambda: integrator.log(webhook, event_type="booking.made", state="delivered"), describe="it is logged")
    (attempt,) = told[0]["attempts"]
    assert (attempt["status"], attempt["error"], attempt["response_body"]) == (204, None, "")
    assert attempt["request_headers"]["webhook-id"] == told[0]["message_id"] and attempt["duration_ms"] >= 0
    assert json.loads(told[0]["body"]) == event

    # The same message again by hand: it arrives, verifies, and the example does nothing twice.
    integrator.caller.post(f"/webhooks/{webhook['id']}/deliveries/{told[0]['id']}/attempts")
    until(lambda: len(integrator.log(webhook, id=told[0]["id"])[0]["attempts"]) == 2, describe="it came again")
    assert integrator.program.answers == [204, 204, 204] and len(integrator.program.handled) == 2


def test_a_new_secret_is_put_in_place_without_a_message_lost(integrator: Integrator) -> None:
    webhook = integrator.enters()
    rotated = integrator.caller.post(f"/webhooks/{webhook['id']}/secrets", {})
    assert rotated.status == 201, rotated.content
    integrator.somebody_books(day=3)
    integrator.hears(1)  # with the old secret
    integrator.program.learns(rotated.json["secret"])
    integrator.somebody_books(day=4)
    integrator.hears(2)  # with the new one
    old = webhook["secrets"][0]["id"]
    assert integrator.caller.delete(f"/webhooks/{webhook['id']}/secrets/{old}").status == 204
    integrator.somebody_books(day=5)
    integrator.hears(3)
    integrator.program.learns(webhook["secret"])  # and who still has the old one alone refuses what now comes
    integrator.somebody_books(day=6)
    until(lambda: 400 in integrator.program.answers, describe="the old secret no longer verifies")
    assert len(integrator.receiver.heard[0].headers["webhook-signature"].split()) == 2
    assert len(integrator.receiver.heard[2].headers["webhook-signature"].split()) == 1


def test_one_that_says_it_is_gone_is_left_alone_until_it_is_taken_up_again(integrator: Integrator) -> None:
    webhook = integrator.enters()
    integrator.program.instead = 410
    integrator.somebody_books(day=3)
    until(lambda: integrator.state(webhook) == "disabled", describe="it is disabled")
    shown = integrator.caller.get(f"/webhooks/{webhook['id']}").json
    assert shown["disabled_reason"] == "gone"
    integrator.somebody_books(day=4)  # nobody is told
    integrator.events_are_decided()

    integrator.program.instead = None
    integrator.change(webhook, state="active")
    again = integrator.caller.post(f"/webhooks/{webhook['id']}/redeliveries", {"days": 1})
    assert (again.status, again.json) == (202, {"redelivered": 1})
    (event,) = integrator.hears(1)
    assert event["type"] == "booking.made"
    integrator.somebody_books(day=5)
    integrator.hears(2)
    assert len(integrator.log(webhook)) == 2


def test_a_forged_or_old_message_is_refused_by_the_pages_example(integrator: Integrator) -> None:
    webhook = integrator.enters()
    integrator.caller.post(f"/webhooks/{webhook['id']}/tests")
    integrator.hears(1)
    heard = integrator.receiver.heard[0]
    receive = integrator.program._receive
    assert receive(heard.headers, heard.body.replace(b"webhook.test", b"booking.made")) == 400
    assert receive({**heard.headers, "webhook-id": "msg_other"}, heard.body) == 400
    stamp = str(int(heard.headers["webhook-timestamp"]) - 3600)
    assert receive({**heard.headers, "webhook-timestamp": stamp}, heard.body) == 400
    assert receive(heard.headers, heard.body) == 204 and len(integrator.program.handled) == 1
