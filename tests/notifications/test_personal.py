"""A member who leaves takes with them what mails knew of them; one who asks is told all of it."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.network.models import Member
from app.notifications.bounces import record_refusal
from app.notifications.models import MailAddressState, Notification, NotificationPreference
from app.notifications.preferences import change_preferences
from tests.builders import a_member, a_token, saved
from tests.conftest import Clock
from tests.http.client import Client


def a_mail(session: Session, member: Member, clock: Clock, *, state: str) -> Notification:
    row = Notification(
        key=f"{state}:{member.id}", kind="reminder", member_id=member.id, locale="fr", state=state,
        facts={"start": "2026-03-03T09:00:00Z"}, created_at=clock.now, last_error="said by a server",
        sent_at=clock.now if state == "sent" else None, claimed_until=clock.now if state == "sending" else None,
    )  # fmt: skip
    return saved(session, row)


def test_an_erased_member_is_written_to_no_more_and_leaves_nothing_that_names_them(
    app: Flask, session: Session, clock: Clock
) -> None:
    ana, eve = a_member(session), a_member(session)
    states = ("pending", "sending", "sent", "bounced")
    mails = [a_mail(session, ana, clock, state=state) for state in states]
    others = a_mail(session, eve, clock, state="pending")
    for member in (ana, eve):
        change_preferences(session, member_id=member.id, choices={"reminder": False}, now=clock.now)
        record_refusal(
            session, member_id=member.id, email=str(member.email), status="5.1.1", error="", sent_at=clock.now
        )
    token = a_token(session, ana)
    session.commit()
    assert Client(app, token).delete("/me", etag="*").status_code == 204
    session.rollback()
    session.expire_all()
    assert [(row.state, row.reason) for row in mails] == [
        ("suppressed", "erased"),
        ("suppressed", "erased"),
        ("sent", None),
        ("bounced", None),
    ]
    assert [(row.facts, row.last_error, row.claimed_until) for row in mails] == [({}, None, None)] * 4
    assert (others.state, others.facts) == ("pending", {"start": "2026-03-03T09:00:00Z"})
    assert session.scalars(select(NotificationPreference.member_id)).all() == [eve.id]
    assert len(session.scalars(select(MailAddressState)).all()) == 1


def test_a_member_is_told_what_was_written_to_them_and_nobody_elses(app: Flask, session: Session, clock: Clock) -> None:
    ana, eve = a_member(session), a_member(session)
    mine = a_mail(session, ana, clock, state="sent")
    a_mail(session, eve, clock, state="sent")
    token = a_token(session, ana)
    session.commit()
    assert Client(app, token).get("/me/export").json["other"]["notifications"] == [
        {
            "id": str(mine.uid),
            "kind": "reminder",
            "language": "fr",
            "facts": {"start": "2026-03-03T09:00:00Z"},
            "state": "sent",
            "created_at": "2026-03-02T08:00:00Z",
            "sent_at": "2026-03-02T08:00:00Z",
        }
    ]
