"""Payments over HTTP: for who pays, and for who keeps an operator's books."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import Blueprint

from app.billing.payments import accounts, drawers, listing, methods, paying, refunding, resolving, schemas, tasks
from app.billing.payments.desk import Receipt, take_receipt
from app.billing.payments.models import MoneyTask, Payment, PaymentMethod
from app.billing.payments.presenting import for_payer
from app.billing.payments.requesting import ProviderNotSet
from app.http.operation import Call, Reply, operation
from app.http.paging import Page, Paged, cut, page_of
from app.http.schemas import PageQuery
from app.ids import new_id
from app.network import audit
from app.network.operators import kept_operator
from app.network.parties import customers

blueprint = Blueprint("payments", __name__)


@operation(
    blueprint, "GET", "/payments", query=schemas.PaymentsQuery, returns=schemas.PaymentShape, many=True, paged=True,
    problems=(403,),
)  # fmt: skip
def list_payments(call: Call, query: dict[str, Any]) -> Paged:
    """What you paid or were asked for, or employers that you administer; with `operator_id` what this operator was
    paid, for who keeps its books. Newest first."""
    page, before = _page(query)
    asked: dict[str, Any] = {
        "before": before, "limit": page.limit + 1, "state": query["state"], "kind": query["kind"],
        "party": query["party_id"],
    }  # fmt: skip
    if query["operator_id"] is None:
        found = listing.mine(call.session, call.person, **asked)
    else:
        found = listing.of_operator(call.session, call.person, query["operator_id"], **asked)
    rows, last = cut(found, page, lambda payment: [payment.id])
    return Paged([schemas.describe(each) for each in listing.shown(call.session, rows)], last)


@operation(blueprint, "GET", "/payments/<payment_id>", returns=schemas.PaymentShape)
def show_payment(call: Call, payment_id: UUID) -> dict[str, Any]:
    """One payment: where it stands, what it pays, what of it went back."""
    payment = listing.find(call.session, payment_id)
    _note(call, payment, "payment.viewed")
    return _described(call, payment)


@operation(
    blueprint, "POST", "/payments", body=schemas.NewPayment, returns=schemas.PaymentShape, status=201, idempotent=True,
    problems=(403, 409), located=True,
)  # fmt: skip
def create_payment(call: Call, body: dict[str, Any]) -> Reply:
    """Pay invoices of yours online, or an advance. Then ask for its `next-step`: a client secret or an address. What
    you have begun and left is the same payment again; what is on its way is 409 `payment_running`. An operator without
    a provider is 409 `pay_by_transfer`, with all that a transfer needs."""
    ready = bool(call.services.config.stripe_api_key)
    payment = paying.ask_to_pay(
        call.session, paying.Wish(**body), provider_ready=ready, person=call.person, now=call.now
    )
    return Reply(_described(call, payment), location=f"/api/v1/payments/{payment.uid}")


@operation(
    blueprint, "GET", "/payments/<payment_id>/next-step", returns=schemas.NextStep, problems=(409, 503),
)  # fmt: skip
def show_next_step(call: Call, payment_id: UUID) -> dict[str, Any]:
    """What its payer goes on with, asked of the provider now: a client secret or the address of its page. 409
    `wrong_state` while it is being prepared (ask again in a moment), and when nothing is left to do."""
    payment = paying.own_payment(call.session, call.person, payment_id)
    return _next_step(call, Payment, payment.id)


@operation(
    blueprint, "POST", "/payment-methods", body=schemas.NewMethod, returns=schemas.MethodShape, status=201,
    idempotent=True, problems=(409,),
)  # fmt: skip
def create_payment_method(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """Begin to save a means of payment for an operator; its `next-step` is where you enter it. We keep its brand and
    last digits. With `automatic`, the operator's invoices are paid with it by themselves."""
    method = paying.begin_saving(
        call.session, **body, provider_ready=bool(call.services.config.stripe_api_key), person=call.person,
        now=call.now,
    )  # fmt: skip
    return _described_methods(call, [method])[0]


@operation(
    blueprint, "GET", "/payment-methods", query=PageQuery, returns=schemas.MethodShape, many=True, paged=True,
)  # fmt: skip
def list_payment_methods(call: Call, query: dict[str, Any]) -> Paged:
    """What you saved, or employers that you administer, newest first; without what was revoked."""
    page, before = _page(query)
    found = listing.methods_of(call.session, call.person, before=before, limit=page.limit + 1)
    rows, last = cut(found, page, lambda method: [method.id])
    return Paged(_described_methods(call, rows), last)


