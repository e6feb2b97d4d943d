"""The supervisor over real processes: restarts, order of ending, Ctrl-C, and its own kill -9."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from app.config import BadSetting, Config
from app.supervisor import next_delay
from app.up import answers, check_port, environment, run_up
from tests.waiting import until

ROOT = Path(__file__).parent.parent

# A child that notes each start and end in a journal, and ends (or not) when asked.
CHILD = """
import json, os, signal, sys, time
name, journal, manner = sys.argv[1:4]
def note(what):
    line = json.dumps({"child": name, "what": what, "pid": os.getpid(), "at": time.monotonic()})
    with open(journal, "a") as file:
        file.write(line + "\\n")
def leave(number, frame):
    note("asked")
    if manner != "stubborn":
        sys.exit(0)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, leave)
if manner == "parent" and os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("grandchild")
    while True:
        signal.pause()
note("started")
if manner in ("dying", "early"):
    sys.exit(3)
while True:
    signal.pause()
"""

SUPERVISOR = """
import json, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may not want to hear of it
from pathlib import Path
from app import logs
from app.child import ChildSpec
from app.config import Config
from app.supervisor import Supervisor, StopRequested
child, journal, wanted = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
logs.configure(Config(home=None))
def ready(name, manner):
    if manner.startswith("never ready") or manner == "early":
        return lambda: False
    return None if manner == "dying" else lambda: journal.exists() and any(
        json.loads(line)["child"] == name and json.loads(line)["what"] == "started"
        for line in journal.read_text().splitlines()
    )
with Supervisor() as supervisor:
    try:
        for name, manner in wanted:
            argv = [sys.executable, "-S", str(child), name, str(journal), manner]
            supervisor.start(ChildSpec(
                name=name, argv=argv, ready=ready(name, manner), stop_seconds=60,
                ready_seconds=0.5 if manner == "never ready" else 60,
            ))
        print("all up", flush=True)
        supervisor.watch()
    except StopRequested:
        print("stopped while starting", flush=True)
