"""Every sentence of the mails exists in every language, with the same blanks to fill in."""

from __future__ import annotations

import re

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from app.languages import LANGUAGES, SOURCE
from app.notifications.kinds import KINDS
from app.notifications.letters import FOLDER
from app.notifications.wording import LETTERS

TRANSLATED = [code for code in LANGUAGES if code != SOURCE]
BLANK = re.compile(r"%\((\w+)\)s")
SAYING = {"_": None, "say": None, "ngettext": (1, 2)}

Message = str | tuple[str, ...]


def sentences() -> set[Message]:
    found = extract_from_dir(FOLDER.parent, method_map=[("**.py", "python")], keywords=SAYING)
    return {message for _, _, message, _, _ in found}


def catalogue(code: str) -> Catalog:
    with (FOLDER / f"{code}.po").open("rb") as file:
        return read_po(file, locale=code)


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalogue_has_every_sentence_and_none_too_many(code: str) -> None:
    messages = {message.id: message for message in catalogue(code) if message.id}
    said = {message if isinstance(message, str) else tuple(message) for message in sentences()}
    assert len(said) > 50
    assert set(messages) == said
    for message in messages.values():
        forms = [message.string] if isinstance(message.string, str) else message.string
        assert all(forms), message.id
        assert not message.fuzzy, message.id
        assert isinstance(message.id, str) or len(forms) == catalogue(code).num_plurals


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_fills_in_the_same_blanks(code: str) -> None:
    for message in catalogue(code):
        if message.id:
            for said in [message.id] if isinstance(message.id, str) else message.id:
                forms = [message.string] if isinstance(message.string, str) else message.string
                for told in forms:
                    assert set(BLANK.findall(told)) == set(BLANK.findall(said)), said
                    assert told.count("%%") == said.count("%%"), said
                    told % dict.fromkeys(BLANK.findall(told), "")  # nothing else in it is a blank


def test_every_kind_of_mail_has_a_letter() -> None:
    assert set(LETTERS) == set(KINDS)
