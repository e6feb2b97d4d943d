"""Every sentence of the pages exists in every language, with the same blanks to fill in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import app.web
from app.billing.invoices.models import KINDS as DOCUMENT_KINDS
from app.billing.invoices.standing import STATUSES as DOCUMENT_STATUSES
from app.booking import rules
from app.booking.models import KINDS, STATUSES
from app.web import languages, wording

WEB = Path(app.web.__file__).parent
SOURCES = Path(app.web.__file__).parents[1]
TRANSLATED = [code for code in languages.LANGUAGES if code != languages.SOURCE]
BLANK = re.compile(r"%\((\w+)\)s")

Message = str | tuple[str, ...]


def sentences() -> set[Message]:
    """Everything the code and the templates say."""
    found = extract_from_dir(WEB, method_map=[("**.py", "python"), ("templates/**.html", "jinja2")])
    return {message for _, _, message, _, _ in found}


def catalogue(code: str) -> Catalog:
    with (languages.FOLDER / f"{code}.po").open("rb") as file:
        return read_po(file, locale=code)


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalogue_has_every_sentence_and_none_too_many(code: str) -> None:
    messages = {message.id: message for message in catalogue(code) if message.id}
    said = {message if isinstance(message, str) else tuple(message) for message in sentences()}
    assert len(said) > 80
    assert set(messages) == said
    for message in messages.values():
        forms = [message.string] if isinstance(message.string, str) else message.string
        assert all(forms), message.id
        assert not message.fuzzy, message.id


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_fills_in_the_same_blanks(code: str) -> None:
    for message in catalogue(code):
        if message.id:
            said = message.id if isinstance(message.id, str) else " ".join(message.id)
            told = message.string if isinstance(message.string, str) else " ".join(message.string)
            assert set(BLANK.findall(told)) == set(BLANK.findall(said)), said


def test_every_rule_that_refuses_anywhere_has_a_sentence() -> None:
    written = re.findall(r'Refused\(rule="(\w+)"', "".join(file.read_text() for file in SOURCES.rglob("*.py")))
    assert {"price", "cover", "capacity"} <= set(written)
    assert {*(row.rule for row in rules.ROWS), *written} <= set(wording.RULES)
    assert set(wording._AUDIENCES) == set(rules.AUDIENCES) - {"anyone"}


def test_every_kind_and_status_has_a_name() -> None:
    assert set(wording._KINDS) == set(KINDS)
    assert set(wording._STATUSES) == set(STATUSES)


def test_every_kind_and_status_of_documents_has_a_name() -> None:
    assert set(wording._DOCUMENT_KINDS) == set(DOCUMENT_KINDS)
    assert set(wording._DOCUMENT_STATUSES) == set(DOCUMENT_STATUSES)
