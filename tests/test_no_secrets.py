"""No secret, no number of a card or a bank account in what is kept in the repository, nor in what a run of payments
leaves: its log, its rows, its events.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import sessionmaker
from stdnum import iban, luhn

from app.billing.payments import presenting
from app.billing.payments.models import Payment, PaymentMethod
from app.billing.payments.scrubbing import scrubbed
from app.billing.stripe_provider import Stripe
from app.config import Config
from app.db import TenantSession, raw
from app.logs import configure
from tests.billing.payments.house import House
from tests.billing.payments.stand_in import KEY, SECRET, stand_in
from tests.billing.payments.test_contract import saved
from tests.conftest import Clock

ROOT = Path(__file__).parent.parent
# Keys and secrets of providers as they are really given out: long, and random.
SECRETS = re.compile(
    r"\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}|\bwhsec_[A-Za-z0-9+/]{24,}|"
    r"\b(?:pi|seti|cs)_[A-Za-z0-9_]+_secret_[A-Za-z0-9]{10,}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
CARDS = re.compile(r"(?<![\w.+-])(?:\d[ -]?){13,19}(?![\w.-])")
IBANS = re.compile(r"\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){3,7}(?:[ ]?[A-Z0-9]{1,3})?\b")
# A test vector that the specification of Standard Webhooks publishes.
PUBLISHED = "whsec_MfKQ9r"
WRONG = "sk_test_" + "wrong" * 4
BRANDS = ("4", "51", "52", "53", "54", "55", "34", "37", "6011", "36", "38")
NOBODYS = re.compile(r"BE\d\d ?999")
SUFFIXES = {".py", ".md", ".json", ".yml", ".yaml", ".toml", ".cfg", ".ini", ".txt", ".html", ".js", ".po", ".sh", ""}


def card_numbers(text: str) -> Iterator[str]:
    for match in CARDS.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if len(digits) in (13, 14, 15, 16, 19) and digits.startswith(BRANDS) and luhn.is_valid(digits):
            yield digits


def accounts(text: str) -> Iterator[str]:
    """IBANs whose check digits are right, so that somebody may have them; no Belgian bank has the number 999."""
    found = (match.group() for match in IBANS.finditer(text) if iban.is_valid(match.group(), check_country=False))
    return (each for each in found if not NOBODYS.match(each))


def files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    found = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in found if path.suffix in SUFFIXES and path.is_file()]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no repository to look through here")
def test_no_file_of_the_repository_holds_a_secret_or_the_number_of_a_card_or_an_account() -> None:
    found = [
        (str(path.relative_to(ROOT)), what[:12])
        for path in files()
        for text in [path.read_text(errors="replace")]
        for what in [*(each.group() for each in SECRETS.finditer(text)), *card_numbers(text), *accounts(text)]
    ]
    assert [each for each in found if each[1] != PUBLISHED] == []


def test_the_search_finds_what_it_looks_for() -> None:
    card = "4" + "0" * 14
    number = card + str(luhn.calc_check_digit(card))
    account = "BE" + iban.calc_check_digits("BE00539007547034") + "539007547034"
    secret, hook, client = f"sk_live_{'a1' * 12}", f"whsec_{'a1' * 16}", f"pi_1_secret_{'a1' * 8}"
    assert list(card_numbers(f"card: {number[:4]} {number[4:8]} {number[8:12]} {number[12:]}")) == [number]
    assert list(accounts(f"to {account}.")) == [account]
    assert all(SECRETS.search(each) for each in (secret, hook, client))
    for each in (number, account, secret, hook, client, "Anna Peeters", "anna@example.org", "https://pay.example/x"):
        assert scrubbed({"id": each, "metadata": {"payment": each}, "number": 1}) == {"metadata": {}}, each


_COLUMNS = raw("""
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name IN ('payment', 'payment_method', 'refund', 'dispute', 'provider_call',
        'provider_notice', 'allocation', 'money_task', 'outbox', 'posting')
""")


def test_a_run_of_payments_leaves_none_in_its_log_rows_and_events(
    make_session: sessionmaker[TenantSession], session: TenantSession, clock: Clock, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    configure(Config(home=tmp_path, log_level="DEBUG"))
    secrets = [KEY, SECRET]
    with stand_in() as fake:
        house, stripe = House(make_session, session, clock), Stripe(KEY, api_url=fake.url, webhook_secrets=[SECRET])
        payer, card = house.party(), saved(fake)
        payments = [
            house.asks(house.party(), 4840, mode="present"),
            house.asks(house.party(), 4840, mode="hosted", return_url="https://book.example/back"),
            house.asks(payer, 4840, method=house.method(payer, customer=card["customer"], name=card["method"])),
        ]
        method = house.method(house.party(), state="pending", next_look_at=clock(), provider_customer=None,
                              provider_method=None, mode="present")  # fmt: skip
        house.works(stripe)
        assert house.now_is(payments[2]).state == "settled"
        for kind, row in [(Payment, payments[0]), (Payment, payments[1]), (PaymentMethod, method)]:
            shown = presenting.for_payer(make_session, stripe, kind, row.id, now=clock())
            secrets += [each for each in (shown.client_secret, shown.url) if each]
        clock.pass_by(hours=1)
        house.works(Stripe(WRONG, api_url=fake.url))
    assert len(secrets) == 5
    session.rollback()
    kept = "\n".join(_everything(session)) + "".join(capfd.readouterr())
    assert "requires_payment_method" in kept and "provider_refuses" in kept  # it was looked at, and logged
    assert [each for each in [*secrets, WRONG] if each in kept] == []
    assert list(card_numbers(kept)) == [] and not SECRETS.search(kept)


def _everything(session: Any) -> Iterator[str]:
    columns: dict[str, list[str]] = {}
    for table, column in session.execute(_COLUMNS):
        columns.setdefault(table, []).append(column)
    for table in columns:
        for (row,) in session.execute(raw(f"SELECT CAST(to_jsonb(t) AS text) FROM {table} t")):
            yield row
