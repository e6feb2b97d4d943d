"""`passerelle up`: database, migrations, web and workers on one machine, from one command."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import structlog

from app import logs
from app.child import ChildSpec
from app.config import BadSetting, Config
from app.embedded import EmbeddedPostgres
from app.embedded.cluster import make_home
from app.supervisor import StopRequested, Supervisor

HOST = "127.0.0.1"
PORT_WAIT = 5.0  # seconds: web workers of a killed predecessor notice its death and leave

log = structlog.get_logger(__name__)


def run_up(config: Config, *, demo: bool) -> int:
    """Run everything until a stop signal; returns the exit status 0.

    Order: the port is free, the database answers, its schema is the newest, the demonstration is there, web, workers.
    Raises BadSetting, AlreadyRunning or ChildFailed when a step fails; what had been started is ended by then.
    """
    logs.configure(config)
    check_port(config.port)
    make_home(config.home)
    server = None if config.database_url else EmbeddedPostgres(config.home)
    with ExitStack() as stack:
        if server:
            stack.callback(server.release)  # last of all: the folder stays ours until the server has ended
        supervisor = stack.enter_context(Supervisor())
        try:
            if server:
                server.ensure_initialised()
                supervisor.start(server.spec())
                config = replace(config, database_url=server.url())
            env = environment(config)
            shown = supervisor.run(_prepare(env, create=server is not None, demo=demo))
            supervisor.start(_web(config, env))
            supervisor.start(_workers(env))
            sys.stdout.write(f"Passerelle answers on http://{HOST}:{config.port}\n{shown}{_mails(config)}")
            sys.stdout.flush()
            supervisor.watch()
        except StopRequested:
            log.info("stopped while starting")
    return 0


def _mails(config: Config) -> str:
    """Where mails go, as long as they do not leave the machine."""
    return "" if config.smtp_url else f"Mails are files in {config.home / 'outbox'}\n"


def environment(config: Config, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the children: ours, with `config` as it stands now (options of the command line included)."""
    env = dict(os.environ if inherited is None else inherited)
    for spec in fields(config):
        value = getattr(config, spec.name)
        if value is None:
            env.pop(spec.metadata["env"], None)
        else:
            env[spec.metadata["env"]] = str(value)
    return env


def check_port(port: int) -> None:
    """Raises BadSetting naming PORT when it is taken or not ours to use."""
    if port == 0:
        raise BadSetting(setting="PORT", value=port, remedy="a port from 1 to 65535")
    deadline = time.monotonic() + PORT_WAIT
    while (fault := _bind_fault(port)) == errno.EADDRINUSE and time.monotonic() < deadline:
        time.sleep(0.1)
    if fault:
        remedy = "another program listens there: stop it, or choose another PORT"
        if fault != errno.EADDRINUSE:
            remedy = f"choose another PORT ({os.strerror(fault)})"
        raise BadSetting(setting="PORT", value=port, remedy=remedy)


def _bind_fault(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error.errno or errno.EADDRINUSE
    return 0


def _prepare(env: Mapping[str, str], *, create: bool, demo: bool) -> ChildSpec:
    options = [*(["--create"] if create else []), *(["--demo"] if demo else [])]
    return ChildSpec(name="prepare", argv=[sys.executable, "-m", "app.prepare", *options], env=env)


def _web(config: Config, env: Mapping[str, str]) -> ChildSpec:
    counters = config.home / "metrics"  # one file per web process: /metrics adds them up
    return ChildSpec(
        name="web",
        argv=[sys.executable, "-m", "gunicorn", "-c", "python:app.gunicorn_settings", "app:create_app()"],
        env={**env, "PROMETHEUS_MULTIPROC_DIR": str(counters)},
        before=partial(_emptied, counters),
        ready=lambda: answers(config.port),
        stop_seconds=25.0,
    )


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _workers(env: Mapping[str, str]) -> ChildSpec:
    return ChildSpec(
        name="workers",
        argv=[sys.executable, "-m", "app.cli", "worker", "all"],
        env=env,
        stop_signal=signal.SIGTERM,
        stop_seconds=15.0,
    )


def answers(port: int, path: str = "/healthz") -> bool:
    """Whether the web server answers `path` with 200 within two seconds."""
    try:
        with socket.create_connection((HOST, port), timeout=2.0) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
            return b" 200 " in connection.recv(64)
    except OSError:
        return False
