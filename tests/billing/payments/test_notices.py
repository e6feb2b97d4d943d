"""What Stripe tells us over HTTP: kept once, answered at once, and then only looked up."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app import create_app
from app.billing.payments.models import Payment, PaymentMethod, ProviderNotice
from app.config import Config
from app.db import TenantSession, raw, transaction
from app.http.services import Services
from app.ids import new_id
from app.tenancy import SYSTEM
from tests.billing.payments.house import House
from tests.billing.payments.scripted import Scripted, came
from tests.billing.payments.test_contract import signed
from tests.conftest import Clock
from workers.handle import EventHandler, Outcome
from workers.payments import PAYMENTS
from workers.subscriptions import subscribe

NEW, OLD = "whsec_new", "whsec_old"
_TEXTS = raw("SELECT envelope FROM outbox WHERE aggregate_type IN ('provider_notice', 'invoice') ORDER BY id")


class Ear:
    """The address that Stripe calls, and the worker behind it."""

    def __init__(self, app: Flask, house: House) -> None:
        subscribe(house.make_session, [PAYMENTS])
        self.client, self.house = app.test_client(), house
        self.worker = EventHandler(PAYMENTS, house.make_session, clock=house.clock)

    def hears(self, about: dict[str, Any], *, name: str = "evt_1", secret: str = NEW, **values: Any) -> int:
        told = {"id": name, "object": "event", "type": "payment_intent.succeeded", "data": {"object": about}, **values}
        body = json.dumps(told).encode()
        answer = self.client.post("/stripe/webhook", data=body, headers={"Stripe-Signature": signed(body, secret)})
        return answer.status_code

    def works(self) -> list[Outcome]:
        with transaction(self.house.make_session, SYSTEM) as session:
            texts = list(session.scalars(_TEXTS))
        return [self.worker.handle(text).outcome for text in texts]

    @property
    def kept(self) -> list[ProviderNotice]:
        self.house.session.rollback()
        self.house.session.expire_all()
        return list(self.house.session.scalars(select(ProviderNotice).order_by(ProviderNotice.id)))


@pytest.fixture
def house(make_session: sessionmaker[TenantSession], session: TenantSession, clock: Clock) -> House:
    return House(make_session, session, clock)


@pytest.fixture
def ear(house: House, database_url: str, clock: Clock, tmp_path: Any) -> Any:
    own = {"stripe_api_key": "sk_test_x", "stripe_webhook_secret": f"{NEW}, {OLD}", "log_level": "WARNING"}
    app = create_app(Config(home=tmp_path, database_url=database_url, **own), clock=clock)
    yield Ear(app, house)
    services: Services = app.extensions["passerelle"]
    services.engine.dispose()


def test_a_notice_is_kept_once_and_has_what_it_is_about_looked_up(ear: Ear, house: House, clock: Clock) -> None:
    payment = house.asks(house.party(), 4840)
    house.works(Scripted(came()))
    about = {"id": "pi_1", "status": "succeeded", "client_secret": "pi_1_secret_x", "metadata": {"name": "Somebody"}}
    assert [ear.hears(about, secret=each) for each in (NEW, OLD, NEW)] == [200] * 3
    [notice] = ear.kept
    assert (notice.notice_id, notice.object_ref, notice.state) == ("evt_1", "pi_1", "stored")
    assert "secret" not in repr(notice.payload) and "Somebody" not in repr(notice.payload)
    assert house.now_is(payment).next_look_at > clock.now
    assert ear.works()[-1] is Outcome.DONE and ear.kept[0].state == "done"
    assert house.now_is(payment).next_look_at == clock.now


@pytest.mark.parametrize("names", ["our own", "the intent of a charge", "the page it was begun on"])
def test_a_payment_is_known_by_our_name_and_by_theirs(ear: Ear, house: House, clock: Clock, names: str) -> None:
    payment = house.asks(house.party(), 4840)
    house.works(Scripted(came("cs_1" if "page" in names else "pi_1")))
    ear.hears({
        "our own": {"id": "pi_other", "metadata": {"payment": str(payment.uid)}},
        "the intent of a charge": {"id": "ch_1", "payment_intent": "pi_1"},
        "the page it was begun on": {"id": "cs_1"},
    }[names])  # fmt: skip
    ear.works()
    assert house.now_is(payment).next_look_at == clock.now


def test_a_means_that_is_being_saved_is_looked_up_too(ear: Ear, house: House, clock: Clock) -> None:
    method = house.method(house.party(), state="pending", provider_setup="seti_1", provider_method=None)
    ear.hears({"id": "seti_1"})
    ear.works()
    assert house.now_is(method).next_look_at == clock.now


def test_a_notice_about_nothing_of_ours_is_kept_as_ignored(ear: Ear, house: House) -> None:
    ear.hears({"id": "pi_unknown", "metadata": {"payment": str(new_id())}}, account="acct_1")
    ear.works()
    assert [(each.state, each.account) for each in ear.kept] == [("ignored", "acct_1")]


@pytest.mark.parametrize("secret", ["whsec_other", ""])
def test_what_is_not_signed_by_them_is_refused_and_not_kept(ear: Ear, secret: str) -> None:
    assert ear.hears({"id": "pi_1"}, secret=secret) == 400
    assert ear.kept == []


def test_without_a_key_there_is_no_such_address(app: Flask) -> None:
    assert app.test_client().post("/stripe/webhook", data=b"{}").status_code == 404


# --- invoices that pay themselves


@pytest.mark.parametrize(
    ("method", "cents"),
    [({"automatic": True}, 4840), ({"automatic": False}, None), ({"automatic": True, "state": "revoked"}, None)],
    ids=["agreed", "not asked", "taken back"],
)
def test_an_invoice_is_charged_to_the_means_that_was_saved_for_it(
    ear: Ear, house: House, method: dict[str, Any], cents: int | None
) -> None:
    party = house.party()
    house.method(party, **method)
    house.invoice(party, 4840)
    ear.works()
    ear.works()
    house.session.rollback()
    asked = house.session.scalars(select(Payment)).all()
    assert [(each.amount_cents, each.mode, each.kind) for each in asked] == (
        [(cents, "automatic", "card")] if cents else []
    )
    assert house.session.scalars(select(PaymentMethod)).one().party_id == party.id
