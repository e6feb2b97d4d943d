"""An operator whose documents are mailed: the workers, the press and the senders run when a test says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app.billing.invoices.models import Invoice
from app.billing.papers.press import Press
from app.config import Config
from app.db import TenantSession, raw, transaction
from app.network.models import Member, Operator
from app.network.parties.models import Party
from app.notifications.composing import Stationery
from app.notifications.models import Notification
from app.notifications.sending import Sender
from app.notifications.transport import Transport
from app.tenancy import SYSTEM
from tests.billing.charges.builders import a_party
from tests.billing.invoices.house import an_invoice
from tests.builders import a_manager, a_member, a_space, a_token
from tests.conftest import Clock
from tests.http.client import Client
from tests.notifications.mailbox import Mailbox, Told
from workers import registry
from workers.handle import EventHandler, Outcome
from workers.subscriptions import subscribe

_RECORDED = raw("SELECT envelope FROM outbox ORDER BY id")
_FORGET = raw("DELETE FROM delivery"), raw("DELETE FROM cursor")
OWN = ("notifications", "papers")


class Post:
    """One space in Ath, its manager, and Ana, to whom documents are made; `home` has the PDFs and the mails."""

    def __init__(
        self, app: Flask, session: TenantSession, make_session: sessionmaker[TenantSession], clock: Clock, home: Path
    ) -> None:
        self.app, self.session, self.make_session, self.clock, self.home = app, session, make_session, clock, home
        self.consumers = [registry.load()[name] for name in OWN]
        self.space = a_space(session)
        self.operator = session.get_one(Operator, self.space.operator_id)
        self.ana = a_member(session, name="Ana", email="ana@members.example", locale="en")
        self.manager = a_manager(session, self.space)
        session.commit()
        self.mailbox = Mailbox(make_session, home, clock)
        self.press = Press(make_session, home, clock=clock)

    def opens(self) -> None:
        """The version that mails documents begins to run."""
        subscribe(self.make_session, self.consumers)

    def as_(self, member: Member) -> Client:
        token = a_token(self.session, member)
        self.session.commit()
        return Client(self.app, token)

    def invoice(self, to: Member | None = None, **party: Any) -> Invoice:
        """EUR 121 to Ana, or to somebody else, whose party says what is told of it."""
        member = to or self.ana
        if party or not self.session.scalar(select(Party.id).where(Party.member_id == member.id)):
            a_party(self.session, **{"member_id": member.id, **party})
        made = an_invoice(self.session, self.space, member, now=self.clock.now)
        self.session.commit()
        return made

    def tell(self) -> list[Notification]:
        """The workers handle all there is; every mail about a document there ever was."""
        with transaction(self.make_session, SYSTEM) as session:
            recorded = session.scalars(_RECORDED).all()
        for consumer in self.consumers:
            handler = EventHandler(consumer, self.make_session, clock=self.clock)
            for text in recorded:
                assert handler.handle(text).outcome in (Outcome.DONE, Outcome.SKIPPED, Outcome.DUPLICATE), text
        return self.rows()

    def forget_receipts(self) -> None:
        """As if no event had ever been handled."""
        with transaction(self.make_session, SYSTEM) as session:
            for statement in _FORGET:
                session.execute(statement)

    def draw(self) -> None:
        while self.press.draw_due():
            pass

    def rows(self) -> list[Notification]:
        with transaction(self.make_session, SYSTEM) as session:
            mails = select(Notification).where(Notification.document_uid.is_not(None))
            return list(session.scalars(mails.order_by(Notification.id)))

    def states(self) -> list[tuple[str, str | None]]:
        return [(row.state, row.reason) for row in self.rows()]

    def mails(self) -> list[Told]:
        """All that has to be done is done; what arrived."""
        self.tell()
        self.draw()
        return self.mailbox.new()

    def sender(self, transport: Transport) -> Sender:
        stationery = Stationery.of(Config(home=self.home))
        return Sender(self.make_session, transport, stationery, clock=self.clock, jitter=lambda: 0.5)

    def again(self, invoice: Invoice) -> Invoice:
        """As it is now."""
        with transaction(self.make_session, SYSTEM) as session:
            return session.get_one(Invoice, invoice.id)

    def change(self, row: Any, **values: Any) -> None:
        """Change a row behind everybody's back."""
        with transaction(self.make_session, SYSTEM) as session:
            found = session.get_one(type(row), row.id)
            for name, value in values.items():
                setattr(found, name, value)

    def undelivered(self) -> list[str]:
        """The numbers that who keeps the books is shown."""
        query = {"operator_id": str(self.operator.uid), "undelivered": "true"}
        answer = self.as_(self.manager).get("/invoices", query=query)
        assert answer.status_code == 200, answer.json
        return [each["number"] for each in answer.json]
