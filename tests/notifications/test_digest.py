"""The digest: at seven on the space's wall, on days it opens, to who manages it, once, and only when there is news."""

from __future__ import annotations

import email
import email.policy
import threading
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, select, update

from app.booking.models import Booking, Closure, HoursException
from app.config import Config
from app.events.models import Due
from app.network.models import AuditEntry, Member, RoleGrant, Space
from app.notifications import digest, digest_letter
from app.notifications.composing import Stationery, Suppressed, compose
from app.notifications.models import Notification
from app.notifications.preferences import change_preferences
from app.timekeeper import Timekeeper, schedule
from app.webhooks.models import Webhook
from tests.booking.house import House, at
from tests.builders import a_booking, a_manager, a_member, a_role, a_space, saved
from workers import registry
from workers.keep_time import DUE_IN
from workers.run import Crew

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


@pytest.fixture
def house(make_session: Any) -> House:
    """A house on a Monday at 06:00, with a pool, and a member who comes on Tuesday at nine."""
    house = House(make_session)
    house.now = at(6, day=0)
    with house.building() as session:
        digest.begin_digests(session, now=house.now)
    house.time_passes()
    return house


def visit(house: House, start: datetime, *, name: str = "Ana Visitor", hours: int = 2, **values: Any) -> Member:
    pool = house.pool()
    with house.building() as session:
        member = a_member(session, name=name)
        a_booking(session, pool, member, start=start, end=start + timedelta(hours=hours), **values)
    return member


def told(house: House) -> list[tuple[str, int, str]]:
    """What was written down to be sent: kind, to whom, about which day."""
    with house.building() as session:
        rows = session.scalars(select(Notification).order_by(Notification.id))
        return [(row.kind, row.member_id, row.facts["day"]) for row in rows]


def mail_of(house: House, home: Path, number: int = -1) -> Any:
    with house.building() as session:
        row = session.scalars(select(Notification).order_by(Notification.id)).all()[number]
        mail = compose(session, row, Stationery.of(Config(home=home)), now=row.created_at)
    return email.message_from_bytes(mail.octets, policy=email.policy.default)


def text_of(mail: Any) -> str:
    return str(mail.get_body(("plain",)).get_content())


def test_who_manages_a_space_reads_each_morning_who_is_coming(house: House, tmp_path: Path) -> None:
    visit(house, at(9), name="Ana Visitor", title="Therapy")
    house.time_passes(at(7, day=1) - timedelta(seconds=1))
    assert told(house) == []
    house.time_passes(at(7, day=1))
    assert told(house) == [("digest", house.manager.id, "2026-03-03")]
    with house.building() as session:
        session.execute(update(Notification).values(locale="en"))
    mail = mail_of(house, tmp_path)
    assert mail["Subject"] == f"{house.space.name}, Tuesday, March 3, 2026"
    text = text_of(mail)
    assert "09:00 – 11:00" in text
    assert "Ana Visitor" in text
    assert "Therapy" not in text, "a title is its member's own"
    assert "1 booking." in text
    assert f"/spaces/{house.space.slug}?day=2026-03-03" in text
    assert mail["List-Unsubscribe"]
    assert "because of your role" in text
    html = str(mail.get_body(("html",)).get_content())
    assert "Ana Visitor" in html


def test_what_is_kept_of_it_names_nobody(house: House) -> None:
    visit(house, at(9), name="Ana Visitor")
    house.time_passes(at(7, day=1))
    with house.building() as session:
        (row,) = session.scalars(select(Notification))
        assert set(row.facts) == {"day", "days", "since", "zone"}
        assert row.useless_after == at(18, day=1)
        assert session.execute(select(AuditEntry.actor_id, AuditEntry.action, AuditEntry.subject)).all() == [
            (house.manager.id, "digest.sent", "2026-03-03")
        ]


