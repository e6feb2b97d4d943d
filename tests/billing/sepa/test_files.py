"""SEPA files: valid by the schemas of ISO 20022, what waits goes into one file once, and the statement closes it."""

from __future__ import annotations

import random
import threading
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from app.billing.bank.models import BankLine
from app.billing.invoices.models import Invoice
from app.billing.papers import files
from app.billing.payments.models import MoneyTask, Payment, PaymentAccount, Refund
from app.billing.payments.refunding import request_refund
from app.billing.sepa import making, mandates, writing
from app.billing.sepa.models import SepaFile, SepaItem
from app.db import TenantSession, transaction
from app.errors import Invalid, NotFound, WrongState
from app.network.models import Operator
from app.network.parties.models import Party
from app.tenancy import SYSTEM
from tests.billing.bank.house import NOW, an_owed_operator, credited, imported, operator_of, statement
from tests.builders import saved
from tests.oracles.bank.debts import account_of, debts
from tests.oracles.bank.writing import Entry, Transaction

OWED = debts(random.Random(4), count=6, prefix="ATH")
TODAY = NOW.date()
OWN = writing.Own("Coworking d'Ath & Cie — ✓", account_of(7), None, "BE68ZZZ0123456789", "EUR")
ODD = "Łukasz Ñandú & <Fils> “Œuvre” 日本 / fin/"


def part(n: int, **values: Any) -> writing.Part:
    given = {"name": ODD, "iban": account_of(n), "bic": None, "cents": 5 + 10**n, "end_to_end_id": f"E{n}",
             "remittance": ODD, "mandate": ("M-1", date(2026, 1, 1)), "sequence": "FRST"}  # fmt: skip
    return writing.Part(**{**given, **values})


@pytest.mark.parametrize("bic", [None, "BBRUBEBB"])
@pytest.mark.parametrize("format", [each for formats in writing.FORMATS.values() for each in formats])
def test_every_shape_is_valid_and_its_sums_are_right(format: str, bic: str | None) -> None:
    parts = [part(1), part(2, bic=bic), part(3, sequence="RCUR")]
    own = OWN._replace(bic=bic or ("BBRUBEBB" if format == writing.NEEDS_BIC else None))
    shared: dict[str, Any] = {"format": format, "message": "MSG1", "day": TODAY, "now": NOW}
    if format.startswith("pain.001"):
        octets = writing.transfers(own, parts, **shared)
    else:
        octets = writing.debits(own, parts, scheme="B2B", **shared)
    told = etree.fromstring(octets)
    name = {"p": f"urn:iso:std:iso:20022:tech:xsd:{format}"}
    assert told.findtext(".//p:GrpHdr/p:MsgId", namespaces=name) == "MSG1"
    assert told.findtext(".//p:GrpHdr/p:NbOfTxs", namespaces=name) == "3"
    assert told.findtext(".//p:GrpHdr/p:CtrlSum", namespaces=name) == "11.25"
    assert told.findtext(".//p:GrpHdr/p:CreDtTm", namespaces=name) == "2026-11-20T09:00:00"
    said = [text for text in told.itertext() if text.strip()]
    assert all(text.isascii() and not text.startswith("/") for text in said)
    assert [each.text for each in told.iterfind(".//p:EndToEndId", name)] == ["E1", "E2", "E3"]


def test_a_value_that_makes_the_file_invalid_makes_none() -> None:
    with pytest.raises(writing.FileInvalid):
        writing.transfers(OWN, [part(1, iban="BE 1")], format="pain.001.001.09", message="M", day=TODAY, now=NOW)


def refunded(session: Session, debt: Any = OWED[0], **said: Any) -> tuple[Any, Refund]:
    """A house in which a transfer came, and is to be given back."""
    space = an_owed_operator(session, OWED)
    line = credited(debt.cents, servicer="IN", structured=debt.communication, name=debt.payer.name, **said)
    imported(session, space, statement(line))
    refund = request_refund(
        session, session.scalars(select(Payment)).one(), cents=debt.cents, reason="credit", source="test:1", now=NOW
    )
    session.commit()
    return space, refund


def made(session: Session, space: Any, home: Path, kind: str = "transfer", on: date = TODAY) -> list[SepaFile]:
    found = making.make_files(session, operator_of(session, space), kind, home=home, execution_on=on, now=NOW)
    session.commit()
    return found


def test_a_refund_goes_into_one_file_and_the_statement_settles_it(session: Session, tmp_path: Path) -> None:
    space, refund = refunded(session, account=OWED[0].payer.account)
    [file] = made(session, space, tmp_path)
    octets = files.read(tmp_path, file.sha256)
    assert octets and OWED[0].payer.account.encode() in octets
    assert (file.items, file.cents, file.size) == (1, OWED[0].cents, len(octets))
    assert made(session, space, tmp_path) == []
    item = session.scalars(select(SepaItem)).one()
    out = Entry(TODAY, (Transaction(-OWED[0].cents, "OUT", end_to_end=item.end_to_end_id),), ("PMNT", "ICDT", "ESCT"))
    imported(session, space, statement(out, reference="S2"))
    assert (item.state, refund.state) == ("settled", "settled")
    back = Transaction(OWED[0].cents, "BACK", end_to_end=item.end_to_end_id, returned="AC04")
    imported(session, space, statement(Entry(TODAY, (back,), reversal=True), reference="S3"))
    assert (item.state, item.return_reason, refund.state, refund.failure_code) == ("returned", "AC04", "failed", "AC04")
    rules = session.scalars(select(BankLine.rule).order_by(BankLine.id)).all()
    assert list(rules) == ["communication", "own_transfer", "returned_transfer"]


