"""Calendars are kept while they are right, and no more of them than fit."""

from __future__ import annotations

from datetime import UTC, datetime

from app.booking.calendar.documents import Documents, document

TODAY, TOMORROW = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)


class Writer:
    """Writes a calendar of `size` octets and remembers how often it had to."""

    def __init__(self, size: int = 1000) -> None:
        self.size, self.times = size, 0

    def __call__(self) -> bytes:
        self.times += 1
        return b"%d" % self.times * self.size


def test_a_calendar_is_written_again_for_another_version_or_day_only() -> None:
    documents, write = Documents(), Writer()
    key = ("me", 1, "Phone")
    for state in ((1, TODAY), (1, TODAY), (2, TODAY), (2, TODAY), (2, TOMORROW)):
        documents.get(key, state, write)
    assert write.times == 3


def test_the_least_recently_read_goes_first() -> None:
    one = document(Writer()()).size
    documents, write = Documents(largest=2 * one), Writer()
    first, second, third = (("me", member, "x") for member in (1, 2, 3))
    for key in (first, second, first, third):
        documents.get(key, (1, TODAY), write)
    written = write.times
    documents.get(first, (1, TODAY), write)
    assert write.times == written
    documents.get(second, (1, TODAY), write)
    assert write.times == written + 1


def test_a_calendar_larger_than_the_cache_is_served_and_drives_nobody_out() -> None:
    small, large = Writer(), Writer(size=100_000)
    documents = Documents(largest=10_000)
    documents.get(("me", 1, "x"), (1, TODAY), small)
    assert len(documents.get(("me", 2, "x"), (1, TODAY), large).plain.octets) == 100_000
    documents.get(("me", 1, "x"), (1, TODAY), small)
    assert small.times == 1


def test_the_same_calendar_has_the_same_tags_in_every_web_process() -> None:
    one, two = document(b"same" * 100), document(b"same" * 100)
    assert (one.plain, one.zipped) == (two.plain, two.zipped)
    assert one.plain.etag != one.zipped.etag
