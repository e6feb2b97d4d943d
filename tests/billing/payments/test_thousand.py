"""A thousand payments and some two hundred refunds, with a fifth of the answers lost after their effect, notices that
come twice, late, in another order or never, and a worker that is killed every few seconds: each is charged once, each
refund goes out once, and the books are the provider's to the cent.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import sessionmaker

from app.billing.ledger.models import LedgerEntry
from app.billing.payments import refunding
from app.billing.payments.models import Payment, PaymentMethod, ProviderNotice, Refund
from app.billing.payments.refunding import RefundTooHigh
from app.billing.payments.requesting import request_payment
from app.config import Config
from app.db import TenantSession, transaction
from app.tenancy import SYSTEM
from app.timekeeper import utc_now
from tests import running
from tests.billing.charges.builders import a_party
from tests.billing.payments.house import House
from tests.billing.payments.stand_in import KEY, SECRET, StandIn, stand_in
from tests.builders import saved

pytestmark = pytest.mark.slow

PAYMENTS = int(os.environ.get("TEST_PAYMENTS", "300"))  # a thousand takes three minutes
REFUNDED = PAYMENTS // 5
CUSTOMERS = 10
LIFE_S = 3.0  # of a worker, but that it gets something done
WITHIN_S = 60.0 + PAYMENTS

# One process with the payments consumer, its sender, the relay and what belongs to it.
WORKER = """
import sys
from app import logs
from app.config import Config
from workers.payments import PAYMENTS
from workers.run import run
config = Config.from_env()
logs.configure(config)
sys.exit(run(["all"], config, consumers={"payments": PAYMENTS}))
"""


@contextmanager
def payments_worker(database_url: str, home: Path, **settings: Any) -> Iterator[running.Process]:
    config = Config(home=home, database_url=database_url, log_level="INFO", port=0, **settings)
    process = running.Process(running._spec("payments", [sys.executable, "-c", WORKER], config))
    process.ready = lambda: process.log.count('"working"') >= process.starts
    with running._lives(process):
        yield process.wait_ready()


class Storm:
    """The operator's payments, and how far they are."""

    def __init__(self, house: House, fake: StandIn, make_session: sessionmaker[TenantSession]) -> None:
        self.house, self.fake, self.make_session = house, fake, make_session
        self.chance = random.Random(5)
        self.refunded: set[int] = set()

    def asks(self) -> None:
        """Payments of customers with saved cards, each of its own amount."""
        methods = [self._customer() for _ in range(CUSTOMERS)]
        for begin in range(0, PAYMENTS, 100):
            with transaction(self.make_session, SYSTEM) as session:
                for number in range(begin, min(begin + 100, PAYMENTS)):
                    method = methods[number % CUSTOMERS]
                    request_payment(
                        session, operator_id=self.house.operator_id, party_id=method.party_id, aims={}, kind="card",
                        cents=1000 + number, mode="automatic", source=f"storm:{number}", method=method, now=utc_now(),
                    )  # fmt: skip

    def _customer(self) -> PaymentMethod:
        customer = self.fake.api("POST", "/v1/customers", description="x")["id"]
        method = self.fake.api("POST", "/v1/payment_methods/pm_card_visa/attach", customer=customer)["id"]
        with transaction(self.make_session, SYSTEM) as session:
            return saved(session, PaymentMethod(
                operator_id=self.house.operator_id, party_id=a_party(session).id, state="active", provider="stripe",
                kind="card", provider_customer=customer, provider_method=method,
            ))  # fmt: skip

    def refunds_some(self) -> None:
        """Of what has settled by now: in parts, in full, each asked for twice, and once too much."""
        with transaction(self.make_session, SYSTEM) as session:
            settled = select(Payment.id).where(Payment.state == "settled", Payment.id.not_in(self.refunded))
            ripe = session.scalars(settled.order_by(Payment.id).limit(min(40, REFUNDED - len(self.refunded)))).all()
        for key in ripe:
            self.refunded.add(key)
            self._refund(key, self.chance.choice((100, 500, None)))

    def _refund(self, key: int, cents: int | None) -> None:
        for _ in range(2):
            with transaction(self.make_session, SYSTEM) as session:
                payment = session.get_one(Payment, key)
                refunding.request_refund(
                    session, payment, cents=cents or payment.amount_cents, reason="test", source=f"storm:{key}",
                    now=utc_now(),
                )  # fmt: skip
        with pytest.raises(RefundTooHigh), transaction(self.make_session, SYSTEM) as session:
            payment = session.get_one(Payment, key)
            refunding.request_refund(
                session, payment, cents=payment.amount_cents + 1 - (cents or payment.amount_cents), reason="test",
                source=f"storm:{key}:more", now=utc_now(),
            )  # fmt: skip

    def an_hour_passes(self) -> None:
        """What waits for its time has it; who died no longer holds what they had claimed."""
        with self.make_session.kw["bind"].begin() as connection:
            for table in ("payment", "refund"):
                connection.execute(text(
                    f"UPDATE {table} SET next_look_at = now(), claimed_until = NULL "
                    "WHERE state NOT IN ('settled', 'failed')"
                ))  # fmt: skip

    def states(self) -> Counter[str]:
        with transaction(self.make_session, SYSTEM) as session:
            found: Counter[str] = Counter()
            for kind in (Payment, Refund):
                for state, count in session.execute(select(kind.state, func.count()).group_by(kind.state)):
                    found[f"{kind.__tablename__} {state}"] += count
        return found

    @property
    def done(self) -> int:
        """Payments and refunds that are over."""
        return sum(count for state, count in self.states().items() if state.endswith("settled"))

    @property
    def is_over(self) -> bool:
        return self.states() == {"payment settled": PAYMENTS, "refund settled": REFUNDED}


