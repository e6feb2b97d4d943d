"""The client towards real servers on the loopback: pinned, verified, in time, and never led elsewhere."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from app.config import BadSetting
from app.outside.address import AddressNotPermitted, Policy
from app.outside.client import MAX_READ, NoAnswer, Outside
from tests.outside.receivers import HOST, NAME, Answering, Authority, Exchange, Receiver, nobody_home, to_the_loopback

KEEP = 2048
QUICK = 0.6  # seconds: the deadline where a test waits for it
BODY = b'{"type":"booking.made"}'


def fine(exchange: Exchange) -> None:
    exchange.reply(200, b"thanks", X_Seen="yes")


def outside(authority: Authority | None, *ports: int, deadline_s: float = 5.0, name: str = NAME, **options) -> Outside:
    """A client that may call `name` at these ports, which is this machine."""
    ca_file = authority.ca_file if authority else None
    policy = Policy(places=frozenset((name, port) for port in ports), ca_file=ca_file)
    return Outside(policy, **{"resolver": to_the_loopback, "deadline_s": deadline_s, **options})


@pytest.fixture
def receiving(authority: Authority) -> Iterator:
    opened: list[Receiver] = []

    def open_one(answer: Answering, *names: str, **options) -> Receiver:
        receiver = Receiver(authority.server(*(names or (NAME,)), **options), answer)
        opened.append(receiver.__enter__())
        return receiver

    yield open_one
    for receiver in opened:
        receiver.__exit__()


def refusal(client: Outside, url: str) -> str:
    with pytest.raises(NoAnswer) as refused:
        client.post(url, BODY, {}, keep=KEEP)
    return str(refused.value.facts["reason"])


def test_a_post_arrives_as_it_was_sent_and_its_answer_comes_back(authority, receiving) -> None:
    receiver = receiving(fine)
    answer = outside(authority, receiver.port).post(receiver.url("/a?b=c"), BODY, {"X-Own": "1"}, keep=KEEP)
    assert (answer.status, answer.body, answer.headers["x-seen"]) == (200, b"thanks", "yes")
    [heard] = receiver.heard
    assert (heard.method, heard.path, heard.body) == ("POST", "/a?b=c", BODY)
    assert heard.headers["x-own"] == "1" and heard.headers["content-length"] == str(len(BODY))


def test_the_server_is_told_the_name_that_was_asked_for(authority, receiving) -> None:
    receiver = receiving(fine)
    outside(authority, receiver.port).post(receiver.url(), BODY, {}, keep=KEEP)
    assert receiver.names == [NAME]
    assert receiver.heard[0].headers["host"] == f"{NAME}:{receiver.port}"


def test_an_address_in_the_url_is_checked_against_the_certificate_too(authority, receiving) -> None:
    receiver = receiving(fine, HOST)
    client = outside(authority, receiver.port, name=HOST)
    assert client.post(receiver.url(name=HOST), BODY, {}, keep=KEEP).status == 200


def test_it_connects_to_the_address_that_was_looked_up_and_looks_up_once(authority, receiving) -> None:
    receiver, asked = receiving(fine), []

    def resolver(host: str, _port: int) -> list[str]:
        asked.append(host)
        return [HOST] if len(asked) == 1 else ["127.0.0.9"]

    outside(authority, receiver.port, resolver=resolver).post(receiver.url(), BODY, {}, keep=KEEP)
    assert asked == [NAME]


def test_an_address_that_takes_no_connection_is_passed_over_for_the_next(authority, receiving) -> None:
    receiver = receiving(fine)
    client = outside(authority, receiver.port, resolver=lambda _host, _port: ["127.0.0.9", HOST])
    assert client.post(receiver.url(), BODY, {}, keep=KEEP).status == 200


def test_without_permission_nothing_is_even_connected_to(authority, receiving) -> None:
    receiver = receiving(fine)
    client = Outside(Policy(ca_file=authority.ca_file), resolver=to_the_loopback)
    with pytest.raises(AddressNotPermitted):
        client.post(f"https://{NAME}:8443/", BODY, {}, keep=KEEP)
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "names, options",
    [(("somebody.else.example",), {}), ((NAME,), {"expired": True})],
    ids=["of another name", "expired"],
)
def test_a_certificate_that_is_not_theirs_today_is_refused_before_anything_is_said(
    authority, receiving, names, options
) -> None:
    receiver = receiving(fine, *names, **options)
    assert refusal(outside(authority, receiver.port), receiver.url()) == "tls"
    assert receiver.heard == []


def test_an_authority_nobody_trusts_is_refused(receiving) -> None:
    receiver = receiving(fine)
    assert refusal(outside(None, receiver.port), receiver.url()) == "tls"
    assert receiver.heard == []


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_cannot_be_read_is_refused_by_name(tmp_path, content) -> None:
    path = tmp_path / "authorities.pem"
    if content:
        path.write_text(content)
    with pytest.raises(BadSetting) as refused:
        Outside(Policy(ca_file=str(path)))
    assert refused.value.facts["setting"] == "OUTSIDE_CA_FILE"


def test_a_proxy_in_the_environment_is_ignored(authority, receiving, monkeypatch) -> None:
    receiver = receiving(fine)
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert outside(authority, receiver.port).post(receiver.url(), BODY, {}, keep=KEEP).status == 200


def test_a_redirect_is_an_answer_and_is_not_followed(authority, receiving) -> None:
    forbidden = receiving(fine)
    receiver = receiving(lambda exchange: exchange.reply(302, Location=forbidden.url()))
    client = outside(authority, receiver.port, forbidden.port)
    answer = client.post(receiver.url(), BODY, {}, keep=KEEP)
    assert (answer.status, answer.headers["location"]) == (302, forbidden.url())
    assert forbidden.connections == 0


def test_a_port_that_nobody_listens_on_is_unreachable(authority) -> None:
    with socket.create_server((HOST, 0)) as gone:
        port = gone.getsockname()[1]
    assert refusal(outside(authority, port), f"https://{NAME}:{port}/") == "unreachable"


def test_a_connection_that_is_not_taken_ends_in_time(authority) -> None:
    with nobody_home() as port:
        began = time.monotonic()
        assert refusal(outside(authority, port, deadline_s=QUICK), f"https://{NAME}:{port}/") == "timeout"
        assert time.monotonic() - began < QUICK + 1


def drips(before: bytes, after: bytes) -> Answering:
    def answer(exchange: Exchange) -> None:
        exchange.send(before)
        exchange.drip(after, every=0.05)

    return answer


SLOW = {
    "says nothing": lambda exchange: exchange.hang(),
    "drips its status": drips(b"", b"HTTP/1.1 200 OK\r\n" * 9),
    "drips its headers": drips(b"HTTP/1.1 200 OK\r\n", b"X-Slow: 1\r\n" * 90),
    "says continue for ever": drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 90),
}


@pytest.mark.parametrize("vice", SLOW)
def test_a_server_that_is_slow_to_answer_is_left_at_the_deadline(authority, receiving, vice) -> None:
    receiver = receiving(SLOW[vice])
    began = time.monotonic()
    assert refusal(outside(authority, receiver.port, deadline_s=QUICK), receiver.url()) == "timeout"
    assert QUICK * 0.9 < time.monotonic() - began < QUICK + 1


def test_one_that_never_shakes_hands_too(authority) -> None:
    with Receiver(None, fine) as receiver:
        began = time.monotonic()
        assert refusal(outside(authority, receiver.port, deadline_s=QUICK), receiver.url()) == "timeout"
        assert time.monotonic() - began < QUICK + 1


def test_a_body_that_drips_is_cut_at_the_deadline_and_its_status_stands(authority, receiving) -> None:
    receiver = receiving(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"x" * 900))
    began = time.monotonic()
    answer = outside(authority, receiver.port, deadline_s=QUICK).post(receiver.url(), BODY, {}, keep=KEEP)
    assert answer.status == 200 and 0 < len(answer.body) < 900
    assert time.monotonic() - began < QUICK + 1


def test_a_body_that_breaks_off_leaves_its_status(authority, receiving) -> None:
    receiver = receiving(lambda exchange: exchange.reply(200, b"begun", length=5000))
    answer = outside(authority, receiver.port).post(receiver.url(), BODY, {}, keep=KEEP)
    assert (answer.status, answer.body) == (200, b"begun")


def test_of_a_huge_body_only_the_beginning_is_read(authority, receiving) -> None:
    receiver = receiving(lambda exchange: exchange.reply(500, b"x" * 50_000_000))
    answer = outside(authority, receiver.port).post(receiver.url(), BODY, {}, keep=KEEP)
    assert (answer.status, answer.body) == (500, b"x" * KEEP)


def test_heads_without_end_are_not_read_to_their_end(authority, receiving) -> None:
    receiver = receiving(lambda exchange: exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n" * MAX_READ))
    assert refusal(outside(authority, receiver.port), receiver.url()) == "not_http"


@pytest.mark.parametrize(
    "said, reason",
    [
        (b"", "closed"),
        (b"SSH-2.0-OpenSSH\r\n", "not_http"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "not_http"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "not_http"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "not_http"),
    ],
    ids=["nothing", "another protocol", "a status that is none", "too many headers", "a header too long"],
)
def test_what_is_no_answer_has_a_name(authority, receiving, said, reason) -> None:
    receiver = receiving(lambda exchange: exchange.send(said))
    assert refusal(outside(authority, receiver.port), receiver.url()) == reason


def test_one_that_speaks_no_tls_is_refused(authority) -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        client = outside(authority, port, deadline_s=3.0)

        def answer() -> None:
            plain, _ = listener.accept()
            with plain:
                plain.recv(100)
                plain.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert refusal(client, f"https://{NAME}:{port}/") == "tls"
        thread.join()
