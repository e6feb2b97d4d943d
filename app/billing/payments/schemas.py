"""Shapes of payments, of what a person must look at, and of drawers, on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields, validate

from app.billing.payments.accounts import MODES as PROVIDER_MODES
from app.billing.payments.accounts import Account
from app.billing.payments.desk import MOST_CENTS
from app.billing.payments.drawers import Shown as ShownDrawer
from app.billing.payments.listing import Shown, ShownMethod
from app.billing.payments.models import KINDS, MODES, STATES, MoneyTask, Refund
from app.billing.payments.tasks import KINDS as TASKS
from app.events.envelope import instant
from app.http.schemas import PageQuery, Strict, not_blank, one_line

MOST = 100


def cents(least: int = 1, **kwargs: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(least, MOST_CENTS), **kwargs)


def note(longest: int = 500, **kwargs: Any) -> fields.String:
    return fields.String(validate=[validate.Length(max=longest), one_line], **kwargs)


class PaymentsQuery(PageQuery):
    operator_id = fields.UUID(
        load_default=None, metadata={"description": "To this operator, whose books you keep; else your own."}
    )
    party_id = fields.UUID(load_default=None)
    state = fields.String(load_default=None, validate=validate.OneOf(STATES))
    kind = fields.String(load_default=None, validate=validate.OneOf(KINDS))


class PaidShape(Schema):
    invoice_id = fields.UUID(required=True)
    number = fields.String(required=True)
    amount_cents = fields.Integer(required=True)


class RefundShape(Schema):
    id = fields.UUID(required=True)
    payment_id = fields.UUID(required=True)
    amount_cents = fields.Integer(required=True)
    currency = fields.String(required=True)
    reason = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(["requested", "unknown", "settled", "failed"]))
    failure = fields.String(required=True, allow_none=True)
    requested_at = fields.AwareDateTime(required=True)
    settled_at = fields.AwareDateTime(required=True, allow_none=True)


class PaymentShape(Schema):
    """Money that was asked for, or that came by itself. `unknown` is neither paid nor failed: the provider's answer was
    not heard, and is looked up. `settled_cents` came, `pays` says for what; `credit_cents` pay nothing yet: the next
    invoice takes them."""

    id = fields.UUID(required=True)
    operator_id = fields.UUID(required=True)
    party_id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    mode = fields.String(required=True, validate=validate.OneOf(MODES))
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    amount_cents = fields.Integer(required=True)
    currency = fields.String(required=True)
    settled_cents = fields.Integer(required=True)
    refunded_cents = fields.Integer(required=True, metadata={"description": "What went back, or is on its way."})
    disputed_cents = fields.Integer(required=True)
    credit_cents = fields.Integer(required=True)
    booking_id = fields.UUID(required=True, allow_none=True)
    failure = fields.String(required=True, allow_none=True)
    requested_at = fields.AwareDateTime(required=True)
    settled_at = fields.AwareDateTime(required=True, allow_none=True)
    pays = fields.List(fields.Nested(PaidShape), required=True)
    refunds = fields.List(fields.Nested(RefundShape), required=True)


RETURN_URL = r"https://[^\s]{1,1990}\Z|http://(localhost|127\.0\.0\.1)(:[0-9]+)?(/[^\s]{0,1900})?\Z"


def return_url() -> fields.String:
    doc = {"description": "Where the provider's page sends the payer back to; https. For mode hosted."}
    return fields.String(load_default=None, allow_none=True, validate=validate.Regexp(RETURN_URL), metadata=doc)


class NewPayment(Strict):
    """What is left of `invoice_ids`, or an advance of `amount_cents` to `operator_id`. Mode `present` gives a client
    secret for the provider's script on your page, `hosted` the address of the provider's page."""

    invoice_ids = fields.List(fields.UUID(), load_default=[], validate=validate.Length(max=MOST))
    operator_id = fields.UUID(load_default=None, allow_none=True)
    amount_cents = cents(load_default=None, allow_none=True)
    party_id = fields.UUID(load_default=None, allow_none=True)
    kind = fields.String(load_default="any", validate=validate.OneOf(["card", "bancontact", "sepa_debit", "any"]))
    mode = fields.String(required=True, validate=validate.OneOf(["present", "hosted"]))
    return_url = return_url()


class NextStep(Schema):
    """What the payer goes on with: one of the two, for this moment. It is kept nowhere."""

    client_secret = fields.String(required=True, allow_none=True)
    url = fields.String(required=True, allow_none=True)


class NewMethod(Strict):
    """A means of payment to be saved with the provider, for payments to one operator."""

    operator_id = fields.UUID(required=True)
    party_id = fields.UUID(load_default=None, allow_none=True)
    kind = fields.String(required=True, validate=validate.OneOf(["card", "bancontact", "sepa_debit"]))
    mode = fields.String(required=True, validate=validate.OneOf(["present", "hosted"]))
    automatic = fields.Boolean(load_default=False, metadata={"description": "Pay the operator's invoices with it."})
    return_url = return_url()


class MethodShape(Schema):
    """`label` is what you know it by: its brand and last digits. `pending` until you have entered it at the
    provider's."""

    id = fields.UUID(required=True)
    operator_id = fields.UUID(required=True)
    party_id = fields.UUID(required=True)
    kind = fields.String(required=True)
    label = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(["pending", "active", "revoked"]))
    automatic = fields.Boolean(required=True)
    created_at = fields.AwareDateTime(required=True)


