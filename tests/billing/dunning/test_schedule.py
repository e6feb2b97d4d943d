"""A schedule as who keeps the books meets it: chosen, previewed, run each morning, stopped; and what a member feels."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from app.billing.dunning import acting
from app.billing.dunning.acting import KIND, _take_if_still_due
from app.billing.dunning.models import DunningAct
from app.billing.dunning.policies import Policy
from app.billing.dunning.proposing import propose
from app.billing.dunning.steps import checked
from app.billing.dunning.suspending import end_of_what_is_paid
from app.billing.invoices.models import Invoice
from app.billing.ledger.models import LedgerEntry
from app.billing.payments.models import Allocation, Payment, PaymentAim
from app.billing.sepa.models import SepaItem, SepaMandate
from app.db import TenantSession, transaction
from app.events.models import Due, OutboxRow
from app.network.models import BookingSuspension, Operator
from app.network.parties.models import Party
from app.tenancy import SYSTEM
from app.timekeeper import HANDLERS, Timekeeper
from tests.billing.invoices.house import an_invoice
from tests.builders import a_manager, a_member, a_space, a_token, saved
from tests.conftest import Clock
from tests.http.client import Client

ISSUED = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # due on 1 April
STEPS = [
    {"after_days": 5, "action": "reminder"},
    {"after_days": 20, "action": "formal_notice", "claims": True},
    {"after_days": 40, "action": "suspension"},
]


class House:
    """An operator whose member, a Belgian business, owes EUR 121.00 since 1 April 2026."""

    def __init__(self, app: Flask, session: Session, make_session: sessionmaker[TenantSession], clock: Clock) -> None:
        self.make_session, self.clock, self.session = make_session, clock, session
        self.space = a_space(session)
        self.member = a_member(session)
        self.party = saved(session, Party(member_id=self.member.id, name="Atelier", country="BE", is_business=True))
        self.invoice = an_invoice(session, self.space, self.member, now=ISSUED)
        self.operator = session.get_one(Operator, self.space.operator_id)
        self.manager = Client(app, a_token(session, a_manager(session, self.space)))
        self.stranger = Client(app, a_token(session, a_manager(session, a_space(session))))
        self.path = f"/operators/{self.operator.uid}/dunning"
        session.commit()

    def choose(self, *, active: bool = True, **more: Any) -> Any:
        body = {"active": active, "steps": STEPS, **more}
        return self.manager.call("PUT", self.path, json=body)

    def mornings(self, until: date) -> None:
        """Let each morning come, until that day's."""
        keeper = Timekeeper(self.make_session, clock=self.clock, handlers={KIND: HANDLERS[KIND]})
        while self.clock.now.date() < until:
            self.clock.pass_by(days=1)
            while keeper.run_due():
                self.clock.pass_by(milliseconds=2)

    def acts(self) -> list[tuple[str, str, int, int]]:
        found = self.manager.get(f"{self.path}/acts").json
        return [(each["day"], each["action"], each["interest_cents"], each["compensation_cents"]) for each in found]

    def preview(self, day: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.manager.get(f"{self.path}/preview", query={"day": day}).json
        return found


@pytest.fixture
def house(app: Flask, session: Session, make_session: sessionmaker[TenantSession], clock: Clock) -> House:
    return House(app, session, make_session, clock)


def test_nobody_is_reminded_until_somebody_turns_it_on(house: House) -> None:
    usual = house.manager.get(house.path).json
    assert not usual["active"] and [step["after_days"] for step in usual["steps"]] == [5, 20, 35, 50]
    house.choose(active=False)
    house.mornings(date(2026, 4, 20))
    assert house.acts() == []


def test_the_preview_says_what_the_mornings_then_do(house: House) -> None:
    assert house.choose().status_code == 200
    assert house.preview("2026-04-05") == []
    (first,) = house.preview("2026-04-06")
    assert (first["action"], first["open_cents"], first["interest_cents"], first["held"]) == (
        "reminder",
        12100,
        0,
        None,
    )
    house.mornings(date(2026, 4, 5))
    assert house.acts() == []
    house.mornings(date(2026, 4, 6))
    assert house.acts() == [("2026-04-06", "reminder", 0, 0)]
    (second,) = house.preview("2026-04-21")
    house.mornings(date(2026, 4, 21))
    # 20 days at 10.5 % on EUR 121.00: 0.6962; and EUR 40
    assert house.acts()[0] == ("2026-04-21", "formal_notice", 70, 4000)
    assert (second["interest_cents"], second["compensation_cents"]) == (70, 4000)
    assert second["ground"] == "Loi du 2 août 2002, art. 5 et 6"


def test_what_is_claimed_is_on_an_invoice_outside_vat_and_in_the_books(house: House) -> None:
    house.choose()
    house.mornings(date(2026, 4, 22))
    house.session.rollback()
    claimed = house.session.scalars(select(Invoice).order_by(Invoice.id.desc())).first()
    assert claimed is not None and claimed.id != house.invoice.id
    assert (claimed.gross_cents, claimed.vat_cents, claimed.party_id) == (4070, 0, house.party.id)
    assert "hors champ de la TVA" in claimed.snapshot and house.invoice.number in claimed.snapshot
    sums = select(LedgerEntry.account, func.sum(LedgerEntry.cents)).group_by(LedgerEntry.account)
    books = dict(house.session.execute(sums).all())
    assert (books["late_interest"], books["recovery_fees"], books["receivable"]) == (-70, -4000, 12100 + 4070)


def test_nothing_is_claimed_on_top_of_what_was_claimed(house: House) -> None:
    house.choose()
    house.mornings(date(2026, 6, 30))
    number = house.session.scalar(select(Invoice.number).order_by(Invoice.id.desc()).limit(1))
    late = [each for each in house.manager.get(f"{house.path}/acts").json if each["number"] == number]
    assert [each["action"] for each in late] == ["suspension", "formal_notice", "reminder"]
    assert {each["interest_cents"] + each["compensation_cents"] for each in late} == {0}


def test_what_was_claimed_once_is_not_claimed_again(house: House) -> None:
    notices = [STEPS[0], STEPS[1], {"after_days": 40, "action": "formal_notice", "claims": True}]
    assert house.manager.call("PUT", house.path, json={"active": True, "steps": notices}).status_code == 200
    house.mornings(date(2026, 5, 12))
    claimed = [act[2:] for act in reversed(house.acts()) if act[1] == "formal_notice"]
    # 20 days at 10.5 % on EUR 121.00 are 0.70, 40 days are 1.39; EUR 40 are owed once
    assert claimed[:2] == [(70, 4000), (69, 0)]


def test_what_was_paid_since_the_list_was_read_is_left_alone(house: House) -> None:
    house.choose()
    policy = Policy(active=True, steps=checked(STEPS))
    day = date(2026, 4, 6)
    with transaction(house.make_session, SYSTEM) as session:
        (listed,) = propose(session, house.operator.id, policy, day=day)
    pay(house, 12100)
    with transaction(house.make_session, SYSTEM) as session:
        _take_if_still_due(session, house.operator.id, policy, listed.invoice, day=day, now=house.clock.now)
    assert house.acts() == []


def test_an_invoice_that_cannot_be_reminded_of_holds_up_no_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction(house.make_session, SYSTEM) as session:
        other = an_invoice(session, session.merge(house.space), a_member(session), now=ISSUED)
    house.choose()
    whole = acting.take

    def failing(session: Session, operator_id: int, proposal: Any, **more: Any) -> bool:
        if proposal.invoice.id == house.invoice.id:
            raise ArithmeticError
        return whole(session, operator_id, proposal, **more)

    monkeypatch.setattr(acting, "take", failing)
    house.mornings(date(2026, 4, 6))
    assert [each["number"] for each in house.manager.get(f"{house.path}/acts").json] == [other.number]


def test_a_debit_that_the_bank_is_to_collect_holds_it_back(house: House) -> None:
    house.choose()
    with transaction(house.make_session, SYSTEM) as session:
        whose = {"operator_id": house.operator.id, "party_id": house.party.id}
        signed = {"reference": "M1", "scheme": "CORE", "signed_on": date(2026, 1, 1), "debtor_name": "A", "iban": "x"}
        mandate = saved(session, SepaMandate(**whose, **signed))
        item = {"kind": "debit", "source": "s", "end_to_end_id": "e", "name": "A", "iban": "x", "remittance": "r"}
        session.add(
            SepaItem(**whose, **item, invoice_id=house.invoice.id, mandate_id=mandate.id, sequence="FRST",
                     cents=12100, currency="EUR", state="in_file")
        )  # fmt: skip
    assert [each["held"] for each in house.preview("2026-04-06")] == ["being_paid"]


def test_each_step_is_told_once_and_taken_once(house: House) -> None:
    house.choose()
    house.mornings(date(2026, 4, 12))
    with transaction(house.make_session, SYSTEM) as session:
        told = session.scalars(select(OutboxRow.type).where(OutboxRow.aggregate_id == house.invoice.uid)).all()
        assert told.count("invoice.reminded") == 1
        assert session.scalars(select(func.count()).select_from(DunningAct)).one() == 1
        assert session.scalars(select(Due.at).where(Due.kind == KIND)).one() > house.clock.now


def test_a_member_may_not_book_while_suspended_and_may_once_it_is_paid(house: House) -> None:
    house.choose()
    house.mornings(date(2026, 5, 11))
    standing = select(BookingSuspension.member_id).where(BookingSuspension.lifted_at.is_(None))
    house.session.rollback()
    assert house.session.scalars(standing).all() == [house.member.id]
    pay(house, 12100)
    with transaction(house.make_session, SYSTEM) as session:
        assert end_of_what_is_paid(session, house.operator.id, house.party.id, now=house.clock.now) == 1
    house.session.rollback()
    assert house.session.scalars(standing).all() == []


def pay(house: House, cents: int, *, state: str = "settled") -> None:
    with transaction(house.make_session, SYSTEM) as session:
        whose = {"operator_id": house.operator.id, "party_id": house.party.id}
        asked = {"source": f"s{cents}{state}", "provider": "bank", "kind": "transfer", "amount_cents": cents,
                 "currency": "EUR", "state": state}  # fmt: skip
        ends = {"settled_at": house.clock.now, "settled_cents": cents} if state == "settled" else {}
        payment = saved(session, Payment(**whose, **asked, **ends))
        session.add(PaymentAim(payment_id=payment.id, invoice_id=house.invoice.id, cents=cents))
        if state == "settled":
            paid = {"operator_id": house.operator.id, "payment_id": payment.id, "invoice_id": house.invoice.id}
            session.add(Allocation(**paid, cents=cents, source=f"a{cents}"))


def test_who_has_paid_a_part_is_reminded_of_the_rest(house: House) -> None:
    house.choose()
    pay(house, 12000)
    (left,) = house.preview("2026-04-06")
    assert (left["open_cents"], left["held"]) == (100, None)
    house.choose(least_cents=101)
    assert [each["held"] for each in house.preview("2026-04-06")] == ["too_little"]
    pay(house, 100)
    assert house.preview("2026-04-06") == []


def test_a_payment_under_way_holds_it_back(house: House) -> None:
    house.choose()
    pay(house, 12100, state="unknown")
    assert [each["held"] for each in house.preview("2026-04-06")] == ["being_paid"]
    house.mornings(date(2026, 4, 10))
    assert house.acts() == []


@pytest.mark.parametrize("what", ["everything", "the party", "the invoice"])
def test_the_button_stops_it_until_it_is_lifted(house: House, what: str) -> None:
    house.choose()
    named = {
        "everything": {}, "the party": {"party_id": str(house.party.uid)},
        "the invoice": {"invoice_id": str(house.invoice.uid)},
    }[what]  # fmt: skip
    made = house.manager.post(f"{house.path}/stops", json={"reason": "Agreed by phone", **named})
    assert made.status_code == 201
    assert [each["held"] for each in house.preview("2026-04-06")] == ["stopped"]
    house.mornings(date(2026, 4, 8))
    assert house.acts() == []
    assert house.manager.delete(f"{house.path}/stops/{made.json['id']}").status_code == 204
    assert house.manager.delete(f"{house.path}/stops/{made.json['id']}").status_code == 204
    house.mornings(date(2026, 4, 9))
    assert house.acts() == [("2026-04-09", "reminder", 0, 0)]


def test_whoever_was_suspended_is_again_when_the_stop_is_lifted_or_the_money_went_back(house: House) -> None:
    house.choose()
    house.mornings(date(2026, 5, 11))
    standing = select(BookingSuspension.member_id).where(BookingSuspension.lifted_at.is_(None))

    def suspended() -> bool:
        house.session.rollback()
        return house.session.scalars(standing).all() == [house.member.id]

    assert suspended()
    made = house.manager.post(f"{house.path}/stops", json={"reason": "Being looked at"}).json
    assert not suspended()
    house.manager.delete(f"{house.path}/stops/{made['id']}")
    assert suspended()
    pay(house, 12100)
    with transaction(house.make_session, SYSTEM) as session:
        end_of_what_is_paid(session, house.operator.id, house.party.id, now=house.clock.now)
    assert not suspended()
    with transaction(house.make_session, SYSTEM) as session:
        back = {"operator_id": house.operator.id, "invoice_id": house.invoice.id, "cents": -12100, "source": "back"}
        session.add(Allocation(payment_id=session.scalars(select(Payment.id)).one(), **back))
    house.mornings(date(2026, 5, 12))
    assert suspended()


def test_a_stop_with_a_last_day_ends_by_itself_and_ends_suspensions_at_once(house: House) -> None:
    house.choose()
    house.mornings(date(2026, 5, 11))
    house.manager.post(f"{house.path}/stops", json={"reason": "A plan of payment", "until": "2026-05-20"})
    house.session.rollback()
    assert house.session.scalars(select(BookingSuspension.lifted_at)).all() == [house.clock.now]
    (shown,) = house.manager.get(f"{house.path}/stops").json
    assert (shown["until"], shown["reason"], shown["lifted_at"]) == ("2026-05-20", "A plan of payment", None)
    assert {each["held"] for each in house.preview("2026-05-20")} <= {"stopped"}


def test_it_is_for_who_keeps_the_books_alone(house: House) -> None:
    assert house.stranger.get(house.path).status_code in (403, 404)
    assert house.stranger.call("PUT", house.path, json={"active": True, "steps": STEPS}).status_code in (403, 404)
    both = {"reason": "r", "party_id": str(house.party.uid), "invoice_id": str(house.invoice.uid)}
    refused = house.manager.post(f"{house.path}/stops", json=both)
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "invoice_id")
    unknown = {"reason": "r", "invoice_id": "01890a5d-ac96-774b-bcce-b302099a8057"}
    assert house.manager.post(f"{house.path}/stops", json=unknown).status_code == 404
    sooner = house.manager.call("PUT", house.path, json={"active": True, "steps": [STEPS[1], STEPS[0]]})
    assert sooner.status_code == 422 and sooner.json["errors"][0]["field"] == "steps.0.claims"


def test_more_than_a_batch_is_reminded_in_one_morning(house: House) -> None:
    with transaction(house.make_session, SYSTEM) as session:
        space = session.merge(house.space)
        for _ in range(60):
            an_invoice(session, space, a_member(session), now=ISSUED, net=100)
    house.choose()
    house.mornings(date(2026, 4, 6))
    house.session.rollback()
    assert house.session.scalars(select(func.count()).select_from(DunningAct)).one() == 61


def test_the_clock_change_does_not_move_the_morning(house: House) -> None:
    house.clock.now = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
    house.choose()
    house.session.rollback()
    at = house.session.scalars(select(Due.at).where(Due.kind == KIND)).one()
    assert at == datetime(2026, 3, 29, 6, 0, tzinfo=UTC)  # eight in Brussels, already in summer time
    assert at - house.clock.now < timedelta(days=1)
