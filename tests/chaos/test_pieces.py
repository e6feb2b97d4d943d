"""The pieces of the harness do what it relies on: deliveries lose nothing, lines break and mend, a death is where it is
said to be."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.chaos.disturb import Deliveries
from tests.chaos.lines import Lines
from tests.chaos.watch import Watch
from tests.running import HOST, ROOT
from tests.waiting import until

MESSAGES = 1000


def message(number: int) -> SimpleNamespace:
    return SimpleNamespace(body=number, delivery_info={"delivery_tag": number})


def tag(given: SimpleNamespace) -> int:
    return int(given.delivery_info["delivery_tag"])


@pytest.fixture(scope="module")
def came() -> tuple[Deliveries, list[SimpleNamespace]]:
    deliveries, given = Deliveries(random.Random(1)), []
    for number in range(1, MESSAGES + 1):
        deliveries.come(given.append, message(number))
        deliveries.hand_over_ripe()
    until(lambda: deliveries.hand_over_ripe() is False and deliveries.ripe_in() is None, describe="all are handed over")
    return deliveries, given


def test_every_message_comes_some_come_twice_and_some_late(came):
    _, given = came
    bodies = [each.body for each in given]
    assert set(bodies) == set(range(1, MESSAGES + 1))
    assert 0.02 * MESSAGES < len(bodies) - MESSAGES < 0.09 * MESSAGES
    assert sum(later < earlier for earlier, later in pairwise(bodies)) > 0.01 * MESSAGES


def test_tags_are_in_the_order_of_handing_over(came):
    assert [tag(each) for each in came[1]] == list(range(1, len(came[1]) + 1))


def test_settling_some_says_of_those_and_of_no_copy(came):
    deliveries, given = came
    settled = deliveries.settle(tag(given[9]), multiple=True)
    settled += [each for one in given[10:] for each in deliveries.settle(tag(one), multiple=False)]
    assert sorted(settled) == list(range(1, MESSAGES + 1))


@pytest.fixture
def echo():
    """A server that says back what it hears."""
    program = (
        "import socketserver\n"
        "class Echo(socketserver.StreamRequestHandler):\n"
        "    def handle(self):\n"
        "        while heard := self.request.recv(100): self.request.sendall(heard)\n"
        f"server = socketserver.ThreadingTCPServer(('{HOST}', 0), Echo)\n"
        "server.daemon_threads = True\n"
        "print(server.server_address[1], flush=True)\n"
        "server.serve_forever()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    yield int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_line_carries_hushes_breaks_and_mends(echo: int, tmp_path: Path):
    with Lines({"echo": echo}, tmp_path / "lines.log") as lines:
        port = lines.ports["echo"]
        with socket.create_connection((HOST, port), 5) as call:
            call.sendall(b"one")
            assert call.recv(100) == b"one"
            lines.tell("hush", "echo")
            call.sendall(b"two")
            call.settimeout(0.3)
            with pytest.raises(TimeoutError):
                call.recv(100)
            lines.tell("mend", "echo")
            call.settimeout(5)
            assert call.recv(100) == b"two"
            lines.tell("cut", "echo")
            assert call.recv(100) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port), 5)
        lines.tell("mend", "echo")
        with socket.create_connection((HOST, port), 5) as call:
            call.sendall(b"three")
            assert call.recv(100) == b"three"


@pytest.mark.parametrize("place", ["before the acknowledgement", "after publishing", "after a commit"])
def test_an_armed_process_dies_where_it_was_told_to(place: str):
    program = f"""
from types import SimpleNamespace
from tests.chaos import deaths
deaths.install()
deaths.arm(__import__("os").getpid(), {place!r})
print("before", flush=True)
deaths.here({place!r})
print("after", flush=True)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (ended.returncode, ended.stdout) == (-9, "before\n")


def test_the_lag_is_back_when_it_was_last_late():
    watch = Watch(lambda **_: None)  # type: ignore[arg-type,return-value]
    now = time.monotonic()
    watch.samples = [(now - 3 + n / 10, 5.0 if n < 12 else 0.1) for n in range(30)]
    assert watch.last_late(now - 3) == pytest.approx(now - 1.8, abs=0.01)
    assert watch.last_late(now - 1) == now - 1
    watch.samples = watch.samples[:15]  # and then nobody could look
    assert watch.last_late(now - 3) == pytest.approx(now, abs=0.2)