class NewReceipt(Strict):
    """For invoices of one customer, or, without any, from `party_id` for what is open or still to come. `space_id` is
    where it was taken; it may be left out where the operator has one space."""

    kind = fields.String(required=True, validate=validate.OneOf(["cash", "terminal"]))
    amount_cents = cents(required=True)
    invoice_ids = fields.List(fields.UUID(), load_default=[], validate=validate.Length(max=MOST))
    party_id = fields.UUID(load_default=None, allow_none=True)
    space_id = fields.UUID(load_default=None, allow_none=True)


class NewRefund(Strict):
    """Without an amount, all that is left of the payment."""

    amount_cents = cents(load_default=None, allow_none=True)
    reason = fields.String(required=True, validate=[validate.Length(1, 200), not_blank, one_line])


class AccountShape(Strict):
    """How an operator is paid. `holder` is its own name unless the bank knows it by another; `provider_mode` own: the
    provider's key is this operator's; connected: money is passed on to `provider_account`."""

    holder = fields.String(load_default="", validate=[validate.Length(max=70), one_line])
    bic = fields.String(load_default=None, allow_none=True)
    creditor_identifier = fields.String(load_default=None, allow_none=True)
    provider_mode = fields.String(load_default="none", validate=validate.OneOf(PROVIDER_MODES))
    provider_account = fields.String(
        load_default=None, allow_none=True, validate=[validate.Length(1, 64), validate.Regexp(r"[A-Za-z0-9_]+\Z")]
    )


class ShownAccount(AccountShape):
    iban = fields.String(required=True)


class TasksQuery(PageQuery):
    state = fields.String(load_default="open", validate=validate.OneOf(["open", "closed"]))
    kind = fields.String(load_default=None, metadata={"example": "overpaid"})


class TaskShape(Schema):
    """Something about money that a person must look at; `asks` says what for."""

    id = fields.UUID(required=True)
    kind = fields.String(required=True)
    asks = fields.String(required=True)
    amount_cents = fields.Integer(required=True)
    currency = fields.String(required=True)
    party_id = fields.UUID(required=True, allow_none=True)
    payment_id = fields.UUID(required=True, allow_none=True)
    invoice_id = fields.UUID(required=True, allow_none=True)
    facts = fields.Dict(required=True)
    opened_at = fields.AwareDateTime(required=True)
    closed_at = fields.AwareDateTime(required=True, allow_none=True)
    note = fields.String(required=True)


class TaskClosing(Strict):
    """`done` and `space_id` are for a refund by hand: whether it was given, and out of which drawer."""

    note = fields.String(required=True, validate=[validate.Length(1, 500), not_blank, one_line])
    done = fields.Boolean(load_default=True)
    space_id = fields.UUID(load_default=None, allow_none=True)


class DrawerOpening(Strict):
    space_id = fields.UUID(load_default=None, allow_none=True)
    opening_cents = cents(0, required=True)


class DrawerCount(Strict):
    counted_cents = cents(0, required=True)
    note = note(load_default="")


