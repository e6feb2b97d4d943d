"""What a client has is recognised as RFC 9110 says; what it sends that makes no sense is ignored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.booking.calendar.conditional import accepts_gzip, last_modified, matching, unchanged_since

CHANGED = datetime(2026, 3, 2, 8, 0, 0, 700_000, tzinfo=UTC)
STAMP = "Mon, 02 Mar 2026 08:00:00 GMT"


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("br, gzip;q=0.5", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("*", True),
        ("gzip;q=0.001", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("x-gzipper", False),
    ],
)
def test_gzip_is_sent_to_who_accepts_it(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ('"a"', '"a"'),
        ('W/"a"', '"a"'),
        ('"x", "b"', '"b"'),
        ('"b","a"', '"a"'),
        ("*", '"a"'),
        ('"x"', None),
        ("a", None),
        ('w/"a"', None),
        (",,", None),
    ],
)
def test_the_first_tag_that_the_client_has_is_found(header: str, known: str | None) -> None:
    assert matching(header, ('"a"', '"b"')) == known


@pytest.mark.parametrize(
    ("header", "unchanged"),
    [
        (STAMP, True),
        ("Mon, 02 Mar 2026 09:00:00 +0100", True),
        ("Mon, 02 Mar 2026 08:00:00 -0000", True),
        ("Mon, 02 Mar 2026 07:59:59 GMT", False),
        ("", False),
        (None, False),
        ("yesterday", False),
        ("Mon, 99 Mar 2026 08:00:00 GMT", False),
    ],
)
def test_a_date_is_compared_by_the_second(header: str | None, unchanged: bool) -> None:
    assert unchanged_since(header, CHANGED) is unchanged


def test_a_date_that_another_change_may_still_share_is_not_given_out() -> None:
    assert last_modified(CHANGED, CHANGED + timedelta(minutes=1)) == STAMP
    given = last_modified(CHANGED, CHANGED + timedelta(milliseconds=100))
    assert given == "Mon, 02 Mar 2026 07:59:59 GMT"
    assert not unchanged_since(given, CHANGED)
