"""An operator that is paid through Stripe, its customers, and a sender at an hour of the test's own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from app.billing.invoices.models import Invoice
from app.billing.ledger.models import LedgerEntry
from app.billing.payments import refunding, requesting
from app.billing.payments.calling import Caller
from app.billing.payments.models import Payment, PaymentAccount, PaymentMethod, Refund
from app.billing.payments.port import Provider
from app.db import TenantSession, transaction
from app.ids import new_id
from app.network.parties.models import Party
from app.tenancy import SYSTEM
from tests.billing.charges.builders import a_party
from tests.billing.payments.counter import an_invoice_of
from tests.builders import a_space, saved
from tests.conftest import Clock


class House:
    """One space's operator; amounts are cents of the euro."""

    def __init__(
        self, make_session: sessionmaker[TenantSession], session: Session, clock: Clock, *, account: str | None = None
    ) -> None:
        self.make_session, self.session, self.clock = make_session, session, clock
        self.space = a_space(session)
        self.operator_id = self.space.operator_id
        mode = {"provider_mode": "connected", "provider_account": account} if account else {"provider_mode": "own"}
        saved(session, PaymentAccount(operator_id=self.operator_id, **mode))
        session.commit()

    def party(self) -> Party:
        party = a_party(self.session)
        self.session.commit()
        return party

    def invoice(self, party: Party, cents: int) -> Invoice:
        document = an_invoice_of(self.session, self.space, party, gross=cents, now=self.clock())
        self.session.commit()
        return document

    def method(self, party: Party, *, customer: str = "cus_1", name: str = "pm_1", **values: Any) -> PaymentMethod:
        """A means of payment that is saved already."""
        own = {"provider": "stripe", "kind": "card", "provider_customer": customer, "provider_method": name}
        made = {"operator_id": self.operator_id, "party_id": party.id, "state": "active", **own, **values}
        method = saved(self.session, PaymentMethod(**made))
        self.session.commit()
        return method

    def asks(self, party: Party, cents: int = 0, *, mode: str = "automatic", **values: Any) -> Payment:
        """Ask for so much, for an invoice of as much unless `aims` say otherwise."""
        aims = values.pop("aims", None)
        if aims is None:
            aims = {self.invoice(party, cents).id: cents}
        if mode == "automatic" and "method" not in values:
            values["method"] = self.method(party)
        with transaction(self.make_session, SYSTEM) as session:
            return requesting.request_payment(
                session, operator_id=self.operator_id, party_id=party.id, aims=aims, mode=mode,
                kind=values.pop("kind", "card"), source=values.pop("source", f"test:{new_id()}"), now=self.clock(),
                cents=None if aims else cents, **values,
            )  # fmt: skip

    def refunds(self, payment: Payment, cents: int, source: str | None = None) -> Refund:
        with transaction(self.make_session, SYSTEM) as session:
            return refunding.request_refund(
                session, session.get_one(Payment, payment.id), cents=cents, reason="test",
                source=source or f"test:{new_id()}", now=self.clock(),
            )  # fmt: skip

    def now_is(self, row: Any) -> Any:
        """A row as it is in the database at this moment."""
        with transaction(self.make_session, SYSTEM) as session:
            return session.get_one(type(row), row.id)

    def looks_now(self, payment: Payment) -> None:
        """As a notice about it has it."""
        with transaction(self.make_session, SYSTEM) as session:
            session.get_one(Payment, payment.id).next_look_at = self.clock()

    def sender(self, provider: Provider) -> Caller:
        return Caller(self.make_session, provider, clock=self.clock)

    def works(self, provider: Provider) -> None:
        """Ask what is due at this hour, once each, and write down the answers."""
        caller = self.sender(provider)
        while caller.round():
            caller.finish_calls()
        caller.close()

    def books(self) -> dict[str, int]:
        """What payments made of the ledger's accounts, without those at nothing."""
        with transaction(self.make_session, SYSTEM) as session:
            sums = select(LedgerEntry.account, func.sum(LedgerEntry.cents)).group_by(LedgerEntry.account)
            return {account: int(cents) for account, cents in session.execute(sums) if cents and account != "deferred"}
