"""Stripe behind the port (payments/port.py): the only module that knows its library.

Every request that does something carries our own id as its idempotency key, and that id as metadata; the library never
tries again by itself, since we do. What is read of an answer is read here, into `Found`; what is kept is scrubbed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import stripe

from app.billing.payments import states
from app.billing.payments.port import (
    BadSignature,
    Charging,
    Found,
    FoundDispute,
    FoundRefund,
    GivingBack,
    Heard,
    Means,
    Notice,
    Outcome,
    Passing,
    Saving,
)
from app.billing.payments.scrubbing import is_code, scrubbed
from app.config import Config

Object = Mapping[str, Any]

NAME = "stripe"
# The version of the interface that this module is written for, whatever the library's own. Since 2026-09-30.endive the
# kinds of means that a payment may be made with are chosen by a filter that drops in silence what does not fit.
VERSION = "2026-02-25.clover"
TIMEOUT_S = (3.05, 10)  # to connect, and for an answer
TOLERANCE_S = 300  # age of a notice's signature
CHARGE = ("latest_charge.balance_transaction",)  # what a payment cost is in there
SETUP = ("payment_method",)
TAKE_DAYS = ("sepa_debit",)

# What each of the library's errors means; the first that fits counts. What is said with 409 or 5xx may have been done.
ERRORS: tuple[tuple[type[Exception], Outcome, Means], ...] = (
    (stripe.CardError, Outcome.REFUSED, Means.REFUSED),
    (stripe.IdempotencyError, Outcome.REFUSED, Means.UNHEARD),  # the key was used, with another request
    (stripe.InvalidRequestError, Outcome.REFUSED, Means.REFUSED),
    (stripe.AuthenticationError, Outcome.REFUSED, Means.LATER),
    (stripe.PermissionError, Outcome.REFUSED, Means.LATER),
    (stripe.RateLimitError, Outcome.REFUSED, Means.LATER),
    (stripe.APIConnectionError, Outcome.NO_ANSWER, Means.UNHEARD),
    (stripe.StripeError, Outcome.NO_ANSWER, Means.UNHEARD),
)
_REFUNDS = {"succeeded": states.SETTLED, "failed": states.FAILED, "canceled": states.FAILED}
_DISPUTES = {"won": "won", "lost": "lost", "prevented": "won"}


class Stripe:
    """One account at Stripe, by its secret key. `webhook_secrets` are those that its notices may be signed with."""

    name = NAME

    def __init__(self, key: str, *, api_url: str | None = None, webhook_secrets: Iterable[str] = ()) -> None:
        logging.getLogger("stripe").setLevel(logging.WARNING)  # it tells of what it sends, otherwise
        self._secrets = tuple(webhook_secrets)
        self._client = stripe.StripeClient(
            key,
            stripe_version=VERSION,
            base_addresses={"api": api_url} if api_url else {},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=TIMEOUT_S),
        ).v1

    # --- payments

    def start(self, charging: Charging) -> Heard:
        key = str(charging.uid)
        if charging.mode == "hosted":
            return _heard(
                lambda: self._client.checkout.sessions.create(_page(charging), {"idempotency_key": key}), _session
            )
        asked = _automatic(charging) if charging.mode == "automatic" else _present(charging)
        return _heard(
            lambda: self._client.payment_intents.create(asked, {"idempotency_key": key}),
            lambda answer: _payment(answer, mode=charging.mode),
        )

    def look_up(self, subject: Saving | Charging | GivingBack) -> Heard:
        """What we know by no name of the provider's is searched for by ours."""
        if isinstance(subject, Saving):
            return self._look_at_method(subject)
        if isinstance(subject, GivingBack):
            return self._look_at_refund(subject)
        return _known(self._look_at_payment(subject))

    def stop(self, charging: Charging) -> Heard:
        ref: str = charging.ref or ""
        options: Any = {"idempotency_key": f"{charging.uid}:stop"}
        if ref.startswith("cs_"):
            return _heard(lambda: self._client.checkout.sessions.expire(ref, {}, options), _session)
        return _heard(
            lambda: self._client.payment_intents.cancel(ref, {}, options),
            lambda answer: _payment(answer, mode=charging.mode),
        )

    def _look_at_payment(self, charging: Charging) -> Heard:
        ref = charging.ref

        def read(answer: Object) -> Found:
            return self._with_what_followed(answer, charging)

        if ref is None:
            named: Any = {
                "query": f"metadata['payment']:'{charging.uid}'",
                "expand": [f"data.{each}" for each in CHARGE],
            }
            return _heard(
                lambda: self._client.payment_intents.search(named),
                lambda answer: read(_best(answer["data"])) if answer["data"] else Found(None),
            )
        if ref.startswith("cs_"):
            expand: Any = {"expand": [f"payment_intent.{each}" for each in CHARGE]}
            return _heard(lambda: self._client.checkout.sessions.retrieve(ref, expand), _session)
        return _heard(lambda: self._client.payment_intents.retrieve(ref, {"expand": list(CHARGE)}), read)

    def _with_what_followed(self, intent: Object, charging: Charging) -> Found:
        """With its refunds and disputes, where it has any. A charge says nothing of refunds that failed."""
        found, charge = _payment(intent, mode=charging.mode), _expanded(intent.get("latest_charge"))
        of_it: Any = {"payment_intent": intent["id"], "limit": 100}
        refunds: tuple[FoundRefund, ...] = ()
        disputes: tuple[FoundDispute, ...] = ()
        if charge.get("amount_refunded") or charging.refunded:
            refunds = tuple(map(_refund, self._client.refunds.list(of_it).to_dict()["data"]))
        if charge.get("disputed"):
            listed = self._client.disputes.list(of_it).to_dict()["data"]
            disputes = tuple(_dispute(each) for each in listed if not each["status"].startswith("warning_"))
        return _changed(found, refunds=refunds, disputes=disputes)

    # --- refunds

    def refund(self, giving: GivingBack) -> Heard:
        asked: Any = {
            "payment_intent": giving.payment_ref,
            "amount": giving.cents,
            "metadata": {
                "payment": str(giving.payment_uid), "refund": str(giving.uid), "operator": str(giving.operator_uid),
            },
        }  # fmt: skip
        options: Any = {"idempotency_key": str(giving.uid)}
        return _heard(lambda: self._client.refunds.create(asked, options), _given_back)

    def _look_at_refund(self, giving: GivingBack) -> Heard:
        if giving.ref is not None:
            ref = giving.ref
            return _known(_heard(lambda: self._client.refunds.retrieve(ref), _given_back))

        def ours(answer: Object) -> Found:
            named = [each for each in answer["data"] if _own(each, "refund") == str(giving.uid)]
            return _given_back(named[0]) if named else Found(None)

        of_it: Any = {"payment_intent": giving.payment_ref, "limit": 100}
        return _known(_heard(lambda: self._client.refunds.list(of_it), ours))

    # --- means of payment

    def save(self, saving: Saving) -> Heard:
        """A customer for it, then the means; both under keys of their own."""
        named = {"method": str(saving.uid), "operator": str(saving.operator_uid)}

        def asked() -> Any:
            of_customer: Any = {"idempotency_key": f"{saving.uid}:customer"}
            customer = saving.customer or self._client.customers.create({"metadata": named}, of_customer).id
            options: Any = {"idempotency_key": str(saving.uid)}
            common: Any = {"customer": customer, "payment_method_types": [saving.kind], "metadata": named}
            if saving.mode == "hosted":
                page: Any = {"mode": "setup", "success_url": saving.return_url, "cancel_url": saving.return_url}
                page |= {**common, "setup_intent_data": {"metadata": named}}
                return self._client.checkout.sessions.create(page, options)
            return self._client.setup_intents.create({**common, "usage": "off_session"}, options)

        return _heard(asked, _method)

    def _look_at_method(self, saving: Saving) -> Heard:
        ref = saving.ref or ""

        def read(answer: Object) -> Found:
            return self._debit_that_it_leaves(_method(answer))

        if ref.startswith("cs_"):
            expand: Any = {"expand": [f"setup_intent.{each}" for each in SETUP]}
            return _known(_heard(lambda: self._client.checkout.sessions.retrieve(ref, expand), read))
        return _known(_heard(lambda: self._client.setup_intents.retrieve(ref, {"expand": list(SETUP)}), read))

    def _debit_that_it_leaves(self, found: Found) -> Found:
        """Bancontact cannot be used again; the debit of the same account, which it leaves with the customer, can."""
        if found.kind != "bancontact" or found.customer is None:
            return found
        debits: Any = {"type": "sepa_debit", "limit": 1}
        listed = self._client.customers.payment_methods.list(found.customer, debits).to_dict()["data"]
        if not listed:
            return Found(states.PROCESSING, ref=found.ref, customer=found.customer)
        return _changed(found, method=listed[0]["id"], mandate=None, kind="sepa_debit", label=_label(listed[0]))

    # --- money of others

    def transfer(self, passing: Passing) -> Heard:
        def asked() -> Any:
            intent = self._client.payment_intents.retrieve(passing.payment_ref).to_dict()
            charge = intent["latest_charge"]
            return self._client.transfers.create(
                {
                    "amount": passing.cents, "currency": passing.currency.lower(), "destination": passing.account,
                    "source_transaction": charge if isinstance(charge, str) else charge["id"],
                    "metadata": {"payment": str(passing.uid), "operator": str(passing.operator_uid)},
                },
                {"idempotency_key": f"{passing.uid}:transfer"},
            )  # fmt: skip

        return _heard(asked, _done)

    def reverse(self, passing: Passing) -> Heard:
        asked: Any = {"amount": passing.cents, "metadata": {passing.because: str(passing.uid)}}
        options: Any = {"idempotency_key": f"{passing.uid}:reversal"}
        return _heard(lambda: self._client.transfers.reversals.create(passing.ref or "", asked, options), _done)

    # --- notices

    def read(self, body: bytes, signature: str) -> Notice:
        """What is told, once one of our secrets proves it. Raises BadSignature."""
        text = _proved(body, signature, self._secrets)
        try:
            told = json.loads(text)
            about = told["data"]["object"]
            return Notice(
                notice_id=str(told["id"]),
                type=str(told["type"]),
                object_ref=about.get("id"),
                account=told.get("account"),
                names=tuple(_names(about)),
                payment=_uid(_own(about, "payment") or about.get("client_reference_id")),
                payload=scrubbed(told),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadSignature("signed, but no event") from error


def of(config: Config) -> Stripe | None:
    """The provider by the settings; None without a key: then nobody is asked to pay by card."""
    if not config.stripe_api_key:
        return None
    secrets = (config.stripe_webhook_secret or "").split(",")
    return Stripe(
        config.stripe_api_key,
        api_url=config.stripe_api_url,
        webhook_secrets=[secret.strip() for secret in secrets if secret.strip()],
    )


# --- asking


def _intent(charging: Charging) -> dict[str, Any]:
    return {
        "amount": charging.cents,
        "currency": charging.currency.lower(),
        "capture_method": "automatic",  # what it cost is known at once, then
        "metadata": _metadata(charging),
        "expand": list(CHARGE),
    }


def _automatic(charging: Charging) -> Any:
    """With what was saved, while the payer is absent: it succeeds, is under way, or fails."""
    asked = {
        **_intent(charging), "confirm": True, "off_session": True, "customer": charging.customer,
        "payment_method": charging.method, "payment_method_types": [charging.kind],
    }  # fmt: skip
    return {**asked, "mandate": charging.mandate} if charging.mandate and charging.kind == "sepa_debit" else asked


def _present(charging: Charging) -> Any:
    """The payer finishes it with a client secret, and says there with what."""
    if charging.kind == "any":
        return {**_intent(charging), "automatic_payment_methods": {"enabled": True}, **_at_once(charging)}
    return {**_intent(charging), "payment_method_types": [charging.kind]}


def _page(charging: Charging) -> Any:
    """On Stripe's page."""
    price = {
        "currency": charging.currency.lower(), "unit_amount": charging.cents,
        "product_data": {"name": charging.label or "Passerelle"},
    }  # fmt: skip
    asked: dict[str, Any] = {
        "mode": "payment",
        "line_items": [{"price_data": price, "quantity": 1}],
        "success_url": charging.return_url,
        "cancel_url": charging.return_url,
        "client_reference_id": str(charging.uid),
        "metadata": _metadata(charging),
        "payment_intent_data": {"metadata": _metadata(charging), "capture_method": "automatic"},
    }
    if charging.pay_by is not None:
        asked["expires_at"] = charging.pay_by
    return {**asked, **(_at_once(charging) if charging.kind == "any" else {"payment_method_types": [charging.kind]})}


def _at_once(charging: Charging) -> dict[str, Any]:
    """Without the means that take days, where it must be paid soon."""
    return {} if charging.pay_by is None else {"excluded_payment_method_types": list(TAKE_DAYS)}


def _metadata(charging: Charging) -> dict[str, str]:
    return {"payment": str(charging.uid), "operator": str(charging.operator_uid)}


# --- hearing


def _heard(call: Callable[[], Any], read: Callable[[Object], Found]) -> Heard:
    """Make a call; whatever comes of it is an outcome. The text of an error is not kept: it may quote what was sent."""
    try:
        answer = call().to_dict()
        return Heard(Outcome.ANSWERED, Means.DONE, read(answer), 200, answer=scrubbed(answer))
    except stripe.StripeError as error:
        outcome, means = next((outcome, means) for kind, outcome, means in ERRORS if isinstance(error, kind))
        body = _expanded(error.json_body)
        said = _expanded(body.get("error"))
        found = _declined(said) if means is Means.REFUSED else None
        return Heard(outcome, means, found, error.http_status, _code(said, error), scrubbed(body) or None)


def _known(heard: Heard) -> Heard:
    """What we know by name and is not found there is a fault of ours (another key, say): it says nothing of money."""
    if heard.means is not Means.REFUSED:
        return heard
    return Heard(heard.outcome, Means.LATER, None, heard.status, heard.code, heard.answer)


def _declined(said: Object) -> Found:
    intent = _expanded(said.get("payment_intent"))
    return Found(states.FAILED, ref=intent.get("id"), failure=_code(said))


def _code(said: Object, error: Exception | None = None) -> str:
    """Why, in Stripe's codes: the bank's where it gave one."""
    code = said.get("decline_code") or said.get("code") or said.get("type")
    return code if isinstance(code, str) and is_code(code) else type(error).__name__ if error else "refused"


def _payment(intent: Object, *, mode: str) -> Found:
    """How a payment stands. What was begun while the payer was absent nobody finishes: without a means it failed."""
    status, charge, wrong = intent["status"], _expanded(intent.get("latest_charge")), intent.get("last_payment_error")
    ref = intent["id"]
    if status == "succeeded":
        return _came(intent, charge)
    if status == "processing":
        return Found(states.PROCESSING, ref=ref)
    if status == "canceled" or (mode == "automatic" and status == "requires_payment_method"):
        failure = _code(wrong) if wrong else intent.get("cancellation_reason") or "canceled"
        return Found(states.FAILED, ref=ref, failure=failure)
    return Found(states.ACTION, ref=ref, secret=intent.get("client_secret"))


def _came(intent: Object, charge: Object) -> Found:
    """While it is not known what it cost, it is still under way."""
    cost = _expanded(charge.get("balance_transaction"))
    if "fee" not in cost:
        return Found(states.PROCESSING, ref=intent["id"])
    received = intent.get("amount_received", intent["amount"])
    return Found(
        states.SETTLED, ref=intent["id"], settled_cents=received, fee_cents=cost["fee"], charge=charge["id"]
    )  # fmt: skip


def _session(session: Object) -> Found:
    """A page of Stripe's: once something was begun on it, that is what counts."""
    intent = _expanded(session.get("payment_intent"))
    if intent.get("status") in ("succeeded", "processing"):
        return _payment(intent, mode="hosted")
    if session["status"] == "expired":
        return Found(states.FAILED, ref=session["id"], failure="expired")
    if session["status"] == "complete":  # a debit that failed after the page was left
        return _payment(intent, mode="automatic") if intent else Found(states.PROCESSING, ref=session["id"])
    return Found(states.ACTION, ref=session["id"], address=session.get("url"))


def _refund(refund: Object) -> FoundRefund:
    return FoundRefund(
        ref=refund["id"],
        evidence=_REFUNDS.get(refund["status"], states.PROCESSING),
        cents=refund["amount"],
        uid=_uid(_own(refund, "refund")),
        failure=refund.get("failure_reason"),
    )


def _given_back(refund: Object) -> Found:
    found = _refund(refund)
    return Found(found.evidence, ref=found.ref, settled_cents=found.cents, failure=found.failure)


def _dispute(dispute: Object) -> FoundDispute:
    fees = [each["fee"] for each in dispute.get("balance_transactions") or ()]
    return FoundDispute(
        ref=dispute["id"],
        state=_DISPUTES.get(dispute["status"], "open"),
        cents=dispute["amount"],
        fee_cents=sum(fee for fee in fees if fee > 0),
        fee_back_cents=-sum(fee for fee in fees if fee < 0),
        reason=dispute.get("reason") or "",
    )


def _method(answer: Object) -> Found:
    """A means of payment, from what it is saved with: a SetupIntent, or the page for one."""
    if answer["object"] == "checkout.session":
        intent = _expanded(answer.get("setup_intent"))
        if intent.get("status") != "succeeded":
            expired = answer["status"] == "expired"
            return Found(
                states.FAILED if expired else states.ACTION, ref=answer["id"], customer=answer.get("customer"),
                failure="expired" if expired else None, address=answer.get("url"),
            )  # fmt: skip
        return _changed(_saved(intent), ref=answer["id"])
    return _saved(answer)


def _saved(intent: Object) -> Found:
    ref, customer = intent["id"], intent.get("customer")
    if intent["status"] == "canceled":
        return Found(states.FAILED, ref=ref, failure="canceled", customer=customer)
    if intent["status"] != "succeeded":
        return Found(states.ACTION, ref=ref, secret=intent.get("client_secret"), customer=customer)
    method = _expanded(intent.get("payment_method"))
    return Found(
        states.SETTLED, ref=ref, customer=customer, method=method.get("id"), mandate=_id(intent.get("mandate")),
        kind=method.get("type"), label=_label(method),
    )  # fmt: skip


def _label(method: Object) -> str:
    """What its owner knows it by: a brand and the last four digits."""
    kind = str(method.get("type"))
    details = method.get(kind) or {}
    return " ".join(filter(None, (details.get("brand") or kind, details.get("last4"))))


def _done(answer: Object) -> Found:
    return Found(states.SETTLED, ref=answer["id"])


def _best(intents: Iterable[Object]) -> Object:
    """Of several with the same name, the one that took money, or still may."""
    ranks = {"succeeded": 0, "processing": 1, "canceled": 3}
    return min(intents, key=lambda intent: ranks.get(intent["status"], 2))


def _expanded(value: Any) -> Object:
    """An object that was expanded; nothing where only its id is there."""
    return value if isinstance(value, Mapping) else {}


def _id(value: Any) -> str | None:
    return value if isinstance(value, str) else _expanded(value).get("id")


def _own(answer: Object, name: str) -> str | None:
    """What we noted on an object of theirs."""
    return _expanded(answer.get("metadata")).get(name)


def _uid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _changed(found: Found, **values: Any) -> Found:
    return replace(found, **values)


def _names(about: Object) -> Iterable[str]:
    """Every name of the thing that something is about: its own, and of what it belongs to."""
    for name in ("id", "payment_intent", "setup_intent"):
        if found := _id(about.get(name)):
            yield found


def _proved(body: bytes, signature: str, secrets: Iterable[str]) -> str:
    """The text, signed with one of the secrets a moment ago. Raises BadSignature."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadSignature("not UTF-8") from error
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(text, signature, secret, TOLERANCE_S)
        except stripe.SignatureVerificationError:
            continue
        return text
    raise BadSignature("none of the secrets")
