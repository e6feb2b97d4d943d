"""What was decided is sent: once while all goes well, again as the same mail when nobody knows, never too late."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog import get_logger
from structlog.testing import capture_logs

from app.config import Config
from app.network.models import Member, Space
from app.notifications import sending, unsubscribing
from app.notifications.composing import Mail
from app.notifications.models import Notification
from app.notifications.outbox_folder import OutboxFolder
from app.notifications.preferences import change_preferences
from app.notifications.sending import BACKOFF, LEASE, Sender
from app.notifications.smtp import Security, Server, SmtpTransport
from app.notifications.transport import Refused, Rejected, Transport, Trouble, Unreachable
from tests.booking.house import at
from tests.notifications.mail_server import HANG, MailServer
from tests.notifications.mailbox import ADDRESS, read
from tests.notifications.telling import Teller
from tests.running import HOST
from tests.waiting import until


class Post:
    """A transport of the test's own, that does what it is told: the port, as the loop sees it."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.trouble: Callable[[Mail], Trouble | None] = lambda _mail: None
        self.closed = 0
        self.before: Callable[[], Any] = lambda: None

    def send(self, mail: Mail) -> None:
        self.before()
        if trouble := self.trouble(mail):
            raise trouble
        self.sent.append(mail)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def sender(teller: Teller, post: Post, tmp_path: Path) -> Sender:
    return teller.sender(post, tmp_path)


def some_mails(teller: Teller, count: int = 1, **member: Any) -> list[Notification]:
    ana, pool = teller.member(**{"locale": "en", **member}), teller.pool()
    for number in range(count):
        teller.book(ana, pool, at(9, day=2 + number), at(10, day=2 + number))
    return teller.tell()


def states(teller: Teller) -> list[tuple[str, str | None]]:
    return [(row.state, row.reason) for row in teller.notifications()]


def the_one(teller: Teller) -> Notification:
    (row,) = teller.notifications()
    return row


def test_a_mail_is_sent_and_that_is_recorded(teller: Teller, sender: Sender, post: Post) -> None:
    some_mails(teller, email="ana@members.example")
    assert (sender.send_due(), sender.send_due()) == (1, 0)
    (mail,) = post.sent
    assert mail.recipient == "ana@members.example"
    row = the_one(teller)
    assert (row.state, row.sent_at, row.attempts, row.claimed_until) == ("sent", teller.now, 1, None)


