"""An operator's colour, logo and words: who may choose them, what may be chosen, and what they change."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy.orm import sessionmaker

from app.billing.papers import pictures
from app.billing.papers.branding import choose_look, look_of
from app.billing.papers.files import stored
from app.billing.papers.look import Look
from app.billing.papers.press import Press
from app.billing.papers.wanting import want
from app.db import TenantSession, transaction
from app.errors import Invalid, NotFound
from app.network.models import Member, Space
from app.network.people import person_of
from app.tenancy import SYSTEM
from tests.billing.papers.documents import a_document, a_party
from tests.billing.papers.reading import reader, text
from tests.builders import a_manager, a_member, a_space

NOW = datetime(2026, 4, 1, 6, 0, tzinfo=UTC)
Sessions = sessionmaker[TenantSession]
GIVEN = {"accent": "#AA2244", "text": " Merci\n de votre\x00 visite. ", "logo": None}


def picture(kind: str, width: int = 300, height: int = 120) -> bytes:
    octets = BytesIO()
    Image.new("RGB", (width, height), (200, 30, 60)).save(octets, kind)
    return octets.getvalue()


@pytest.fixture
def space(make_session: Sessions) -> Space:
    with transaction(make_session, SYSTEM) as session:
        return a_space(session)


@pytest.fixture
def manager(make_session: Sessions, space: Space) -> Member:
    with transaction(make_session, SYSTEM) as session:
        return a_manager(session, space)


def chosen(make_session: Sessions, space: Space, who: Member, home: Path, **said: object) -> Look:
    with transaction(make_session, SYSTEM) as session:
        person = person_of(session, who.id)
        session.info["scope"] = person.scope
        choice = {**GIVEN, **said}
        return choose_look(session, space.operator_id, person=person, home=home, now=NOW, **choice)  # type: ignore[arg-type]


def test_what_is_chosen_is_on_what_is_drawn_from_then_on(
    make_session: Sessions, space: Space, manager: Member, tmp_path: Path
) -> None:
    with transaction(make_session, SYSTEM) as session:
        assert look_of(session, space.operator_id) == Look()
        party = a_party(session)
        before, after = (a_document(session, space, party) for _ in range(2))
        want(session, before.id, now=NOW)
    press = Press(make_session, tmp_path, clock=lambda: NOW)
    press.draw_due()
    look = chosen(make_session, space, manager, tmp_path, logo=picture("PNG"))
    assert (look.accent, look.text) == ("#aa2244", "Merci de votre visite.")
    assert chosen(make_session, space, manager, tmp_path).logo == look.logo, "no new one: it stays"
    with transaction(make_session, SYSTEM) as session:
        want(session, after.id, now=NOW)
        want(session, before.id, now=NOW)
    assert press.draw_due() == 2
    with transaction(make_session, SYSTEM) as session:
        plain, branded = (stored(session, each.id, home=tmp_path) for each in (before, after))
    assert plain and branded
    assert "Merci" in text(branded.read_bytes()) and len(reader(branded.read_bytes()).pages[0].images) == 1
    assert "Merci" not in text(plain.read_bytes()), "what was drawn before stays as it was"
    assert chosen(make_session, space, manager, tmp_path, logo=b"").logo is None


def test_a_logo_that_is_lost_or_cannot_be_read_leaves_the_document_drawn(
    make_session: Sessions, space: Space, manager: Member, tmp_path: Path
) -> None:
    broken = picture("PNG")[:60]
    assert pictures.size_of(broken) == (300, 120)
    chosen(make_session, space, manager, tmp_path, logo=broken)
    with transaction(make_session, SYSTEM) as session:
        document = a_document(session, space, a_party(session))
        want(session, document.id, now=NOW)
    assert Press(make_session, tmp_path, clock=lambda: NOW).draw_due() == 1
    with transaction(make_session, SYSTEM) as session:
        path = stored(session, document.id, home=tmp_path)
    assert path is not None and document.number in text(path.read_bytes())


def test_only_who_keeps_the_books_chooses(make_session: Sessions, space: Space, tmp_path: Path) -> None:
    with transaction(make_session, SYSTEM) as session:
        strangers = [a_member(session), a_manager(session, a_space(session, slug="elsewhere"))]
    for stranger in strangers:
        with pytest.raises(NotFound):
            chosen(make_session, space, stranger, tmp_path)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"accent": "red"}, "accent"), ({"accent": "#12345"}, "accent"), ({"accent": "#12345g"}, "accent"),
        ({"text": "x" * 1001}, "text"), ({"logo": b"<svg/>"}, "logo"), ({"logo": picture("GIF")}, "logo"),
        ({"logo": picture("PNG", 3001, 1)}, "logo"), ({"logo": picture("PNG") + bytes(600_000)}, "logo"),
    ],
    ids=["a name", "short", "no digit", "too long", "SVG", "GIF", "too wide", "too heavy"],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(
    make_session: Sessions, space: Space, manager: Member, tmp_path: Path, said: dict[str, object], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        chosen(make_session, space, manager, tmp_path, **said)
    assert [error["field"] for error in refused.value.facts["errors"]] == [field]
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("sides", [(1, 1), (300, 120), (3000, 2)])
def test_the_size_of_a_picture_is_told_from_its_first_octets(kind: str, sides: tuple[int, int]) -> None:
    assert pictures.size_of(picture(kind, *sides)) == sides


@pytest.mark.parametrize(
    "octets",
    [
        b"", b"\x89PNG", b"\x89PNG\r\n\x1a\n" + bytes(4), b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0" + struct.pack(">H", 0) + bytes(50),
    ],
    ids=["nothing", "a beginning", "no header", "a JPEG's first octets", "a segment of no length"],
)  # fmt: skip
def test_what_breaks_off_is_no_picture(octets: bytes) -> None:
    assert pictures.size_of(octets) is None
