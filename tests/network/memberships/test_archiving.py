"""A plan is offered no more, and who has signed it keeps it."""

from __future__ import annotations

from flask import Flask
from sqlalchemy.orm import Session

from app.network.models import Operator
from tests.builders import a_manager, a_member, a_role, a_space, a_token
from tests.http.client import Client

TERMS = {"valid_from": "2026-03-02", "price_cents": 10_000, "includes_vat": False}


def test_a_plan_is_offered_no_more_and_who_signed_it_keeps_it(app: Flask, session: Session) -> None:
    space, foreign = a_space(session), a_space(session)
    desk = a_member(session)
    a_role(session, desk, "front_desk", space)
    people = (a_manager(session, space), desk, a_manager(session, foreign), a_member(session))
    manager, front_desk, stranger, member = (Client(app, a_token(session, each)) for each in people)
    operator = session.get_one(Operator, space.operator_id).uid
    session.commit()
    plan = {"name": "Mi-temps", "space_id": str(space.uid), **TERMS}
    unknown = manager.post(f"/operators/{operator}/plans", json={**plan, "space_id": str(foreign.uid)})
    assert unknown.status_code == 404, "another operator's space is as unknown as any"
    offered = manager.post(f"/operators/{operator}/plans", json=plan).json
    wish = {"space_id": str(space.uid), "plan_version_id": offered["versions"][0]["id"], "starts_on": "2026-03-02"}
    assert member.post("/memberships", json=wish).status_code == 201
    archive = f"/plans/{offered['id']}/archive"
    assert [api.post(archive).status_code for api in (front_desk, stranger, member)] == [403, 404, 404]
    assert [manager.post(archive).status_code for _ in range(2)] == [204, 204]
    assert manager.get(f"/spaces/{space.uid}/plans").json == []
    refused = front_desk.post("/memberships", json=wish)
    assert (refused.status_code, refused.json["code"]) == (422, "plan_not_offered")
    assert [each["ends_on"] for each in member.get("/memberships").json] == [None]