"""


class Running:
    """A supervisor in a process of its own, and the journal its children keep."""

    def __init__(self, folder, children):
        child, self.journal = folder / "child.py", folder / "journal"
        child.write_text(textwrap.dedent(CHILD))
        code = [sys.executable, "-c", SUPERVISOR, str(child), str(self.journal), json.dumps(children)]
        self.errors = folder / "errors"  # a file: what survives by mistake would hold a pipe open for ever
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                code, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
            )

    def notes(self, what, child=None):
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        notes = [json.loads(line) for line in lines if line.endswith("}")]
        return [note for note in notes if note["what"] == what and child in (None, note["child"])]

    def wait_up(self):
        assert self.process.stdout.readline() == "all up\n", self.errors.read_text()
        return self

    def ends(self, within=20):
        return self.process.wait(timeout=within)

    def pids(self):
        return {note["pid"] for what in ("started", "grandchild") for note in self.notes(what)}

    def clear(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        for process in psutil.process_iter(["cmdline"]):
            if str(self.journal) in (process.info["cmdline"] or []):
                process.kill()


@pytest.fixture
def supervising(tmp_path):
    started = []

    def supervise(*children):
        started.append(Running(tmp_path, children))
        return started[-1]

    yield supervise
    for running in started:
        running.clear()


def alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_killed_child_is_started_again(supervising):
    running = supervising(("database", "polite"), ("web", "polite")).wait_up()
    os.kill(running.notes("started", "web")[0]["pid"], signal.SIGKILL)
    until(lambda: len(running.notes("started", "web")) == 2, describe="web is back")
    assert len(running.notes("started", "database")) == 1, "the others go on"


def test_a_child_that_keeps_dying_is_started_less_and_less_often(supervising):
    running = supervising(("broken", "dying")).wait_up()
    until(lambda: len(running.notes("started")) >= 5, within=20, describe="five attempts")
    times = [note["at"] for note in running.notes("started")]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    for pause, least in zip(pauses, (0.2, 0.4, 0.8, 1.6), strict=False):
        assert pause >= least


def test_the_pause_doubles_up_to_ten_seconds_and_half_a_minute_alive_forgives():
    pause, pauses = 0.0, []
    for _ in range(8):
        pauses.append(pause := next_delay(pause, alive=1.0))
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert next_delay(10.0, alive=31.0) == 0.2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_ends_all_cleanly_the_last_started_first(supervising, number):
    running = supervising(("database", "polite"), ("web", "polite"), ("workers", "polite")).wait_up()
    running.process.send_signal(number)
    assert running.ends() == 0
    assert [note["child"] for note in running.notes("asked")] == ["workers", "web", "database"]


def test_ctrl_c_at_the_terminal_reaches_the_supervisor_only(supervising):
    running = supervising(("database", "polite"), ("web", "polite")).wait_up()
    os.killpg(running.process.pid, signal.SIGINT)
    assert running.ends() == 0
    assert [note["child"] for note in running.notes("asked")] == ["web", "database"], "each once, in order"


def test_a_second_ctrl_c_forces(supervising):
    running = supervising(("database", "polite"), ("web", "stubborn")).wait_up()
    running.process.send_signal(signal.SIGINT)
    until(lambda: running.notes("asked", "web"), describe="web was asked, and stays")
    assert running.process.poll() is None
    running.process.send_signal(signal.SIGINT)
    assert running.ends() == 0
    assert not any(alive(pid) for pid in running.pids())


def test_a_signal_while_starting_ends_what_was_started(supervising):
    running = supervising(("database", "polite"), ("web", "polite"), ("slow", "never ready for a minute"))
    until(lambda: running.notes("started", "web"), describe="web is up")
    running.process.send_signal(signal.SIGTERM)
    assert running.ends() == 0
    assert not any(alive(pid) for pid in running.pids())


def test_what_a_killed_child_left_behind_goes_before_the_next_start(supervising):
    running = supervising(("web", "parent")).wait_up()
    until(lambda: running.notes("grandchild"), describe="it has a child of its own")
    left_behind = running.notes("grandchild")[0]["pid"]
    os.kill(running.notes("started", "web")[0]["pid"], signal.SIGKILL)
    until(lambda: len(running.notes("started", "web")) == 2, describe="web is back")
    assert not alive(left_behind)


def test_no_child_survives_the_kill_of_the_supervisor(supervising):
    running = supervising(("database", "stubborn"), ("web", "stubborn")).wait_up()
    running.process.kill()
    running.process.wait()
    until(lambda: not any(alive(pid) for pid in running.pids()), describe="the kernel told them")


@pytest.mark.parametrize(("manner", "fact"), [("never ready", "waited_seconds"), ("early", "exit_code=3")])
def test_a_child_that_does_not_get_ready_is_an_error_that_names_it_and_ends_the_rest(supervising, manner, fact):
    running = supervising(("database", "polite"), ("web", manner))
    assert running.ends(within=30) == 1
    errors = running.errors.read_text()
    assert "child_failed" in errors and "web" in errors and fact in errors
    assert not any(alive(pid) for pid in running.pids())


def test_a_taken_port_is_refused_by_name_before_anything_starts(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadSetting, match="another program listens there") as caught:
            run_up(Config(home=tmp_path / "home", port=port), demo=False)
    assert caught.value.facts["setting"] == "PORT" and caught.value.facts["value"] == port
    assert not (tmp_path / "home").exists()


def test_a_free_port_is_fine_and_port_zero_is_not():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    check_port(port)
    assert not answers(port)
    with pytest.raises(BadSetting, match="PORT"):
        check_port(0)


def test_children_get_the_settings_as_the_command_line_left_them(tmp_path):
    config = Config(home=tmp_path, port=8000, database_url="postgresql:///x")
    env = environment(config, {"PORT": "9000", "PATH": "/bin", "STRIPE_API_KEY": "old"})
    assert (env["PORT"], env["PATH"], env["DATABASE_URL"]) == ("8000", "/bin", "postgresql:///x")
    assert "STRIPE_API_KEY" not in env
    assert Config.from_env(env) == config
