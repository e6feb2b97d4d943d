"""A post office for tests: real receivers on the loopback, deliveries to them, and a sender whose hour the test sets.

receiver = post.receiver(lambda exchange: exchange.reply(200))
webhook, delivery = post.webhook(receiver), post.delivery(webhook)
post.sends()
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession, transaction
from app.network.models import Member, Operator
from app.outside.address import Policy
from app.outside.client import Outside
from app.tenancy import SYSTEM
from app.webhooks.models import Webhook, WebhookAttempt, WebhookDelivery
from app.webhooks.sending import Sender
from tests.builders import a_member, an_operator
from tests.outside.receivers import NAME, Answering, Authority, Exchange, Receiver, to_the_loopback
from tests.waiting import until
from tests.webhooks.builders import a_delivery, a_webhook

DEADLINE_S = 0.6  # of a call, where a test waits for it


def fine(exchange: Exchange) -> None:
    exchange.reply(200, b"thanks", X_Seen="yes")


class Post:
    def __init__(self, make_session: sessionmaker[TenantSession], clock: Any, folder: Path, stack: ExitStack) -> None:
        self.make_session, self.clock = make_session, clock
        self.authority = Authority(folder)
        self._stack = stack
        self._places: set[tuple[str, int]] = set()
        with self.seeing() as session:
            self.operator: Operator = an_operator(session)
            self.person: Member = a_member(session)

    def seeing(self):
        return transaction(self.make_session, SYSTEM)

    def receiver(self, answer: Answering = fine, *names: str, allowed: bool = True, **options: Any) -> Receiver:
        """Somebody's server; `allowed=False`: at an address that must never be called."""
        context = self.authority.server(*(names or (NAME,)), **options)
        receiver = self._stack.enter_context(Receiver(context, answer))
        if allowed:
            self._places.add((NAME, receiver.port))
        return receiver

    def webhook(self, receiver: Receiver | str, path: str = "/", **values: Any) -> Webhook:
        url = receiver if isinstance(receiver, str) else receiver.url(path)
        with self.seeing() as session:
            return a_webhook(session, operator=self.operator, created_by=self.person.id, url=url, **values)

    def delivery(self, webhook: Webhook, **values: Any) -> WebhookDelivery:
        with self.seeing() as session:
            return a_delivery(session, webhook, **{"at": self.clock(), **values})

    def deliveries(self, webhook: Webhook, count: int) -> list[WebhookDelivery]:
        with self.seeing() as session:
            return [a_delivery(session, webhook, at=self.clock()) for _ in range(count)]

    def sender(self, *, deadline_s: float = DEADLINE_S, resolver: Any = to_the_loopback) -> Sender:
        policy = Policy(places=frozenset(self._places), ca_file=self.authority.ca_file)
        outside = Outside(policy, resolver=resolver, deadline_s=deadline_s)
        return Sender(self.make_session, outside, clock=self.clock, chance=lambda: 0.0)

    def sends(self, sender: Sender | None = None, *, within: float = 20.0) -> Sender:
        """Send all that is due at this instant, and have it written down."""
        sender = sender or self.sender()
        until(lambda: sender.round() == 0 and sender.under_way == 0, within=within, describe="everything is sent")
        return sender

    @contextmanager
    def running(self, *senders: Sender) -> Iterator[None]:
        """Senders at work, as in a worker."""
        stop = threading.Event()
        threads = [threading.Thread(target=sender.run, args=[stop], daemon=True) for sender in senders]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(20)
        assert not any(thread.is_alive() for thread in threads)

    def now_is(self, row: Webhook | WebhookDelivery) -> Any:
        """The row as it is in the database by now."""
        with self.seeing() as session:
            return session.get(type(row), row.id)

    def states(self, webhook: Webhook) -> list[str]:
        with self.seeing() as session:
            mine = select(WebhookDelivery.state).where(WebhookDelivery.webhook_id == webhook.id)
            return list(session.scalars(mine.order_by(WebhookDelivery.id)))

    def attempts(self, delivery: WebhookDelivery) -> list[WebhookAttempt]:
        with self.seeing() as session:
            mine = select(WebhookAttempt).where(WebhookAttempt.delivery_id == delivery.id)
            return list(session.scalars(mine.order_by(WebhookAttempt.id)))


def ids_heard(receiver: Receiver) -> list[str]:
    return [exchange.headers["webhook-id"] for exchange in list(receiver.heard)]
