"""Schemathesis reads /api/openapi.json and tries what nobody thought of: no answer is a 5xx, none is undocumented."""

from __future__ import annotations

import warnings

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from tests.conftest import Clock
from tests.http.operations import Place, a_place

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis

EXPENSIVE = {"create_member", "create_token"}  # each call costs an argon2
SIGNING_OUT = {"erase_me"}


@pytest.mark.slow
def test_no_request_that_fits_the_document_or_nearly_does_breaks_anything(
    app: Flask, session: Session, clock: Clock
) -> None:
    place = a_place(session, clock)
    session.commit()
    document = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    seen: set[str] = set()
    for found in document.get_all_operations():
        operation = found.ok()
        name = operation.definition.raw["operationId"]
        if name in EXPENSIVE | SIGNING_OUT:
            continue
        seen.add(name)
        _try(operation.as_strategy(), place)
    assert len(seen) > 30


def _try(cases: st.SearchStrategy, place: Place) -> None:
    quiet = settings(
        max_examples=8, deadline=None, database=None, derandomize=True, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip

    @quiet
    @given(case=cases)
    def one(case: schemathesis.Case) -> None:
        # Real ids most of the time, or nothing behind them would ever be reached.
        for parameter in case.path_parameters or {}:
            if parameter in place.ids and len(str(case.body)) % 4:
                case.path_parameters[parameter] = place.ids[parameter]
        answer = case.call(headers={"Authorization": f"Bearer {place.token}"})
        documented = case.operation.definition.raw["responses"]
        assert answer.status_code < 500, f"{case.method} {case.formatted_path} {case.body!r}: {answer.text[:500]}"
        known = str(answer.status_code) in documented or answer.status_code in (404, 405)
        assert known, f"{case.method} {case.formatted_path}: undocumented {answer.status_code}"

    one()
