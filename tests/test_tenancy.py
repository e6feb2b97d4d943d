"""Nobody sees another's rows: enforced in the session, asked of every mapped class."""

from __future__ import annotations

import ast
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session, sessionmaker

from app import tenancy
from app.booking.models import Booking
from app.db import Base, Statement, TenantSession, raw, transaction
from app.network.models import Member, Network, Operator, Space
from app.network.people import find_person
from app.notifications.models import MailAddressState, Notification, NotificationPreference
from app.tenancy import ANONYMOUS, RULES, SYSTEM, Scope, TenancyBreach, by_everyone, by_the_system
from tests.builders import a_booking, a_manager, a_member, a_membership, a_pool, a_role, a_space, a_token, saved
from tests.conftest import Clock
from tests.test_imports import MODULES
from tests.webhooks.builders import a_delivery, a_webhook, an_attempt

# Modules that speak SQL of their own, and why each cannot show anybody what is not theirs.
RAW = {
    "app.db": "declares it; reads the schema's version",
    "app.doctor": "an operator's command; rolls back",
    "app.doctor.einvoices": "an operator's command; counts, and rolls back",
    "app.doctor.papers": "an operator's command; counts, and rolls back",
    "app.doctor.bank": "an operator's command; compares sums",
    "app.doctor.billing": "an operator's command; counts, and names what was changed",
    "app.doctor.database": "an operator's command; rolls back",
    "app.doctor.events": "an operator's command; counts",
    "app.doctor.owed": "an operator's command; compares sums",
    "app.doctor.paid": "an operator's command; compares sums",
    "app.doctor.outgoing": "an operator's command; counts",
    "app.doctor.payments": "an operator's command; compares sums",
    "app.housekeeping": "removes what has expired",
    "app.timekeeper": "what becomes due: rows no person ever sees",
    "app.notifications.facts": "the worker's read of one booking; refused to any other scope",
    "app.notifications.writing": "what a worker decided to tell",
    "app.http.idempotency": "by the caller's own id",
    "app.http.operating": "counts",
    "app.network.accounts": "one row by its e-mail address, to sign in or up",
    "app.network.audit": "of one space, after require(MANAGE)",
    "app.notifications.survey": "the system's: a space's own operator's receivers, by host",
    "app.notifications.bounces": "one address, by the hash of it, which who asks must know",
    "app.network.parties.checking": "the system's; the answers about one party that has been found",
    "app.network.parties.services": "makes the row of one member, who must be known",
    "app.network.memberships.whose": "of a membership or team already found: ids and counts; one member by id",
    "app.network.people": "one row by the hash of its secret; and a member a role may act for",
    "app.embedded.server": "creates the database; no session, no person",
    "app.events.operations": "an operator's commands",
    "app.events.outbox": "inserts events",
    "app.events.figures": "counts",
    "app.events.retention": "the archivist's; the outbox",
    "app.events.restoring": "an operator's command; the outbox and receipts",
    "app.billing.bank.bulk": "writes rows of an operator whose books the caller keeps",
    "app.billing.bank.importing": "one operator's own lines, after require_books",
    "app.billing.bank.reading": "what lines of one operator may be about, after require_books",
    "app.billing.bank.settling": "takes ids",
    "app.billing.bank.taking": "writes payments of one operator, after require_books",
    "app.billing.closings.archive.contents": "the archive of one operator, by command or by itself",
    "app.billing.closings.books": "the timekeeper's; the line of one operator's books",
    "app.billing.closings.finding": "sums, for the timekeeper and the doctor",
    "app.billing.prepaid.paying": "one booking of the caller's own",
    "app.billing.dunning.overdue": "an operator's overdue invoices, after require_books, or by the timekeeper",
    "app.billing.invoices.reading": "the charges of customers that the caller keeps the books of",
    "app.billing.invoices.numbering": "the row of one operator's series, for who issues its documents",
    "app.billing.invoices.finalising": "writes the documents of an operator that the caller keeps the books of",
    "app.billing.payments.standing": "sums of payments and invoices that the caller has found, or the system's",
    "app.billing.invoices.delivery": "what became of the mails of a document that the session's person has found",
    "app.notifications.documents": "whether a worker has told of a document before",
    "app.billing.invoices.standing": "what is settled of documents that the session's person has found",
    "app.booking.situation": "by the person and the resource handed in",
    "app.booking.finding.standings": "by the person's own id",
    "app.booking.quotes": "writes what somebody was promised; read through the session",
    "app.booking.occupying": "units of a resource already found",
    "app.booking.alternatives": "free times, without whose",
    "app.booking.freed": "the system, when a place becomes free",
    "app.booking.finding.availability": "free or not, without whose",
    "app.booking.finding.timeline": "busy or not; whose only for staff",
    "app.booking.finding.directory": "the public catalogue",
    "app.booking.calendar.lookup": "one feed by the hash of its secret",
    "app.booking.calendar.entries": "the calendar worker's read of one booking; refused to any other scope",
    "app.booking.calendar.fragments": "written by the calendar worker",
    "app.webhooks.fanning_out": "written by the webhooks worker, for whom the space belongs to",
    "app.webhooks.log": "removes what is 30 days old",
    "app.demo.load": "ANALYZE",
    "app.demo.told": "receipts, while the demonstration is loaded",
    "app.billing.charges.parties": "the party of a member whom the caller sees",
    "app.billing.ledger.posting": "writes; answers with ids of what it was handed",
    "app.billing.ledger.balances": "sums of one operator's, after require_books",
    "app.billing.ledger.books": "one operator's, after require_books",
    "app.billing.ledger.checkpoints": "sums without whose",
    "app.billing.ledger.statement": "one operator's, after require_books",
    "app.billing.ledger.verifying": "an operator's commands",
    "workers.archive": "the leader's lock",
    "workers.rebuild": "an operator's command; events, and tables of a schema of its own",
    "workers.rebuild_tables": "an operator's command; tables of a schema of its own",
    "app.billing.einvoices.reporting": "sums of one operator's documents, after require_books",
    "app.billing.sepa.collecting": "refunds and invoices due of one operator, after require_books",
    "app.billing.sepa.making": "the lock of one operator",
    "app.billing.vat_return.returns": "sums of one operator's documents, after require_books",
    "app.webhooks.claiming": "the system's sender",
    "app.webhooks.recording": "the system's sender",
    "workers.observe": "the leader's lock",
    "workers.relay": "the outbox",
    "workers.receipts": "receipts and cursors",
    "workers.reconcile": "the outbox and receipts",
    "workers.subscriptions": "who subscribes",
    "workers.keep_time": "the leader's lock",
    "workers.vat_numbers": "the leader's lock",
    "workers.leader": "the leader's lock",
}


