"""Errors as facts: a stable code and the facts of the case. Sentences for people live with the translations.

`Problem` carries everything that an answer (RFC 9457 problem+json), a page or a command needs to say it.
"""

from __future__ import annotations

from typing import Any, ClassVar


class Problem(Exception):
    """Something the caller asked for that cannot be done, and why. Subclasses set `code` and `status`."""

    code: ClassVar[str] = "problem"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "The request cannot be carried out."

    def __init__(self, **facts: Any) -> None:
        super().__init__(self.code, facts)
        self.facts = facts

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value!r}" for name, value in self.facts.items())
        return f"{self.code}: {self.title} ({facts})" if facts else f"{self.code}: {self.title}"


class Invalid(Problem):
    """Input of the wrong shape. `errors` is a list of `{field, message}`; the message says the remedy."""

    code = "invalid"
    status = 422
    title = "Some fields are missing or wrong."

    @classmethod
    def field(cls, field: str, message: str) -> Invalid:
        return cls(errors=[{"field": field, "message": message}])


class NotFound(Problem):
    """Unknown, or not this person's: the two are never told apart."""

    code = "not_found"
    status = 404
    title = "There is no such thing here."


class Unauthenticated(Problem):
    code = "unauthenticated"
    status = 401
    title = "A valid bearer token is needed."


class NotAllowed(Problem):
    """The person may see the subject but not do this to it (for example a read-only token)."""

    code = "not_allowed"
    status = 403
    title = "This token or role does not allow that."


class Refused(Problem):
    """A booking that a rule refuses: the rule's name, its limit, and up to three alternatives that would succeed."""

    code = "refused"
    status = 422
    title = "A rule of the space refuses this."

    def __init__(self, *, rule: str, limit: Any = None, alternatives: list[Any] | None = None, **facts: Any) -> None:
        super().__init__(rule=rule, limit=limit, alternatives=alternatives or [], **facts)
        self.rule = rule
        self.limit = limit


class SlotTaken(Problem):
    """Somebody else holds the place for that time."""

    code = "slot_taken"
    status = 409
    title = "That place is taken at that time."

    def __init__(self, *, alternatives: list[Any] | None = None, **facts: Any) -> None:
        super().__init__(alternatives=alternatives or [], **facts)


class WrongState(Problem):
    """The subject is no longer (or not yet) in a state that allows this; `status` is the state it is in."""

    code = "wrong_state"
    status = 409
    title = "That is not possible in its present state."


class StaleVersion(Problem):
    code = "stale_version"
    status = 412
    title = "It has changed since you read it; read it again."


class CurrencyMismatch(Problem):
    code = "currency_mismatch"
    status = 422
    title = "Amounts of two currencies cannot be mixed."