def test_a_refund_without_a_known_account_asks_a_person(session: Session, tmp_path: Path) -> None:
    space, _ = refunded(session)
    assert made(session, space, tmp_path) == []
    kinds = set(session.scalars(select(MoneyTask.kind)))
    assert "refund_without_account" in kinds


def test_a_cancelled_file_frees_its_items_and_one_that_was_taken_is_not_cancelled(
    session: Session, tmp_path: Path
) -> None:
    space, _ = refunded(session, account=OWED[0].payer.account)
    [first] = made(session, space, tmp_path)
    making.cancel(session, first, "wrong day", now=NOW)
    with pytest.raises(WrongState):
        making.hand_over(session, first, home=tmp_path, now=NOW)
    [second] = made(session, space, tmp_path)
    with pytest.raises(WrongState, match="hand-over"):
        making.content(second, home=tmp_path)
    making.hand_over(session, second, home=tmp_path, now=NOW)
    assert making.content(second, home=tmp_path) == files.read(tmp_path, second.sha256)
    with pytest.raises(WrongState):
        making.cancel(session, second, "too late", now=NOW)


def test_a_day_in_the_past_and_a_wrong_own_account_are_refused(session: Session, tmp_path: Path) -> None:
    space, _ = refunded(session, account=OWED[0].payer.account)
    with pytest.raises(Invalid, match="past"):
        made(session, space, tmp_path, on=TODAY - timedelta(days=1))
    operator_of(session, space).iban = "BE00999000000000"
    with pytest.raises(Invalid, match="IBAN"):
        made(session, space, tmp_path)


def test_eight_makers_at_the_same_instant_make_one_file(
    session: Session, make_session: sessionmaker[TenantSession], tmp_path: Path
) -> None:
    space, _ = refunded(session, account=OWED[0].payer.account)
    barrier, faults = threading.Barrier(8), []

    def make() -> None:
        try:
            with transaction(make_session, SYSTEM) as own:
                operator = own.get_one(Operator, space.operator_id)
                barrier.wait(20)
                making.make_files(own, operator, "transfer", home=tmp_path, execution_on=TODAY, now=NOW)
        except Exception as fault:
            faults.append(fault)

    makers = [threading.Thread(target=make) for _ in range(8)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(30)
    assert faults == []
    assert session.scalar(select(func.count()).select_from(SepaFile)) == 1


def test_what_is_due_is_collected_by_mandate_first_then_recurrent_and_may_come_back(
    session: Session, tmp_path: Path
) -> None:
    space = an_owed_operator(session, OWED)
    saved(session, PaymentAccount(operator_id=space.operator_id, creditor_identifier="BE68ZZZ0123456789"))
    owed = session.scalars(select(Invoice).order_by(Invoice.id)).first()
    assert owed
    party = session.get_one(Party, owed.party_id)
    with pytest.raises(Invalid, match="IBAN"):
        sign(session, space, party, "BE00999000000000")
    with pytest.raises(NotFound):
        sign(session, space, saved(session, Party(name="Another's", country="BE")), account_of(77))
    mandate = sign(session, space, party, account_of(77))
    day = date(2026, 12, 1)
    [file] = made(session, space, tmp_path, "debit", day)
    items = session.scalars(select(SepaItem).order_by(SepaItem.id)).all()
    assert {item.sequence for item in items} == {"FRST"} and file.items == len(items)
    first = items[0]
    came = Transaction(first.cents, "IN", end_to_end=first.end_to_end_id)
    imported(session, space, statement(Entry(TODAY, (came,), ("PMNT", "IDDT", "ESDD"))))
    assert (first.state, mandate.used) == ("settled", True)
    assert session.scalars(select(Payment.kind)).one() == "debit"
    back = Transaction(-first.cents, "BACK", end_to_end=first.end_to_end_id, returned="MS03")
    imported(session, space, statement(Entry(TODAY, (back,), ("PMNT", "IDDT", "UPDD")), reference="S2"))
    assert (first.state, first.return_reason) == ("returned", "MS03")
    [again] = made(session, space, tmp_path, "debit", day)
    assert again.items == 1
    assert session.scalars(select(SepaItem.sequence).order_by(SepaItem.id.desc())).first() == "RCUR"


def sign(session: Session, space: Any, party: Party, iban: str) -> Any:
    return mandates.sign(
        session, operator_of(session, space), party_id=party.uid, reference="ATH-1", scheme="CORE",
        signed_on=date(2026, 1, 5), debtor_name=party.name, iban=iban, bic=None, now=NOW,
    )  # fmt: skip
