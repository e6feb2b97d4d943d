"""Disputes: a payer's bank takes a payment back, with a fee; won or lost in the end."""

from __future__ import annotations

from typing import Any

from tests.fakes.stripe import fees
from tests.fakes.stripe.balances import record
from tests.fakes.stripe.call import Call
from tests.fakes.stripe.errors import refused
from tests.fakes.stripe.pages import matching, page
from tests.fakes.stripe.params import LISTING, merged
from tests.fakes.stripe.routes import route
from tests.fakes.stripe.store import Thing

OPEN = ("needs_response", "under_review")
ANSWER_WITHIN = 9 * 24 * 60 * 60


def open_on(call: Call, charge: Thing, *, reason: str = "fraudulent", amount: int | None = None) -> Thing:
    """A dispute of what is left of the charge, or of `amount`; that of a SEPA debit is lost at once.

    Raises a Refusal for a charge that is disputed already, or an amount above what is left.
    """
    left = charge["amount_captured"] - charge["amount_refunded"]
    amount = left if amount is None else amount
    if charge["disputed"] or not 0 < amount <= left:
        raise refused(f"Charge {charge['id']} cannot be disputed for {amount}.", param="amount")
    method = charge["payment_method_details"]["type"]
    final = method == "sepa_debit"
    dispute = call.new(
        "dispute",
        "du",
        amount=amount,
        balance_transactions=[],
        charge=charge["id"],
        currency=charge["currency"],
        enhanced_eligibility_types=[],
        evidence={},
        evidence_details={
            "due_by": None if final else call.now + ANSWER_WITHIN,
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        is_charge_refundable=False,
        metadata={},
        payment_intent=charge["payment_intent"],
        payment_method_details={"type": method, method: {}},
        reason=reason,
        status="lost" if final else "needs_response",
    )
    charge["disputed"] = True
    fee = fees.for_dispute(method)
    call.fake.books.disputed(charge["id"], dispute["id"], call.now, amount, fee)
    note = f"Chargeback withdrawal for {charge['id']}"
    entry = record(call, "adjustment", dispute, -amount, fee=fee, note=note, about="Dispute fee")
    dispute["balance_transactions"].append(dict(entry))
    for kind in ("created", "funds_withdrawn", *(["closed"] if final else [])):
        call.emit(f"charge.dispute.{kind}", dispute)
    return dispute


def close(call: Call, dispute: Thing, outcome: str) -> Thing:
    """The end: "won" brings the amount back, without the fee; raises a Refusal for a second end."""
    if dispute["status"] not in OPEN:
        raise refused(f"This dispute is already closed: {dispute['status']}.")
    previous, dispute["status"] = dispute["status"], outcome
    charge = call.get("charge", dispute["charge"])
    if outcome == "won":
        call.facts(charge)["dispute_won"] = True
        call.fake.books.dispute_won(charge["id"], dispute["id"], call.now, dispute["amount"])
        entry = record(call, "adjustment", dispute, dispute["amount"], note=f"Chargeback reversal for {charge['id']}")
        dispute["balance_transactions"].append(dict(entry))
        call.emit("charge.dispute.funds_reinstated", dispute)
    call.emit("charge.dispute.closed", dispute, status=previous)
    return dispute


@route("GET", "/v1/disputes", "dispute", **LISTING, charge="text", payment_intent="text")
def listing(call: Call) -> dict[str, Any]:
    """The disputes."""
    return page(call, matching(call.all("dispute"), call, "charge", "payment_intent"), "/v1/disputes")


@route("GET", "/v1/disputes/*", "dispute")
def retrieve(call: Call) -> Thing:
    """One dispute."""
    return call.get("dispute", call.ids[0])


@route("POST", "/v1/disputes/*/close", "dispute")
def concede(call: Call) -> Thing:
    """Give in: lost."""
    return close(call, call.get("dispute", call.ids[0]), "lost")


@route("POST", "/v1/disputes/*", "dispute", evidence="hash", metadata="metadata", submit="bool")
def update(call: Call) -> Thing:
    """Evidence, sent to the bank unless submit is false."""
    dispute = call.get("dispute", call.ids[0])
    dispute["metadata"] = merged(dispute["metadata"], call.params.get("metadata"))
    if "evidence" in call.params:
        dispute["evidence"].update(call.params["evidence"])
        dispute["evidence_details"]["has_evidence"] = True
        if call.params.get("submit", True) and dispute["status"] in OPEN:
            dispute["status"] = "under_review"
            dispute["evidence_details"]["submission_count"] += 1
    call.emit("charge.dispute.updated", dispute)
    return dispute
