"""Log lines: JSON (or text for a terminal) on standard error, one pipeline for ours and for every library's.

Context bound with `structlog.contextvars` (request_id, event_id) is on each line. The last step before a line is
written takes out what must never be kept: passwords, bearer tokens, the secret part of a feed's address.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from app.config import BadSetting, Config

SCRUBBED = "[scrubbed]"
SECRET_NAME = re.compile(
    r"(^|[_\-. ])(password|passwd|secret|token|authorization|cookie|api[_-]?key|secret[_-]?key|signature)$", re.I
)
# Found inside any text: what to look for, and what stands there afterwards.
SECRET_TEXT: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{6,}", re.I), rf"\1 {SCRUBBED}"),
    (re.compile(r"/f/[^/\s\"'?]+?(?=\.ics)"), f"/f/{SCRUBBED}"),
    (re.compile(r"/u/[\w-]{20,}"), f"/u/{SCRUBBED}"),
    (re.compile(r"(://[^/\s:@]*):[^/\s@]+@"), rf"\1:{SCRUBBED}@"),
    (re.compile(r"\b(?:[sr]k_(?:live|test)|whsec)_\w+"), SCRUBBED),
    (
        re.compile(
            r"([\"']?\b(?:password|passwd|token|secret|api_key)[\"']?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&}]+)"
        ),
        rf"\1{SCRUBBED}",
    ),
)
# Libraries whose INFO tells nothing, or quotes the values of statements and messages.
QUIET = ("sqlalchemy", "alembic", "werkzeug", "urllib3", "stripe", "kombu", "amqp")
HANDLER = "passerelle"


class StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever sys.stderr is at that moment: tests and daemons exchange it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.set_name(HANDLER)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        raise AttributeError("always sys.stderr")


def configure(config: Config) -> None:
    """Set up structlog and the standard library's logging; again is harmless.

    Raises BadSetting when LOG_LEVEL or LOG_FORMAT is none of the known ones.
    """
    level = _level(config.log_level)
    if config.log_format not in ("json", "text"):
        raise BadSetting(setting="LOG_FORMAT", value=config.log_format, remedy="json or text")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    _route_standard_logging(level, shared, _renderer(config.log_format))


def scrub(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """A structlog processor: `line` without secrets, at any depth."""
    return {name: _clean(name, value) for name, value in line.items()}


def scrub_text(text: str) -> str:
    for pattern, instead in SECRET_TEXT:
        text = pattern.sub(instead, text)
    return text


def _clean(name: Any, value: Any) -> Any:
    if isinstance(name, str) and value is not None and SECRET_NAME.search(name):
        return SCRUBBED
    match value:
        case str():
            return scrub_text(value)
        case bytes():
            return scrub_text(value.decode(errors="replace"))
        case dict():
            return {inner: _clean(inner, held) for inner, held in value.items()}
        case list() | tuple() | set():
            return [_clean(None, held) for held in value]
        case bool() | int() | float() | None:
            return value
    return scrub_text(str(value))


def _level(name: str) -> int:
    levels = {known: logging.getLevelNamesMapping()[known] for known in ("DEBUG", "INFO", "WARNING", "ERROR")}
    try:
        return levels[name.upper()]
    except KeyError as error:
        raise BadSetting(setting="LOG_LEVEL", value=name, remedy=", ".join(levels)) from error


def _renderer(log_format: str) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    # The plain formatter: tracebacks are text by then, already scrubbed.
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _route_standard_logging(level: int, shared: list[Processor], renderer: Processor) -> None:
    handler = StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                scrub,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    for old in [held for held in root.handlers if held.get_name() == HANDLER]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
