"""Who may see which row, enforced in the one place that every query passes: the session.

Each mapped class declares with `@seen(...)` who sees its rows. Every ORM statement gets those criteria added. Refused
are: a class without a declaration, a session without a scope, and SQL that was not built from a mapped class unless
`app.db.raw` declared it (a test lists the modules that may). Foreign rows are simply not there: a 404, never a 403.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, event, false, true
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.orm.interfaces import ORMOption

KEPT_SCOPES = 64


@dataclass(frozen=True, slots=True)
class Scope:
    """What the person (or the system) behind a session may see. All ids are internal ones.

    `books_ids` are the operators whose books, documents and customers it may see.
    """

    member_id: int | None = None
    space_ids: frozenset[int] = frozenset()
    operator_ids: frozenset[int] = frozenset()
    books_ids: frozenset[int] = frozenset()
    network_ids: frozenset[int] = frozenset()
    employer_ids: frozenset[int] = frozenset()
    funder_ids: frozenset[int] = frozenset()
    sees_all: bool = False


ANONYMOUS = Scope()
SYSTEM = Scope(sees_all=True)

Criterion = Callable[[Any, Scope], ColumnElement[bool]]
RULES: dict[type, Criterion] = {}
Mapped = TypeVar("Mapped", bound=type)


class TenancyBreach(RuntimeError):
    """A programming error: a statement that tenancy cannot check. People see a plain 500."""


def seen(criterion: Criterion) -> Callable[[Mapped], Mapped]:
    """Declare who sees the rows of a mapped class: `criterion(entity, scope)` is added to every statement on it."""

    def declare(entity: Mapped) -> Mapped:
        RULES[entity] = criterion
        return entity

    return declare


def by_everyone(_entity: Any, _scope: Scope) -> ColumnElement[bool]:
    """The public catalogue: networks, spaces, what they offer and when."""
    return true()


def by_the_system(_entity: Any, _scope: Scope) -> ColumnElement[bool]:
    """Rows no person ever reads through the session: the outbox, receipts, what is due."""
    return false()


def is_own(member_id: Any, scope: Scope) -> ColumnElement[bool]:
    """Whether a column names the person of `scope`; to nobody's eyes a row without a member is nobody's own."""
    own: ColumnElement[bool] = false() if scope.member_id is None else member_id == scope.member_id
    return own


def by_owner_or_staff(entity: Any, scope: Scope) -> ColumnElement[bool]:
    """The member it belongs to, and the staff of the space it happens in."""
    return is_own(entity.member_id, scope) | entity.space_id.in_(scope.space_ids)


def by_owner(entity: Any, scope: Scope) -> ColumnElement[bool]:
    return is_own(entity.member_id, scope)


def by_staff(entity: Any, scope: Scope) -> ColumnElement[bool]:
    return entity.space_id.in_(scope.space_ids)


def scope_of(session: Session) -> Scope:
    scope = session.info.get("scope")
    if scope is None:
        raise TenancyBreach("a session needs a scope before its first statement")
    return scope


def _limit_to_scope(state: ORMExecuteState) -> None:
    if state.execution_options.get("raw"):
        return
    if not state.is_orm_statement:
        raise TenancyBreach("SQL outside the mapped classes must be declared with app.db.raw")
    scope = scope_of(state.session)
    for mapper in state.all_mappers:
        if mapper.class_ not in RULES:
            raise TenancyBreach(f"{mapper.class_.__name__} does not declare who sees it")
    if scope.sees_all:
        return
    state.statement = state.statement.options(*_criteria(scope, len(RULES)))


@lru_cache(maxsize=KEPT_SCOPES)
def _criteria(scope: Scope, _known: int) -> tuple[ORMOption, ...]:
    """The options that limit a statement to `scope`: built once for the statements of a request and of the next ones.

    `_known` is the number of declared classes: one more, and they are built anew.
    """
    return tuple(
        with_loader_criteria(entity, criterion(entity, scope), include_aliases=True)
        for entity, criterion in RULES.items()
        if criterion is not by_everyone
    )


def guard(session_class: type[Session]) -> None:
    """Put the check on every statement that sessions of this class execute."""
    event.listen(session_class, "do_orm_execute", _limit_to_scope)
