"""Two who sign for the same member at the same instant: one membership, one refusal, one fee."""

from __future__ import annotations

import threading

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.db import TenantSession, transaction
from app.events.models import OutboxRow
from app.network.memberships.models import Membership
from app.network.memberships.overlaps import MembershipOverlap
from app.tenancy import SYSTEM
from tests.network.memberships.signing import House, a_house

RACERS = 6


def test_of_several_who_sign_at_once_one_does(session: Session, make_session: sessionmaker[TenantSession]) -> None:
    house = a_house(session, terms={"deposit_cents": 5_000})
    session.commit()
    gate, answers = threading.Barrier(RACERS), []

    def sign() -> None:
        with make_session() as warm:
            warm.connection()
        gate.wait()
        try:
            with transaction(make_session, SYSTEM) as own:
                House(own, house.space, house.member, house.plan).sign("2026-04-01")
            answers.append("signed")
        except MembershipOverlap as refused:
            answers.append(refused.code)

    racers = [threading.Thread(target=sign) for _ in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert sorted(answers) == ["membership_overlap"] * (RACERS - 1) + ["signed"]
    assert len(session.scalars(select(Membership)).all()) == 1
    types = session.scalars(select(OutboxRow.type).order_by(OutboxRow.seq)).all()
    assert types == ["membership.started", "membership.charged", "membership.charged"]