DOORS = {"exec_driver_sql", "raw_connection", "connect"}


def speaks_raw(path: Path) -> bool:
    """Whether a module uses one of the doors past the session's check."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return any(
        (isinstance(call.func, ast.Name) and call.func.id in ("raw", "Statement"))
        or (isinstance(call.func, ast.Attribute) and call.func.attr in DOORS)
        or ast.unparse(call.func) == "Statement.of"
        or any(word.arg == "raw" for word in call.keywords)
        for call in calls
    )


def test_a_statement_for_the_system_is_refused_to_anybody_else(make_session: sessionmaker[TenantSession]) -> None:
    spaces = Statement.of(select(Space.id))
    with transaction(make_session, SYSTEM) as session:
        assert spaces.run(session, {}).fetchall() == []
    with pytest.raises(TenancyBreach), transaction(make_session, Scope(member_id=1)) as session:
        spaces.run(session, {})


def test_only_listed_modules_speak_sql_of_their_own() -> None:
    speaking = {name for name, path in MODULES.items() if speaks_raw(path)}
    assert speaking - set(RAW) == set(), "add it to RAW with why it shows nobody what is not theirs"
    assert set(RAW) - speaking == set(), "take these off the list"


def test_every_mapped_class_declares_who_sees_it() -> None:
    assert {mapper.class_.__name__ for mapper in Base.registry.mappers if mapper.class_ not in RULES} == set()


def test_a_class_that_does_not_declare_who_sees_it_cannot_be_read(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(tenancy.RULES, Network)
    with pytest.raises(TenancyBreach, match="Network does not declare"):
        session.scalars(select(Network)).all()


def test_a_session_without_a_scope_is_refused(make_session: sessionmaker[TenantSession]) -> None:
    with make_session() as session, pytest.raises(TenancyBreach, match="needs a scope"):
        session.scalars(select(Space)).all()


def test_sql_that_is_neither_mapped_nor_declared_is_refused(session: Session) -> None:
    table = Booking.__table__
    for statement in (text("SELECT 1"), select(table.c.id), update(table).values(title=""), select(func.now())):
        with pytest.raises(TenancyBreach, match="declared"):
            session.execute(statement)
    assert session.execute(raw("SELECT 1")).scalar_one() == 1


for _name in MODULES:
    if _name.endswith(".models"):
        import_module(_name)

PRIVATE = sorted(
    (entity for entity, rule in RULES.items() if rule is not by_everyone), key=lambda entity: entity.__name__
)
INTERNAL = [entity for entity, rule in RULES.items() if rule is by_the_system]


@pytest.fixture
def full(session: Session) -> Session:
    """A database in which every private table has rows of somebody's."""
    from app.booking.models import (
        BookingSeries,
        CalendarFragment,
        Closure,
        Feed,
        WaitlistEntry,
    )
    from app.events.models import Cursor, Delivery, Due, EventArchive, Figure, OutboxRow, Subscription
    from app.ids import new_id
    from app.network.memberships.models import CreditEntry
    from app.network.models import AuditEntry, Employer, Funder, IdempotentAnswer, Teleworker

    now = Clock().now
    later = now + timedelta(hours=1)
    space = a_space(session)
    member = a_manager(session, space)
    a_token(session, member)
    pool = a_pool(session, space)
    booking = a_booking(session, pool, member, start=now, end=later)
    membership = a_membership(session, member, space)
    employer = saved(session, Employer(name="E", country="BE"))
    period = {"starts_at": now, "ends_at": later}
    place = {"space_id": space.id, "member_id": member.id}
    event = {"event_id": new_id(), "aggregate_type": "booking", "aggregate_id": booking.uid, "seq": 1}
    fragment = dict.fromkeys(("own_text", "space_text", "busy_text"), "")
    session.add_all([
        Funder(name="F", country="BE"),
        Teleworker(employer_id=employer.id, member_id=member.id),
        AuditEntry(actor_id=member.id, space_id=space.id, action="booking.viewed"),
        CreditEntry(**place, membership_id=membership.id, cycle=now.date(), resource_kind="desk", minutes=-5,
                    reason="drawn", booking_uid=booking.uid),
        IdempotentAnswer(member_id=member.id, method="POST", path="/", key="k", body_hash=b"", status=201, body=""),
        BookingSeries(member_id=member.id, recurrence={}),
        Closure(space_id=space.id, kind="closure", unit_ids=[], **period),
        WaitlistEntry(**place, resource_id=pool.id, **period),
        Feed(member_id=member.id, scope="me", scope_id=member.id, name="Phone", token_hash=b"x"),
        CalendarFragment(**place, **period, **fragment, booking_id=booking.id, booking_uid=booking.uid,
                         resource_id=pool.id, revision=0),
        OutboxRow(**event, type="booking.made", version=1, occurred_at=now, envelope="{}"),
        Delivery(**event, consumer="calendar", state="done"),
        Cursor(consumer="calendar", aggregate_type="booking", aggregate_id=booking.uid),
        Subscription(consumer="calendar", aggregate_type="booking"),
        Due(kind="booking.next", subject_id=booking.id, at=later),
        EventArchive(name="events", host="h", first_id=1, last_id=1, count=1, sha256="", aggregate_types=[],
                     consumers=[], recorded_from=now, recorded_to=now, archived_at=now),
        Figure(name="dead_letters", value=0.0, at=now),
    ])  # fmt: skip
    session.flush()
    _fill_the_rest(session, now)
    session.commit()
    return session


