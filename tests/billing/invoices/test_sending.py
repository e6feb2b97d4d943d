"""A final document goes to its customer by mail, with its PDF, once; what does not arrive is shown to who keeps the
books, who sends it again or hands it over on paper."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app.billing.invoices.at_once import invoice_at_once
from app.billing.invoices.issuers import choose_letterhead
from app.billing.invoices.models import Invoice
from app.billing.papers import files
from app.billing.papers.models import Paper
from app.db import TenantSession, transaction
from app.network.accounts import erase_account
from app.network.memberships.models import Team
from app.network.models import Employer, Member
from app.network.parties.models import Party
from app.notifications import digest, sending
from app.notifications.bounces import mails_come_back, record_report
from app.notifications.composing import Mail
from app.notifications.models import Notification
from app.notifications.reports import Failure
from app.notifications.sending import LEASE
from app.notifications.transport import Refused
from app.notifications.writing import write
from app.tenancy import SYSTEM
from tests.billing.charges.builders import a_charge, a_party
from tests.billing.invoices.post import Post
from tests.builders import a_manager, a_member, a_role, a_space, saved
from tests.conftest import Clock
from tests.waiting import until


@pytest.fixture
def closed_post(
    app: Flask, session: TenantSession, make_session: sessionmaker[TenantSession], clock: Clock, tmp_path: Path
) -> Post:
    return Post(app, session, make_session, clock, tmp_path)


@pytest.fixture
def post(closed_post: Post) -> Post:
    closed_post.opens()
    return closed_post


class Carrier:
    """A transport that keeps what it is given, and does what a test says before."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.before: Any = lambda _mail: None

    def send(self, mail: Mail) -> None:
        self.before(mail)
        self.sent.append(mail)

    def close(self) -> None:
        pass


def test_a_mail_waits_for_its_pdf_and_that_is_no_failed_attempt(post: Post) -> None:
    invoice = post.invoice()
    (row,) = post.tell()
    for seconds in (2, 2, 4, 8):  # as long again as it has waited, but two seconds at least
        assert post.mailbox.new() == []
        (row,) = post.rows()
        assert (row.state, row.attempts, row.send_after - post.clock.now) == ("pending", 0, timedelta(seconds=seconds))
        assert post.again(invoice).sent_at is None
        post.clock.now += timedelta(seconds=seconds)
    post.clock.now += timedelta(hours=9)
    assert post.mailbox.new() == []
    assert post.rows()[0].send_after - post.clock.now == timedelta(minutes=5)
    post.draw()
    post.clock.now += timedelta(minutes=5)
    (mail,) = post.mailbox.new()
    assert mail.to == "ana@members.example" and invoice.number in mail.subject
    assert (post.again(invoice).sent_at, post.rows()[0].attempts) == (post.clock.now, 1)


def test_a_pdf_that_was_lost_is_drawn_again_before_the_mail_goes(post: Post) -> None:
    post.invoice()
    post.tell()
    post.draw()
    with transaction(post.make_session, SYSTEM) as session:
        paper = session.scalars(select(Paper)).one()
        assert paper.sha256
        files.path_of(post.home, paper.sha256).unlink()
    assert post.mailbox.new() == []
    post.draw()
    post.clock.now += timedelta(seconds=2)
    assert len(post.mailbox.new()) == 1


def test_a_pdf_that_could_not_be_drawn_stays_an_alarm_and_the_mail_waits(post: Post) -> None:
    post.invoice()
    post.tell()
    with transaction(post.make_session, SYSTEM) as session:
        session.scalars(select(Paper)).one().state = "failed"
    assert post.mailbox.new() == []
    with transaction(post.make_session, SYSTEM) as session:
        assert session.scalars(select(Paper)).one().state == "failed"
    assert post.states() == [("pending", None)]


