"""What follows from an answer: the schedule, its jitter, what a receiver may ask for, and its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.webhooks.schedule import JITTER, LONGEST, PAUSES, Next, after, asked_for, is_failing_too_long

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOURS = timedelta(hours=1)


def next_of(status: int | None, *, attempt: int = 1, chance: float = 0.0, **headers: str) -> Next:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return after(status, given, attempt=attempt, now=NOW, chance=chance)


def test_the_pauses_are_those_of_the_specification() -> None:
    seconds = [0, 5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600]
    assert [pause.total_seconds() for pause in PAUSES] == seconds


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(status: int) -> None:
    assert next_of(status) == Next("delivered")


@pytest.mark.parametrize("status", [None, 101, 199, 300, 301, 302, 307, 308, 400, 404, 429, 500, 503, 599])
def test_anything_else_is_tried_again_after_the_next_pause(status: int | None) -> None:
    for attempt in range(1, len(PAUSES)):
        assert next_of(status, attempt=attempt) == Next("failed", NOW + PAUSES[attempt])


@pytest.mark.parametrize("attempt", [10, 11, 99])
def test_after_the_last_attempt_it_is_given_up(attempt: int) -> None:
    assert next_of(500, attempt=attempt) == Next("given_up")
    assert next_of(503, attempt=attempt, retry_after="5") == Next("given_up")
    assert next_of(200, attempt=attempt) == Next("delivered")


def test_gone_ends_it_at_the_first_attempt() -> None:
    assert next_of(410) == Next("given_up")


@given(st.floats(0, 1), st.integers(1, 9))
def test_jitter_makes_a_pause_longer_by_a_fifth_at_most(chance: float, attempt: int) -> None:
    found = next_of(None, attempt=attempt, chance=chance).at
    assert found and PAUSES[attempt] <= found - NOW <= PAUSES[attempt] * (1 + JITTER)


def test_what_failed_together_comes_again_at_different_instants() -> None:
    assert len({next_of(500, chance=number / 10).at for number in range(10)}) == 10


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("text", ["120", " 120 ", "Mon, 02 Mar 2026 08:02:00 GMT", "Mon, 02 Mar 2026 09:02:00 +0100"])
def test_a_receiver_may_ask_for_a_longer_pause(status: int, text: str) -> None:
    assert next_of(status, retry_after=text) == Next("failed", NOW + timedelta(minutes=2))


def test_but_not_for_a_shorter_one() -> None:
    assert next_of(429, attempt=3, retry_after="1") == Next("failed", NOW + PAUSES[3])


@pytest.mark.parametrize("text", ["86401", "9" * 400, "Sun, 01 Jan 2090 00:00:00 GMT"])
def test_nor_for_more_than_a_day(text: str) -> None:
    assert next_of(503, retry_after=text) == Next("failed", NOW + LONGEST)


@pytest.mark.parametrize("status", [500, 404, 302])
def test_with_other_answers_it_has_no_say(status: int) -> None:
    assert next_of(status, retry_after="7200") == Next("failed", NOW + PAUSES[1])


@pytest.mark.parametrize("text", ["", "soon", "-5", "1.5", "１２", "Mon, 02 Mar 2026", "Mon, 99 Mar 2026 08:02:00 GMT",
                                  "Mon, 02 Mar 2020 08:00:00 GMT"])  # fmt: skip
def test_what_says_no_time_to_come_asks_for_nothing(text: str) -> None:
    assert asked_for(text, now=NOW) == timedelta(0)


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    assert asked_for(text, now=NOW) >= timedelta(0)


def test_five_days_without_a_success_are_too_long() -> None:
    assert is_failing_too_long(NOW - timedelta(days=5), now=NOW)
    assert not is_failing_too_long(NOW - timedelta(days=5) + timedelta(seconds=1), now=NOW)
    assert not is_failing_too_long(None, now=NOW)