def _fill_the_rest(session: Session, now: Any) -> None:
    """Small tables of other packages, that need nothing around them."""
    from app.booking.models import Quote
    from app.demo.models import Demonstration

    session.execute(insert(Demonstration).values(id=1, loaded_at=now))
    somebody = session.scalars(select(Member.id).order_by(Member.id)).first()
    space_id = session.scalars(select(Space.id)).first()
    session.add_all([
        Notification(key="k", kind="booking.confirmed", member_id=somebody, locale="fr"),
        NotificationPreference(member_id=somebody, kind="booking.reminder", wanted=False),
        MailAddressState(address_hash=b"x", bounced_at=now, bounce_kind="hard"),
        Quote(member_id=somebody, space_id=space_id, wish={}, dates=[], expires_at=now),
    ])  # fmt: skip
    session.flush()
    an_attempt(session, a_delivery(session, a_webhook(session), at=now), at=now)
    _fill_memberships(session, now)
    _fill_the_ledger(session, now)
    _fill_charges(session)
    _fill_documents(session, now)
    _fill_papers(session)
    _fill_einvoices(session, now)
    _fill_payments(session)
    _fill_dunning(session, now)
    _fill_the_bank(session, now)
    _fill_closings(session, now)


def _fill_einvoices(session: Session, now: Any) -> None:
    from app.billing.einvoices.models import EInvoice, EInvoiceStep, EInvoicing
    from app.billing.invoices.models import Invoice

    invoice = session.scalars(select(Invoice).order_by(Invoice.id)).first()
    assert invoice is not None
    row = EInvoice(invoice_id=invoice.id, operator_id=invoice.operator_id, format="peppol")
    session.add_all([row, EInvoicing(operator_id=invoice.operator_id)])
    session.flush()
    session.add(EInvoiceStep(einvoice_id=row.id, operator_id=row.operator_id, key="k", state="made", at=now))


