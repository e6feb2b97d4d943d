"""Which payments, refunds and means of payment are talked about with the provider next, by whom, and what is asked.

A claim holds until `claimed_until`; whoever dies lets it run out, and another asks the very same again under the same
idempotency key. While something is claimed, `next_look_at` is the end of the claim: due is due, for one index, and who
finds it changed has been woken by a notice meanwhile. `claims` fences: only the last to claim writes what it heard.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.orm import Session

from app.billing.payments import orders, owing, passing, states
from app.billing.payments.models import Payment, PaymentMethod, ProviderCall, Refund
from app.billing.payments.port import Charging, GivingBack, Passing, Saving
from app.billing.payments.scrubbing import scrubbed

LEASE = timedelta(seconds=30)  # twice as long as a call may take
_REPEATED = {400, 409, *range(500, 600)}  # statuses
THEIRS = {"cents": "amount", "kind": "type", "method": "payment_method", "payment_ref": "payment_intent", "ref": "id",
          "pay_by": "expires_at"}  # fmt: skip
Row = Payment | Refund | PaymentMethod
Subject = Charging | GivingBack | Saving | Passing
COLUMNS: dict[type, str] = {Payment: "payment_id", Refund: "refund_id", PaymentMethod: "payment_method_id"}
KEYS = {"start": "{}", "refund": "{}", "save": "{}", "stop": "{}:stop", "transfer": "{}:transfer",
        "reverse": passing.REVERSAL}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asking:
    """One call that is ours to make until `until`, its row in provider_call, and which claim it is."""

    kind: type
    id: int
    operator_id: int
    claim: int
    until: datetime
    verb: str
    subject: Subject
    key_is_young: bool
    call_id: int


def claim(session: Session, *, limit: int, now: datetime) -> list[Asking]:
    """Claim what is due longest, and write down what will be asked. Commit before anything is.

    A charge that was never begun, and is not owed any more, ends here.
    """
    claimed: list[Asking] = []
    for kind in COLUMNS:
        if len(claimed) < limit:
            rows = _claimed(session, kind, limit - len(claimed), now)
            claimed += [_asking(session, row, now) for row in rows if not owing.given_up(session, row, now=now)]
    return claimed


def still_ours(session: Session, asking: Asking) -> Any:
    """The row, held, if nobody has claimed it since."""
    kind: Any = asking.kind
    row = select(kind).where(kind.id == asking.id, kind.claims == asking.claim).with_for_update(key_share=True)
    return session.scalars(row.execution_options(populate_existing=True)).one_or_none()


def _claimed(session: Session, kind: Any, limit: int, now: datetime) -> Iterable[Any]:
    ripe = (
        select(kind.id)
        .where(kind.next_look_at <= now, or_(kind.claimed_until.is_(None), kind.claimed_until <= now))
        .order_by(kind.next_look_at, kind.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    claiming = (
        update(kind)
        .where(kind.id.in_(ripe.scalar_subquery()))
        .values(claimed_until=now + LEASE, next_look_at=now + LEASE, claims=kind.claims + 1)
        .returning(kind)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return sorted(session.scalars(claiming), key=lambda row: row.id)


def _asking(session: Session, row: Any, now: datetime) -> Asking:
    young = _key_is_young(session, row, now)
    verb, subject = _what(session, row, now, young)
    values = {
        "operator_id": row.operator_id, COLUMNS[type(row)]: row.id, "verb": verb, "asked_at": now,
        "idempotency_key": KEYS[verb].format(subject.uid) if verb in KEYS else None, "request": kept(subject),
    }  # fmt: skip
    call_id = session.scalars(insert(ProviderCall).values(values).returning(ProviderCall.id)).one()
    return Asking(type(row), row.id, row.operator_id, row.claims, row.claimed_until, verb, subject, young, call_id)


def _what(session: Session, row: Row, now: datetime, young: bool) -> tuple[str, Subject]:
    if isinstance(row, PaymentMethod):
        return ("look_up" if row.provider_setup else "save"), orders.saving_of(session, row)
    if isinstance(row, Refund):
        return _of_refund(session, row, young)
    passed = passing.of_payment(session, row)
    if passed is not None and not passing.was_refused(session, row):
        return passed
    return _of_payment(session, row, now, young), orders.charging_of(session, row)


def _of_payment(session: Session, payment: Payment, now: datetime, young: bool) -> str:
    if payment.provider_ref is None:
        begins = young and payment.state != "failed" and not _may_be_there(session, payment)
        return "start" if begins and owing.owed_in_full(session, payment) else "look_up"
    if payment.state == "action_needed" and now >= orders.stops_at(payment) and payment.looks:
        return "stop" if not _just_stopped(session, payment) else "look_up"
    return "look_up"


def _of_refund(session: Session, refund: Refund, young: bool) -> tuple[str, Subject]:
    payment = session.get_one(Payment, refund.payment_id)
    passed = passing.of_refund(session, refund, payment)
    if passed is not None:
        return passed
    begins = refund.provider_ref is None and young and not _may_be_there(session, refund)
    return ("refund" if begins else "look_up"), orders.giving_of(session, refund, payment)


def _key_is_young(session: Session, row: Row, now: datetime) -> bool:
    """Whether the provider still knows our key, or has never heard it: then the same may be asked again."""
    first = select(ProviderCall.asked_at).where(_about(row), ProviderCall.verb.in_(("start", "refund", "save")))
    asked_at = session.scalar(first.order_by(ProviderCall.id).limit(1))
    return asked_at is None or now - asked_at < states.KEY_LASTS


def _may_be_there(session: Session, row: Row) -> bool:
    """Whether the last that was said to our call was an error of theirs, which they repeat for as long as they know
    the key, whatever came of it: then we look first, and ask again when it is not there."""
    last = _last(session, row)
    return last is not None and last.verb in ("start", "refund") and (last.status or 0) in _REPEATED


def _just_stopped(session: Session, row: Row) -> bool:
    last = _last(session, row)
    return last is not None and last.verb == "stop"


def _last(session: Session, row: Row) -> ProviderCall | None:
    of_it = select(ProviderCall).where(_about(row), ProviderCall.outcome != "asked", ProviderCall.verb != "show")
    return session.scalars(of_it.order_by(ProviderCall.id.desc()).limit(1)).one_or_none()


def _about(row: Row) -> Any:
    return getattr(ProviderCall, COLUMNS[type(row)]) == row.id


def kept(subject: Subject) -> dict[str, Any]:
    """What is stored of a request: ids, amounts and codes."""
    said = {THEIRS.get(name, name): value for name, value in asdict(subject).items()}
    found: dict[str, Any] = scrubbed({**said, "metadata": {"operator": str(subject.operator_uid)}})
    return found
