"""The digest in words: how many are expected and from when, then who, what waits for an answer, and what else is up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time

from app.notifications.letters import Letter, Story, Words
from app.notifications.survey import Survey, Visit

Line = Callable[[Words, Visit], str]
MOST_LISTED = 100  # a mail is read on a phone; the plan has the rest


def digest(story: Story) -> Letter:
    """Today: times alone, since the day is in the subject."""
    _ = story.words.say
    return _letter(story, _("%(space)s, %(day)s", space=story.space, day=_day(story)), _("Today"), _timed)


def digest_weekly(story: Story) -> Letter:
    _ = story.words.say
    subject = _("%(space)s, the week from %(day)s", space=story.space, day=_day(story))
    return _letter(story, subject, _("The next seven days"), _dated)


def _letter(story: Story, subject: str, title: str, line: Line) -> Letter:
    _, words = story.words.say, story.words
    found: Survey = story.more["survey"]
    lists = (
        (title, [line(words, visit) for visit in found.visits]),
        (_("Waiting for your answer"), [_dated(words, visit) for visit in found.requests]),
        (_("Did not come"), [_dated(words, visit) for visit in found.missed]),
        (_("Closed"), [_closed(words, *closure) for closure in found.closures]),
        (_("Webhooks that were switched off"), list(found.receivers)),
        (_("Documents that did not reach their customer"), list(found.undelivered)),
    )
    return Letter(
        subject=subject,
        lead=_lead(words, found.visits),
        rows=_figures(words, found),
        lists=[(title, _shortened(words, lines)) for title, lines in lists if lines],
        action=(_("The day's plan"), f"{story.base_url}/spaces/{story.more['slug']}?day={story.facts['day']}"),
    )


def _shortened(words: Words, lines: list[str]) -> list[str]:
    rest = len(lines) - MOST_LISTED
    if rest <= 0:
        return lines
    return [*lines[:MOST_LISTED], words.ngettext("and %(num)s more", "and %(num)s more", rest)]


def _day(story: Story) -> str:
    return story.words.day(datetime.combine(date.fromisoformat(story.facts["day"]), time(12), story.words.zone))


def _lead(words: Words, visits: Sequence[Visit]) -> str:
    _ = words.say
    if not visits:
        return _("Nobody is expected.")
    return words.ngettext("%(num)s booking.", "%(num)s bookings.", len(visits))


def _figures(words: Words, found: Survey) -> list[tuple[str, str]]:
    _ = words.say
    if not found.visits:
        return []
    return [
        (_("People expected"), str(found.people)),
        (_("First arrival"), words.brief(min(visit.start for visit in found.visits))),
    ]


def _timed(words: Words, visit: Visit) -> str:
    return f"{words.time(visit.start)} – {words.time(visit.end)} · {_what(visit)}"


def _dated(words: Words, visit: Visit) -> str:
    return f"{words.brief(visit.start)} – {words.time(visit.end)} · {_what(visit)}"


def _what(visit: Visit) -> str:
    return f"{visit.resource} · {visit.name}" if visit.name else visit.resource


def _closed(words: Words, start: datetime, end: datetime, reason: str) -> str:
    period = words.period(start, end)
    return f"{period} · {reason}" if reason else period
