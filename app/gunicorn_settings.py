"""How gunicorn serves the application: `gunicorn -c python:app.gunicorn_settings 'app:create_app()'`.

The names below are gunicorn's own. Only the loopback address is bound: a proxy stands before it. The application is
loaded once and shared by the workers' memory; its log lines take the place of gunicorn's.
"""

from __future__ import annotations

import ctypes
import gc
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from app import logs
from app.config import Config

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # of malloc.h

_config = Config.from_env()
logs.configure(_config)


class Lines(Logger):
    """gunicorn's messages as lines of ours; no access log (the application writes one line per request)."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


bind = f"127.0.0.1:{_config.port}"
workers = _config.web_workers
threads = _config.web_threads
worker_class = "gthread"
preload_app = True
logger_class = Lines
loglevel = _config.log_level.lower()
accesslog = None
timeout = 30  # seconds without a heartbeat; not the length of a request
graceful_timeout = 20
keepalive = 65  # longer than the usual 60 s of a proxy, so that the proxy closes first
# The heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) and Path("/dev/shm").is_dir() else None
control_socket_disable = True  # else a socket and a thread under the user's home, for a tool we do not use


def when_ready(server: Any) -> None:
    """Before the first fork: the collector forgets what is loaded, so that it never writes to shared pages."""
    gc.collect()
    gc.freeze()
    # A request makes thousands of short-lived objects and no cycles to speak of: look for cycles less often.
    gc.set_threshold(50_000, 20, 50)


def post_fork(server: Any, worker: Any) -> None:
    """In a new worker: forget connections of the parent without closing them, since a socket cannot be shared."""
    give_memory_back()
    services = worker.app.wsgi().extensions.get("passerelle")
    if services is not None:
        services.engine.dispose(close=False)


def give_memory_back() -> None:
    """Have glibc return large blocks (checking one password takes 19 MiB) instead of keeping some for each thread."""
    with suppress(OSError, AttributeError):  # another C library: it has its own ways
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 1 << 20)
        mallopt(M_ARENA_MAX, 2)


def child_exit(server: Any, worker: Any) -> None:
    """In the master: a worker that is gone no longer counts among the live figures of /metrics."""
    from prometheus_client import multiprocess, values

    if values.ValueClass is not values.MutexValue:
        multiprocess.mark_process_dead(worker.pid)