def test_what_was_final_before_mails_brought_documents_is_mailed_only_when_somebody_asks(closed_post: Post) -> None:
    post = closed_post
    old = post.invoice()
    post.opens()
    new = post.invoice()
    (mail,) = post.mails()
    assert new.number in mail.subject and post.again(old).sent_at is None
    assert post.as_(post.manager).post(f"/invoices/{old.uid}/sendings", json={}).status_code == 201
    (asked,) = post.mails()
    assert old.number in asked.subject and post.again(old).sent_at == post.clock.now


def test_the_same_event_again_mails_nobody_twice_even_if_the_address_has_changed_since(post: Post) -> None:
    invoice = post.invoice()
    assert len(post.mails()) == 1
    party = post.session.get_one(Party, invoice.party_id)
    post.change(party, email="accounts@studio.example")
    post.forget_receipts()
    assert post.mails() == [] and len(post.rows()) == 1


def test_a_process_that_dies_after_handing_over_has_another_send_the_same_mail_and_say_so_once(post: Post) -> None:
    invoice = post.invoice()
    post.tell()
    post.draw()

    class Killed(BaseException):
        """As kill -9: nothing of ours runs afterwards."""

    dying, living = Carrier(), Carrier()

    def send(mail: Mail) -> None:
        dying.sent.append(mail)
        raise Killed

    dying.send = send  # type: ignore[method-assign]
    with pytest.raises(Killed):
        post.sender(dying).send_due()
    assert post.again(invoice).sent_at is None, "nobody knows that it went"
    post.clock.now += LEASE
    at = post.clock.now
    assert post.sender(living).send_due() == 1
    assert [mail.octets for mail in living.sent] == [mail.octets for mail in dying.sent]
    post.clock.now += timedelta(hours=1)
    assert post.sender(living).send_due() == 0
    assert post.again(invoice).sent_at == at


def test_who_slept_through_its_lease_does_not_say_that_it_was_sent(post: Post) -> None:
    invoice = post.invoice()
    post.tell()
    post.draw()
    slow, quick = Carrier(), Carrier()

    def sleeps(_mail: Mail) -> None:
        post.clock.now += LEASE
        post.sender(quick).send_due()

    def refuses(_mail: Mail) -> None:
        raise Refused("5.1.1", "no such user")

    slow.before, quick.before = sleeps, refuses
    post.sender(slow).send_due()
    assert (post.states(), len(slow.sent)) == ([("bounced", "5.1.1")], 1)
    assert post.again(invoice).sent_at is None, "who has the mail says what became of it"


