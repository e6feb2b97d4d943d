"""A RabbitMQ node of the harness's own: loopback only, free ports, with its folder and its name server.

Started as .ci/run starts its own: under the account `rabbitmq` where we are root, since the server refuses root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from app.child import ChildSpec
from tests.running import HOST, free_port

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
COMMAND_PATIENCE = 60.0


def installed() -> bool:
    return (PROGRAMS / "rabbitmq-server").exists() and shutil.which("epmd") is not None


class Node:
    """`specs` are to be started in their order; `control` runs a rabbitmqctl command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._names = free_port()
        self._account = pwd.getpwnam("rabbitmq") if os.geteuid() == 0 else None
        folder.mkdir()
        if self._account:
            os.chown(folder, self._account.pw_uid, self._account.pw_gid)
        base = str(folder)
        self._env = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": base,
            "RABBITMQ_NODENAME": f"passerelle-chaos-{os.getpid()}-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self._names),
            "RABBITMQ_CONFIG_FILE": f"{base}/none",
            "RABBITMQ_CONF_ENV_FILE": f"{base}/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{base}/none",
            "RABBITMQ_MNESIA_BASE": base,
            "RABBITMQ_LOG_BASE": base,
            "RABBITMQ_PID_FILE": f"{base}/pid",
        }

    def specs(self) -> list[ChildSpec]:
        epmd = shutil.which("epmd") or "epmd"
        return [
            self._spec("names", [epmd, "-address", HOST, "-port", str(self._names)]),
            self._spec("broker", [str(PROGRAMS / "rabbitmq-server")]),
        ]

    def url(self, port: int | None = None) -> str:
        return f"amqp://guest:guest@{HOST}:{port or self.port}//"

    def control(self, *arguments: str) -> Iterator[float]:
        """rabbitmqctl, as something to be stepped through: how long to wait before looking again, in seconds.

        Raises RuntimeError with what it said when it fails.
        """
        output = self.folder / "control.log"
        with output.open("ab") as said:
            options = {"user": self._account.pw_uid, "group": self._account.pw_gid} if self._account else {}
            process = subprocess.Popen(
                [str(PROGRAMS / "rabbitmqctl"), "--quiet", *arguments], env=self._env, stdin=subprocess.DEVNULL,
                stdout=said, stderr=said, cwd="/", start_new_session=True, **options,
            )  # fmt: skip
            while process.poll() is None:
                yield 0.05
        if process.returncode:
            raise RuntimeError(f"rabbitmqctl {arguments}: {output.read_text()[-1000:]}")

    def _spec(self, name: str, argv: list[str]) -> ChildSpec:
        return ChildSpec(
            name=name, argv=argv, env=self._env, account=self._account, output=self.folder / f"{name}.log",
            cwd=Path("/"), stop_signal=signal.SIGKILL,
        )  # fmt: skip