def test_requests_missed_bookings_and_closures_are_told(house: House, tmp_path: Path) -> None:
    visit(house, at(10, day=0), name="Eve Absent", status="no_show")
    visit(house, at(9, day=5), name="Bob Asking", status="pending")
    visit(house, at(9, day=1), name="Joe Gone", status="cancelled")
    with house.building() as session:
        period = {"starts_at": at(8, day=9), "ends_at": at(18, day=9)}
        closing = {"space_id": house.space.id, "kind": "closure", "unit_ids": []}
        session.add_all([
            Closure(**closing, **period, reason="Paint"),
            Closure(**closing, **period, reason="Lifted", lifted_at=at(7, day=0)),
            Closure(**closing, starts_at=at(8, day=40), ends_at=at(9, day=40), reason="Far away"),
        ])  # fmt: skip
    house.time_passes(at(7, day=1))
    with house.building() as session:
        session.execute(update(Notification).values(locale="en"))
    text = text_of(mail_of(house, tmp_path))
    assert text.index("Waiting for your answer:") < text.index("Bob Asking")
    assert text.index("Did not come:") < text.index("Eve Absent")
    assert text.index("Closed:") < text.index("Paint")
    assert "Nobody is expected." in text
    for absent in ("Lifted", "Far away", "Joe Gone"):
        assert absent not in text


def test_nothing_is_sent_when_there_is_nothing_to_say(house: House) -> None:
    visit(house, at(9, day=3))
    house.time_passes(at(12, day=1))
    assert told(house) == []
    house.time_passes(at(12, day=2))
    house.time_passes(at(12, day=3))
    assert [day for _, _, day in told(house)] == ["2026-03-05"]


def test_only_managers_of_that_very_space_or_its_operator_hear_of_it(house: House) -> None:
    visit(house, at(9))
    with house.building() as session:
        operator = session.get_one(Space, house.space.id).operator_id
        of_operator = a_member(session)
        session.add(RoleGrant(member_id=of_operator.id, role="manager", scope_type="operator", scope_id=operator))
        a_role(session, of_operator, "manager", house.space)  # twice over: told once
        for role in ("front_desk", "accountant"):
            a_role(session, a_member(session), role, house.space)
        a_role(session, a_member(session), "admin")
        a_manager(session, a_space(session))
        gone = a_manager(session, house.space)
        gone.erased_at, gone.email = house.now, None
    house.time_passes(at(7, day=1))
    assert {member for _, member, _ in told(house)} == {house.manager.id, of_operator.id}
    assert len(told(house)) == 2


def test_who_does_not_want_it_gets_none_and_weekly_ones_are_for_who_asked(house: House) -> None:
    visit(house, at(9, day=7))
    with house.building() as session:
        choices = {"digest": False, "digest_weekly": True}
        change_preferences(session, member_id=house.manager.id, choices=choices, now=house.now)
    for day in range(1, 12):
        house.time_passes(at(7, day=day))
    assert told(house) == [("digest_weekly", house.manager.id, "2026-03-09")]


def test_the_weekly_one_comes_on_the_first_opening_of_the_week(house: House, tmp_path: Path) -> None:
    visit(house, at(9, day=10), name="Ana Visitor")
    with house.building() as session:
        for day in (7, 8):  # Monday and Tuesday closed
            session.add(HoursException(space_id=house.space.id, day=MONDAY + timedelta(days=day)))
        change_preferences(session, member_id=house.manager.id, choices={"digest_weekly": True}, now=house.now)
    for day in range(7, 10):
        house.time_passes(at(7, day=day))
    assert told(house) == [("digest_weekly", house.manager.id, "2026-03-11")]
    assert "Ana Visitor" in text_of(mail_of(house, tmp_path))


def test_a_digest_is_written_once_however_often_its_hour_comes(house: House) -> None:
    visit(house, at(9))
    house.time_passes(at(7, day=1))
    for hour in (7, 8, 17):
        with house.building() as session:
            schedule(session, digest.MORNING, house.space.id, at(hour, day=1))
        house.time_passes(at(hour, day=1))
    assert len(told(house)) == 1
    with house.building() as session:
        assert len(session.scalars(select(AuditEntry)).all()) == 1


