"""How an operator's documents look: chosen by who keeps its books; what is drawn from then on looks so."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.billing.papers import files, pictures
from app.billing.papers.look import COLOUR, Look
from app.billing.papers.models import OperatorBranding
from app.errors import Invalid
from app.network.people import Person

LONGEST_TEXT = 1000


def look_of(session: Session, operator_id: int) -> Look:
    """As chosen, or the sober one."""
    found = select(OperatorBranding).where(OperatorBranding.operator_id == operator_id)
    row = session.scalars(found).one_or_none()
    return Look() if row is None else Look(accent=row.accent, logo=row.logo, text=row.text)


def choose_look(
    session: Session,
    operator_id: int,
    *,
    person: Person,
    accent: str,
    text: str,
    logo: bytes | None,
    home: Path,
    now: datetime,
) -> Look:
    """Choose colour, words and logo; without a `logo` the one there is stays, an empty one takes it away.

    Raises NotFound or NotAllowed for who does not keep the books; Invalid for a colour that is none, words that are too
    many, a picture that is none of PNG and JPEG or too large. Documents drawn before stay as they are.
    """
    person.require_books(operator_id)
    look = Look(_colour(accent), _logo(look_of(session, operator_id).logo, logo, home), _words(text))
    chosen = {**look.stored(), "changed_at": now}
    choosing = insert(OperatorBranding).values(operator_id=operator_id, **chosen)
    session.execute(choosing.on_conflict_do_update(index_elements=[OperatorBranding.operator_id], set_=chosen))
    return look


def _colour(accent: str) -> str:
    if not COLOUR.fullmatch(accent.lower()):
        raise Invalid.field("accent", "a colour as #rrggbb")
    return accent.lower()


def _words(text: str) -> str:
    """Paragraphs become one; what is not seen is left out."""
    said = "".join(filter(str.isprintable, " ".join(text.split())))
    if len(said) > LONGEST_TEXT:
        raise Invalid.field("text", f"at most {LONGEST_TEXT} characters")
    return said


def _logo(before: str | None, given: bytes | None, home: Path) -> str | None:
    if given is None:
        return before
    if not given:
        return None
    pictures.check(given)
    return files.keep(home, given)
