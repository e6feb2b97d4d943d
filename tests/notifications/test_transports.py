"""Both ways out of the house keep the same promises; and what a mail server says is taken for what it means."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from app.config import BadSetting, Config
from app.ids import new_id
from app.notifications.composing import Mail
from app.notifications.outbox_folder import OutboxFolder
from app.notifications.sending import transport_of
from app.notifications.smtp import MOST_ON_A_CONNECTION, Security, Server, SmtpTransport
from app.notifications.transport import Refused, Rejected, Transport, Trouble, Unreachable
from tests.notifications.mail_server import DROP, HANG, MailServer
from tests.outside.receivers import Authority
from tests.running import HOST, free_port

LOGIN = ("passerelle", "p:w@/ d")


def a_mail(body: str = "Hello", recipient: str = "ana@members.example") -> Mail:
    uid = new_id()
    octets = f"From: a@passerelle.example\r\nMessage-ID: <{uid}@passerelle.example>\r\n\r\n{body}\r\n".encode()
    return Mail(uid, "2026-03-02", "bookings@passerelle.example", recipient, octets)


@dataclass
class Way:
    """A transport, what has arrived by it, and how to make it impossible for a while."""

    transport: Transport
    arrived: Callable[[], list[bytes]]
    block: Callable[[], Any]
    open: Callable[[], Any]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.ca_file)


def by_smtp(server: MailServer, security: Security = Security.NONE, *, host: str = HOST, **options: Any):
    login = dict(zip(("user", "password"), options.pop("login", (None, None)), strict=True))
    return SmtpTransport(Server(host=host, port=server.port, security=security, **login), **options)


@pytest.fixture(params=["files", "smtp", "starttls", "tls"])
def way(request: pytest.FixtureRequest, tmp_path: Path, authority: Authority) -> Iterator[Way]:
    if request.param == "files":
        folder = OutboxFolder(tmp_path)
        yield Way(
            folder,
            lambda: [file.read_bytes() for file in sorted(folder.folder.glob("*/*.eml"))],
            lambda: folder.folder.write_text("in the way"),
            lambda: folder.folder.unlink(),
        )
        return
    security = {"smtp": Security.NONE, "starttls": Security.STARTTLS, "tls": Security.TLS}[request.param]
    contexts = {request.param: authority.server(HOST)} if security is not Security.NONE else {}
    with MailServer(**contexts) as server:
        transport = by_smtp(server, security, encryption=trusting(authority))
        yield Way(transport, lambda: [taken.octets for taken in server.taken], server.stop, server.start)
        transport.close()
        assert all(taken.encrypted == (security is Security.STARTTLS) for taken in server.taken if not server._tls)


def test_a_mail_arrives_as_it_was_sent(way: Way) -> None:
    mails = [a_mail("one"), a_mail(".\r\n..two\r\n.three"), a_mail("x" * 900)]
    for mail in mails:
        way.transport.send(mail)
    assert sorted(way.arrived()) == sorted(mail.octets for mail in mails)


def test_a_mail_may_be_sent_again(way: Way) -> None:
    mail = a_mail()
    way.transport.send(mail)
    way.transport.send(mail)
    assert {message_from_bytes(octets)["Message-ID"] for octets in way.arrived()} == {
        f"<{mail.uid}@passerelle.example>"
    }
    assert set(way.arrived()) == {mail.octets}


def test_after_closing_it_sends_again_and_closing_twice_is_harmless(way: Way) -> None:
    way.transport.close()
    way.transport.send(a_mail("one"))
    way.transport.close()
    way.transport.close()
    way.transport.send(a_mail("two"))
    assert len(way.arrived()) == 2


def test_where_nobody_takes_mails_it_says_so_and_goes_on_later(way: Way) -> None:
    way.block()
    with pytest.raises(Unreachable):
        way.transport.send(a_mail("lost"))
    way.open()
    way.transport.send(a_mail("found"))
    assert any(b"found" in octets for octets in way.arrived())


# --- files


def test_a_file_is_whole_or_not_there_and_only_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, mail = OutboxFolder(tmp_path), a_mail()
    folder.send(mail)
    (file,) = tmp_path.glob("outbox/2026-03-02/*")
    assert file.name == f"{mail.uid}.eml"
    assert (file.stat().st_mode & 0o777, folder.folder.stat().st_mode & 0o777) == (0o600, 0o700)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Unreachable, match="No space left"):
        folder.send(a_mail())
    assert list(tmp_path.glob("outbox/2026-03-02/*")) == [file]
    assert list(tmp_path.glob("outbox/2026-03-02/.*")) == []


# --- SMTP


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.mark.parametrize(
    ("step", "answer", "means", "status"),
    [
        ("RCPT", "550 5.1.1 no such person", Refused, "5.1.1"),
        ("RCPT", "550 no such person", Refused, "5.1.1"),
        ("RCPT", "553 what an address", Refused, "5.1.3"),
        ("RCPT", "552 full", Refused, "5.2.2"),
        ("RCPT", "550 5.7.1 you may not relay", Rejected, None),
        ("RCPT", "554 5.7.1 blocked by policy", Rejected, None),
        ("RCPT", "450 4.2.1 try again", Rejected, None),
        ("RCPT", "451 4.1.8 who are you", Rejected, None),
        ("RCPT", "421 closing", Unreachable, None),
        ("DATA", "550 5.1.1 found out late", Refused, "5.1.1"),
        ("DATA", "554 looks like spam", Rejected, None),
        ("DATA", "550 no", Rejected, None),
        ("DATA", "452 4.3.1 disk full", Rejected, None),
        ("MAIL", "550 5.1.8 your sender is unknown", Rejected, None),
        ("MAIL", "451 later", Rejected, None),
        ("MAIL", "421 too many", Unreachable, None),
        ("RCPT", DROP, Unreachable, None),
        ("DATA", DROP, Unreachable, None),
    ],
)
def test_an_answer_is_taken_for_what_it_means(
    server: MailServer, step: str, answer: str, means: type[Trouble], status: str | None
) -> None:
    transport = by_smtp(server)
    server.answers[step] = [answer]
    with pytest.raises(Trouble) as said:
        transport.send(a_mail("first"))
    assert type(said.value) is means
    assert getattr(said.value, "status", None) == status
    transport.send(a_mail("second"))
    transport.close()
    assert sum(b"second" in taken.octets for taken in server.taken) == 1


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_a_server_that_says_nothing_is_waited_for_so_long(server: MailServer, step: str) -> None:
    transport = by_smtp(server, step_s=0.3)
    server.answers[step] = [HANG]
    with pytest.raises(Unreachable):
        transport.send(a_mail())
    server.released.set()
    transport.send(a_mail("next"))
    transport.close()


def test_all_the_steps_of_a_mail_together_have_their_limit_too(server: MailServer) -> None:
    hands = iter([0.0, 1.0, 2.0, 14.9, 15.1, 100.0, 100.0])
    transport = by_smtp(server, clock=lambda: next(hands, 100.0))
    with pytest.raises(Unreachable, match="too long"):
        transport.send(a_mail())


def test_one_connection_takes_many_mails_and_is_changed_before_it_is_too_old(server: MailServer) -> None:
    transport = by_smtp(server)
    for _ in range(MOST_ON_A_CONNECTION):
        transport.send(a_mail())
    assert server.connections == 1
    transport.send(a_mail())
    transport.close()
    assert (server.connections, len(server.taken)) == (2, MOST_ON_A_CONNECTION + 1)


def test_a_connection_that_the_server_has_ended_is_replaced_unnoticed(server: MailServer) -> None:
    transport = by_smtp(server)
    transport.send(a_mail("one"))
    server.stop()
    server.start()
    transport.send(a_mail("two"))
    transport.close()
    assert len(server.taken) == 2


def test_a_mail_is_not_sent_unencrypted_where_encryption_is_asked(server: MailServer) -> None:
    heard = []
    server.hears = heard.append
    with pytest.raises(Unreachable, match="STARTTLS"):
        by_smtp(server, Security.STARTTLS).send(a_mail())
    assert heard == []


@pytest.mark.parametrize("name", ["another.example", HOST])
def test_a_server_whose_certificate_is_not_its_own_gets_nothing(authority: Authority, name: str) -> None:
    """One is of another name, the other of an authority that nobody trusts."""
    encryption = trusting(authority) if name != HOST else None
    with MailServer(starttls=authority.server(name), login=LOGIN) as server:
        transport = by_smtp(server, Security.STARTTLS, encryption=encryption, login=LOGIN)
        with pytest.raises(Unreachable, match="certificate verify failed"):
            transport.send(a_mail())
        assert server.taken == []


def test_it_signs_in_and_says_nothing_of_the_password_when_it_may_not(authority: Authority) -> None:
    with MailServer(starttls=authority.server(HOST), login=LOGIN) as server:
        transport = by_smtp(server, Security.STARTTLS, encryption=trusting(authority), login=LOGIN)
        transport.send(a_mail())
        transport.close()
        (taken,) = server.taken
        assert (taken.user, taken.encrypted) == (LOGIN[0], True)
        wrong = by_smtp(server, Security.STARTTLS, encryption=trusting(authority), login=("passerelle", "wr0ng"))
        with pytest.raises(Unreachable) as said:
            wrong.send(a_mail())
        assert "wr0ng" not in str(said.value) and "535" in str(said.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", ("mail.example", 587, Security.STARTTLS, None, None)),
        ("smtp://mail.example:25", ("mail.example", 25, Security.STARTTLS, None, None)),
        ("smtps://u:p%40w@mail.example", ("mail.example", 465, Security.TLS, "u", "p@w")),
        ("smtp+plain://mail.example", ("mail.example", 25, Security.NONE, None, None)),
        ("smtp://127.0.0.1:1025", ("127.0.0.1", 1025, Security.NONE, None, None)),
        ("smtp://localhost:1025", ("localhost", 1025, Security.NONE, None, None)),
        ("smtp://[::1]:1025", ("::1", 1025, Security.NONE, None, None)),
        ("smtp://127.0.0.1.mail.example", ("127.0.0.1.mail.example", 587, Security.STARTTLS, None, None)),
    ],
)
def test_an_address_says_how_to_reach_the_server(url: str, expected: tuple[Any, ...]) -> None:
    server = Server.of(url)
    assert (server.host, server.port, server.security, server.user, server.password) == expected


@pytest.mark.parametrize(
    "url",
    [
        "mail.example", "http://mail.example", "smtp://", "smtp://:587", "smtp://u@mail.example", "smtp://h:70000",
        "smtp://h/path", "smtp://h?x", "smtp://u:pässword@h", "smtp://h:secret",
    ],
)  # fmt: skip
def test_an_address_that_says_nothing_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BadSetting) as refused:
        Server.of(url)
    assert "secret" not in str(refused.value) and "pässword" not in str(refused.value)


def test_mails_go_where_the_settings_say(tmp_path: Path) -> None:
    assert isinstance(transport_of(Config(home=tmp_path)), OutboxFolder)
    outside = {"home": tmp_path, "smtp_url": f"smtp://{HOST}:{free_port()}"}
    assert isinstance(transport_of(Config(**outside, mail_from="P <bookings@x.example>")), SmtpTransport)
    for unusable in ("", "nobody", "a@b\r\nBcc: c@d.example", "P <>"):
        with pytest.raises(BadSetting, match="MAIL_FROM"):
            transport_of(Config(**outside, mail_from=unusable))
