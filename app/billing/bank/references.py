"""What a payer wrote: the references in a text, however its separators were broken on the way. Pure.

A structured communication has check digits, so its twelve digits are found in any grouping; but only between the ends
of groups: a thirteenth digit beside them is a mistake, not a neighbour. A number of a document is found whole, with
all its digits, between other words. A creditor reference (ISO 11649, RF) is either of both behind its own check.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from app.billing.invoices.communications import is_structured

LENGTH = 12
_SEPARATORS = r"[\s/.\-+*:_,]{0,4}"
_GROUPS = re.compile(rf"[0-9](?:{_SEPARATORS}[0-9])*")
_CREDITOR = re.compile(r"(?<![A-Z0-9])RF[0-9]{2}(?:[ ]?[A-Z0-9]){1,30}")
_SHORTEST_RF, _LONGEST_RF = 5, 25


def digits_of(communication: str) -> str | None:
    """The twelve digits of a structured communication, or None for any other."""
    return re.sub("[^0-9]", "", communication) if is_structured(communication) else None


def twelves(text: str) -> Iterator[str]:
    """Every twelve digits in a text that begin and end with a group, whatever their check digits say."""
    for run in _GROUPS.finditer(text):
        groups = re.findall("[0-9]+", run.group())
        for first in range(len(groups)):
            taken = ""
            for group in groups[first:]:
                taken += group
                if len(taken) >= LENGTH:
                    break
            if len(taken) == LENGTH:
                yield taken


def communications(text: str) -> list[str]:
    """The twelves whose check digits are right."""
    return [found for found in twelves(text) if is_structured(found)]


def numbers(text: str, heads: frozenset[str]) -> list[str]:
    """Numbers of documents, as they are written (ATH-2026-000123), of series with these heads (ATH-2026)."""
    return [f"{head}-{digits}" for head, digits in _headed(text, heads) if len(digits) >= 6]


def short_numbers(text: str, heads: frozenset[str]) -> list[str]:
    """Numbers whose leading zeros were left out: likely what was meant, not exactly what was said."""
    return [f"{head}-{digits.zfill(6)}" for head, digits in _headed(text, heads) if len(digits) < 6]


def _headed(text: str, heads: frozenset[str]) -> Iterator[tuple[str, str]]:
    if heads:
        pattern, named = _pattern(heads)
        for found in pattern.finditer(text.upper()):
            yield named[re.sub("[^A-Z0-9]", "", found.group(1))], found.group(2)


@cache
def _pattern(heads: frozenset[str]) -> tuple[re.Pattern[str], dict[str, str]]:
    loose = (_SEPARATORS.join(map(re.escape, head.split("-"))) for head in sorted(heads, key=len, reverse=True))
    pattern = re.compile(rf"(?<![A-Z0-9])({'|'.join(loose)}){_SEPARATORS}([0-9]+)(?![A-Z0-9])")
    return pattern, {head.replace("-", ""): head for head in heads}


def creditor_references(text: str) -> Iterator[str]:
    """What stands behind RF and its check digits, wherever these are right."""
    for found in _CREDITOR.finditer(text.upper()):
        compact = found.group().replace(" ", "")
        for length in range(_SHORTEST_RF, min(len(compact), _LONGEST_RF) + 1):
            if _leaves_one(compact[:length]):
                yield compact[4:length]


def _leaves_one(reference: str) -> bool:
    turned = reference[4:] + reference[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def one_digit_off(digits: str) -> Iterator[str]:
    """Every text in which one digit is another, or two neighbours have changed places."""
    for i, was in enumerate(digits):
        if was.isdigit():
            yield from (digits[:i] + other + digits[i + 1 :] for other in "0123456789" if other != was)
    for i in range(len(digits) - 1):
        if digits[i] != digits[i + 1]:
            yield digits[:i] + digits[i + 1] + digits[i] + digits[i + 2 :]


def written(texts: Iterable[str | None]) -> str:
    """Texts one after the other, with something between them that belongs to no reference."""
    return " | ".join(text for text in texts if text)