def test_every_payment_is_charged_once_whatever_is_lost(
    make_session: sessionmaker[TenantSession], session: TenantSession, clock: Any, database_url: str, tmp_path: Path
) -> None:
    clock.now = utc_now()
    port = running.free_port()
    settings = {"stripe_api_key": KEY, "stripe_webhook_secret": SECRET}
    with stand_in(webhook_url=f"http://127.0.0.1:{port}/stripe/webhook") as fake:
        settings["stripe_api_url"] = fake.url
        storm = Storm(House(make_session, session, clock), fake, make_session)
        storm.asks()
        fake.fails("lost_after", "/v1/*", probability=0.2)
        for kind, chance in (("duplicate", 0.2), ("reorder", 0.2), ("lose", 0.1)):
            fake.control("webhooks/rules", kind=kind, probability=chance)
        with (
            running.web(database_url, home=tmp_path, port=port, **settings),
            payments_worker(database_url, tmp_path, **settings) as worker,
        ):
            killed = weather(storm, worker)
        faults = fake.see("faults")["rules"]
        judge(storm, fake)
    assert killed >= 3 and faults[0]["applied"] >= PAYMENTS // 10


def weather(storm: Storm, worker: running.Process) -> int:
    """Kill the worker again and again until nothing is left to do; returns how often."""
    deadline, killed = time.monotonic() + WITHIN_S, 0
    while not storm.is_over:
        assert time.monotonic() < deadline, storm.states()
        ends, done = time.monotonic() + LIFE_S, storm.done + PAYMENTS // 10
        while (time.monotonic() < ends or storm.done < done) and time.monotonic() < ends + 20 and not storm.is_over:
            storm.refunds_some()
            time.sleep(0.1)
        if killed < 3 or not storm.is_over:
            worker.kill()
            killed += 1
            storm.an_hour_passes()
            worker.start().wait_ready()
    return killed


def judge(storm: Storm, fake: StandIn) -> None:
    books = fake.see("books")
    assert books["differences"] == []
    charged = Counter({each["metadata"]["payment"]: each["charged"] for each in books["charges"]})
    given_back = {each["metadata"]["payment"]: each["refunded"] for each in books["charges"] if each["refunded"]}
    assert len(books["charges"]) == len(charged) == PAYMENTS
    with transaction(storm.make_session, SYSTEM) as session:
        payments = session.scalars(select(Payment)).all()
        assert {str(row.uid): row.settled_cents for row in payments} == charged
        assert all(row.settled_cents == row.amount_cents for row in payments)
        refunds = select(Payment.uid, func.sum(Refund.amount_cents)).join(Refund, Refund.payment_id == Payment.id)
        ours = {str(uid): int(cents) for uid, cents in session.execute(refunds.group_by(Payment.uid))}
        assert ours == given_back and len(ours) == REFUNDED
        assert all(cents <= charged[uid] for uid, cents in given_back.items())
        in_transit = select(func.sum(LedgerEntry.cents)).where(LedgerEntry.account == "payments_in_transit")
        assert session.scalars(in_transit).one() == books["totals"]["platform"]["eur"]["balance"]
        fees = select(func.sum(LedgerEntry.cents)).where(LedgerEntry.account == "payment_fees")
        assert session.scalars(fees).one() == books["totals"]["platform"]["eur"]["fees"]
        told = select(func.count(), func.count(ProviderNotice.notice_id.distinct()))
        notices, different = session.execute(told.select_from(ProviderNotice)).one()
        assert notices == different > PAYMENTS
