"""Memberships over HTTP: from a plan's first version to a membership's last day, told by who does what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.network.models import Member, Operator, Space
from tests.builders import a_manager, a_member, a_role, a_space, a_token
from tests.conftest import Clock
from tests.http.client import Client
from tests.http.operations import fingerprint
from tests.network.memberships.signing import at

TERMS = {"valid_from": "2026-03-02", "price_cents": 10_000, "includes_vat": False}


@dataclass
class Cast:
    space: Space
    operator: Operator
    member: Member
    ana: Client
    desk: Client
    manager: Client

    def publish(self, **terms: Any) -> dict[str, Any]:
        body = {"name": "Mi-temps", "space_id": str(self.space.uid), **TERMS, **terms}
        return dict(self.manager.post(f"/operators/{self.operator.uid}/plans", json=body).json)

    def wish(self, plan: dict[str, Any], starts_on: str = "2026-03-02", **more: Any) -> dict[str, Any]:
        version = plan["versions"][0]["id"]
        return {"space_id": str(self.space.uid), "plan_version_id": version, "starts_on": starts_on, **more}


@pytest.fixture
def cast(app: Flask, session: Session) -> Cast:
    space = a_space(session)
    member, desk = a_member(session), a_member(session)
    a_role(session, desk, "front_desk", space)
    people = [Client(app, a_token(session, person)) for person in (member, desk, a_manager(session, space))]
    operator = session.get_one(Operator, space.operator_id)
    session.commit()
    return Cast(space, operator, member, *people)


def amounts(preview: dict[str, Any]) -> list[tuple[str, str, str, int]]:
    return [
        (line["kind"], line["from_day"][5:], line["until_day"][5:], line["price"]["net_cents"])
        for line in preview["lines"]
    ]


def test_a_member_signs_changes_and_leaves_knowing_each_time_what_it_costs(
    cast: Cast, session: Session, clock: Clock
) -> None:
    half = cast.publish(notice_days=10, credits=[{"kind": "room", "unit": "minutes", "amount": 600}])
    full = cast.publish(name="Plein temps", price_cents=15_500)
    offered = cast.ana.get(f"/spaces/{cast.space.uid}/plans").json
    assert [(plan["name"], plan["versions"][0]["price_cents"]) for plan in offered] == [
        ("Mi-temps", 10_000),
        ("Plein temps", 15_500),
    ]
    session.rollback()
    before = fingerprint(session)
    told = cast.ana.post("/memberships/preview", json=cast.wish(half)).json
    assert (amounts(told), told["total"]["amount_cents"]) == ([("cycle", "03-02", "03-31", 9_677)], 11_709)
    assert told["next"]["day"] == "2026-04-01"
    assert told["next"]["lines"][0]["price"] == {
        "amount_cents": 12_100, "net_cents": 10_000, "vat_cents": 2_100, "currency": "EUR",
    }  # fmt: skip
    assert fingerprint(session) == before, "a preview leaves nothing"

    signed = cast.ana.post("/memberships", json=cast.wish(half))
    assert (signed.status_code, signed.json["status"], signed.json["plan"]) == (201, "running", "Mi-temps")
    path = f"/memberships/{signed.json['id']}"
    other = {"plan_version_id": full["versions"][0]["id"]}
    told = cast.ana.post(f"{path}/previews", json={"act": "change", **other}).json
    assert amounts(told) == [("adjustment", "03-02", "03-31", -9_677), ("adjustment", "03-02", "03-31", 15_000)]
    later = cast.ana.post(f"{path}/changes", json={**other, "when": "cycle_end"}).json
    assert later["planned"] == [{"from_day": "2026-04-01", **other}]
    assert later["terms"]["price_cents"] == 10_000

    clock.now = at("2026-03-12T09:00")
    paused = cast.ana.post(f"{path}/pauses", json={"from_day": "2026-03-20", "until_day": "2026-03-25"}).json
    assert (paused["status"], paused["pauses"]) == (
        "running",
        [{"from_day": "2026-03-20", "until_day": "2026-03-25"}],
    )
    clock.now = at("2026-03-22T09:00")
    assert cast.ana.get(path).json["status"] == "paused"
    assert cast.ana.post(f"{path}/resumptions", json={}).json["status"] == "running"

    told = cast.ana.post(f"{path}/previews", json={"act": "end"}).json
    assert (told["lines"], told["next"]) == ([], {"day": "2026-04-01", "lines": told["next"]["lines"]})
    assert cast.ana.delete(path).status_code == 428
    assert cast.ana.delete(path, etag='"old"').status_code == 412
    ended = cast.ana.delete(path, etag=cast.ana.get(path).headers["ETag"])
    assert ended.json["ends_on"] == "2026-04-01", "ten days' notice"
    assert cast.ana.delete(path, etag='"old"').json["ends_on"] == "2026-04-01", "again succeeds"


def test_the_same_signature_twice_is_one_membership_and_another_is_refused(cast: Cast) -> None:
    plan = cast.publish()
    first = cast.ana.post("/memberships", json=cast.wish(plan), key="sign")
    assert cast.ana.post("/memberships", json=cast.wish(plan), key="sign").data == first.data
    refused = cast.ana.post("/memberships", json=cast.wish(plan, "2026-06-01"))
    assert (refused.status_code, refused.json["code"]) == (409, "membership_overlap")
    assert refused.json["membership_id"] == first.json["id"]
    assert cast.ana.post("/memberships", json=cast.wish(plan), key=None).status_code == 400


def test_the_desk_signs_for_a_member_who_has_never_been_there_and_acts_by_the_member_s_rules(cast: Cast) -> None:
    plan = cast.publish(notice_days=30)
    wish = cast.wish(plan, "2026-02-20", member_id=str(cast.member.uid))
    assert cast.ana.post("/memberships", json=cast.wish(plan, "2026-02-20")).status_code == 422
    refused = cast.desk.post("/memberships", json=wish).json
    assert refused["code"] == "plan_not_offered", "its terms begin on 2 March"
    signed = cast.desk.post("/memberships", json={**wish, "starts_on": "2026-03-02"}).json
    path = f"/memberships/{signed['id']}"
    assert signed["member_id"] == str(cast.member.uid)
    assert cast.ana.get("/memberships").json[0]["id"] == signed["id"]
    assert [each["id"] for each in cast.desk.get("/memberships", query={"space": str(cast.space.uid)}).json] == [
        signed["id"]
    ]
    assert cast.desk.post(f"{path}/notices", json={"last_day": "2026-03-10"}).status_code == 422
    assert cast.manager.post(f"{path}/notices", json={"last_day": "2026-03-10"}).json["ends_on"] == "2026-03-10"
    longer = cast.ana.post(f"{path}/extensions", json={"until": None})
    assert longer.json["ends_on"] is None
    trail = [entry["action"] for entry in cast.manager.get(f"/spaces/{cast.space.uid}/audit").json]
    assert trail[:2] == ["membership.ended", "memberships.listed"]


def test_a_newer_version_leaves_those_who_signed_alone_until_they_are_moved_with_notice(cast: Cast) -> None:
    plan = cast.publish(notice_days=30)
    signed = cast.ana.post("/memberships", json=cast.wish(plan)).json
    newer = cast.manager.post(
        f"/plans/{plan['id']}/versions", json={**TERMS, "valid_from": "2026-04-01", "price_cents": 12_000}
    )
    assert (newer.status_code, newer.json["version"]) == (201, 2)
    assert len(cast.ana.get(f"/spaces/{cast.space.uid}/plans").json[0]["versions"]) == 2
    moves = f"/plan-versions/{newer.json['id']}/moves"
    early = cast.manager.post(moves, json={"from_day": "2026-03-31"})
    assert early.json["errors"][0]["field"] == "from_day"
    assert cast.manager.post(moves, json={"from_day": "2026-04-01"}).json == {"memberships": [signed["id"]]}
    assert cast.ana.get(f"/memberships/{signed['id']}").json["planned"] == [
        {"from_day": "2026-04-01", "plan_version_id": newer.json["id"]}
    ]


BAD_TERMS: list[tuple[dict[str, Any], str]] = [
    ({"price_cents": -1}, "price_cents"),
    ({"price_cents": 10**12}, "price_cents"),
    ({"price_cents": 30}, "price_cents"),
    ({"price_cents": 6, "cycle": "week"}, "price_cents"),
    ({"price_cents": 99.5}, "price_cents"),
    ({"deposit_cents": -1}, "deposit_cents"),
    ({"notice_days": -1}, "notice_days"),
    ({"trial_days": 1000}, "trial_days"),
    ({"seats": 0}, "seats"),
    ({"cycle": "day"}, "cycle"),
    ({"cycle_months": 3}, "cycle_months"),
    ({"cycle": "term", "cycle_months": 61}, "cycle_months"),
    ({"valid_from": "2026-03-01"}, "valid_from"),
    ({"valid_from": "2026-02-29"}, "valid_from"),
    ({"valid_from": "9999-12-31"}, "valid_from"),
    ({"credits": [{"unit": "minutes", "amount": -5}]}, "credits.0.amount"),
    ({"credits": [{"unit": "hours", "amount": 5}]}, "credits.0.unit"),
    ({"discounts": [{"percent": 101}]}, "discounts.0.percent"),
    ({"eligibility": ["Étudiant"]}, "eligibility.0"),
]


def test_terms_that_make_no_sense_are_named(cast: Cast) -> None:
    wrong = {}
    for terms, field in BAD_TERMS:
        body = {"name": "Plan", "space_id": str(cast.space.uid), **TERMS, **terms}
        answer = cast.manager.post(f"/operators/{cast.operator.uid}/plans", json=body)
        fields = [error["field"] for error in (answer.json or {}).get("errors", [])]
        if answer.status_code != 422 or field not in fields:
            wrong[str(terms)] = (answer.status_code, answer.json)
    assert wrong == {}
    other = {"name": "Plan", "space_id": str(cast.space.uid), **TERMS, "currency": "CHF"}
    refused = cast.manager.post(f"/operators/{cast.operator.uid}/plans", json=other).json
    assert (refused["code"], refused["expected"], refused["given"]) == ("currency_mismatch", "EUR", "CHF")
    assert cast.ana.get(f"/spaces/{cast.space.uid}/plans").json == []


def test_only_who_manages_prices_publishes_them(cast: Cast) -> None:
    plan, path = cast.publish(), f"/operators/{cast.operator.uid}/plans"
    assert cast.ana.post(path, json={"name": "Plan", **TERMS}).status_code == 404
    assert cast.desk.post(path, json={"name": "Plan", **TERMS}).status_code == 403
    assert cast.desk.post(f"/plans/{plan['id']}/versions", json=TERMS).status_code == 403
    everywhere = cast.manager.post(path, json={"name": "Réseau", **TERMS})
    assert (everywhere.status_code, everywhere.json["space_id"]) == (201, None)


def test_a_team_shares_a_membership_on_as_many_seats_as_its_plan_has(cast: Cast, app: Flask, session: Session) -> None:
    people = [a_member(session) for _ in range(3)]
    tokens = [a_token(session, person) for person in people]
    session.commit()
    plan = cast.publish(seats=2)
    team = cast.ana.post("/teams", json={"operator_id": str(cast.operator.uid), "name": "Atelier"}).json
    seats = f"/teams/{team['id']}/seats"
    assert cast.ana.post("/memberships", json=cast.wish(plan, team_id=team["id"])).json["team_id"] == team["id"]
    for person in (*people[:2], people[0]):
        assert cast.ana.post(seats, json={"member_id": str(person.uid)}).status_code == 201
    full = cast.ana.post(seats, json={"member_id": str(people[2].uid)})
    assert (full.json["code"], full.json["seats"], full.json["taken"]) == ("too_few_seats", 2, 2)
    sitting, standing = Client(app, tokens[0]), Client(app, tokens[2])
    assert [len(who.get(f"/teams/{team['id']}").json["seats"]) for who in (cast.ana, sitting)] == [2, 1]
    assert standing.get(f"/teams/{team['id']}").status_code == 404
    assert sitting.post(seats, json={"member_id": str(people[2].uid)}).status_code == 404, "who answers for it does"
    for _ in range(2):
        assert sitting.delete(f"{seats}/{people[0].uid}").status_code == 204
    assert cast.ana.post(seats, json={"member_id": str(people[2].uid), "from_day": "2026-03-03"}).status_code == 201
    small = cast.publish(name="Seul")
    path = f"/memberships/{cast.ana.get('/memberships').json[0]['id']}/changes"
    assert cast.ana.post(path, json={"plan_version_id": small["versions"][0]["id"]}).json["code"] == "too_few_seats"


def test_evidence_is_written_down_by_the_desk_and_shown_to_whom_it_is_about(cast: Cast) -> None:
    plan = cast.publish(eligibility=["student"])
    refused = cast.ana.post("/memberships", json=cast.wish(plan))
    assert (refused.status_code, refused.json["statuses"]) == (422, ["student"])
    seen = {
        "member_id": str(cast.member.uid), "status": "student", "evidence": "Carte 2025-2026",
        "valid_from": "2025-09-15", "expires_on": "2026-09-14",
    }  # fmt: skip
    path = f"/spaces/{cast.space.uid}/eligibilities"
    assert cast.ana.post(path, json=seen).status_code == 404
    assert cast.desk.post(path, json={**seen, "expires_on": "2025-09-14"}).status_code == 422
    assert cast.desk.post(path, json=seen).status_code == 201
    assert [each["status"] for each in cast.ana.get("/eligibilities").json] == ["student"]
    assert cast.ana.post("/memberships", json=cast.wish(plan)).status_code == 201


def test_me_shows_what_holds_today_and_nobody_is_forgotten_while_they_are_charged(cast: Cast, clock: Clock) -> None:
    half = cast.publish(credits=[{"kind": "room", "unit": "minutes", "amount": 600}, {"unit": "cents", "amount": 500}])
    full = cast.publish(name="Plein temps", credits=[{"unit": "minutes", "amount": 9_000}])
    path = f"/memberships/{cast.ana.post('/memberships', json=cast.wish(half)).json['id']}"
    cast.ana.post(f"{path}/changes", json={"plan_version_id": full["versions"][0]["id"], "when": "cycle_end"})
    shown = cast.ana.get("/me").json["memberships"][0]
    assert (shown["plan"], shown["included"]) == ("Mi-temps", {"room": 600})
    clock.now = at("2026-04-01T00:10")
    shown = cast.ana.get("/me").json["memberships"][0]
    assert (shown["plan"], shown["included"]) == ("Plein temps", {"*": 9_000})
    assert cast.ana.delete("/me", etag="*").json["obstacles"][0]["kind"] == "membership"
    cast.ana.delete(path, etag="*")
    clock.now = at("2026-04-03T12:00")
    assert set(cast.ana.get("/me/export").json["other"]) >= {"seats", "eligibilities"}
    assert cast.ana.delete("/me", etag="*").status_code == 204