def test_several_senders_send_each_document_once(post: Post) -> None:
    invoices = [post.invoice() for _ in range(6)]
    post.tell()
    post.draw()
    carriers = [Carrier() for _ in range(3)]
    start = threading.Barrier(3)

    def work(carrier: Carrier) -> None:
        sender = post.sender(carrier)
        start.wait(timeout=10)
        while sender.send_due(limit=1):
            pass

    threads = [threading.Thread(target=work, args=(carrier,)) for carrier in carriers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len({mail.uid for carrier in carriers for mail in carrier.sent}) == 6
    assert sum(len(carrier.sent) for carrier in carriers) == 6
    assert all(post.again(invoice).sent_at == post.clock.now for invoice in invoices)


def test_thousands_of_documents_keep_nobody_waiting_for_other_mails(post: Post) -> None:
    for _ in range(2):
        post.invoice()
    post.tell()
    post.draw()
    post.clock.now += timedelta(minutes=1)
    with transaction(post.make_session, SYSTEM) as session:
        to = {"member_id": post.manager.id, "member_uid": post.manager.uid, "locale": "en"}
        said = {"webhook_id": "one", "reason": "gone"}
        write(session, kind="webhook_disabled", about="one", **to, facts=said, now=post.clock.now)
    carrier = Carrier()
    post.sender(carrier).send_due(limit=1)
    assert [mail.recipient for mail in carrier.sent] == [post.manager.email]


def test_a_document_that_somebody_else_holds_is_said_to_be_sent_as_soon_as_they_let_go(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = post.invoice()
    post.tell()
    post.draw()
    gave_up = threading.Event()
    monkeypatch.setattr(sending.pulse, "beat", lambda: None)
    carrier, told = Carrier(), sending.tell_sent

    def impatient(session: TenantSession, *args: Any, **more: Any) -> None:
        session.connection().exec_driver_sql("SET LOCAL lock_timeout = '20ms'")
        try:
            told(session, *args, **more)
        except Exception:
            gave_up.set()
            raise

    monkeypatch.setattr(sending, "tell_sent", impatient)
    with transaction(post.make_session, SYSTEM) as session:
        session.execute(select(Invoice.id).where(Invoice.id == invoice.id).with_for_update(key_share=True))
        monkeypatch.setattr(sending, "PATIENCE", 10_000)
        thread = threading.Thread(target=post.sender(carrier).send_due)
        thread.start()
        until(gave_up.is_set, within=20)
    thread.join(timeout=30)
    assert len(carrier.sent) == 1 and post.again(invoice).sent_at == post.clock.now
    assert post.states() == [("sent", None)]


def test_documents_go_to_the_partys_address_else_to_who_stands_for_it(post: Post) -> None:
    session = post.session
    boss, deputy = (a_member(session, email=f"{who}@employer.example", locale="nl") for who in ("boss", "deputy"))
    employer = saved(session, Employer(name="Employer", country="BE"))
    for admin in (boss, deputy):
        a_role(session, admin, "employer_admin", employer)
    gone = a_member(session, email="gone@employer.example")
    a_role(session, gone, "employer_admin", employer)
    erase_account(session, gone, now=post.clock.now)
    lead = a_member(session, email="lead@team.example", locale="de")
    teams = a_party(session, name="Team")
    saved(session, Team(operator_id=post.operator.id, member_id=lead.id, name="Team", party_id=teams.id))
    alone = saved(session, Employer(name="Nobody there", country="BE"))
    of = {
        "own address": a_party(session, member_id=post.ana.id, email="accounts@studio.example", locale="fr"),
        "member": a_party(session, member_id=a_member(session, email="bo@members.example", locale="en").id),
        "employer": a_party(session, employer_id=employer.id),
        "employer's address": a_party(session, employer_id=alone.id, email="ap@alone.example", locale="nl"),
        "team": teams,
        "nobody": a_party(session, name="Nobody"),
    }
    documents = {name: _document(post, party) for name, party in of.items()}
    found: dict[str, set[tuple[str, str]]] = {name: set() for name in of}
    for mail in post.mails():
        (name,) = (name for name, invoice in documents.items() if invoice.number in mail.subject)
        found[name].add((mail.to, str(mail.message["Content-Language"])))
    assert found == {
        "own address": {("accounts@studio.example", "fr")},
        "member": {("bo@members.example", "en")},
        "employer": {("boss@employer.example", "nl"), ("deputy@employer.example", "nl")},
        "employer's address": {("ap@alone.example", "nl")},
        "team": {("lead@team.example", "de")},
        "nobody": set(),
    }
    assert [name for name, invoice in documents.items() if post.again(invoice).sent_at is None] == ["nobody"]
    assert post.undelivered() == [documents["nobody"].number]
    (said,) = post.as_(post.manager).get(f"/invoices/{documents['nobody'].uid}/sendings").json
    assert (said["way"], said["state"], said["reason"]) == ("mail", "not_sent", "no_address")


def _document(post: Post, party: Party) -> Invoice:
    a_charge(post.session, operator_id=post.operator.id, party=party, space_id=post.space.id)
    (made,) = invoice_at_once(post.session, post.operator.id, party.uid, now=post.clock.now)
    post.session.commit()
    return post.session.get_one(Invoice, made.id)


def test_a_mail_that_comes_back_leaves_the_document_unsent_until_it_is_sent_elsewhere(post: Post) -> None:
    invoice = post.invoice()
    post.tell()
    post.draw()
    refusing = Carrier()

    def refuses(_mail: Mail) -> None:
        raise Refused("5.1.1", "no such user")

    refusing.before = refuses
    post.sender(refusing).send_due()
    assert (post.states(), post.again(invoice).sent_at) == ([("bounced", "5.1.1")], None)
    assert post.undelivered() == [invoice.number]
    manager, path = post.as_(post.manager), f"/invoices/{invoice.uid}/sendings"
    manager.post(path, json={})
    assert post.mails() == [], "it came back from there before"
    assert post.states()[1:] == [("suppressed", "bounced_before")] and post.undelivered() == [invoice.number]

    post.change(post.session.get_one(Party, invoice.party_id), email="ana@elsewhere.example")
    post.clock.now += timedelta(minutes=2)
    manager.post(path, json={})
    (mail,) = post.mails()
    assert mail.to == "ana@elsewhere.example" and post.again(invoice).sent_at == post.clock.now
    assert post.undelivered() == []
    assert [each["state"] for each in manager.get(path).json] == ["not_sent", "not_sent", "sent"]


def test_a_mail_that_comes_back_later_leaves_the_document_sent_and_names_it_all_the_same(post: Post) -> None:
    accounts = "accounts@studio.example"
    invoice = post.invoice(email=accounts)
    (mail,) = post.mails()
    assert mail.to == accounts
    (row,) = post.rows()
    report = Failure("5.1.1", (row.uid,), None, "550 no such user")
    with transaction(post.make_session, SYSTEM) as session:
        assert record_report(session, report, now=post.clock.now) is not None
    assert post.states() == [("bounced", "5.1.1")] and post.undelivered() == [invoice.number]
    assert post.again(invoice).sent_at is not None
    with transaction(post.make_session, SYSTEM) as session:
        assert mails_come_back(session, accounts) and not mails_come_back(session, str(post.ana.email))


def test_an_address_that_was_erased_is_shown_and_paper_settles_it_once(post: Post) -> None:
    invoice = post.invoice()
    post.tell()
    with transaction(post.make_session, SYSTEM) as session:
        erase_account(session, session.get_one(Member, post.ana.id), now=post.clock.now)
    assert post.mails() == []
    assert (post.states(), post.undelivered()) == ([("suppressed", "erased")], [invoice.number])
    manager, path = post.as_(post.manager), f"/invoices/{invoice.uid}/sendings"
    post.clock.now += timedelta(days=1)
    by_hand = manager.post(path, json={"way": "paper"})
    assert (by_hand.status_code, by_hand.json["way"]) == (201, "paper")
    at = post.clock.now
    post.clock.now += timedelta(days=1)
    assert manager.post(path, json={"way": "paper"}).json == by_hand.json
    assert (post.again(invoice).sent_at, post.undelivered(), post.mails()) == (at, [], [])
    assert [each["way"] for each in manager.get(path).json] == ["mail", "paper"]
    assert manager.get(f"/invoices/{invoice.uid}").json["status"] == "sent"


def test_paper_settles_a_mail_in_vain_that_was_written_after_it_and_again_one_asked_for_since(post: Post) -> None:
    invoice = post.invoice()
    with transaction(post.make_session, SYSTEM) as session:
        erase_account(session, session.get_one(Member, post.ana.id), now=post.clock.now)
    manager, path = post.as_(post.manager), f"/invoices/{invoice.uid}/sendings"
    first = manager.post(path, json={"way": "paper"}).json
    post.clock.now += timedelta(seconds=1)
    post.tell()
    assert (post.mails(), post.undelivered()) == ([], [])
    post.clock.now += timedelta(days=1)
    assert manager.post(path, json={"way": "mail"}).status_code == 201
    post.tell()
    assert (post.mails(), post.undelivered()) == ([], [invoice.number])
    post.clock.now += timedelta(days=1)
    assert manager.post(path, json={"way": "paper"}).json["id"] != first["id"]
    assert post.undelivered() == []


def test_only_who_keeps_the_books_sends_again_and_a_second_click_sends_nothing_more(post: Post) -> None:
    invoice = post.invoice()
    assert len(post.mails()) == 1
    first = post.again(invoice).sent_at
    path = f"/invoices/{invoice.uid}/sendings"
    stranger = post.as_(a_manager(post.session, a_space(post.session)))
    for who, status in ((post.as_(post.ana), 404), (stranger, 404)):
        assert who.post(path, json={}).status_code == status
        assert who.get(path).status_code == status
    manager = post.as_(post.manager)
    assert manager.post(path, json={"way": "pigeon"}).status_code == 422
    post.clock.now += timedelta(hours=1)
    asked = manager.post(path, json={}, key="one").json
    assert manager.post(path, json={}, key="one").json == asked
    assert manager.post(path, json={}, key="two").json == asked, "within a minute it is the same"
    assert [mail.to for mail in post.mails()] == ["ana@members.example"]
    post.forget_receipts()
    assert post.mails() == []
    assert post.again(invoice).sent_at == first, "the first time counts"


def test_an_operator_may_have_its_documents_mailed_only_when_it_says_so(post: Post) -> None:
    where = {"prefix": "ATH", "street": "", "postcode": "7800", "town": "Ath", "terms_days": 30}
    choose_letterhead(post.session, post.operator.id, **where, by_mail=False)
    invoice = post.invoice()
    assert post.mails() == [] and post.undelivered() == []
    post.as_(post.manager).post(f"/invoices/{invoice.uid}/sendings", json={"way": "mail"})
    assert len(post.mails()) == 1


def test_what_is_settled_before_the_mail_goes_is_not_asked_for(post: Post) -> None:
    invoice = post.invoice()
    manager = post.as_(post.manager)
    some = {"lines": [{"no": 1, "percent": 40}]}
    assert manager.post(f"/invoices/{invoice.uid}/credit-notes", json=some).status_code == 201
    asked, credited = post.mails()
    assert "Settled already: €48.40" in asked.text and "Left to pay: €72.60" in asked.text
    assert f"What is left to pay of {invoice.number} is €72.60." in credited.text
    assert manager.post(f"/invoices/{invoice.uid}/credit-notes", json={}).status_code == 201
    manager.post(f"/invoices/{invoice.uid}/sendings", json={})
    mails = {mail.subject.partition(" ")[0]: mail for mail in post.mails()}
    assert "Nothing is left to pay." in mails["Invoice"].text and "IBAN" not in mails["Invoice"].text
    assert "There is nothing to pay." in mails["Credit"].text


def test_the_morning_digest_names_what_did_not_arrive_to_who_keeps_the_books_alone(post: Post) -> None:
    invoice = post.invoice()
    post.change(post.ana, email=None)
    assert post.mails() == []
    there = a_space(post.session, operator=post.operator)
    other = a_manager(post.session, there, email="other@spaces.example", locale="en")
    a_role(post.session, post.manager, "manager", post.operator)
    post.change(post.manager, email="boss@spaces.example", locale="en")
    post.session.commit()
    post.clock.now = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # seven in Brussels
    for space in (post.space, there):
        with transaction(post.make_session, SYSTEM) as session:
            digest.tell_managers(session, space.id, now=post.clock.now)
    told = {mail.to: mail.text.splitlines() for mail in post.mailbox.new()}
    assert list(told) == ["boss@spaces.example"]
    at = told["boss@spaces.example"].index("Documents that did not reach their customer:")
    assert told["boss@spaces.example"][at + 1] == f"- {invoice.number}"
    with transaction(post.make_session, SYSTEM) as session:
        untold = select(Notification.member_id).where(Notification.reason == "nothing_to_tell")
        assert session.scalars(untold).all() == [other.id]
