"""Paying from an invoice's page: by a bank's app, and through the provider where there is one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app.billing.invoices.models import Invoice
from app.billing.papers.epc import is_iban
from app.billing.payments.models import Payment, PaymentAccount
from app.db import TenantSession, transaction
from app.network.models import Operator
from app.tenancy import SYSTEM
from tests.billing.papers.documents import a_document, a_party
from tests.web.test_pages import Browser, Stage, stage

__all__ = ["stage"]
Sessions = sessionmaker[TenantSession]


@pytest.fixture
def mine(stage: Stage, make_session: Sessions) -> Invoice:
    """An invoice of mine, of an operator whose account exists by its check digits."""
    with transaction(make_session, SYSTEM) as session:
        operator = session.get_one(Operator, stage.space.operator_id)
        operator.iban = next(iban for digits in range(98) if is_iban(iban := f"BE{digits:02d}539007547034"))
        return a_document(session, stage.space, a_party(session, stage.member))


def test_an_invoice_says_what_is_left_and_how_to_transfer_it(app: Flask, mine: Invoice) -> None:
    browser = Browser(app)
    browser.sign_in()
    browser.get(f"/invoices/{mine.uid}")
    assert "Left to pay" in browser.page and "<svg" in browser.page and "bank's app to pay €105.88" in browser.page
    assert "online" not in browser.page
    refused = browser.http.post(f"/invoices/{mine.uid}/payments")
    assert refused.status_code == 400, "a form of our own"


def test_with_a_provider_a_button_begins_a_payment_once(app: Flask, mine: Invoice, make_session: Sessions) -> None:
    own = app.extensions["passerelle"]
    app.extensions["passerelle"] = replace(own, config=replace(own.config, stripe_api_key="sk_test_nobody"))
    with transaction(make_session, SYSTEM) as session:
        session.add(PaymentAccount(operator_id=mine.operator_id, provider_mode="own"))
    browser = Browser(app)
    browser.sign_in()
    for _ in range(2):
        browser.get(f"/invoices/{mine.uid}")
        begun = browser.submit(f"/invoices/{mine.uid}/payments")
    with transaction(make_session, SYSTEM) as session:
        [payment] = session.scalars(select(Payment)).all()
    assert (begun.status_code, payment.amount_cents, payment.mode) == (303, 10588, "hosted")
    assert f"/payments/{payment.uid}" in str(begun.location) and str(mine.uid) in str(payment.return_url)
    waiting = browser.get(f"/payments/{payment.uid}")
    assert (waiting.status_code, waiting.headers["Refresh"]) == (200, "2") and "being prepared" in browser.page
    stranger = Browser(app)
    assert stranger.get(f"/payments/{payment.uid}").status_code == 303