@operation(
    blueprint, "GET", "/payment-methods/<method_id>/next-step", returns=schemas.NextStep, problems=(409, 503),
)  # fmt: skip
def show_method_next_step(call: Call, method_id: UUID) -> dict[str, Any]:
    """Where you enter it: a client secret, or the address of the provider's page."""
    method = listing.own_method(call.session, call.person, method_id)
    return _next_step(call, PaymentMethod, method.id)


@operation(blueprint, "DELETE", "/payment-methods/<method_id>", status=204)
def delete_payment_method(call: Call, method_id: UUID) -> None:
    """Never charge it again. What was begun with it goes on. Again changes nothing."""
    methods.revoke(call.session, listing.own_method(call.session, call.person, method_id), now=call.now)


@operation(
    blueprint, "POST", "/payments/<payment_id>/refunds", body=schemas.NewRefund, returns=schemas.RefundShape,
    status=201, idempotent=True, problems=(403, 409),
)  # fmt: skip
def create_refund(call: Call, payment_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Give money back to where it came from, never more than is left of it (409 `refund_too_high`): what is the
    customer's credit first, then what it paid is open again. Cash and transfers are given back by a person, who finds a
    task for it."""
    payment = listing.find(call.session, payment_id)
    call.person.require_books(payment.operator_id)
    cents = body["amount_cents"] or max(1, refunding.left_cents(call.session, payment))
    refund = refunding.request_refund(
        call.session, payment, cents=cents, reason=body["reason"], source=f"asked:{new_id()}",
        asked_by_id=call.person.member_id, now=call.now,
    )  # fmt: skip
    _note(call, payment, "payment.refunded")
    return schemas.describe_refund(refund, payment.uid)


@operation(
    blueprint, "POST", "/operators/<operator_id>/receipts", body=schemas.NewReceipt, returns=schemas.PaymentShape,
    status=201, idempotent=True, problems=(403, 409), located=True,
)  # fmt: skip
def create_receipt(call: Call, operator_id: UUID, body: dict[str, Any]) -> Reply:
    """Write down money taken at the desk today, in cash (into the space's drawer) or on its terminal. It pays the
    invoices named, first due first; what is left over is the customer's credit. Nothing left to pay is 409
    `wrong_state`, a drawer that was counted 409 `drawer_counted`."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    payment = take_receipt(call.session, operator, Receipt(**body), person=call.person, now=call.now)
    customers.note(call.session, call.person, operator, "payment.received", payment.uid, now=call.now)
    return Reply(_described(call, payment), location=f"/api/v1/payments/{payment.uid}")


@operation(
    blueprint, "GET", "/operators/<operator_id>/money-tasks", query=schemas.TasksQuery, returns=schemas.TaskShape,
    many=True, paged=True, problems=(403,),
)  # fmt: skip
def list_money_tasks(call: Call, operator_id: UUID, query: dict[str, Any]) -> Paged:
    """What a person must look at about money: open, or closed already; newest first. For who keeps the books."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    page, before = _page(query)
    found = tasks.of_operator(
        call.session, operator.id, closed=query["state"] == "closed", kind=query["kind"], before=before,
        limit=page.limit + 1,
    )  # fmt: skip
    rows, last = cut(found, page, lambda task: [task.id])
    return Paged(_described_tasks(call, rows), last)


@operation(
    blueprint, "GET", "/operators/<operator_id>/money-tasks/<task_id>", returns=schemas.TaskShape, problems=(403,),
)  # fmt: skip
def show_money_task(call: Call, operator_id: UUID, task_id: UUID) -> dict[str, Any]:
    """One of them."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    return _described_tasks(call, [tasks.find(call.session, operator.id, task_id)])[0]


@operation(
    blueprint, "POST", "/operators/<operator_id>/money-tasks/<task_id>/closing", body=schemas.TaskClosing,
    returns=schemas.TaskShape, problems=(403, 409),
)  # fmt: skip
def close_money_task(call: Call, operator_id: UUID, task_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Close it with a note on what was done. `refund_by_hand` is marked given back, in cash out of the drawer of
    `space_id`; with `done` false it was not, and is the customer's credit again. The same note once more changes
    nothing."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    task = resolving.resolve(call.session, operator, task_id, **body, person=call.person, now=call.now)
    customers.note(call.session, call.person, operator, "money_task.closed", task.uid, now=call.now)
    return _described_tasks(call, [task])[0]


@operation(
    blueprint, "GET", "/operators/<operator_id>/cash-drawers", query=PageQuery, returns=schemas.DrawerShape, many=True,
    paged=True, problems=(403,),
)  # fmt: skip
def list_cash_drawers(call: Call, operator_id: UUID, query: dict[str, Any]) -> Paged:
    """The cash of the operator's spaces by day, newest first. For who keeps the books."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    page, before = _page(query)
    found = drawers.of_operator(call.session, operator, before=before, limit=page.limit + 1)
    rows, last = cut(found, page, lambda drawer: [drawer.id])
    return Paged(schemas.describe_drawers(drawers.shown(call.session, rows)), last)


@operation(
    blueprint, "POST", "/operators/<operator_id>/cash-drawers", body=schemas.DrawerOpening,
    returns=schemas.DrawerShape, status=201, problems=(403, 409),
)  # fmt: skip
def open_cash_drawer(call: Call, operator_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Begin a space's day with a float. Without this, the first cash of a day begins it with what was left; another
    float than that was brought from the bank, or taken there. The same once more changes nothing."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    space = drawers.space_at(call.session, operator, body["space_id"])
    drawer = drawers.open_drawer(
        call.session, operator, space, opening_cents=body["opening_cents"], person=call.person, now=call.now
    )
    audit.note(call.session, call.person, "drawer.opened", space.id, str(drawer.uid), call.now)
    return schemas.describe_drawers(drawers.shown(call.session, [drawer]))[0]


@operation(
    blueprint, "POST", "/operators/<operator_id>/cash-drawers/<drawer_id>/count", body=schemas.DrawerCount,
    returns=schemas.DrawerShape, problems=(403, 409),
)  # fmt: skip
def count_cash_drawer(call: Call, operator_id: UUID, drawer_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Count the cash at the end of a day, for good: a difference is posted, and is a task. The same count once more
    changes nothing; another one is 409 `drawer_counted`."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    drawer = drawers.count_drawer(call.session, operator, drawer_id, **body, person=call.person, now=call.now)
    audit.note(call.session, call.person, "drawer.counted", drawer.space_id, str(drawer.uid), call.now)
    return schemas.describe_drawers(drawers.shown(call.session, [drawer]))[0]


@operation(
    blueprint, "GET", "/operators/<operator_id>/payment-account", returns=schemas.ShownAccount, problems=(403,),
)  # fmt: skip
def show_payment_account(call: Call, operator_id: UUID) -> dict[str, Any]:
    """How the operator is paid: its bank account, and the provider if it has one."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    return schemas.describe_account(accounts.account_of(call.session, operator))


@operation(
    blueprint, "PUT", "/operators/<operator_id>/payment-account", body=schemas.AccountShape,
    returns=schemas.ShownAccount, problems=(403,),
)  # fmt: skip
def replace_payment_account(call: Call, operator_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Change it. Which account the provider pays is for an administrator of the platform to change (403)."""
    operator = kept_operator(call.session, operator_id, person=call.person)
    chosen = accounts.choose_account(call.session, operator, **body, person=call.person)
    audit.note(call.session, call.person, "payment_account.replaced", None, str(operator.uid), call.now)
    return schemas.describe_account(chosen)


def _page(query: dict[str, Any]) -> tuple[Page, int | None]:
    page = page_of(query["limit"], query["cursor"], key=(int,))
    return page, page.after[0] if page.after else None


def _note(call: Call, payment: Payment, action: str) -> None:
    """A look at somebody else's payment, or what was done to it, is in the trail."""
    if payment.operator_id in call.person.scope.books_ids:
        audit.note(call.session, call.person, action, None, str(payment.uid), call.now)


def _described(call: Call, payment: Payment) -> dict[str, Any]:
    (shown,) = listing.shown(call.session, [payment])
    return schemas.describe(shown)


def _described_methods(call: Call, found: Sequence[PaymentMethod]) -> list[dict[str, Any]]:
    return [schemas.describe_method(each) for each in listing.shown_methods(call.session, found)]


def _next_step(call: Call, kind: type[Payment] | type[PaymentMethod], key: int) -> dict[str, Any]:
    """This transaction ends before the provider is asked."""
    if not call.services.config.stripe_api_key:
        raise ProviderNotSet()
    from app.billing import stripe_provider  # 30 MB: only for who has a provider

    call.session.commit()
    provider = stripe_provider.of(call.services.config)
    assert provider is not None
    found = for_payer(call.services.make_session, provider, kind, key, now=call.now)
    return {"client_secret": found.client_secret, "url": found.url}


def _described_tasks(call: Call, found: Sequence[MoneyTask]) -> list[dict[str, Any]]:
    uids = tasks.uids(call.session, found)
    return [schemas.describe_task(task, uids) for task in found]
