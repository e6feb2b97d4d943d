"""Which addresses of other people this installation may call, so that nobody makes it call its own neighbours.

Https only, on the usual ports, without a name and password inside. A name is resolved once, and the connection goes to
the very addresses that were looked at then: an answer of the DNS that changes between a check and a call changes
nothing. What an address looks like is no argument, what it reaches is: IPv4 hidden in IPv6 is taken out and judged.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

from app.config import BadSetting, Config
from app.errors import Invalid, Problem

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], list[str]]  # a name and a port to addresses, in the order to try them

PORTS = frozenset({443, 8443})
MAX_URL = 2000
MAX_ADDRESSES = 4  # of one name, tried in turn
MAX_LOOKUPS = 64  # at once; one that is not answered in time is left behind, and counts until the system gives it up

# What of IPv4 is not somebody's on the public internet: the special-purpose registry of IANA, and multicast.
NOT_PUBLIC_4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network; 0.0.0.0 reaches this very machine
        "10.0.0.0/8",
        "100.64.0.0/10",  # behind a provider's translation; also hosts of some clouds
        "127.0.0.0/8",
        "168.63.129.16/32",  # the host under a virtual machine, in one cloud, on an address that looks public
        "169.254.0.0/16",  # link-local; clouds give out credentials there
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# Of IPv6 only global unicast is somebody's, which leaves out loopback, mapped, compatible, translated, site-local,
# link-local, unique local and multicast addresses; and within it these are not.
PUBLIC_6 = IPv6Network("2000::/3")
NOT_PUBLIC_6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments, among them Teredo, which carries IPv4
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which carries IPv4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
# Where an IPv4 address hides that the kernel or a translator takes out again: it is judged in its own right.
CARRIES_4 = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
ISATAP = (0x00005EFE, 0x02005EFE)  # the upper half of an interface's id that carries IPv4

# Names that never mean anything beyond somebody's own network (RFC 6761, 6762, 8375, 9476 and habit).
INNER_NAMES = frozenset({"localhost", "local", "internal", "intranet", "lan", "home", "corp", "onion"})
INNER_ENDINGS = (".home.arpa",)

_VISIBLE = re.compile(r"[!-\[\]-~]+")  # ASCII without spaces, control characters and the backslash
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_A_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class AddressNotPermitted(Problem):
    """The name leads to no address on the public internet, and the operator has not allowed what it leads to."""

    code = "address_not_permitted"
    status = 422
    title = "That address is not on the public internet."


class NameNotFound(Problem):
    """The DNS knows no address for the name, or does not say so in time."""

    code = "name_not_found"
    status = 422
    title = "No address was found for that name."


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be called besides public addresses: nothing, unless the operator of an intranet says so.

    `networks` are reached at the usual ports; `places` are one host at one port, wherever that leads. `ca_file` holds
    certificates of an authority of one's own, trusted beside the system's.
    """

    networks: tuple[Network, ...] = ()
    places: frozenset[tuple[str, int]] = frozenset()
    ca_file: str | None = None

    @classmethod
    def of(cls, config: Config) -> Policy:
        """Raises BadSetting for a word of OUTSIDE_ALLOW that is neither a network nor host:port."""
        networks, places = [], set()
        for word in re.split(r"[\s,]+", config.outside_allow.strip()):
            try:
                if "/" in word:
                    networks.append(ipaddress.ip_network(word))
                elif word:
                    places.add(_place(word))
            except ValueError as error:
                remedy = "networks such as 10.1.0.0/16, or places such as hooks.intranet:8443, separated by commas"
                raise BadSetting(setting="OUTSIDE_ALLOW", value=word, remedy=remedy) from error
        return cls(tuple(networks), frozenset(places), config.outside_ca_file)

    def permits(self, address: Address) -> bool:
        """Whether an address may be called at the usual ports."""
        return is_public(address) or any(address in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart: `host` in small letters, an address without brackets; `path` with its query."""

    url: str
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where to connect for a target: these addresses and no others, however the name resolves a moment later."""

    target: Target
    addresses: tuple[str, ...] = field(default=())


def is_public(address: Address) -> bool:
    """Whether an address is somebody's on the public internet, by what it reaches rather than by what it looks like."""
    if isinstance(address, IPv4Address):
        return not any(address in block for block in NOT_PUBLIC_4)
    if any(address in block for block in CARRIES_4):
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    if address not in PUBLIC_6 or any(address in block for block in NOT_PUBLIC_6):
        return False
    return (int(address) >> 32) & 0xFFFFFFFF not in ISATAP


def check_url(url: str, *, policy: Policy) -> Target:
    """Take apart a URL that a person gave; its name is not resolved.

    Raises Invalid, naming `url` and what to do, unless it is plain https to a place that may be called.
    """
    if len(url) > MAX_URL:
        raise _invalid(f"Use an address of at most {MAX_URL} characters.")
    if not _VISIBLE.fullmatch(url):
        raise _invalid("Use visible ASCII characters only; a name in other letters is written in its xn-- form.")
    try:
        parts = urlsplit(url)
        host, port = _one_spelling(parts.hostname or ""), parts.port
    except ValueError as error:
        raise _invalid("Write it as https://name/path.") from error
    if parts.scheme != "https":
        raise _invalid("It must begin with https://.")
    if "@" in parts.netloc:
        raise _invalid("Leave out the name and password; requests are signed instead.")
    if "#" in url:
        raise _invalid("Leave out what follows the #; it is never sent.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = Target(url, host, 443 if port is None else port, path)
    _check_place(target, policy)
    return target


def resolve(url: str, *, policy: Policy, resolver: Resolver | None = None, within: float = 5.0) -> Resolved:
    """Check a URL, resolve its name once, and keep those of its addresses that may be called.

    A name with both kinds of addresses is called at the permitted ones. Raises Invalid as check_url does, NameNotFound
    when the DNS has no answer within so many seconds, AddressNotPermitted when no address may be called.
    """
    target = check_url(url, policy=policy)
    found = [target.host] if _literal(target.host) else _look_up(resolver or by_the_system, target, within)
    if (target.host, target.port) in policy.places:
        return Resolved(target, tuple(found[:MAX_ADDRESSES]))
    permitted = [text for text in found if (address := _literal(text)) and policy.permits(address)]
    if not permitted:
        raise AddressNotPermitted(host=target.host)  # and not to which: that would map the inside for whoever asks
    return Resolved(target, tuple(permitted[:MAX_ADDRESSES]))


def by_the_system(host: str, port: int) -> list[str]:
    """What the system's resolver says, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


_lookups = threading.BoundedSemaphore(MAX_LOOKUPS)


def _look_up(resolver: Resolver, target: Target, within: float) -> list[str]:
    """Ask in a thread of its own: the system's resolver knows no deadline, and waits half a minute by default."""
    if not _lookups.acquire(timeout=within):
        raise NameNotFound(host=target.host, reason="too many names are being looked up")
    answers: list[list[str]] = []

    def ask() -> None:
        try:
            answers.append(resolver(target.host, target.port))
        except (OSError, UnicodeError):
            answers.append([])
        finally:
            _lookups.release()

    thread = threading.Thread(target=ask, name="lookup", daemon=True)
    thread.start()
    thread.join(within)
    if not answers:
        raise NameNotFound(host=target.host, reason="no answer in time")
    if not answers[0]:
        raise NameNotFound(host=target.host, reason="unknown")
    return answers[0]


def _check_place(target: Target, policy: Policy) -> None:
    if (target.host, target.port) in policy.places:
        return
    if target.port not in PORTS:
        raise _invalid(f"Use one of the ports {', '.join(map(str, sorted(PORTS)))}.")
    address = _literal(target.host)
    if address is None:
        _check_name(target.host, policy)
    elif not policy.permits(address):
        raise _invalid("Use an address on the public internet.")


def _check_name(host: str, policy: Policy) -> None:
    """A name with a dot in it, spelt as the DNS spells it; a number is no name, whatever a resolver makes of it."""
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _invalid("Write the whole name of the host, without a dot at its end.")
    if _A_NUMBER.fullmatch(labels[-1]):
        raise _invalid("Write the host as a name, or its address in the usual way (four numbers, or in brackets).")
    inner = len(labels) == 1 or labels[-1] in INNER_NAMES or host.endswith(INNER_ENDINGS)
    if inner and not policy.networks:  # where networks of one's own are allowed, names of one's own are of use
        raise _invalid("Use a name that the public internet knows.")


def _literal(host: str) -> Address | None:
    """The address that `host` is; None for a name, and for an address that names a network card (a zone)."""
    try:
        return None if "%" in host else ipaddress.ip_address(host)
    except ValueError:
        return None


def _one_spelling(host: str) -> str:
    """An address in its usual spelling; a name as it is."""
    address = _literal(host)
    return host if address is None else str(address)


def _place(word: str) -> tuple[str, int]:
    """`host:port` or `[address]:port`. Raises ValueError for anything else."""
    host, _, port = word.rpartition(":")
    host = host.lower()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif not host or ":" in host:
        raise ValueError(word)
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(word)
    return _one_spelling(host), int(port)


def _invalid(remedy: str) -> Invalid:
    return Invalid.field("url", remedy)
