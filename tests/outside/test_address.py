"""Which addresses may be called: by what they reach, however spelt, and whatever the DNS says a moment later."""

from __future__ import annotations

import ipaddress
import socket
import threading
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import BadSetting, Config
from app.errors import Invalid
from app.outside.address import (
    AddressNotPermitted,
    NameNotFound,
    Policy,
    by_the_system,
    check_url,
    is_public,
    resolve,
)
from tests.outside.receivers import resolves

STRICT = Policy()

INNER = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255",
    "127.0.0.1", "127.1.2.3", "168.63.129.16", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255",
    "192.0.0.1", "192.0.0.9", "192.0.0.170", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1",
    "192.168.255.255", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::8.8.8.8",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0",
    "::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8",
    "64:ff9b::127.0.0.1", "64:ff9b::10.1.2.3", "64:ff9b::169.254.169.254", "64:ff9b::192.168.1.1",
    "64:ff9b:1::1", "64:ff9b:1:ffff::8.8.8.8", "64:ff9b:0:1::8.8.8.8",
    "100::1", "100:0:0:1::1", "2001::1", "2001:0:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:1::1",
    "2001:2::1", "2001:10::1", "2001:20::1", "2001:30::1", "2001:db8::1", "2002::1", "2002:7f00:1::1",
    "2002:a00:1::", "2002:c0a8:101::1", "2002:808:808::1", "2620:4f:8000::1", "3fff::1", "3fff:fff::1",
    "4000::1", "5f00::1", "8000::1", "fc00::1", "fd00::1", "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1",
    "feff::1", "ff02::1", "ff05::2", "ff0e::1", "2a00:1450::5efe:c0a8:101", "2a00:1450::200:5efe:a00:1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "223.255.255.255", "2a00:1450:4007:80e::200e", "2606:4700::1111", "2400:cb00::1",
    "2001:200::1", "2001:4860:4860::8888", "2003::1", "3ffe::1", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8",
]  # fmt: skip


@pytest.mark.parametrize("text", INNER)
def test_an_address_that_is_not_somebodys_on_the_internet_is_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_just_outside_the_reserved_ones_is_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@given(st.integers(0, 2**32 - 1))
def test_what_the_standard_library_calls_private_is_never_public(number: int) -> None:
    address = IPv4Address(number)
    if not address.is_global or address.is_multicast:
        assert not is_public(address)


@given(st.integers(0, 2**128 - 1) | st.integers(0x2000 << 112, (0x4000 << 112) - 1))
def test_the_same_of_the_long_addresses(number: int) -> None:
    address = IPv6Address(number)
    if not address.is_global or address.is_multicast or address.is_site_local or address.sixtofour or address.teredo:
        assert not is_public(address)


@given(st.integers(0, 2**32 - 1), st.sampled_from([IPv6Address("::ffff:0:0"), IPv6Address("64:ff9b::")]))
def test_an_address_inside_another_is_judged_as_itself(number: int, around: IPv6Address) -> None:
    assert is_public(IPv6Address(int(around) + number)) == is_public(IPv4Address(number))


# --- URLs

GOOD = {
    "https://hooks.receiver.example": ("hooks.receiver.example", 443, "/"),
    "https://hooks.receiver.example/": ("hooks.receiver.example", 443, "/"),
    "https://HOOKS.Receiver.example:8443/a/b;c?d=e&f": ("hooks.receiver.example", 8443, "/a/b;c?d=e&f"),
    "https://hooks.receiver.example:443?x=1": ("hooks.receiver.example", 443, "/?x=1"),
    "HTTPS://xn--caf-dma.example/%C3%A9": ("xn--caf-dma.example", 443, "/%C3%A9"),
    "https://_a-b.receiver.example/": ("_a-b.receiver.example", 443, "/"),
    "https://8.8.8.8/": ("8.8.8.8", 443, "/"),
    "https://[2606:4700::1111]:8443/": ("2606:4700::1111", 8443, "/"),
    "https://[2606:4700:0:0::1111]/": ("2606:4700::1111", 443, "/"),
}


@pytest.mark.parametrize("url", GOOD)
def test_a_good_url_is_taken_apart(url: str) -> None:
    target = check_url(url, policy=STRICT)
    assert (target.host, target.port, target.path) == GOOD[url]


