"""The demonstration: loaded once, into an empty database only, with numbers that check and prices that make sense."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from schwifty import IBAN
from sqlalchemy import func, make_url, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import sessionmaker
from stdnum.be import vat as be_vat
from stdnum.fr import siren, tva

from app.billing.charges import booking as bookings
from app.billing.charges import recording
from app.billing.charges.models import BilledBooking, Charge
from app.billing.invoices.models import Invoice
from app.booking.catalogue.offers import Offer
from app.booking.catalogue.pricing import quote_price
from app.booking.catalogue.remembering import load_offers
from app.booking.localtime import day_bounds, local_day
from app.booking.models import Booking, CalendarFragment, Occupancy, Resource
from app.booking.rules import Standing, check
from app.config import Config
from app.db import TenantSession, make_engine, raw, sessions, transaction
from app.demo.calendar_months import last_month
from app.demo.load import NotADemonstration, ensure_demo
from app.demo.members import make_members
from app.demo.people import ACCOUNTS
from app.demo.told import BILLING, CONSUMER
from app.errors import NotFound
from app.events.envelope import read
from app.events.models import Delivery, Due, OutboxRow
from app.network.accounts import authenticate
from app.network.memberships.models import Membership
from app.network.models import Member, Network, Operator, RoleGrant, Space, Teleworker
from app.network.people import find_person
from app.tenancy import SYSTEM
from tests import builders
from tests.conftest import _address, _on
from workers import registry

NOW = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)  # a Monday


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def demo_url(server: str, template: str, home: Path) -> Iterator[str]:
    """A database with the demonstration in it, loaded once for all tests that only look."""
    name = f"passerelle_demo_{os.getpid()}"
    _on(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    url = _address(server, name)
    ensure_demo(Config(home=home), url, clock=lambda: NOW)
    yield url
    _on(server, f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')


@pytest.fixture
def demo(demo_url: str) -> Iterator[TenantSession]:
    engine = make_engine(demo_url)
    with sessions(engine)() as session:
        session.info["scope"] = SYSTEM
        yield session
    engine.dispose()


def offers(session: TenantSession) -> list[Offer]:
    return list(load_offers(session, session.scalars(select(Resource.id)).all()).values())


def desk_pool(session: TenantSession, slug: str) -> Offer:
    return next(offer for offer in offers(session) if offer.space_slug == slug and offer.kind == "desk_pool")


def test_the_network_of_the_sheet_is_there(demo: TenantSession) -> None:
    assert demo.scalar(select(func.count(Network.id))) == 6
    assert demo.scalar(select(func.count(Space.id))) == 33
    assert demo.scalar(select(func.count(Operator.id))) == 31, "one for the three spaces of La Cordée"
    assert len(desk_pool(demo, "ath").unit_ids) == 18


def test_legal_numbers_have_valid_check_digits(demo: TenantSession) -> None:
    for operator in demo.scalars(select(Operator)):
        (be_vat if operator.country == "BE" else siren).validate(operator.company_number)
        if operator.vat_number:
            (be_vat if operator.country == "BE" else tva).validate(operator.vat_number)
            assert operator.vat_number.endswith(operator.company_number)
        iban = IBAN(operator.iban)
        assert iban.country_code == operator.country
        assert _national_check(iban)


def _national_check(iban: IBAN) -> bool:
    digits = str(iban.bban)
    if iban.country_code == "BE":
        return (int(digits[:10]) % 97 or 97) == int(digits[10:])
    bank, branch, account, key = digits[:5], digits[5:10], digits[10:21], digits[21:]
    return (89 * int(bank) + 15 * int(branch) + 3 * int(account) + int(key)) % 97 == 0


def test_every_resource_has_a_price_that_makes_sense_before_and_after_new_year(demo: TenantSession) -> None:
    for offer in offers(demo):
        for day in (datetime(2026, 11, 24, tzinfo=UTC), datetime(2027, 1, 12, tzinfo=UTC)):
            start = day.replace(hour=9)
            hour, eight, ten = (
                quote_price(offer, start=start, end=start + timedelta(hours=n), audience="anyone").gross_cents
                for n in (1, 8, 10)
            )
            member = quote_price(offer, start=start, end=start + timedelta(hours=8), audience="members").gross_cents
            assert 200 <= hour < eight == ten <= 100_000, offer.name
            assert hour <= 12_000
            assert member < eight
        before, after = (
            quote_price(offer, start=at, end=at + timedelta(hours=8), audience="anyone").gross_cents
            for at in (datetime(2026, 12, 31, 9, tzinfo=UTC), datetime(2027, 1, 4, 9, tzinfo=UTC))
        )
        assert before <= after or offer.space_slug == "vacouva"


def test_every_space_offers_desks_and_rooms_and_the_larger_ones_rooms_that_open_into_one(demo: TenantSession) -> None:
    kinds: dict[str, set[tuple[str, str]]] = {}
    for offer in offers(demo):
        kinds.setdefault(offer.space_slug, set()).add((offer.kind, offer.takes))
    assert all({("desk_pool", "any"), ("room", "any"), ("equipment", "any")} <= has for has in kinds.values())
    assert ("room", "all") in kinds["liege"]
    assert ("room", "all") not in kinds["ath"]


@pytest.mark.parametrize("slug", ["ath", "la-cantine"])
def test_anybody_may_try_the_desks_of_ath_and_nantes_on_any_weekday_of_the_year(demo: TenantSession, slug: str) -> None:
    pool = desk_pool(demo, slug)
    today = local_day(NOW, pool.zone)
    for ahead in range(1, 366):
        day, _ = day_bounds(today + timedelta(days=ahead), pool.zone)
        if day.astimezone(pool.zone).weekday() == 6:
            continue
        for opens, closes in ((9, 12), (10, 17), (8, 20)):
            start, end = day + timedelta(hours=opens), day + timedelta(hours=closes)
            check(pool.rules, pool.hours, Standing(), start=start, end=end, now=NOW)
    assert not pool.rules.approval


def test_two_desks_in_three_stay_free_and_the_days_beyond_ten_are_empty(demo: TenantSession) -> None:
    pool = desk_pool(demo, "ath")
    today = local_day(NOW, pool.zone)
    for ahead in range(1, 30):
        start, end = day_bounds(today + timedelta(days=ahead), pool.zone)
        taken = demo.scalar(
            select(func.count(Occupancy.unit_id.distinct())).where(
                Occupancy.unit_id.in_(pool.unit_ids), Occupancy.period.overlaps(func.tstzrange(start, end))
            )
        )
        assert taken is not None
        assert taken <= (6 if ahead <= 10 else 0)


def test_bookings_are_over_or_ahead_each_with_its_events_and_what_becomes_due(demo: TenantSession) -> None:
    counted = dict(demo.execute(select(Booking.status, func.count()).group_by(Booking.status)).all())
    assert counted["completed"] > 200
    assert counted["confirmed"] > 500
    assert counted["pending"] == 1
    of_bookings = select(func.count()).where(OutboxRow.aggregate_type == "booking")
    assert demo.scalar(of_bookings) == demo.scalar(select(func.sum(Booking.event_seq)))
    of_bookings_due = select(func.count(Due.subject_id)).where(Due.kind == "booking.next")
    assert demo.scalar(of_bookings_due) == counted["confirmed"] + counted["pending"]
    wrong = select(func.count()).where((Booking.status == "completed") != (Booking.ends_at <= NOW))
    assert demo.scalar(wrong) == 0


def test_no_desk_of_the_demonstration_can_be_taken_twice(demo: TenantSession) -> None:
    occupancy = demo.scalars(select(Occupancy).limit(1)).one()
    again = Occupancy(unit_id=occupancy.unit_id, period=occupancy.period, kind="external")
    demo.add(again)
    with pytest.raises(IntegrityError, match="no_two_occupancies_of_a_unit_overlap"):
        demo.flush()
    demo.rollback()


def test_the_accounts_sign_in_with_the_password_shown(demo: TenantSession, demo_url: str, home: Path) -> None:
    lines = ensure_demo(Config(home=home), demo_url)
    password = lines[0].rpartition(" ")[2]
    assert len(lines) == 1 + len(ACCOUNTS) == 10
    for account in ACCOUNTS:
        member_id = authenticate(demo, email=account.email, password=password)
        role = demo.scalar(select(RoleGrant.role).where(RoleGrant.member_id == member_id))
        assert role == account.role
        assert account.email in "\n".join(lines)
    teleworker = authenticate(demo, email="teleworker@passerelle.example", password=password)
    assert demo.scalar(select(func.count(Teleworker.member_id)).where(Teleworker.member_id == teleworker)) == 1
    demo.rollback()


def test_the_password_is_kept_in_a_file_for_its_owner_only(demo_url: str, home: Path) -> None:
    kept = home / "demo_password"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_text().strip() in ensure_demo(Config(home=home), demo_url)[0]


def test_a_second_start_changes_nothing_but_a_password_given_since(
    demo: TenantSession, demo_url: str, home: Path
) -> None:
    def counts() -> list[int | None]:
        return [demo.scalar(select(func.count()).select_from(entity)) for entity in (Member, Booking, Occupancy)]

    before = counts()
    lines = ensure_demo(Config(home=home, demo_password="chosen-for-a-fair"), demo_url)
    assert ensure_demo(Config(home=home), demo_url) == lines, "another terminal, without the setting"
    demo.rollback()
    assert counts() == before
    assert "chosen-for-a-fair" in lines[0]
    assert authenticate(demo, email="payg@passerelle.example", password="chosen-for-a-fair")
    demo.rollback()
    ensure_demo(Config(home=home), demo_url)


def test_a_database_with_networks_of_its_own_is_left_alone(
    database_url: str, make_session: sessionmaker[TenantSession], tmp_path: Path
) -> None:
    with transaction(make_session, SYSTEM) as session:
        builders.a_network(session)
    for _ in range(2):
        with pytest.raises(NotADemonstration):
            ensure_demo(Config(home=tmp_path), database_url)
    with transaction(make_session, SYSTEM) as session:
        assert session.scalar(select(func.count(Network.id))) == 1
        assert session.execute(raw("SELECT count(*) FROM demonstration")).scalar_one() == 0


def test_members_made_for_a_race_can_call_at_once_and_have_no_plan(demo: TenantSession) -> None:
    made = list(make_members(demo, count=1200, space_slug="ath", now=NOW))
    assert len({row["email"] for row in made}) == len({row["token"] for row in made}) == 1200
    person = find_person(demo, made[-1]["token"], now=NOW)
    ath = demo.scalars(select(Space).where(Space.slug == "ath")).one()
    assert person is not None
    assert person.network_id == ath.network_id
    assert person.grants == ()
    with pytest.raises(NotFound):
        list(make_members(demo, count=1, space_slug="nowhere", now=NOW))
    demo.rollback()


def test_its_bookings_are_in_calendars_before_any_worker_runs(demo: TenantSession) -> None:
    assert CONSUMER in registry.load() and registry.load()[CONSUMER].rebuilds == ("calendar_fragment",)
    shown, booked = (demo.scalar(select(func.count()).select_from(each)) for each in (CalendarFragment, Booking))
    assert shown == booked > 0
    of_bookings = select(func.count(OutboxRow.id)).where(OutboxRow.aggregate_type == "booking")
    received = select(func.count()).select_from(Delivery).where(Delivery.consumer == CONSUMER, Delivery.state == "done")
    assert demo.scalar(received) == demo.scalar(of_bookings)
    assert demo.scalar(select(func.count(OutboxRow.id)).where(OutboxRow.published_at.is_(None))) == 0


def test_last_month_is_closed_with_invoices_for_a_member_and_a_company_from_each_side(
    demo: TenantSession,
) -> None:
    invoices = {
        row.number[:3]: json.loads(row.snapshot) for row in demo.scalars(select(Invoice).order_by(Invoice.number))
    }
    assert set(invoices) == {"ATH", "NAM", "NAN"}
    member, french, belgian = invoices["ATH"], invoices["NAM"], invoices["NAN"]
    assert member["buyer"]["name"] == "Membre démo" and not member["buyer"]["is_business"]
    assert {"membership", "booking"} == {line["kind"] for line in member["lines"]}
    assert (french["buyer"]["country"], french["seller"]["country"]) == ("FR", "BE")
    assert (belgian["buyer"]["country"], belgian["seller"]["country"]) == ("BE", "FR")
    for invoice, permille in ((member, 210), (french, 210), (belgian, 200)):
        ((category, rate),) = {(tax["category"], tax["permille"]) for tax in invoice["taxes"]}
        assert (category, rate) == ("S", permille), "where the space is: no reverse charge"
        assert invoice["period"]["from"][:7] == invoice["period"]["until"][:7] == "2026-10"
        assert invoice["totals"]["gross_cents"] > 0
    for company in (french["buyer"], belgian["buyer"]):
        assert company["is_business"]
        (siren if company["country"] == "FR" else be_vat).validate(company["company_number"])
        (tva if company["country"] == "FR" else be_vat).validate(company["vat_number"])
    assert belgian["locale"] == "nl", "in its own language"


def test_every_booking_is_charged_as_the_worker_would_have_and_the_ledger_balances(demo: TenantSession) -> None:
    charged: dict[UUID, list[Charge]] = {}
    for charge in demo.scalars(select(Charge).where(Charge.kind == "booking")):
        charged.setdefault(charge.subject_uid, []).append(charge)
    rows = demo.scalars(select(BilledBooking)).all()
    assert len(rows) == demo.scalar(select(func.count(Booking.id)))
    for row in rows:
        booking = recording.read(row)
        charges = charged.pop(row.booking_uid, [])
        assert sum(each.gross_cents for each in charges) == bookings.due(booking).gross
        assert all((each.earned_on is not None) == bookings.is_earned(booking) for each in charges)
    assert charged == {}
    assert demo.execute(raw("SELECT sum(cents) FROM ledger_entry")).scalar_one() == 0


def test_what_the_worker_is_told_again_changes_nothing(demo: TenantSession) -> None:
    before = demo.scalar(select(func.count(Charge.id)))
    events = demo.scalars(select(OutboxRow.envelope).where(OutboxRow.aggregate_type == "booking").limit(20))
    for envelope in events.all():
        recording.charge_booking(demo, read(envelope), now=NOW)
    assert demo.scalar(select(func.count(Charge.id))) == before
    demo.rollback()


def test_billing_has_had_all_events_and_papers_wait_for_the_workers(demo: TenantSession) -> None:
    assert {BILLING, "papers"} <= registry.load().keys()
    had = select(func.count()).where(Delivery.consumer == BILLING, Delivery.state == "done")
    events = select(func.count(OutboxRow.id)).where(OutboxRow.aggregate_type.in_(("booking", "membership")))
    assert demo.scalar(had) == demo.scalar(events)
    assert demo.scalar(select(func.count()).where(Delivery.consumer == "papers")) == 0


def test_who_is_on_a_plan_is_asked_for_fees_from_next_month_on(demo: TenantSession) -> None:
    dues = demo.execute(select(Due.at, func.count()).where(Due.kind == "membership.next").group_by(Due.at)).all()
    assert [tuple(row) for row in dues] == [
        (datetime(2026, 11, 30, 23, tzinfo=UTC), demo.scalar(select(func.count(Membership.id))))
    ]


@pytest.mark.parametrize(
    ("now", "month"),
    [
        ("2026-11-23T08:15:00+00:00", "2026-10-01"), ("2026-12-01T00:05:00+01:00", "2026-10-01"),
        ("2026-12-01T00:15:00+01:00", "2026-11-01"), ("2027-01-15T12:00:00+00:00", "2026-12-01"),
        ("2028-03-31T12:00:00+00:00", "2028-02-01"),
    ],
)  # fmt: skip
def test_the_latest_month_that_may_be_closed_is(now: str, month: str) -> None:
    assert last_month(datetime.fromisoformat(now)).isoformat() == month
