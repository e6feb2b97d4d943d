from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from app.booking.catalogue.offers import cached_offer, load_offer, load_offers, offer_of, quote_price, refresh
from app.booking.models import BookingRule, Resource, Unit
from app.booking.rules import Rules
from app.errors import NotFound, Refused
from app.network.models import Space
from tests.builders import a_pool, a_resource, a_room, a_space, a_unit

NINE = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)  # 09:00 in Brussels
ELEVEN = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


def test_an_offer_holds_what_a_booking_needs(session: Session) -> None:
    space = a_space(session)
    pool = a_pool(session, space, desks=3, rules={"lead_minutes": 60, "cancellation": [[24, 0], [0, 50]]})
    offer = load_offer(session, pool.uid)
    assert (offer.space_uid, offer.kind, offer.takes, len(offer.unit_ids)) == (space.uid, "desk_pool", "any", 3)
    assert sorted(unit.name for unit in offer.units.values()) == ["Desk 1", "Desk 2", "Desk 3"]
    assert offer.rules == Rules(lead_minutes=60, horizon_days=365, min_minutes=30, max_minutes=1440, step_minutes=15)
    assert [(step.hours_before, step.percent) for step in offer.cancellation.steps] == [(24, 0), (0, 50)]
    assert offer.hours.is_open(NINE, ELEVEN)


def test_a_belgian_price_adds_21_percent(session: Session) -> None:
    offer = load_offer(session, a_pool(session, a_space(session)).uid)
    price = quote_price(offer, start=NINE, end=ELEVEN, audience="anyone")
    assert (price.net_cents, price.vat_cents, price.gross_cents, price.rate_permille) == (1000, 210, 1210, 210)


def test_a_small_business_charges_no_vat(session: Session) -> None:
    offer = load_offer(session, a_pool(session, a_space(session, country="FR", regime="small_business")).uid)
    assert quote_price(offer, start=NINE, end=ELEVEN, audience="anyone").gross_cents == 1000


def test_a_list_that_includes_vat_keeps_its_gross(session: Session) -> None:
    offer = load_offer(session, a_room(session, a_space(session, country="FR"), price={"includes_vat": True}).uid)
    price = quote_price(offer, start=NINE, end=ELEVEN, audience="anyone")
    assert (price.gross_cents, price.net_cents) == (1000, 833)


def test_a_list_for_members_only_is_no_gift_to_strangers(session: Session) -> None:
    offer = load_offer(session, a_pool(session, a_space(session), price={"audience": "members"}).uid)
    assert quote_price(offer, start=NINE, end=ELEVEN, audience="members").net_cents == 1000
    with pytest.raises(Refused) as refusal:
        quote_price(offer, start=NINE, end=ELEVEN, audience="anyone")
    assert refusal.value.rule == "price"


def test_a_day_before_the_first_list_has_no_price(session: Session) -> None:
    offer = load_offer(session, a_pool(session, a_space(session), price={"valid_from": date(2026, 4, 1)}).uid)
    with pytest.raises(Refused):
        quote_price(offer, start=NINE, end=ELEVEN, audience="anyone")


def test_an_unknown_or_archived_resource_is_not_found(session: Session) -> None:
    pool = a_pool(session, a_space(session))
    pool.archived_at = NINE
    session.flush()
    for uid in (uuid4(), pool.uid):
        for load in (load_offer, offer_of):
            with pytest.raises(NotFound):
                load(session, uid)


def test_archived_units_are_not_offered(session: Session) -> None:
    space = a_space(session)
    units = [a_unit(session, space) for _ in range(2)]
    pool = a_resource(session, space, kind="desk_pool", units=units)
    session.execute(update(Unit).where(Unit.id == units[0].id).values(archived_at=NINE))
    assert load_offer(session, pool.uid).unit_ids == (units[1].id,)


def test_a_remembered_offer_is_read_again_after_any_change_of_the_space(
    session: Session, make_session: sessionmaker
) -> None:
    pool = a_pool(session, a_space(session))
    session.commit()
    first = offer_of(session, pool.uid)
    assert offer_of(session, pool.uid) is first
    session.execute(update(BookingRule).where(BookingRule.resource_id == pool.id).values(lead_minutes=90))
    session.commit()
    again = offer_of(session, pool.uid)
    assert (again.rules.lead_minutes, again.space_revision) == (90, first.space_revision + 1)
    assert refresh(session, pool.uid, again.space_revision) is again
    assert cached_offer(pool.uid) is again


def test_what_a_transaction_has_not_committed_is_not_remembered(session: Session) -> None:
    pool = a_pool(session, a_space(session))
    session.commit()
    before = offer_of(session, pool.uid)
    with session.begin_nested():
        session.execute(update(Resource).where(Resource.id == pool.id).values(name="Never to be"))
        assert offer_of(session, pool.uid).name == "Never to be"
    session.rollback()
    session.execute(update(Resource).where(Resource.id == pool.id).values(name="To be"))
    session.commit()
    assert cached_offer(pool.uid) is before
    assert offer_of(session, pool.uid).name == "To be"


def test_desks_with_the_same_rules_and_hours_share_them(session: Session) -> None:
    spaces = [a_space(session), a_space(session)]
    pools = [a_pool(session, space) for space in spaces]
    one, other = load_offers(session, [pool.id for pool in pools]).values()
    assert one.rules is other.rules
    assert one.hours is other.hours
    assert one.tariffs is other.tariffs


def test_loading_many_offers_takes_seven_statements(session: Session) -> None:
    from sqlalchemy import event

    pools = [a_pool(session, a_space(session)) for _ in range(3)]
    statements: list[str] = []
    connection = session.connection()
    event.listen(connection, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert len(load_offers(session, [pool.id for pool in pools])) == 3
    assert len(statements) == 7


def test_a_new_room_raises_the_revision_of_its_space(session: Session) -> None:
    space = a_space(session)
    before = session.get_one(Space, space.id, populate_existing=True).revision
    a_room(session, space)
    assert session.get_one(Space, space.id, populate_existing=True).revision > before
