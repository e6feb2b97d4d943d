"""Conditional requests on a calendar (RFC 9110, section 13): whether what the client has is still right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

SETTLED = timedelta(seconds=5)
"""How long after a change another one could still carry the same second: commits take time, clocks differ."""


@lru_cache(maxsize=256)
def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the header allows gzip: named, or by `*`, and not with q=0."""
    weights = {}
    for part in accept_encoding.lower().split(","):
        coding, _, parameters = part.partition(";")
        weights[coding.strip()] = parameters.replace(" ", "")
    weight = weights.get("gzip", weights.get("*"))
    return weight is not None and not (weight.startswith("q=0") and not weight.strip("q=0."))


def matching(if_none_match: str, etags: tuple[str, ...]) -> str | None:
    """The first of `etags` that the client has, by weak comparison; `*` is any. None: it has none of them."""
    if if_none_match == etags[0]:
        return etags[0]
    given = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etags[0] if "*" in given else next((etag for etag in etags if etag in given), None)


def unchanged_since(if_modified_since: str | None, changed_at: datetime) -> bool:
    """A header that is no date is ignored, as the RFC asks."""
    try:
        given = parsedate_to_datetime(if_modified_since or "")
    except ValueError:
        return False
    if given.tzinfo is None:  # "-0000": UTC, of unknown provenance
        given = given.replace(tzinfo=UTC)
    return given >= changed_at.replace(microsecond=0)


def last_modified(changed_at: datetime, now: datetime) -> str:
    """Last-Modified knows whole seconds only. While another change may fall into the same one, it says the second
    before, so that who asks with it later is sent the calendar once more rather than told that nothing changed."""
    shown = changed_at if now - changed_at >= SETTLED else changed_at - timedelta(seconds=1)
    return _http_date(int(shown.timestamp()))


@lru_cache(maxsize=1024)
def _http_date(timestamp: int) -> str:
    return format_datetime(datetime.fromtimestamp(timestamp, UTC), usegmt=True)
