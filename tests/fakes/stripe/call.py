"""One piece of work: who asks, with which parameters, and what it may do to the objects, the books and the events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes.stripe.empty import LACKING, NULL
from tests.fakes.stripe.errors import missing
from tests.fakes.stripe.store import Thing

if TYPE_CHECKING:
    from tests.fakes.stripe.fake import Fake

# kind -> how a message calls it
NAMES = {"payment_method": "PaymentMethod", "setup_intent": "setupintent", "account": "destination"}
# kind -> the parameter that the error names when the path has it
IN_PATH = {"payment_intent": "intent", "setup_intent": "intent", "payment_method": "payment_method"}


@dataclass
class Call:
    """The work for one request, for something that was due, or for a command of the test."""

    fake: Fake
    account: str
    params: dict[str, Any] = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    request: str | None = None
    key: str | None = None
    version: str = ""
    forced: dict[str, Any] = field(default_factory=dict)  # what a fault makes of the next confirmation

    @property
    def now(self) -> int:
        """The fake's time in whole seconds, as objects show it."""
        return int(self.fake.clock.now())

    def new(self, kind: str, prefix: str, **values: Any) -> Thing:
        """A new object of this account, kept at once; with the fields that its kind always has."""
        key = self.fake.store.new_id(prefix)
        thing = {"id": key, "object": kind, "created": self.now, "livemode": False}
        thing.update(dict.fromkeys(NULL.get(kind, ())))
        for name in LACKING.get(kind, ()):
            del thing[name]
        thing.update(values)
        return self.fake.store.add(self.account, thing)

    def get(self, kind: str, key: str, param: str | None = None) -> Thing:
        """The object; raises a Refusal with 404 where the path names it, 400 where a parameter does."""
        found = self.fake.store.get(self.account, kind, key)
        if found is None:
            where = param or IN_PATH.get(kind, "id")
            raise missing(NAMES.get(kind, kind), key, param=where, in_path=param is None)
        return found

    def maybe(self, kind: str, name: str) -> Thing | None:
        """The object that the parameter `name` names, or None where it is not given."""
        return self.get(kind, self.params[name], name) if self.params.get(name) else None

    def all(self, kind: str) -> list[Thing]:
        """All objects of a kind in this account, oldest first."""
        return self.fake.store.all(self.account, kind)

    def facts(self, thing: Thing) -> dict[str, Any]:
        """What is known of an object but not shown."""
        return self.fake.store.facts(thing["id"])

    def emit(self, kind: str, thing: Thing, **previous: Any) -> None:
        """An event with the object as it is now; `previous` are the old values of what an update changed."""
        self.fake.events.emit(self, kind, thing, previous)

    def later(self, seconds: float, action: str, **arguments: Any) -> None:
        """Let an action happen after `seconds` of the fake's time."""
        self.fake.schedule.add(self.fake.clock.now() + seconds, action, account=self.account, **arguments)

    def on(self, account: str) -> Call:
        """The same work on the objects of another account."""
        return Call(self.fake, account, self.params, self.ids, self.request, self.key)