@pytest.mark.parametrize(
    ("woken", "days"),
    [
        (at(12, day=4), ["2026-03-06"]),  # the days slept through are past
        (at(17.9, day=4), ["2026-03-06"]),
        (at(18, day=4), []),  # it has closed
        (at(6.9, day=5), []),  # not yet: today's comes at seven
    ],
)
def test_after_an_outage_only_today_is_told_and_only_while_it_helps(
    house: House, woken: datetime, days: list[str]
) -> None:
    for day in range(1, 7):
        visit(house, at(9, day=day), hours=8)
    house.time_passes(at(6, day=1))
    house.time_passes(woken)
    assert [day for _, _, day in told(house)] == days
    with house.building() as session:
        next_at = session.scalars(select(Due.at).where(Due.kind == digest.MORNING)).one()
    assert next_at == at(7, day=5)


def test_no_digest_on_a_day_the_space_is_closed_and_the_next_tells_who_was_missing_since(
    house: House, tmp_path: Path
) -> None:
    visit(house, at(9, day=4), name="Eve Absent", status="no_show")
    visit(house, at(9, day=7), name="Ana Visitor")
    with house.building() as session:
        for day in (5, 6):
            session.add(HoursException(space_id=house.space.id, day=MONDAY + timedelta(days=day)))
    for day in range(5, 8):
        house.time_passes(at(7, day=day))
    assert [day for _, _, day in told(house)] == ["2026-03-09"]
    assert "Eve Absent" in text_of(mail_of(house, tmp_path))


def test_a_public_holiday_is_a_day_off(house: House) -> None:
    with house.building() as session:
        session.get_one(Space, house.space.id).closed_on_holidays = True
    easter_monday = (date(2026, 4, 6) - MONDAY).days
    visit(house, at(9, day=easter_monday), status="pending")
    house.time_passes(at(12, day=easter_monday - 3))
    before = len(told(house))
    house.time_passes(at(12, day=easter_monday))
    assert len(told(house)) == before
    house.time_passes(at(7, day=easter_monday + 1))


@pytest.mark.parametrize(
    ("zone", "day", "utc"),
    [
        ("Europe/Brussels", date(2026, 3, 28), "06:00"),
        ("Europe/Brussels", date(2026, 3, 29), "05:00"),  # the clock went forward at two
        ("Europe/Brussels", date(2026, 10, 25), "06:00"),  # and back at three
        ("Indian/Reunion", date(2026, 3, 29), "03:00"),
        ("America/Cayenne", date(2026, 3, 29), "10:00"),
    ],
)
def test_seven_is_seven_on_the_wall(zone: str, day: date, utc: str) -> None:
    expected = datetime.combine(day, time.fromisoformat(utc), UTC)
    where = ZoneInfo(zone)
    assert digest.morning(day, where) == expected
    assert digest.next_morning(expected - timedelta(seconds=1), where) == expected
    assert digest.next_morning(expected, where) == digest.morning(day + timedelta(days=1), where)


def test_a_space_that_comes_later_is_found_and_each_has_its_own_clock(house: House, make_session: Any) -> None:
    house.time_passes(at(6, day=0))
    with house.building() as session:
        far = a_space(session, country="FR", timezone="America/Cayenne")
    house.time_passes(at(9, day=0))
    with house.building() as session:
        rows = dict(session.execute(select(Due.subject_id, Due.at).where(Due.kind == digest.MORNING)).all())
        before = session.execute(select(Due.kind, Due.subject_id, Due.at)).all()
        digest.begin_digests(session, now=house.now)
        assert session.execute(select(Due.kind, Due.subject_id, Due.at)).all() == before
    assert rows == {house.space.id: at(7, day=1), far.id: datetime(2026, 3, 2, 10, tzinfo=UTC)}


