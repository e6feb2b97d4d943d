"""ETag and If-Match (RFC 9110, 13.1): nobody overwrites what they have not seen."""

from __future__ import annotations

from app.errors import Problem, StaleVersion


class VersionNeeded(Problem):
    code = "version_needed"
    status = 428
    title = "Send If-Match with the ETag you read, so that nobody's change is lost."


def etag(uid: object, revision: int) -> str:
    """A strong validator for one revision of one thing."""
    return f'"{uid}.{revision}"'


def check(if_match: str | None, current: str) -> None:
    """Raises VersionNeeded (428) without If-Match, StaleVersion (412) when it names another version."""
    if if_match is None:
        raise VersionNeeded(remedy=f"If-Match: {current}")
    given = {tag.strip() for tag in if_match.split(",")}
    if "*" not in given and current not in given:
        raise StaleVersion(current=current)
