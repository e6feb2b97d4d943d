"""The stage: servers of its own behind lines that can be cut, and the product as it runs in production.

One PostgreSQL (the wheel's, durable), one RabbitMQ node, two web workers, two relays, two processes of each consumer,
kept alive by `keeper`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict

from app.bus import Bus
from app.child import ChildSpec
from app.config import Config
from app.db import migrate
from app.embedded import EmbeddedPostgres
from app.events.archive import FOLDER
from app.up import answers, environment
from tests.chaos import ledger
from tests.chaos.broker import Node
from tests.chaos.keeper import Keeper
from tests.chaos.ledger import Disk
from tests.chaos.lines import Lines
from tests.chaos.outside import Partner
from tests.chaos.people import Town, a_town
from tests.chaos.tally import TABLE, TALLY
from tests.running import HOST, ROOT, SETTINGS_OF_TESTS, free_port
from tests.waiting import until
from workers import registry
from workers.registry import Consumer

EACH = 2  # processes of the relay and of every consumer
CONNECTIONS = 200
DATABASE, BROKER = "database", "broker"


class Servers:
    """PostgreSQL, RabbitMQ and the lines to them. They take seconds to start: several stages may share them."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix="passerelle-chaos-"))
        self.folder.chmod(0o755)
        self.keeper = Keeper()
        self.node = Node(self.folder / "rabbitmq")
        self.postgres = EmbeddedPostgres(self.folder / "home")
        self.logs_wanted = False
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self.postgres.release)
            stack.callback(self.keeper.stop)
            self.postgres.ensure_initialised()
            spec = self.postgres.spec()
            argv = [*spec.argv, f"--max_connections={CONNECTIONS}"]
            self.keeper.start(replace(spec, argv=argv), DATABASE)
            for spec in self.node.specs():
                self.keeper.start(spec, spec.name)
            self.keeper.wait_up(DATABASE)
            socket = conninfo_to_dict(self.postgres.url())["host"]
            far_ends = {DATABASE: f"{socket}/.s.PGSQL.5432", BROKER: self.node.port}
            self.lines = stack.enter_context(Lines(far_ends, self.folder / "lines.log"))
            until(self._broker_answers, within=60, every=0.2, describe="RabbitMQ answers")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def database(self, name: str) -> str:
        """The address of a new, migrated database, straight to the server."""
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        address = self.postgres.url(name)
        migrate(address)
        with psycopg.connect(address) as connection:
            connection.execute(TABLE)
            connection.execute(ledger.TABLE)
        return address

    def broker_is_up(self) -> bool:
        return self.keeper.kept[BROKER].alive and self._broker_answers()

    def keep_logs(self, wanted: object) -> Path:
        """Whether the folder with the logs is to stay; which it is."""
        self.logs_wanted = self.logs_wanted or bool(wanted)
        return self.folder

    def forget(self, *, but_logs: bool) -> None:
        """Remove what the servers held; the logs stay, if asked."""
        if not but_logs:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        for path in (self.folder / "home" / "postgres", self.folder / "home" / "socket"):
            shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.glob("rabbitmq/*@localhost*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)

    def _broker_answers(self) -> bool:
        try:
            with Bus(self.node.url()).connection("chaos") as connection:
                connection.connect()
            return True
        except Exception:
            return False


class Stage:
    """The product on those servers, on a database and a bus of its own: all its consumers, or those named."""

    def __init__(
        self, servers: Servers, name: str, *, seed: int, only: tuple[str, ...] = (), sabotage: str = ""
    ) -> None:
        self.servers = servers
        self.keeper = servers.keeper
        self.folder = servers.folder / name
        self.folder.mkdir()
        self.direct_url = servers.database(f"chaos_{name}")
        everybody = {**registry.load(), TALLY.name: TALLY}
        self.consumers: dict[str, Consumer] = {name: everybody[name] for name in only or everybody}
        self.port = free_port()
        self.disk = Disk(self.folder / FOLDER)
        self.partner = Partner(self.folder / "partner")
        self.town: Town = a_town(self.direct_url)
        self.partner.subscribe(self.direct_url, self.town.place)
        lines = servers.lines.ports
        self.config = Config(
            home=self.folder,
            database_url=f"postgresql://postgres@{HOST}:{lines[DATABASE]}/chaos_{name}",
            broker_url=servers.node.url(lines[BROKER]),
            port=self.port,
            log_level="INFO",
            outside_allow=self.partner.allowed,
            outside_ca_file=self.partner.ca_file,
        )
        self._chaos = {
            "CHAOS_DISTURB": str(seed), "CHAOS_SABOTAGE": sabotage, "CHAOS_CONSUMERS": " ".join(self.consumers),
        }  # fmt: skip
        self._begun: dict[str, int] = {}  # how long a worker's log was when it was last started
        self.kinds = ("web", "relay", *self.consumers)

    def __enter__(self) -> Self:
        try:
            self.partner.__enter__()
            self.keeper.start(self._spec("web", "web", ready=lambda: answers(self.port)), "web")
            for kind in self.kinds[1:]:
                for number in range(EACH):
                    self.keeper.start(self._worker(kind, number), kind)
            self.keeper.wait_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.keeper.stop_all_at_once(*self.kinds)
        self.partner.__exit__()
        self.disk.close()
        bus = Bus(self.servers.node.url())
        bus.delete(self.consumers.values())

    @property
    def bus(self) -> Bus:
        """The bus, past its line."""
        return Bus(self.servers.node.url())

    def suffer(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)

    def up(self) -> bool:
        """Whether every process is up."""
        return all(kept.up() for kept in self.keeper.kept.values())

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """A connection to the database, past its line."""
        return psycopg.connect(self.direct_url, autocommit=True, **options)

    def _worker(self, kind: str, number: int) -> ChildSpec:
        name = f"{kind}-{number}"
        spec = self._spec(name, "worker", kind, ready=lambda: self._works(name))
        return replace(spec, before=lambda: self._begins(name))

    def _begins(self, name: str) -> None:
        log = self.folder / f"{name}.log"
        self._begun[name] = log.stat().st_size if log.exists() else 0

    def _works(self, name: str) -> bool:
        """Whether a worker has said so in its present life."""
        with (self.folder / f"{name}.log").open("rb") as log:
            log.seek(self._begun[name])
            return b'"working"' in log.read()

    def _spec(self, name: str, *arguments: str, ready: Any = None) -> ChildSpec:
        inherited: Mapping[str, str] = {k: v for k, v in os.environ.items() if k not in SETTINGS_OF_TESTS}
        return ChildSpec(
            name=name,
            argv=[sys.executable, "-m", "tests.chaos.launch", *arguments],
            env=environment(self.config, inherited) | self._chaos,
            ready=ready,
            output=self.folder / f"{name}.log",
            cwd=ROOT,
        )

    def last_said(self, name: str, what: str) -> str:
        """When a process last wrote a line with `what` in it, to compare with others; never is the earliest."""
        file = self.folder / f"{name}.log"
        text = file.read_text(errors="replace") if file.exists() else ""
        lines = [line for line in text.splitlines() if what in line]
        return str(json.loads(lines[-1]).get("timestamp", "")) if lines else ""

    def doctor(self) -> tuple[bool, str]:
        """Whether `passerelle doctor` finds all well, and what it says."""
        spec = self._spec("doctor")
        said = subprocess.run(
            [sys.executable, "-m", "app.cli", "doctor"], env=spec.env, cwd=ROOT, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        return said.returncode == 0, said.stdout + said.stderr
