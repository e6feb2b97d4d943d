"""Changing, pausing, ending, extending: what each asks for or gives back, and that the sum is always right."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from app.errors import Invalid, WrongState
from app.network.memberships.changing import CYCLE_END, NOW, NoticeTooShort, change_plan, move_members
from app.network.memberships.contracts import Contract
from app.network.memberships.eligibility import NotEligible, record_evidence
from app.network.memberships.ending import end_membership, last_day_is, tell_that_it_is_over
from app.network.memberships.extending import extend_membership
from app.network.memberships.models import Membership, PlanVersion
from app.network.memberships.overlaps import MembershipOverlap
from app.network.memberships.pausing import pause, resume
from app.network.memberships.plans import NotOffered
from tests.builders import a_member, a_membership, a_space
from tests.network.memberships.signing import House, a_house, a_newer_version, a_plan, at, d


def change(house: House, signed: Membership, version: PlanVersion, by: str, when: str = NOW) -> Contract:
    return change_plan(house.session, house.lock(signed), version=version, when=when, now=at(by))


def test_a_switch_on_day_15_of_30_bills_14_and_16(session: Session) -> None:
    house = a_house(session)
    dearer = a_plan(session, house.space, price_cents=12_000)
    signed = house.sign("2026-04-01")
    change(house, signed, dearer, "2026-04-15")
    assert house.asked(signed) == [
        ("cycle", "04-01", "04-30", 10_000),
        ("adjustment", "04-15", "04-30", -5_333),
        ("adjustment", "04-15", "04-30", 6_400),
    ], "14/30 of 100.00 stay: 46.67"
    back, forth = house.lines(signed)[1:]
    assert (back["days"], back["of_days"], back["gross_cents"], back["vat_cents"]) == (16, 30, -6_453, -1_120)
    assert forth["plan_version_id"] == str(dearer.uid)
    house.tick(signed, "2026-05-01")
    assert house.asked(signed)[3:] == [("cycle", "05-01", "05-31", 12_000)]


def test_of_two_changes_of_one_day_the_last_holds(session: Session) -> None:
    house = a_house(session)
    dearer, cheaper = a_plan(session, house.space, price_cents=12_000), a_plan(session, house.space, price_cents=3_000)
    signed = house.sign("2026-04-01")
    change(house, signed, dearer, "2026-04-15T09:00")
    change(house, signed, cheaper, "2026-04-15T17:00")
    assert house.types(signed) == ["started", "charged", "changed", "charged", "changed", "charged"]
    assert sum(line["net_cents"] for line in house.lines(signed)) == 4_667 + 1_600
    change(house, signed, house.plan, "2026-04-15T18:00")
    assert sum(line["net_cents"] for line in house.lines(signed)) == 10_000, "back to where it was, to the cent"


def test_a_change_at_the_end_of_the_cycle_costs_nothing_before_and_gives_way_to_a_later_decision(
    session: Session,
) -> None:
    house = a_house(session)
    dearer, cheaper = a_plan(session, house.space, price_cents=12_000), a_plan(session, house.space, price_cents=3_000)
    signed = house.sign("2026-04-01")
    assert change(house, signed, dearer, "2026-04-10", CYCLE_END).version_on(d("2026-05-01")) == dearer
    assert len(house.asked(signed)) == 1
    change(house, signed, cheaper, "2026-04-20")
    house.tick(signed, "2026-05-01")
    assert house.asked(signed)[-1] == ("cycle", "05-01", "05-31", 3_000), "the last word, not the one before"
    with pytest.raises(Invalid, match="plan_version_id"):
        change(house, signed, cheaper, "2026-05-02")


def test_a_change_by_a_clock_behind_the_timekeeper_s_is_right_to_the_cent(session: Session) -> None:
    house = a_house(session)
    dearer = a_plan(session, house.space, price_cents=12_400)
    signed = house.sign("2026-03-01")
    house.tick(signed, "2026-04-01T00:05")
    change(house, signed, dearer, "2026-03-31T23:57")
    assert house.asked(signed)[2:] == [
        ("adjustment", "03-31", "03-31", -323),
        ("adjustment", "04-01", "04-30", -10_000),
        ("adjustment", "03-31", "03-31", 400),
        ("adjustment", "04-01", "04-30", 12_400),
    ]


def test_what_is_not_offered_cannot_be_changed_to(session: Session) -> None:
    house = a_house(session)
    signed = house.sign("2026-04-01")
    newer = a_newer_version(session, house.plan, valid_from=d("2026-06-01"), price_cents=11_000)
    elsewhere = a_plan(session, a_space(session))
    for version in (newer, elsewhere):
        with pytest.raises(NotOffered):
            change(house, signed, version, "2026-04-15")
    end_membership(session, house.lock(signed), last_day=d("2026-04-20"), by_staff=True, now=at("2026-04-16"))
    with pytest.raises(WrongState):
        change(house, signed, a_plan(session, house.space), "2026-04-21")


def test_people_keep_what_they_signed_until_they_are_moved_with_the_notice_they_signed(session: Session) -> None:
    house = a_house(session, terms={"notice_days": 30})
    signed = house.sign("2026-04-01")
    newer = a_newer_version(session, house.plan, valid_from=d("2026-05-01"), price_cents=11_000)
    house.tick(signed, "2026-05-02")
    assert house.asked(signed)[-1] == ("cycle", "05-01", "05-31", 10_000)
    with pytest.raises(NoticeTooShort) as refused:
        move_members(session, version=newer, from_day=d("2026-05-31"), now=at("2026-05-02"))
    assert refused.value.facts == {"earliest": "2026-06-01"}
    assert move_members(session, version=newer, from_day=d("2026-06-01"), now=at("2026-05-02")) == [signed]
    assert move_members(session, version=newer, from_day=d("2026-06-01"), now=at("2026-05-02")) == []
    house.tick(signed, "2026-06-01")
    assert house.asked(signed)[-1] == ("cycle", "06-01", "06-30", 11_000)


def test_a_membership_from_before_is_asked_for_from_the_day_it_is_moved_and_not_for_the_past(session: Session) -> None:
    house = a_house(session)
    old = a_membership(session, house.member, house.space, starts_on=d("2026-01-01"))
    change(house, old, house.plan, "2026-04-16")
    assert house.asked(old) == [("cycle", "04-16", "04-30", 5_000)]
    house.tick(old, "2026-05-01")
    assert house.asked(old)[1:] == [("cycle", "05-01", "05-31", 10_000)]


def test_a_pause_stops_what_is_charged_by_day_and_a_resumption_goes_on(session: Session) -> None:
    house = a_house(session)
    signed = house.sign("2026-04-01")
    pause(session, house.lock(signed), from_day=d("2026-04-11"), until_day=None, now=at("2026-04-05"))
    house.tick(signed, "2026-05-01")
    house.tick(signed, "2026-06-01")
    assert house.asked(signed)[1:] == [("adjustment", "04-11", "04-30", -6_667)]
    resume(session, house.lock(signed), from_day=d("2026-06-16"), now=at("2026-06-14"))
    house.tick(signed, "2026-07-01")
    assert house.asked(signed)[2:] == [("adjustment", "06-16", "06-30", 5_000), ("cycle", "07-01", "07-31", 10_000)]
    assert house.types(signed)[2:] == ["paused", "charged", "resumed", "charged", "charged"]


def test_pauses_that_make_no_sense(session: Session) -> None:
    house = a_house(session)
    signed = house.sign("2026-04-10")
    now = at("2026-04-12")

    def paused(first: str, last: str | None) -> Contract:
        return pause(session, house.lock(signed), from_day=d(first), until_day=d(last) if last else None, now=now)

    for first, last in (("2026-04-11", None), ("2026-04-20", "2026-04-19"), ("2026-04-20", "2036-04-20")):
        with pytest.raises(Invalid):
            paused(first, last)
    with pytest.raises(WrongState):
        resume(session, house.lock(signed), from_day=d("2026-04-12"), now=now)
    paused("2026-04-20", "2026-04-22")
    for first, last in (("2026-04-22", None), ("2026-04-19", "2026-04-20"), ("2026-04-12", None)):
        with pytest.raises(WrongState):
            paused(first, last)
    with pytest.raises(Invalid):
        resume(session, house.lock(signed), from_day=d("2026-04-11"), now=now)
    resume(session, house.lock(signed), from_day=d("2026-04-20"), now=now)
    assert house.lock(signed).timeline.pauses == (), "taken back before it began"
    assert sum(line["net_cents"] for line in house.lines(signed)) == 7_000


def test_an_end_gives_back_what_was_asked_for_later_days_and_the_deposit_once_it_is_over(session: Session) -> None:
    house = a_house(session, terms={"deposit_cents": 15_000, "notice_days": 14})
    signed = house.sign("2026-04-01")
    with pytest.raises(Invalid, match="2026-04-15"):
        end_membership(session, house.lock(signed), last_day=d("2026-04-14"), by_staff=False, now=at("2026-04-01"))
    for _ in range(2):
        end_membership(session, house.lock(signed), last_day=None, by_staff=False, now=at("2026-04-01"))
    for by in ("2026-04-15T23:50", "2026-04-16", "2026-04-16T00:10", "2026-05-01"):
        house.tick(signed, by)
    assert house.asked(signed) == [
        ("deposit", "04-01", "04-01", 15_000),
        ("cycle", "04-01", "04-30", 10_000),
        ("adjustment", "04-16", "04-30", -5_000),
        ("deposit_return", "04-15", "04-15", -15_000),
    ]
    deposit = house.lines(signed)[0]
    assert (deposit["gross_cents"], deposit["vat_cents"], deposit["vat"]["category"]) == (15_000, 0, "O")
    assert house.types(signed) == ["started", "charged", "charged", "ended", "charged", "charged"]
    assert house.events(signed)[3][1] | {"ends_on": "2026-04-15", "reason": "member"} == house.events(signed)[3][1]
    assert not house.lock(signed).timeline.runs_on(d("2026-04-16")), "credits are not to be spent after the end"
    for late in ("2026-04-15T23:50", "2026-04-16"):
        with pytest.raises(WrongState):
            extend_membership(session, house.lock(signed), until=None, now=at(late))


def test_a_membership_of_one_day_is_charged_one_day(session: Session) -> None:
    house = a_house(session)
    signed = house.sign("2026-04-17", ends_on="2026-04-17")
    house.tick(signed, "2026-04-18")
    tell_that_it_is_over(session, signed.id, now=at("2026-04-18"))
    assert house.asked(signed) == [("cycle", "04-17", "04-17", 333)]
    assert house.events(signed)[-1][1]["reason"] == "term"


def test_a_paid_extension_is_followed_by_its_cycles(session: Session) -> None:
    house = a_house(session)
    signed = house.sign("2026-04-01", ends_on="2026-05-15")
    house.tick(signed, "2026-05-01")
    after = extend_membership(session, house.lock(signed), until=d("2026-06-20"), now=at("2026-05-10"))
    assert after.timeline.runs_on(d("2026-06-20"))
    tell_that_it_is_over(session, signed.id, now=at("2026-05-16"))
    house.tick(signed, "2026-06-01")
    house.tick(signed, "2026-06-21")
    assert house.asked(signed) == [
        ("cycle", "04-01", "04-30", 10_000),
        ("cycle", "05-01", "05-15", 4_839),
        ("adjustment", "05-16", "05-31", 5_161),
        ("cycle", "06-01", "06-20", 6_667),
    ]
    assert "ended" not in house.types(signed), "not over when it was to be"
    with pytest.raises(Invalid):
        other = house.sign("2026-07-01", ends_on="2026-07-31")
        extend_membership(session, house.lock(other), until=d("2026-07-31"), now=at("2026-07-02"))


def test_an_end_takes_later_pauses_with_it_and_an_extension_does_not_meet_another_membership(session: Session) -> None:
    house = a_house(session, terms={"deposit_cents": 5_000})
    signed = house.sign("2026-04-01")
    pause(session, house.lock(signed), from_day=d("2026-04-21"), until_day=None, now=at("2026-04-02"))
    end_membership(session, house.lock(signed), last_day=d("2026-04-20"), by_staff=True, now=at("2026-04-03"))
    assert not house.lock(signed).over
    house.sign("2026-05-01", by="2026-04-04")
    with pytest.raises(MembershipOverlap):
        extend_membership(session, house.lock(signed), until=None, now=at("2026-04-10"))
    with pytest.raises(MembershipOverlap):
        last_day_is(session, house.lock(signed), d("2026-05-01"))  # whatever was checked: the database judges
    extend_membership(session, house.lock(signed), until=d("2026-04-30"), now=at("2026-04-10"))
    house.tick(signed, "2026-05-01")
    assert sum(line["net_cents"] for line in house.lines(signed)) == 10_000


def test_a_status_that_has_expired_pauses_it_at_the_next_cycle_until_new_evidence_is_seen(session: Session) -> None:
    house = a_house(session, terms={"eligibility": ["student", "job_seeker"]})
    place = {"member_id": house.member.id, "space_id": house.space.id, "evidence": "student card 2026"}
    with pytest.raises(NotEligible) as refused:
        house.sign("2026-04-01")
    assert refused.value.facts == {"statuses": ["student", "job_seeker"], "on": "2026-04-01"}
    record_evidence(session, **place, status="student", valid_from=d("2025-09-15"), expires_on=d("2026-04-20"))
    signed = house.sign("2026-04-01")
    house.tick(signed, "2026-05-01")
    assert house.asked(signed) == [("cycle", "04-01", "04-30", 10_000)]
    assert house.types(signed)[-1] == "paused"
    with pytest.raises(NotEligible):
        resume(session, house.lock(signed), from_day=d("2026-05-11"), now=at("2026-05-11"))
    record_evidence(session, **place, status="job_seeker", valid_from=d("2026-05-01"), expires_on=d("2026-12-31"))
    resume(session, house.lock(signed), from_day=d("2026-05-11"), now=at("2026-05-11"))
    assert house.asked(signed)[1:] == [("adjustment", "05-11", "05-31", 6_774)]


def test_memberships_of_one_member_at_one_space_never_overlap(session: Session) -> None:
    house = a_house(session)
    signed = house.sign("2026-04-01", ends_on="2026-06-30")
    with pytest.raises(MembershipOverlap) as refused:
        house.sign("2026-06-30", by="2026-04-01")
    assert refused.value.facts["membership_id"] == str(signed.uid)
    house.sign("2026-07-01", by="2026-04-01")
    house.sign("2026-04-01", member_id=a_member(session).id)
    before = a_member(session)
    a_membership(session, before, house.space)
    with pytest.raises(MembershipOverlap):
        house.sign("2026-04-01", member_id=before.id)


def test_a_plan_is_tried_once(session: Session) -> None:
    house = a_house(session, terms={"trial_days": 30})
    house.sign("2026-04-01", ends_on="2026-04-30")
    again = house.sign("2026-05-01")
    assert house.asked(again) == [("cycle", "05-01", "05-31", 10_000)]


def test_days_that_nobody_can_sign_for(session: Session) -> None:
    house = a_house(session)
    wishes: list[tuple[str, dict[str, object]]] = [
        ("2026-04-09", {}),  # yesterday
        ("2027-05-01", {}),  # too far
        ("2026-03-01", {"by_staff": True}),  # long ago
        ("2026-04-20", {"ends_on": "2026-04-19"}),
        ("2026-04-20", {"ends_on": "2046-04-19"}),
    ]
    for starts_on, wish in wishes:
        with pytest.raises(Invalid):
            house.sign(starts_on, by="2026-04-10", **wish)


def test_staff_write_down_who_came_before_the_papers_were_done(session: Session) -> None:
    house = a_house(session)
    signed = house.sign("2026-03-16", by="2026-04-10", by_staff=True)
    assert house.asked(signed) == [("cycle", "03-16", "03-31", 5_161), ("cycle", "04-01", "04-30", 10_000)]
