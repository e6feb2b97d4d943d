"""Finding who pays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from app.db import TenantSession, transaction
from app.errors import NotFound
from app.ids import new_id
from app.network.parties.models import Party
from app.network.parties.services import ensure_for_member, for_payer
from app.tenancy import SYSTEM, Scope
from tests.builders import a_member, saved

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def test_a_member_is_a_private_person_until_billing_details_say_more(session: Session) -> None:
    member = a_member(session, name="Ana", locale="nl")
    party = ensure_for_member(session, member.id, country="BE", now=NOW)
    assert (party.name, party.country, party.locale, party.email) == ("Ana", "BE", "nl", member.email)
    assert (party.is_business, party.vat_number, party.vat_status) == (False, None, "unchecked")
    assert ensure_for_member(session, member.id, country="FR", now=NOW) is party
    assert party.country == "BE"


def test_two_that_need_a_members_party_at_once_get_the_same(make_session: sessionmaker[TenantSession]) -> None:
    with transaction(make_session, SYSTEM) as session:
        member_id = a_member(session).id
    start = Barrier(4)

    def made(_: int) -> int:
        with transaction(make_session, SYSTEM) as own:
            own.scalar(select(func.count()).select_from(Party))
            start.wait()
            return ensure_for_member(own, member_id, country="BE", now=NOW).id

    with ThreadPoolExecutor(4) as racers:
        assert len(set(racers.map(made, range(4)))) == 1


def test_whoever_has_been_erased_without_paying_gets_no_party(session: Session) -> None:
    member = a_member(session, erased_at=NOW)
    with pytest.raises(NotFound):
        ensure_for_member(session, member.id, country="BE", now=NOW)


def test_another_payer_is_found_by_its_id(session: Session) -> None:
    member = a_member(session)
    company = saved(session, Party(uid=new_id(), name="A company", country="BE", is_business=True))
    assert for_payer(session, str(company.uid), member.id, country="BE", now=NOW) is company
    assert for_payer(session, None, member.id, country="BE", now=NOW).member_id == member.id
    with pytest.raises(NotFound):
        for_payer(session, new_id(), member.id, country="BE", now=NOW)


def test_a_member_finds_only_payers_that_are_theirs_to_see(session: Session) -> None:
    member = a_member(session)
    company = saved(session, Party(uid=new_id(), name="A company", country="BE", is_business=True))
    session.info["scope"] = Scope(member_id=member.id)
    assert for_payer(session, None, member.id, country="BE", now=NOW).member_id == member.id
    with pytest.raises(NotFound):
        for_payer(session, company.uid, member.id, country="BE", now=NOW)
