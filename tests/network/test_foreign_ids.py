"""Somebody else's id is an unknown id, everywhere: the same answer, byte for byte, and nothing written.

Generated from the declarations of the operations, so that one that is added is covered from its first day.
"""

from __future__ import annotations

import itertools

from flask import Flask
from sqlalchemy.orm import Session

from app.http.openapi import path_parameters
from app.http.operation import Operation
from tests.builders import a_member, a_token
from tests.conftest import Clock
from tests.http.client import Client
from tests.http.operations import ALL, UNKNOWN_ID, Place, a_place, fingerprint

BY_ID = [
    described
    for described in ALL
    if described.signed_in and any(name.endswith("_id") for name in path_parameters(described))
]


Answers = dict[str, object]  # what was wrong, by operation and case: empty when all is well


def test_a_foreign_id_is_answered_exactly_as_an_unknown_one(app: Flask, session: Session, clock: Clock) -> None:
    theirs, own = a_place(session, clock), a_place(session, clock)
    strangers = {"member": Client(app, a_token(session, a_member(session))), "manager": Client(app, own.token)}
    session.commit()
    before = fingerprint(session)
    wrong: Answers = {}
    for described in BY_ID:
        for name, stranger in strangers.items():
            for chosen in mixtures(described):
                foreign = answered(stranger, described, own, {each: theirs.ids[each] for each in chosen})
                unknown = answered(stranger, described, own, dict.fromkeys(chosen, UNKNOWN_ID))
                if foreign != unknown or foreign[0] != 404:
                    wrong[f"{described.name} by a {name}, {chosen}"] = (foreign, unknown)
    assert wrong == {}
    assert fingerprint(session) == before


def answered(caller: Client, described: Operation, place: Place, ids: dict[str, str]) -> tuple[int, object]:
    path = place.path(described, **ids)
    answer = caller.call(described.method, path, json=place.body(described), etag="*")
    return answer.status_code, {**answer.json, "request_id": None} if answer.is_json else answer.text


def mixtures(described: Operation) -> list[tuple[str, ...]]:
    """Which of the ids are foreign: all of them; and, where there are several, each alone among our own."""
    names = [name for name in path_parameters(described) if name.endswith("_id")]
    sizes = range(1, len(names) + 1)
    return [chosen for size in sizes for chosen in itertools.combinations(names, size)]


MALFORMED = ("0", "-1", "x" * 3000, f"{{{UNKNOWN_ID}}}", UNKNOWN_ID.replace("-", ""), "%00", "%ff", "٣")


def test_an_id_that_is_no_id_is_as_unknown_as_any(app: Flask, session: Session, clock: Clock) -> None:
    own = a_place(session, clock)
    session.commit()
    wrong: Answers = {}
    for described in BY_ID:
        names = [name for name in path_parameters(described) if name.endswith("_id")]
        for malformed in MALFORMED:
            found = answered(Client(app, own.token), described, own, dict.fromkeys(names, malformed))
            if found[0] != 404:
                wrong[f"{described.name} {malformed[:40]}"] = found
    assert wrong == {}


def test_without_a_live_token_nothing_is_answered_or_done(app: Flask, session: Session, clock: Clock) -> None:
    own = a_place(session, clock)
    session.commit()
    before = fingerprint(session)
    wrong: Answers = {}
    for described in ALL:
        if described.signed_in:
            for token in (None, "", "unknown", "x" * 5000, "émoji"):
                found = answered(Client(app, token), described, own, {})
                if found[0] != 401:
                    wrong[f"{described.name} {(token or '')[:20]}"] = found
    assert wrong == {}
    assert fingerprint(session) == before
