"""What a test may do that no client of the provider can: POST or GET under /_control/, with JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.fakes.stripe import (
    accounts,
    attempts,
    check,
    checkout,
    disputes,
    families,
    mandates,
    payouts,
    refunds,
    setups,
)
from tests.fakes.stripe.books import BooksBroken
from tests.fakes.stripe.call import Call
from tests.fakes.stripe.errors import Refusal
from tests.fakes.stripe.events import PLATFORM
from tests.fakes.stripe.wire import Answer, Asked

if TYPE_CHECKING:
    from tests.fakes.stripe.fake import Fake

PREFIX = "/_control/"
Command = Callable[..., Any]
TABLE: list[tuple[str, re.Pattern[str], Command]] = []


def command(method: str, path: str) -> Callable[[Command], Command]:
    """Enter a command into the table; `*` stands for an identifier, the JSON object gives the other arguments."""

    def enter(work: Command) -> Command:
        TABLE.append((method, re.compile("^" + PREFIX + path.replace("*", "([^/]+)") + "$"), work))
        return work

    return enter


def answer(fake: Fake, asked: Asked) -> Answer:
    """Find the command and do it; 404 for none, 400 for wrong arguments, a Refusal as the interface would word it."""
    for method, pattern, work in TABLE:
        match = pattern.match(asked.path)
        if match and method == asked.method:
            return _done(fake, work, match.groups(), asked.body)
    return Answer(404, {"error": {"message": f"no such command: {asked.method} {asked.path}"}})


def _done(fake: Fake, work: Command, ids: tuple[str, ...], body: str) -> Answer:
    try:
        given = json.loads(body) if body else {}
        with fake.lock:
            result = work(fake, *ids, **given)
            fake.changes += 1
            return Answer(200, json.loads(json.dumps(result, default=str)) or {})
    except Refusal as refusal:
        return Answer(refusal.status, refusal.body())
    except (TypeError, ValueError, KeyError, BooksBroken) as problem:
        return Answer(400, {"error": {"message": f"{type(problem).__name__}: {problem}"}})


def _at(fake: Fake, key: str, account: str = PLATFORM) -> tuple[Call, Any]:
    """The object with this identifier, in whichever account it is, and work in that account."""
    for name in [account, *fake.store.things]:
        if (thing := fake.store.by_id(name, key)) is not None:
            return fake.call(name), thing
    raise KeyError(f"no such object: {key}")


@command("GET", "health")
def health(fake: Fake) -> Any:
    """That it serves."""
    return {"ok": True}


@command("GET", "books")
def books(fake: Fake) -> Any:
    """Totals, a line per charge, and what does not agree."""
    fake.run_due()
    return {
        "totals": fake.books.totals(),
        "charges": list(fake.books.charges.values()),
        "entries": len(fake.books.entries),
        "differences": check.differences(fake),
    }


@command("GET", "entries")
def entries(fake: Fake) -> Any:
    """The books in full."""
    return {"entries": fake.books.entries}


@command("GET", "requests")
def requests(fake: Fake) -> Any:
    """Every request: path, parameters, key, status (null: no answer was sent), fault."""
    return {"requests": fake.requests}


@command("POST", "clock")
def clock(fake: Fake, advance: float = 0.0) -> Any:
    """Move the fake's time forward by seconds, and do what is due then."""
    fake.clock.advance(advance)
    return {"done": fake.run_due(), "now": fake.clock.now()}


@command("POST", "settings")
def settings(fake: Fake, **given: Any) -> Any:
    """Set what settings.py lists."""
    fake.settings.change(given)
    return fake.settings.__dict__


@command("POST", "faults")
def add_fault(fake: Fake, **rule: Any) -> Any:
    """A rule of the faults."""
    return fake.faults.add(**rule)


@command("GET", "faults")
def faults(fake: Fake) -> Any:
    """The rules, with how often each was met and applied."""
    return {"rules": fake.faults.rules}


@command("DELETE", "faults")
def no_faults(fake: Fake) -> Any:
    """Forget all rules."""
    fake.faults.clear()


@command("POST", "webhooks/rules")
def add_webhook_rule(fake: Fake, **rule: Any) -> Any:
    """A rule for webhooks."""
    return fake.webhooks.script.add(**rule)