class DrawerShape(Schema):
    """The cash of a space on a day. `expected_cents` should be in it; `difference_cents` is what was counted above."""

    id = fields.UUID(required=True)
    space_id = fields.UUID(required=True)
    day = fields.Date(required=True)
    currency = fields.String(required=True)
    opening_cents = fields.Integer(required=True)
    moved_cents = fields.Integer(required=True, metadata={"description": "What came in, less what was handed out."})
    expected_cents = fields.Integer(required=True)
    counted_cents = fields.Integer(required=True, allow_none=True)
    difference_cents = fields.Integer(required=True, allow_none=True)
    counted_at = fields.AwareDateTime(required=True, allow_none=True)
    note = fields.String(required=True)


def describe(shown: Shown) -> dict[str, Any]:
    each = shown.payment
    return {
        "id": str(each.uid),
        "operator_id": str(shown.operator_uid),
        "party_id": str(shown.party_uid),
        "kind": each.kind,
        "mode": each.mode,
        "state": each.state,
        "amount_cents": each.amount_cents,
        "currency": each.currency,
        "settled_cents": each.settled_cents,
        "refunded_cents": shown.refunded_cents,
        "disputed_cents": shown.disputed_cents,
        "credit_cents": shown.credit_cents,
        "booking_id": str(each.booking_uid) if each.booking_uid else None,
        "failure": each.failure_code,
        "requested_at": instant(each.requested_at),
        "settled_at": instant(each.settled_at) if each.settled_at else None,
        "pays": [
            {"invoice_id": str(paid.invoice_uid), "number": paid.number, "amount_cents": paid.cents}
            for paid in shown.pays
        ],
        "refunds": [describe_refund(refund, each.uid) for refund in shown.refunds],
    }


def describe_refund(refund: Refund, payment_uid: UUID) -> dict[str, Any]:
    return {
        "id": str(refund.uid),
        "payment_id": str(payment_uid),
        "amount_cents": refund.amount_cents,
        "currency": refund.currency,
        "reason": refund.reason,
        "state": refund.state,
        "failure": refund.failure_code,
        "requested_at": instant(refund.requested_at),
        "settled_at": instant(refund.settled_at) if refund.settled_at else None,
    }


def describe_method(shown: ShownMethod) -> dict[str, Any]:
    each = shown.method
    return {
        "id": str(each.uid),
        "operator_id": str(shown.operator_uid),
        "party_id": str(shown.party_uid),
        "kind": each.kind,
        "label": each.label,
        "state": each.state,
        "automatic": each.automatic,
        "created_at": instant(each.created_at),
    }


def describe_account(account: Account) -> dict[str, Any]:
    return account._asdict()


def describe_task(task: MoneyTask, uids: dict[tuple[str, int], str]) -> dict[str, Any]:
    """`uids` are the public ids of what it names, by kind and internal id."""

    def named(kind: str, key: int | None) -> str | None:
        return None if key is None else uids.get((kind, key))

    return {
        "id": str(task.uid),
        "kind": task.kind,
        "asks": TASKS.get(task.kind, task.kind),
        "amount_cents": task.cents,
        "currency": task.currency,
        "party_id": named("party", task.party_id),
        "payment_id": named("payment", task.payment_id),
        "invoice_id": named("invoice", task.invoice_id),
        "facts": task.facts,
        "opened_at": instant(task.opened_at),
        "closed_at": instant(task.closed_at) if task.closed_at else None,
        "note": task.note,
    }


def describe_drawers(drawers: Sequence[ShownDrawer]) -> list[dict[str, Any]]:
    return [
        {
            "id": str(shown.drawer.uid),
            "space_id": str(shown.space_uid),
            "day": shown.drawer.day.isoformat(),
            "currency": shown.drawer.currency,
            "opening_cents": shown.drawer.opening_cents,
            "moved_cents": shown.moved_cents,
            "expected_cents": shown.expected_cents,
            "counted_cents": shown.drawer.counted_cents,
            "difference_cents": shown.drawer.difference_cents,
            "counted_at": instant(shown.drawer.counted_at) if shown.drawer.counted_at else None,
            "note": shown.drawer.note,
        }
        for shown in drawers
    ]
