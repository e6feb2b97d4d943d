"""What the payer needs to finish: a client secret, or the address of the provider's page. Asked for anew each time it
is shown, never stored; with no transaction open while the provider is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session, sessionmaker

from app.billing.payments import orders
from app.billing.payments.claiming import COLUMNS, kept
from app.billing.payments.models import Payment, PaymentMethod, ProviderCall
from app.billing.payments.port import Charging, Heard, Provider, Saving
from app.db import TenantSession, transaction
from app.errors import Problem, WrongState
from app.tenancy import SYSTEM


class ProviderSilent(Problem):
    """Nothing is lost: ask again in a moment."""

    code = "provider_silent"
    status = 503
    title = "The payment provider does not answer just now; ask again in a moment."


@dataclass(frozen=True, slots=True)
class ForPayer:
    """One of the two: for the provider's script on our page, or where to send the payer."""

    client_secret: str | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)


def for_payer(
    make_session: sessionmaker[TenantSession], provider: Provider, kind: type, key: int, *, now: datetime
) -> ForPayer:
    """What the payer of a Payment, or who saves a PaymentMethod, goes on with; `key` is its internal id, of a row that
    the caller has found in their own scope.

    Raises WrongState where there is nothing to do for them (yet), ProviderSilent.
    """
    with transaction(make_session, SYSTEM) as session:
        subject, call_id = _question(session, session.get_one(kind, key), now)
    heard = provider.look_up(subject)
    with transaction(make_session, SYSTEM) as session:
        said = {"answered_at": now, "outcome": heard.outcome.value, "status": heard.status, "answer": heard.answer}
        session.execute(update(ProviderCall).where(ProviderCall.id == call_id).values(said))
    return _answered(heard)


def _question(session: Session, row: Any, now: datetime) -> tuple[Charging | Saving, int]:
    state, begun = row.state, row.provider_ref if isinstance(row, Payment) else row.provider_setup
    if begun is None or state not in ("action_needed", "pending"):
        raise WrongState(state=state, remedy="ask again in a moment" if begun is None else "nothing is left to do")
    subject = orders.saving_of(session, row) if isinstance(row, PaymentMethod) else orders.charging_of(session, row)
    values = {
        "operator_id": row.operator_id, COLUMNS[type(row)]: row.id, "verb": "show", "asked_at": now,
        "request": kept(subject),
    }  # fmt: skip
    call_id = session.scalars(insert(ProviderCall).values(values).returning(ProviderCall.id)).one()
    return subject, call_id


def _answered(heard: Heard) -> ForPayer:
    found = heard.found
    if found is None:
        raise ProviderSilent()
    if found.secret is None and found.address is None:
        raise WrongState(state=found.evidence or "unknown", remedy="nothing is left to do")
    return ForPayer(found.secret, found.address)