def _fill_papers(session: Session) -> None:
    from app.billing.invoices.models import Invoice
    from app.billing.papers.models import OperatorBranding, Paper

    invoice = session.scalars(select(Invoice).order_by(Invoice.id)).first()
    assert invoice is not None
    branding = OperatorBranding(operator_id=invoice.operator_id, accent="#0f5b78")
    session.add_all([Paper(invoice_id=invoice.id), branding])


def _fill_dunning(session: Session, now: Any) -> None:
    from app.billing.dunning.models import DunningAct, DunningPolicy, DunningStop
    from app.billing.invoices.models import Invoice
    from app.network.models import BookingSuspension

    invoice = session.scalars(select(Invoice).order_by(Invoice.id)).first()
    assert invoice is not None
    operator_id, member_id = invoice.operator_id, session.scalars(select(Booking.member_id)).first()
    claimed = {"open_cents": 1, "interest_cents": 0, "compensation_cents": 0, "currency": "EUR"}
    told = {"action": "reminder", "day": now.date(), "done_at": now}
    session.add_all([
        DunningPolicy(operator_id=operator_id, steps=[]),
        DunningAct(operator_id=operator_id, invoice_id=invoice.id, no=1, **claimed, **told),
        DunningStop(operator_id=operator_id, reason="r", stopped_by_id=member_id, stopped_at=now),
        BookingSuspension(operator_id=operator_id, member_id=member_id, source="s", since=now),
    ])  # fmt: skip
    session.flush()


def _fill_payments(session: Session) -> None:
    from app.billing.invoices.models import Invoice
    from app.billing.payments import drawer_models, models

    invoice = session.scalars(select(Invoice).order_by(Invoice.id)).first()
    assert invoice is not None
    whose = {"operator_id": invoice.operator_id, "party_id": invoice.party_id}
    asked = {"source": "s", "provider": "stripe", "kind": "card", "amount_cents": 2, "currency": "EUR"}
    settled = {"state": "settled", "settled_at": invoice.finalised_at, "settled_cents": 2}
    payment = saved(session, models.Payment(**whose, **asked, **settled))
    of_payment = {"operator_id": invoice.operator_id, "payment_id": payment.id}
    session.add_all([
        models.PaymentAccount(operator_id=invoice.operator_id),
        models.PaymentMethod(**whose, provider="stripe", kind="card"),
        models.PaymentAim(payment_id=payment.id, invoice_id=invoice.id, cents=1),
        models.Refund(**of_payment, source="r", amount_cents=1, currency="EUR", reason="credit"),
        models.Dispute(**of_payment, provider_ref="d", amount_cents=1, currency="EUR"),
        models.ProviderCall(**of_payment, verb="start"),
        models.ProviderNotice(provider="stripe", notice_id="n", type="payment_intent.succeeded"),
        models.Allocation(**of_payment, invoice_id=invoice.id, cents=1, source="a"),
        models.MoneyTask(**whose, kind="overpaid", key="k", cents=1, currency="EUR"),
    ])  # fmt: skip
    space = session.scalars(select(Space).filter_by(operator_id=invoice.operator_id)).first()
    assert space is not None
    of_space = {"operator_id": space.operator_id, "space_id": space.id, "day": invoice.issued_on}
    drawer = saved(session, drawer_models.CashDrawer(**of_space, currency="EUR", opening_cents=0))
    moved = {"operator_id": space.operator_id, "cash_drawer_id": drawer.id, "cents": 1}
    saved(session, drawer_models.CashMovement(**moved, payment_id=payment.id))


