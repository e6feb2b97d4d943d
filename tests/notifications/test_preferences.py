"""What a person wants to be told by mail: the table's default until they say otherwise, over the API."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Invalid
from app.network.models import Member
from app.notifications.kinds import KINDS, ROWS
from app.notifications.models import NotificationPreference
from app.notifications.preferences import change_preferences, wanted
from tests.builders import a_manager, a_member, a_role, a_space, a_token
from tests.conftest import Clock
from tests.http.client import Client

ADDRESS = "/me/notification-preferences"


@pytest.fixture
def ana(session: Session) -> Member:
    return a_member(session, name="Ana")


def test_who_said_nothing_gets_what_the_table_says(session: Session, ana: Member) -> None:
    assert {kind.name: wanted(session, ana.id, kind.name) for kind in ROWS} == {
        kind.name: kind.default for kind in ROWS
    }
    assert not wanted(session, ana.id, "digest_weekly")


def test_what_was_said_holds_for_that_kind_and_that_person_alone(session: Session, ana: Member, clock: Clock) -> None:
    eve = a_member(session)
    change_preferences(session, member_id=ana.id, choices={"reminder": False, "digest_weekly": True}, now=clock.now)
    assert not wanted(session, ana.id, "reminder")
    assert wanted(session, ana.id, "digest_weekly")
    assert wanted(session, ana.id, "booking_confirmed")
    assert wanted(session, eve.id, "reminder")
    change_preferences(session, member_id=ana.id, choices={"reminder": True}, now=clock.now)
    assert wanted(session, ana.id, "reminder")


@pytest.mark.parametrize("kind", [kind.name for kind in ROWS if not kind.optional])
def test_what_is_owed_to_a_person_cannot_be_switched_off(
    session: Session, ana: Member, clock: Clock, kind: str
) -> None:
    with pytest.raises(Invalid) as refused:
        change_preferences(session, member_id=ana.id, choices={kind: False}, now=clock.now)
    assert refused.value.facts["errors"][0]["field"] == kind
    change_preferences(session, member_id=ana.id, choices={kind: True}, now=clock.now)
    session.add(NotificationPreference(member_id=ana.id, kind=kind, wanted=False))  # from when it was optional
    assert wanted(session, ana.id, kind)
    assert KINDS[kind].default, "what is always sent is sent by default"


def test_a_person_reads_and_changes_what_they_want(app: Flask, session: Session, ana: Member) -> None:
    api = Client(app, a_token(session, ana))
    session.commit()
    shown = api.get(ADDRESS)
    assert [each["kind"] for each in shown.json] == [kind.name for kind in ROWS if kind.to == "member"]
    changed = api.patch(ADDRESS, json={"reminder": False}, etag=shown.headers["ETag"])
    assert changed.status_code == 200
    assert changed.headers["ETag"] != shown.headers["ETag"]
    assert {each["kind"]: each["wanted"] for each in changed.json}["reminder"] is False
    assert changed.json == api.get(ADDRESS).json

    stale = api.patch(ADDRESS, json={"reminder": True}, etag=shown.headers["ETag"])
    assert (stale.status_code, stale.json["code"]) == (412, "stale_version")
    assert api.patch(ADDRESS, json={"reminder": True}).status_code == 428
    assert api.get(ADDRESS).json == changed.json


@pytest.mark.parametrize("body", [{"displaced": False}, {"tea": True}, {"reminder": "no"}, {"reminder": None}])
def test_what_cannot_be_chosen_is_named_and_changes_nothing(
    app: Flask, session: Session, ana: Member, body: dict[str, object]
) -> None:
    api = Client(app, a_token(session, ana))
    session.commit()
    answer = api.patch(ADDRESS, json={"booking_confirmed": False, **body}, etag="*")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == list(body)
    assert session.scalars(select(NotificationPreference)).all() == []


def test_kinds_for_managers_are_shown_to_those_who_manage(app: Flask, session: Session, ana: Member) -> None:
    space = a_space(session)
    manager = a_manager(session, space)
    a_role(session, ana, "front_desk", space)
    tokens = a_token(session, manager), a_token(session, ana)
    session.commit()
    shown = [{each["kind"] for each in Client(app, token).get(ADDRESS).json} for token in tokens]
    assert shown[0] - shown[1] == {kind.name for kind in ROWS if kind.to == "manager"}


def test_preferences_are_exported_and_erased_with_the_account(
    app: Flask, session: Session, ana: Member, clock: Clock
) -> None:
    api = Client(app, a_token(session, ana))
    change_preferences(session, member_id=ana.id, choices={"reminder": False}, now=clock.now)
    session.commit()
    exported = api.get("/me/export").json["other"]["notification_preferences"]
    assert exported == [{"kind": "reminder", "wanted": False, "changed_at": "2026-03-02T08:00:00Z"}]
    assert api.delete("/me", etag="*").status_code == 204
    session.rollback()
    assert session.scalars(select(NotificationPreference)).all() == []