HOSTILE = [
    "", "https://", "https:///path", "https:receiver.example", "//receiver.example/", "/path", "receiver.example",
    "http://receiver.example/", "ftp://receiver.example/", "file:///etc/passwd", "gopher://receiver.example/",
    "https://somebody@receiver.example/", "https://some:body@receiver.example/", "https://receiver.example@127.0.0.1/",
    "https://@receiver.example/", "https://127.0.0.1\\@receiver.example/", "https://receiver.example\\.evil.example/",
    "https://receiver.example/#part", "https://receiver.example#@127.0.0.1/",
    "https://receiver.example:80/", "https://receiver.example:22/", "https://receiver.example:0/",
    "https://receiver.example:65536/", "https://receiver.example:-1/", "https://receiver.example:443:443/",
    "https://receiver.example:4 43/", "https://receiver.example:https/",
    "https://receiver.example/a b", "https://receiver.example/\r\nHost: x", "https://receiver.example/\t", " https://a.b",
    "https://receiver.example/\x00", "https://receiver.example/\x7f", "https://caf\u00e9.example/",
    "https://receiver.example/caf\u00e9", "https://\uff11\uff12\uff17.0.0.1/", "https://127\u30020\u30020\u30021/",
    "https://receiver.example./", "https://.receiver.example/", "https://receiver..example/", "https://-a.example/",
    "https://a-.example/", "https://a%2eexample/", "https://a*b.example/", "https://a,b.example/",
    f"https://{'a' * 64}.example/", f"https://{'a.' * 130}example/", f"https://receiver.example/{'a' * 2000}",
    "https://localhost/", "https://LOCALHOST/", "https://localhost:8443/", "https://localhost./", "https://a.localhost/",
    "https://printer/", "https://printer.local/", "https://metadata.google.internal/", "https://nas.home.arpa/",
    "https://127.0.0.1/", "https://127.0.0.1:8443/", "https://127.0.0.1./", "https://127.1/", "https://127.0.1/",
    "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/",
    "https://127.0.0.0x1/", "https://00.0.0.0/", "https://0/", "https://0x/", "https://1.2.3.4.5/", "https://256.1.1.1/",
    "https://127.0.0.01/", "https://169.254.169.254/latest/meta-data/", "https://10.0.0.1/", "https://192.168.1.1/",
    "https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://::1/",
    "https://[0:0:0:0:0:ffff:7f00:0001]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/",
    "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[2606:4700::1111%25eth0]/", "https://[fd00::1]/",
    "https://[v1.fe80::a]/", "https://[127.0.0.1]/", "https://[::1]evil.example/", "https://[::1/",
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_spelling_is_refused_with_what_to_do(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_url(url, policy=STRICT)
    [error] = refused.value.facts["errors"]
    assert error["field"] == "url" and error["message"].endswith(".")


@given(st.text(max_size=60))
def test_anything_else_is_refused_in_the_same_way(text: str) -> None:
    for url in (text, f"https://{text}", f"https://receiver.example/{text}"):
        try:
            target = check_url(url, policy=STRICT)
        except Invalid:
            continue
        assert target.url.isascii() and target.port in (443, 8443) and ("." in target.host or ":" in target.host)


# --- names

NAME = "https://receiver.example/"


def test_a_name_leads_to_its_public_addresses_in_their_order() -> None:
    found = resolve(NAME, policy=STRICT, resolver=resolves(receiver__example=["2606:4700::1111", "1.1.1.1"]))
    assert found.addresses == ("2606:4700::1111", "1.1.1.1")


def test_of_a_name_with_both_kinds_only_the_public_address_is_called() -> None:
    answer = ["127.0.0.1", "::1", "1.1.1.1", "169.254.169.254"]
    assert resolve(NAME, policy=STRICT, resolver=resolves(receiver__example=answer)).addresses == ("1.1.1.1",)


@pytest.mark.parametrize("text", INNER)
def test_a_name_that_leads_inside_is_refused_and_does_not_say_where(text: str) -> None:
    with pytest.raises(AddressNotPermitted) as refused:
        resolve(NAME, policy=STRICT, resolver=resolves(receiver__example=[text]))
    assert refused.value.facts == {"host": "receiver.example"}


@pytest.mark.parametrize("text", ["fe80::1%eth0", "2606:4700::1111%1", "not an address", "127.1", ""])
def test_an_answer_that_is_no_plain_address_is_not_called(text: str) -> None:
    with pytest.raises(AddressNotPermitted):
        resolve(NAME, policy=STRICT, resolver=resolves(receiver__example=[text]))


def test_the_dns_is_asked_once_and_its_next_answer_changes_nothing() -> None:
    answers = iter([["1.1.1.1"], ["127.0.0.1"]])
    found = resolve(NAME, policy=STRICT, resolver=lambda _host, _port: next(answers))
    assert found.addresses == ("1.1.1.1",) and next(answers) == ["127.0.0.1"]


def test_a_name_that_was_public_when_it_was_entered_is_refused_when_it_leads_inside() -> None:
    answers = iter([["1.1.1.1"], ["10.0.0.1"]])

    def rebinding(_host: str, _port: int) -> list[str]:
        return next(answers)

    resolve(NAME, policy=STRICT, resolver=rebinding)
    with pytest.raises(AddressNotPermitted):
        resolve(NAME, policy=STRICT, resolver=rebinding)


def test_a_name_that_nobody_knows_is_not_found() -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    for resolver in (unknown, resolves()):
        with pytest.raises(NameNotFound, match="unknown"):
            resolve(NAME, policy=STRICT, resolver=resolver)


def test_a_dns_that_does_not_answer_is_not_waited_for() -> None:
    over = threading.Event()

    def silent(_host: str, _port: int) -> list[str]:
        over.wait(30)
        return ["1.1.1.1"]

    with pytest.raises(NameNotFound, match="no answer in time"):
        resolve(NAME, policy=STRICT, resolver=silent, within=0.05)
    over.set()


def test_an_address_needs_no_dns() -> None:
    found = resolve("https://1.1.1.1/", policy=STRICT, resolver=resolves())
    assert found.addresses == ("1.1.1.1",)


def test_the_systems_resolver_knows_this_machine() -> None:
    assert set(by_the_system("localhost", 443)) <= {"127.0.0.1", "::1"}


# --- what an operator allows


def policy(allow: str) -> Policy:
    return Policy.of(Config.from_env({"OUTSIDE_ALLOW": allow}))


def test_nothing_inside_is_allowed_unless_somebody_says_so() -> None:
    assert Policy.of(Config.from_env({})) == STRICT


def test_an_allowed_network_is_called_at_the_usual_ports_and_its_names_are_taken() -> None:
    allowed = policy("10.1.0.0/16, fd00:1::/32")
    assert check_url("https://10.1.2.3/", policy=allowed).host == "10.1.2.3"
    assert check_url("https://[fd00:1::7]:8443/", policy=allowed).host == "fd00:1::7"
    found = resolve("https://intranet/", policy=allowed, resolver=resolves(intranet=["10.2.0.1", "10.1.0.1"]))
    assert found.addresses == ("10.1.0.1",)
    for url in ("https://10.2.0.1/", "https://10.1.2.3:9443/", "https://127.0.0.1/"):
        with pytest.raises(Invalid):
            check_url(url, policy=allowed)


def test_an_allowed_place_is_one_host_at_one_port() -> None:
    allowed = policy("Hooks.Intranet:9443 127.0.0.1:8080 [::1]:8081")
    dns = resolves(hooks__intranet=["10.0.0.1"])
    assert resolve("https://hooks.intranet:9443/", policy=allowed, resolver=dns).addresses == ("10.0.0.1",)
    assert resolve("https://127.0.0.1:8080/", policy=allowed).addresses == ("127.0.0.1",)
    assert resolve("https://[0::1]:8081/", policy=allowed).addresses == ("::1",)
    for url in ("https://hooks.intranet/", "https://127.0.0.1:8081/", "http://127.0.0.1:8080/", "https://a.b:9443/"):
        with pytest.raises(Invalid):
            check_url(url, policy=allowed)


@pytest.mark.parametrize("word", ["10.1.0.0/33", "10.1.0.1/16", "intranet", "a:b", "a:0", "a:65536", ":443", "::1:443"])
def test_a_word_that_is_neither_is_refused_by_name(word: str) -> None:
    with pytest.raises(BadSetting) as refused:
        policy(f"127.0.0.0/8 {word}")
    assert refused.value.facts["setting"] == "OUTSIDE_ALLOW" and refused.value.facts["value"] == word