def test_who_no_longer_manages_the_space_when_it_is_sent_is_told_nothing(house: House, tmp_path: Path) -> None:
    visit(house, at(9))
    house.time_passes(at(7, day=1))
    with house.building() as session:
        session.delete(session.scalars(select(RoleGrant).where(RoleGrant.member_id == house.manager.id)).one())
    with pytest.raises(Suppressed, match="nothing_to_tell"):
        mail_of(house, tmp_path)


def test_what_was_cancelled_since_is_not_told(house: House, tmp_path: Path) -> None:
    member = visit(house, at(9), name="Ana Visitor")
    house.time_passes(at(7, day=1))
    with house.building() as session:
        session.execute(update(Booking).where(Booking.member_id == member.id).values(status="cancelled"))
    with pytest.raises(Suppressed, match="nothing_to_tell"):
        mail_of(house, tmp_path)


def test_receivers_switched_off_since_the_last_one_are_named_by_host_alone(house: House, tmp_path: Path) -> None:
    with house.building() as session:
        operator = session.get_one(Space, house.space.id).operator_id
        off = {"created_by": house.manager.id, "event_types": ["*"], "state": "disabled", "disabled_reason": "gone"}
        hooks = (
            (operator, "https://hooks.example/s3cret", at(20, day=0)),
            (operator, "https://old.example/", at(20, day=-9)),
            (a_space(session).operator_id, "https://theirs.example/", at(20, day=0)),
        )
        for whose, url, when in hooks:
            saved(session, Webhook(operator_id=whose, url=url, disabled_at=when, **off))
    house.time_passes(at(7, day=1))
    text = text_of(mail_of(house, tmp_path))
    assert "hooks.example" in text
    for absent in ("s3cret", "old.example", "theirs.example"):
        assert absent not in text


def test_the_timekeeper_of_the_installation_knows_both_kinds() -> None:
    registry.load()
    assert {digest.MORNING, digest.SWEEP} <= set(Timekeeper(None)._handlers)  # type: ignore[arg-type]
    assert digest in DUE_IN


@pytest.mark.parametrize("language", ["fr", "nl", "de", "en"])
def test_it_is_told_in_the_managers_language(house: House, tmp_path: Path, language: str) -> None:
    visit(house, at(9), name="Ana & <Visitor>")
    with house.building() as session:
        session.execute(update(Member).where(Member.id == house.manager.id).values(locale=f"{language}-BE"))
    house.time_passes(at(7, day=1))
    mail = mail_of(house, tmp_path)
    assert mail["Content-Language"] == language
    assert "Ana & <Visitor>" in text_of(mail)
    assert "Ana &amp; &lt;Visitor&gt;" in str(mail.get_body(("html",)).get_content())


def test_a_worker_that_starts_has_the_spaces_looked_for(house: House, database_url: str, tmp_path: Path) -> None:
    with house.building() as session:
        session.execute(delete(Due))
    crew = Crew(["all"], Config(home=tmp_path, database_url=database_url), registry.load(), prefix="test")
    try:
        crew.prepare(threading.Event())
    finally:
        crew.close()
    with house.building() as session:
        assert session.get(Due, (digest.SWEEP, digest.SUBJECT)) is not None


def test_a_long_day_is_counted_whole_and_listed_in_part(house: House, tmp_path: Path) -> None:
    pool = house.pool(desks=1)
    with house.building() as session:
        member = a_member(session)
        for minute in range(digest_letter.MOST_LISTED + 7):
            start = at(9) + timedelta(minutes=minute)
            a_booking(session, pool, member, start=start, end=start + timedelta(minutes=1))
        session.execute(update(Member).where(Member.id == house.manager.id).values(locale="en"))
    house.time_passes(at(7, day=1))
    text = text_of(mail_of(house, tmp_path))
    assert "107 bookings." in text
    assert "People expected: 1" in text
    assert text.count("\n- ") == digest_letter.MOST_LISTED + 1
    assert "- and 7 more" in text