@command("DELETE", "webhooks/rules")
def no_webhook_rules(fake: Fake) -> Any:
    """Forget all rules for webhooks."""
    fake.webhooks.script.clear()


@command("POST", "webhooks/endpoints")
def add_endpoint(fake: Fake, url: str, secret: str, types: list[str] | None = None) -> Any:
    """Another endpoint."""
    fake.webhooks.add_endpoint(url, secret, types)


@command("GET", "webhooks")
def webhooks(fake: Fake) -> Any:
    """Every attempt to deliver, and whether any is left."""
    return {"deliveries": fake.webhooks.log, "idle": fake.webhooks.idle()}


@command("POST", "events/*/resend")
def resend(fake: Fake, event: str) -> Any:
    """Send an event again."""
    fake.webhooks.again(_at(fake, event)[1])


@command("POST", "accounts")
def account(fake: Fake, id: str | None = None) -> Any:
    """A connected account."""
    return accounts.connect(fake.call(), id, type="express", country="BE", email=None, metadata={})


@command("POST", "payment_intents/*/authenticate")
def authenticate(fake: Fake, intent: str, outcome: str = "succeed") -> Any:
    """The payer authenticates ("succeed"), fails to ("fail"), or does and is declined (a decline code)."""
    call, thing = _at(fake, intent)
    attempts.authenticate(call, thing, outcome)
    return thing


@command("POST", "payment_intents/*/settle")
def settle(fake: Fake, intent: str, outcome: str = "succeed") -> Any:
    """A debit comes in ("succeed") or back (a failure code), now."""
    call, thing = _at(fake, intent)
    families.settle(call, intent, thing["latest_charge"], outcome)
    return thing


@command("POST", "setup_intents/*/authenticate")
def authenticate_setup(fake: Fake, intent: str, outcome: str = "succeed") -> Any:
    """The same for a setup intent."""
    call, thing = _at(fake, intent)
    setups.authenticate(call, thing, outcome)
    return thing


@command("POST", "payment_methods/*/behaviour")
def behaviour(fake: Fake, method: str, **changes: Any) -> Any:
    """Let a payment method behave otherwise from now on: the fields of cards.Behaviour."""
    call, thing = _at(fake, method)
    known = call.facts(thing)["behaviour"]
    if unknown := set(changes) - set(known):
        raise ValueError(f"no such field: {', '.join(sorted(unknown))}")
    known.update(changes)
    return known


@command("POST", "mandates/*/deactivate")
def deactivate(fake: Fake, mandate: str) -> Any:
    """The mandate ends."""
    return mandates.deactivate(_at(fake, mandate)[0], mandate)


@command("POST", "refunds/*/settle")
def settle_refund(fake: Fake, refund: str, outcome: str = "succeed") -> Any:
    """A refund arrives ("succeed") or comes back ("fail"), now."""
    return refunds.settle(_at(fake, refund)[0], refund, outcome)


@command("POST", "disputes")
def dispute(fake: Fake, charge: str, reason: str = "fraudulent", amount: int | None = None) -> Any:
    """A payer disputes a charge, or the charge of an intent."""
    call, thing = _at(fake, charge)
    if thing["object"] == "payment_intent":
        thing = call.get("charge", thing["latest_charge"])
    return disputes.open_on(call, thing, reason=reason, amount=amount)


@command("POST", "disputes/*/close")
def close_dispute(fake: Fake, dispute: str, outcome: str) -> Any:
    """The bank decides: "won" or "lost"."""
    if outcome not in ("won", "lost"):
        raise ValueError("outcome must be won or lost")
    return disputes.close(*_at(fake, dispute), outcome)


@command("POST", "checkout/sessions/*/complete")
def complete(fake: Fake, session: str, **how: Any) -> Any:
    """The payer fills in the page: payment_method or payment_method_data, authenticate ("succeed")."""
    return checkout.complete(*_at(fake, session), how or {"payment_method": "pm_card_visa"})


@command("POST", "checkout/sessions/*/expire")
def expire(fake: Fake, session: str) -> Any:
    """The page's time is over."""
    call, thing = _at(fake, session)
    checkout.expire_if_open(call, session)
    return thing


@command("POST", "payouts")
def payout(fake: Fake, account: str = PLATFORM, currency: str = "eur") -> Any:
    """Pay out all that is available."""
    return payouts.of_all(fake.call(account), currency)
