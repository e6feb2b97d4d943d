"""Who keeps an operator's books: its own people, and those of its only space."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from app.errors import NotAllowed, NotFound
from app.network.models import Operator, Space
from app.network.people import Person, person_of
from tests.builders import a_member, a_role, a_space, an_operator

ROLES = [
    ("manager", "operator", True),
    ("accountant", "operator", True),
    ("front_desk", "operator", False),
    ("manager", "space", True),
    ("accountant", "space", True),
    ("front_desk", "space", False),
]


def somebody(session: Session, space: Space, role: str, scope: str) -> Person:
    member = a_member(session)
    a_role(session, member, role, session.get(Operator, space.operator_id) if scope == "operator" else space)
    return person_of(session, member.id)


@pytest.mark.parametrize(("role", "scope", "keeps"), ROLES)
def test_a_role_keeps_the_books_of_its_operator_or_of_its_only_space(
    session: Session, role: str, scope: str, keeps: bool
) -> None:
    space, elsewhere = a_space(session), a_space(session)
    person = somebody(session, space, role, scope)
    assert person.scope.books_ids == (frozenset({space.operator_id}) if keeps else frozenset())
    if keeps:
        person.require_books(space.operator_id)
    else:
        with pytest.raises(NotAllowed):
            person.require_books(space.operator_id)
    with pytest.raises(NotFound):
        person.require_books(elsewhere.operator_id)


def test_who_manages_one_of_several_spaces_does_not_keep_the_operators_books(session: Session) -> None:
    operator = an_operator(session)
    space = a_space(session, operator=operator)
    a_space(session, operator=operator)
    assert somebody(session, space, "manager", "space").scope.books_ids == frozenset()
    assert somebody(session, space, "manager", "operator").scope.books_ids == {operator.id}