def test_several_senders_share_the_work_and_send_nothing_twice(teller: Teller, tmp_path: Path) -> None:
    some_mails(teller, 12)
    posts = [Post() for _ in range(3)]
    senders = [teller.sender(post, tmp_path) for post in posts]
    start = threading.Barrier(3)

    def work(sender: Sender) -> None:
        start.wait(timeout=10)
        while sender.send_due(limit=2):
            pass

    threads = [threading.Thread(target=work, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    sent = Counter(mail.uid for post in posts for mail in post.sent)
    assert len(sent) == 12 and set(sent.values()) == {1}
    assert Counter(states(teller)) == {("sent", None): 12}


def test_nobody_holds_a_transaction_while_a_mail_goes_out(teller: Teller, sender: Sender, post: Post) -> None:
    some_mails(teller)
    post.before = lambda: teller.change(the_one(teller), last_error="anybody may write meanwhile")
    sender.send_due()
    assert the_one(teller).state == "sent"


def test_what_a_process_took_with_it_is_sent_by_another_as_the_same_mail(teller: Teller, tmp_path: Path) -> None:
    some_mails(teller)
    dying, living = Post(), Post()

    class Killed(BaseException):
        """As kill -9: nothing of ours runs afterwards."""

    def dies() -> None:
        dying.before = lambda: None
        raise Killed

    dying.send = lambda mail: (dying.sent.append(mail), dies())  # type: ignore[method-assign,assignment]
    with pytest.raises(Killed):
        teller.sender(dying, tmp_path).send_due()
    other = teller.sender(living, tmp_path)
    assert other.send_due() == 0, "it might still be on its way"
    teller.now += LEASE
    assert other.send_due() == 1
    assert living.sent[0].octets == dying.sent[0].octets
    assert (the_one(teller).state, the_one(teller).attempts) == ("sent", 2)


def test_who_slept_through_its_lease_sends_and_records_nothing(teller: Teller, tmp_path: Path) -> None:
    some_mails(teller, 2)
    slow, quick = Post(), Post()
    other = teller.sender(quick, tmp_path)

    def sleeps() -> None:
        slow.before = lambda: None
        teller.now += LEASE * 2
        assert other.send_due() == 2
        teller.now += timedelta(seconds=1)

    slow.before = sleeps
    teller.sender(slow, tmp_path).send_due()
    assert len(slow.sent) == 1, "the one it had in hand; the other it had lost"
    assert {row.attempts for row in teller.notifications()} == {2}
    assert {row.sent_at for row in teller.notifications()} == {teller.now - timedelta(seconds=1)}


def test_who_has_lost_a_mail_does_not_record_over_who_has_it_now(teller: Teller, tmp_path: Path) -> None:
    some_mails(teller)
    slow, other = Post(), teller.sender(Post(), tmp_path)

    def sleeps() -> None:
        teller.now += LEASE * 2
        assert len(other._claim(1)) == 1

    slow.before = sleeps
    teller.sender(slow, tmp_path).send_due()
    row = the_one(teller)
    assert (row.state, row.attempts, row.claimed_until) == ("sending", 2, teller.now + LEASE)


def test_a_failed_attempt_waits_longer_each_time_and_after_the_last_somebody_is_called(
    teller: Teller, sender: Sender, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_mails(teller)
    post.trouble = lambda mail: Rejected(f"451 not now, {mail.recipient}")
    for number, wait in enumerate(BACKOFF, 1):
        assert sender.send_due() == 1
        row = the_one(teller)
        assert (row.state, row.attempts, row.send_after) == ("pending", number, teller.now + wait)
        assert row.last_error == "Rejected: 451 not now, [address]"
        teller.now += wait - timedelta(seconds=1)
        assert sender.send_due() == 0
        teller.now += timedelta(seconds=1)
    monkeypatch.setattr(sending, "log", get_logger())  # a logger that has spoken before keeps to where it spoke
    with capture_logs() as said:
        assert sender.send_due() == 1
    assert states(teller) == [("failed", "not_delivered")]
    assert [(line["event"], line["log_level"]) for line in said] == [("mail_failed", "error")]
    assert sender.send_due() == 0


def test_what_failed_together_does_not_come_back_together(teller: Teller, post: Post, tmp_path: Path) -> None:
    some_mails(teller, 3)
    post.trouble = lambda _mail: Rejected("451 no")
    fractions = iter([0.0, 0.5, 1.0])
    sender = teller.sender(post, tmp_path)
    sender._jitter = lambda: next(fractions)
    sender.send_due()
    waits = [(row.send_after - teller.now) / BACKOFF[0] for row in teller.notifications()]
    assert waits == pytest.approx([0.8, 1.0, 1.2])


def test_when_nobody_takes_mails_one_attempt_is_spent_and_the_rest_wait(
    teller: Teller, sender: Sender, post: Post
) -> None:
    some_mails(teller, 4)
    post.trouble = lambda _mail: Unreachable("nobody there")
    with pytest.raises(Unreachable):
        sender.send_due()
    assert [(row.state, row.attempts) for row in teller.notifications()] == [("pending", 1)] + [("pending", 0)] * 3
    post.trouble = lambda _mail: None
    assert sender.send_due() == 3
    teller.now += BACKOFF[0]
    assert sender.send_due() == 1
    assert Counter(states(teller)) == {("sent", None): 4}


def test_an_address_that_takes_no_mail_gets_no_other(teller: Teller, sender: Sender, post: Post) -> None:
    some_mails(teller, 2, email="gone@members.example")
    post.trouble = lambda mail: Refused("5.1.1", f"no {mail.recipient} here")
    sender.send_due(limit=1)
    post.trouble = lambda _mail: None
    sender.send_due()
    assert states(teller) == [("bounced", "5.1.1"), ("suppressed", "bounced_before")]
    assert teller.notifications()[0].last_error == "no [address] here"
    assert post.sent == []


def test_a_full_mailbox_loses_the_mail_but_not_the_address(teller: Teller, sender: Sender, post: Post) -> None:
    some_mails(teller, 2)
    post.trouble = lambda _mail: Refused("5.2.2", "full")
    sender.send_due(limit=1)
    post.trouble = lambda _mail: None
    sender.send_due()
    assert states(teller) == [("bounced", "5.2.2"), ("sent", None)]


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda teller, row: teller.change(Member(id=row.member_id), erased_at=teller.now, email=None), "erased"),
        (lambda teller, row: teller.change(Member(id=row.member_id), email="añá@members.example"), "bad_address"),
        (lambda teller, row: setattr(teller, "now", row.useless_after), "too_late"),
        (lambda teller, row: switch_off(teller, row), "unwanted"),
    ],
)
def test_what_is_of_no_use_any_more_is_not_sent(
    teller: Teller, sender: Sender, post: Post, happens: Callable[[Teller, Notification], Any], reason: str
) -> None:
    (row,) = some_mails(teller)
    happens(teller, row)
    assert sender.send_due() == 1
    assert states(teller) == [("suppressed", reason)]
    assert post.sent == [] and sender.send_due() == 0


def switch_off(teller: Teller, row: Notification) -> None:
    with teller.building() as session:
        change_preferences(session, member_id=row.member_id, choices={row.kind: False}, now=teller.now)


