"""A real PostgreSQL out of a wheel, for a small space, a fresh machine and the tests. Start reading at server.py."""

from app.embedded.server import (
    AlreadyRunning,
    EmbeddedPostgres,
    ServerFailed,
    ensure_database,
    running_url,
    serving,
)

__all__ = ["AlreadyRunning", "EmbeddedPostgres", "ServerFailed", "ensure_database", "running_url", "serving"]