def _fill_the_bank(session: Session, now: Any) -> None:
    from app.billing.bank.models import BankLine, BankProposal, BankStatement
    from app.billing.invoices.models import Invoice
    from app.billing.sepa.models import SepaFile, SepaItem, SepaMandate

    invoice = session.scalars(select(Invoice).order_by(Invoice.id)).first()
    assert invoice is not None
    whose, money = {"operator_id": invoice.operator_id}, {"currency": "EUR"}
    read = {"format": "camt.053.001.08", "reference": "1", "opening_cents": 0, "closing_cents": 1, "lines": 1}
    statement = saved(session, BankStatement(**whose, **money, **read, sha256="", position=1))
    place = {"statement_id": statement.id, "position": 1, "booked_on": now.date()}
    line = saved(session, BankLine(**whose, **money, **place, key="k", cents=1))
    signed = {"reference": "m", "scheme": "CORE", "signed_on": now.date(), "debtor_name": "N", "iban": "I"}
    made = {"kind": "transfer", "format": "pain.001.001.09", "sha256": "", "size": 1, "items": 1, "cents": 1}
    item = {"kind": "transfer", "source": "s", "end_to_end_id": "e", "name": "N", "iban": "I", "remittance": "R"}
    session.add_all([
        BankProposal(**whose, line_id=line.id, party_id=invoice.party_id, certainty=50, reasons=[], aims=[]),
        SepaMandate(**whose, **signed, party_id=invoice.party_id),
        SepaFile(**whose, **money, **made, execution_on=now.date(), made_at=now),
        SepaItem(**whose, **money, **item, cents=1),
    ])  # fmt: skip
    session.flush()


def _fill_closings(session: Session, now: Any) -> None:
    from app.billing.closings.models import ArchiveKey, Closing, ClosingBook, SealedArchive

    operator_id = session.scalars(select(Space.operator_id).order_by(Space.id)).first()
    day, until = now.date(), now + timedelta(days=1)
    period = {"first_day": day, "last_day": day, "starts_at": now, "ends_at": until}
    sealed = {"month": day.replace(day=1), "host": "h", "path": "/", "octets": 1, "sha256": "", "public_key": ""}
    session.add_all([
        ClosingBook(operator_id=operator_id, timezone="Europe/Brussels", begins_on=day, bounded_until=until),
        Closing(operator_id=operator_id, kind="day", number=1, **period, snapshot="{}", hash="", sealed_at=now),
        ArchiveKey(public_key="k", host="h"),
        SealedArchive(operator_id=operator_id, **sealed, by_itself=True, made_at=now),
    ])  # fmt: skip
    session.flush()


def _fill_the_ledger(session: Session, now: Any) -> None:
    from app.billing.ledger.models import LedgerCheckpoint
    from app.billing.ledger.posting import post
    from tests.billing.ledger.books import a_posting

    operator = session.scalars(select(Operator).order_by(Operator.id)).first()
    assert operator
    post(session, [a_posting(operator)], now=now)
    month = {"month": now.date().replace(day=1), "debit_cents": 1, "credit_cents": 0, "lines": 1}
    session.add(LedgerCheckpoint(operator_id=operator.id, account="cash", party_id=0, **month))
    session.flush()


def _fill_memberships(session: Session, now: Any) -> None:
    from app.network.memberships.models import Eligibility, Membership, MembershipPause, MembershipTerm, Team, TeamSeat
    from app.network.parties.models import Party, VatNumberCheck

    signed = session.scalars(select(Membership)).one()
    operator_id = session.scalars(select(Space.operator_id).where(Space.id == signed.space_id)).one()
    team = saved(session, Team(operator_id=operator_id, member_id=signed.member_id, name="T"))
    party = saved(session, Party(member_id=signed.member_id, name="P", country="BE"))
    place = {"member_id": signed.member_id, "space_id": signed.space_id}
    session.add_all([
        TeamSeat(team_id=team.id, member_id=signed.member_id, from_day=now.date()),
        MembershipTerm(membership_id=signed.id, from_day=now.date(), plan_version_id=signed.plan_version_id),
        MembershipPause(membership_id=signed.id, from_day=now.date()),
        Eligibility(**place, status="student", evidence="card", valid_from=now.date(), expires_on=now.date()),
        VatNumberCheck(party_id=party.id, vat_number="BE0", asked_at=now, answer="none"),
    ])  # fmt: skip
    session.flush()