def test_what_is_owed_is_sent_whatever_is_wanted(teller: Teller, sender: Sender, post: Post) -> None:
    ana = teller.member()
    made = teller.book(ana, teller.room(), at(10), at(12))
    (row,) = teller.tell()
    switch_off(teller, row)
    teller.cancel(made, by=teller.manager)
    teller.tell()
    while sender.send_due():
        pass
    assert states(teller) == [("suppressed", "unwanted"), ("sent", None)]


def test_names_are_those_of_the_hour_of_sending(teller: Teller, sender: Sender, post: Post) -> None:
    (row,) = some_mails(teller, name="Ana Before")
    teller.change(Member(id=row.member_id), name="Ana After")
    teller.change(Space(id=teller.space.id), name="Coworking Renamed")
    sender.send_due()
    told = read(post.sent[0].octets)
    assert "Hello Ana After," in told.text and "Coworking Renamed" in told.text


def test_one_mail_that_cannot_be_made_holds_up_no_other(
    teller: Teller, sender: Sender, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = some_mails(teller, 2)
    teller.change(first, facts={**first.facts, "zone": "Nowhere/Atall"})
    monkeypatch.setattr(sending, "log", get_logger())
    with capture_logs() as said:
        sender.send_due()
    assert [row.state for row in teller.notifications()] == ["pending", "sent"]
    assert "mail_not_composed" in [line["event"] for line in said]
    assert the_error(teller, first).startswith("ZoneInfoNotFoundError")


def the_error(teller: Teller, row: Notification) -> str:
    return next(found.last_error or "" for found in teller.notifications() if found.id == row.id)


# --- the loop


@pytest.fixture
def running() -> Iterator[Callable[[Sender], threading.Event]]:
    """Starts a sender's loop; the event stops it. All are stopped at the end."""
    begun: list[tuple[threading.Event, threading.Thread]] = []

    def run(sender: Sender) -> threading.Event:
        stop = threading.Event()
        thread = threading.Thread(target=sender.run, args=(stop,))
        begun.append((stop, thread))
        thread.start()
        return stop

    yield run
    for stop, thread in begun:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive()


def by_smtp(server: MailServer, **options: Any) -> Transport:
    return SmtpTransport(Server(host=HOST, port=server.port, security=Security.NONE), **options)


def test_mails_wait_while_the_server_is_down_and_go_once_it_is_up(
    teller: Teller, running: Callable[[Sender], threading.Event], tmp_path: Path
) -> None:
    some_mails(teller, 5)
    server = MailServer()
    running(teller.sender(by_smtp(server), tmp_path))
    until(lambda: max(row.attempts for row in teller.notifications()) >= 1, describe="it has been tried")
    with server:
        teller.now += sum(BACKOFF, timedelta())
        until(lambda: len(server.taken) == 5, within=20, describe="all are there")
        until(lambda: {row.state for row in teller.notifications()} == {"sent"}, describe="and that is recorded")
    assert len({read(taken.octets).message["Message-ID"] for taken in server.taken}) == 5


def test_one_click_stops_mails_by_what_the_server_was_given(teller: Teller, tmp_path: Path) -> None:
    (row,) = some_mails(teller)
    with MailServer() as server:
        transport = by_smtp(server)
        assert teller.sender(transport, tmp_path).send_due() == 1
        transport.close()
    (taken,) = server.taken
    (address,) = re.findall(rb"\r\nList-Unsubscribe: <(https://\S{80,})>\r\n", taken.octets)
    path = address.decode().removeprefix(f"{ADDRESS}/u/")
    found = unsubscribing.read(Config(home=tmp_path, public_url=ADDRESS), path)
    assert found.kind == row.kind
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in taken.octets


def test_a_stop_finishes_the_mail_in_hand_and_gives_the_others_back(
    teller: Teller, running: Callable[[Sender], threading.Event], tmp_path: Path
) -> None:
    some_mails(teller, 3)
    with MailServer() as server:
        server.answers["DATA"] = [HANG]
        stop = running(teller.sender(by_smtp(server), tmp_path))
        heard = threading.Event()
        server.hears = lambda _taken: heard.set()
        assert heard.wait(timeout=10)
        stop.set()
        server.released.set()
        until(lambda: [row.state for row in teller.notifications()] == ["sent", "pending", "pending"])
        assert [row.attempts for row in teller.notifications()] == [1, 0, 0]


def test_files_are_written_once_however_often_a_mail_is_sent(teller: Teller, tmp_path: Path) -> None:
    (row,) = some_mails(teller)
    sender = teller.sender(OutboxFolder(tmp_path), tmp_path)
    sender.send_due()
    (file,) = tmp_path.glob("outbox/*/*.eml")
    before = file.read_bytes()
    teller.change(row, state="pending", sent_at=None)
    sender.send_due()
    assert list(tmp_path.glob("outbox/*/*.eml")) == [file] and file.read_bytes() == before
