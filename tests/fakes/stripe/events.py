"""Events: a snapshot of an object at the moment of a change, listed, and handed to the webhooks."""

from __future__ import annotations

import copy
import fnmatch
from typing import TYPE_CHECKING, Any

from tests.fakes.stripe.call import Call
from tests.fakes.stripe.pages import page
from tests.fakes.stripe.params import LISTING
from tests.fakes.stripe.routes import route
from tests.fakes.stripe.store import Thing

if TYPE_CHECKING:
    from tests.fakes.stripe.fake import Fake

PLATFORM = "platform"


class Events:
    """Makes the events; the webhooks send them."""

    def __init__(self, fake: Fake) -> None:
        self.fake = fake

    def emit(self, call: Call, kind: str, thing: Thing, previous: dict[str, Any]) -> Thing:
        """Keep an event in the account of the call, and queue it for every endpoint that wants it."""
        data: dict[str, Any] = {"object": copy.deepcopy(thing)}
        if previous:
            data["previous_attributes"] = previous
        event = call.new(
            "event",
            "evt",
            api_version=self.fake.settings.api_version,
            data=data,
            type=kind,
            pending_webhooks=len(self.fake.webhooks.endpoints),
            request={"id": call.request, "idempotency_key": call.key},
        )
        if call.account != PLATFORM:
            event["account"] = call.account
        if not self.fake.webhooks.queue(event):
            call.facts(event)["lost"] = True
        return event

    def send_rest(self) -> None:
        """Send what was not delivered when the state was written."""
        for account in list(self.fake.store.things):
            for event in self.fake.store.all(account, "event"):
                if event["pending_webhooks"] and not self.fake.store.hidden.get(event["id"], {}).get("lost"):
                    self.fake.webhooks.again(event)


@route("GET", "/v1/events", "event", **LISTING, type="text", types="list", delivery_success="bool")
def listing(call: Call) -> dict[str, Any]:
    """The events of the account, newest first; `type` may end with a star."""
    wanted = call.params.get("types") or ([call.params["type"]] if "type" in call.params else ["*"])
    found = [event for event in call.all("event") if any(fnmatch.fnmatchcase(event["type"], one) for one in wanted)]
    if "delivery_success" in call.params:
        found = [event for event in found if (event["pending_webhooks"] == 0) == call.params["delivery_success"]]
    return page(call, found, "/v1/events")


@route("GET", "/v1/events/*", "event")
def retrieve(call: Call) -> Thing:
    """One event."""
    return call.get("event", call.ids[0])
