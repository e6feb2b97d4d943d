"""The two plans of accounts: well-formed numbers in the classes of their kind, distinct, labelled in every language."""

from __future__ import annotations

import re

import pytest

from app.billing.ledger.accounts import ACCOUNTS, Account, account_named
from app.billing.ledger.journals import BANK, GENERAL, KINDS, OPENING, SALES, journal_of, kind_label
from app.errors import NotFound

# First digits that a kind of account may have: class 1 own funds and debts of more than a year (and deposits), 4 third
# parties, 5 money, 6 charges, 7 income. Both plans agree on these.
CLASSES = {"asset": "45", "liability": "14", "equity": "1", "income": "7", "expense": "6"}


@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_number_has_six_digits_in_a_class_of_its_kind(name: str) -> None:
    account = ACCOUNTS[name]
    for number in (account.pcmn, account.pcg):
        assert re.fullmatch(r"[1-7][0-9]{5}", number)
        assert number[0] in CLASSES[account.kind]
    assert all(account.label(locale) for locale in ("fr", "nl", "en", "de"))
    assert (account.number("BE"), account.number("FR")) == (account.pcmn, account.pcg)


def test_no_two_accounts_share_a_number_or_a_label() -> None:
    for column in ("pcmn", "pcg", "fr", "nl", "en", "de"):
        said = [getattr(account, column) for account in ACCOUNTS.values()]
        assert len(set(said)) == len(said), column


# What each plan prescribes by its first digits: the royal decree's annex, and the ANC's regulation.
PRESCRIBED = {
    "receivable": ("400", "411"), "unbilled": ("404", "4181"), "vat_due": ("451", "44571"),
    "vat_pending": ("451", "44587"), "deferred": ("493", "487"), "deposits_held": ("488", "165"),
    "advances": ("46", "4191"), "retained": ("140", "110"), "bank": ("55", "512"), "cash": ("57", "53"),
    "cash_differences": ("64", "658"),
    "payments_in_transit": ("58", "511"), "rounding": ("64", "658"), "revenue_booking": ("70", "706"),
    "revenue_membership": ("70", "706"), "revenue_fee": ("70", "706"), "revenue_other": ("70", "708"),
    "disputed": ("407", "416"), "suspense": ("499", "471"), "payment_fees": ("65", "627"),
    "late_interest": ("751", "763"), "bank_interest": ("751", "768"), "recovery_fees": ("74", "75"),
}  # fmt: skip


def test_the_first_digits_are_those_that_the_plans_prescribe() -> None:
    assert set(PRESCRIBED) == set(ACCOUNTS)
    for name, (pcmn, pcg) in PRESCRIBED.items():
        assert ACCOUNTS[name].pcmn.startswith(pcmn) and ACCOUNTS[name].pcg.startswith(pcg), name


def test_an_unknown_account_is_not_found() -> None:
    assert isinstance(account_named("cash"), Account)
    with pytest.raises(NotFound):
        account_named("Cash")


def test_every_journal_has_a_code_of_its_own_and_an_unknown_kind_is_general() -> None:
    assert len({journal.code for journal in (SALES, GENERAL, BANK, OPENING)}) == 4
    assert (journal_of("invoice"), journal_of("something")) == (SALES, GENERAL)
    assert (kind_label("credit_note", "nl"), kind_label("something", "fr")) == ("Creditnota", "something")
    assert all(all(labels) for _, labels in KINDS.values())