def _fill_charges(session: Session) -> None:
    from app.billing.charges.models import BilledBooking, BillingMonth
    from app.network.parties.models import Party
    from tests.billing.charges.builders import a_charge

    booking = session.scalars(select(Booking)).one()
    space = session.get_one(Space, booking.space_id)
    party = session.scalars(select(Party)).one()
    saved(session, Party(name="Of nobody", country="BE"))  # and nobody's: an employer's, a team's
    price = {"currency": "EUR", "gross_cents": 3025, "net_cents": 2500, "vat_cents": 525, "money_cents": 3025}
    period = {"starts_at": booking.starts_at, "ends_at": booking.ends_at}
    place = {"operator_id": space.operator_id, "space_id": space.id, "member_id": booking.member_id}
    session.add_all([
        BillingMonth(operator_id=space.operator_id),
        BilledBooking(booking_uid=booking.uid, seq=1, status="confirmed", vat={}, **place, **price, **period),
    ])  # fmt: skip
    a_charge(session, operator_id=space.operator_id, party=party, space_id=space.id, member_id=booking.member_id)


def _fill_documents(session: Session, now: Any) -> None:
    from app.billing.invoices.models import Letterhead, Sending
    from tests.billing.invoices.house import an_invoice

    booking = session.scalars(select(Booking)).one()
    space = session.get_one(Space, booking.space_id)
    invoice = an_invoice(session, space, session.get_one(Member, booking.member_id), now=now)
    by = {"asked_by": booking.member_id, "asked_at": now}
    saved(session, Sending(operator_id=space.operator_id, invoice_id=invoice.id, way="paper", **by))
    chosen = {"prefix": "ATH", "street": "", "postcode": "7800", "town": "Ath"}
    saved(session, Letterhead(operator_id=space.operator_id, **chosen))


def seen_by(full: Session, scope: Scope, entity: type) -> int:
    full.info["scope"] = scope
    try:
        return len(full.execute(select(entity)).all())
    finally:
        full.info["scope"] = SYSTEM


@pytest.mark.parametrize("entity", PRIVATE, ids=lambda entity: entity.__name__)
def test_a_stranger_sees_nothing_of_a_private_table(full: Session, entity: type) -> None:
    stranger = a_member(full)
    elsewhere = a_space(full)
    manager = a_manager(full, elsewhere)
    token = a_token(full, manager)
    full.flush()
    other_manager = find_person(full, token, now=Clock().now)
    assert other_manager
    total = seen_by(full, SYSTEM, entity)
    assert total > 0, "nothing there to be seen: fill this table"
    own = {"Member": 1, "RoleGrant": 1, "ApiToken": 1}.get(entity.__name__, 0)
    assert seen_by(full, ANONYMOUS, entity) == 0
    assert seen_by(full, Scope(member_id=stranger.id), entity) == (1 if entity is Member else 0)
    assert seen_by(full, other_manager.scope, entity) == own


def test_a_stranger_changes_nothing_of_anothers_either(full: Session) -> None:
    full.info["scope"] = Scope(member_id=10**9)
    changed = full.execute(update(Booking).values(title="mine").returning(Booking.id))
    assert changed.all() == []


def test_staff_see_the_guests_of_their_space_and_front_desks_no_member_of_elsewhere(full: Session) -> None:
    space = full.scalars(select(Space)).first()
    desk = a_member(full)
    a_role(full, desk, "front_desk", space)
    token = a_token(full, desk)
    a_member(full, name="Somebody else")
    full.flush()
    person = find_person(full, token, now=Clock().now)
    assert person and space
    full.info["scope"] = person.scope
    guests = set(full.scalars(select(Booking.member_id)))
    assert set(full.scalars(select(Member.id))) == guests | {desk.id}


def test_an_alias_a_join_or_a_count_sees_no_more_than_the_table_itself(full: Session) -> None:
    from sqlalchemy.orm import aliased

    other = aliased(Booking)
    full.info["scope"] = Scope(member_id=10**9)
    for statement in (
        select(other.id),
        select(func.count()).select_from(Booking).having(func.count() > 0),
        select(Space.id).join(Booking, Booking.space_id == Space.id),
        select(Space.id).where(Space.id.in_(select(Booking.space_id))),
        select(Booking.id).union_all(select(other.id)),
    ):
        assert full.execute(statement).all() == [], str(statement)
