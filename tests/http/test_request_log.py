"""Every request has an id, one line in the log, and headers that protect whoever reads the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from app import create_app, logs
from app.config import Config
from tests.conftest import Clock
from tests.http.client import Client


@pytest.fixture
def logging_app(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[Flask]:
    config = Config(home=tmp_path, database_url=database_url)
    made = create_app(config, clock=clock)
    yield made
    made.extensions["passerelle"].engine.dispose()
    logs.configure(replace(config, log_level="WARNING"))


def lines(text: str) -> list[dict]:
    return [line for line in map(json.loads, text.splitlines()) if line.get("event") == "request"]


def test_a_request_leaves_one_line_with_route_status_time_and_no_path(
    logging_app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    Client(logging_app).delete(
        "/tokens/01890a5d-ac96-774b-bcce-b302099a8057", headers={"X-Request-Id": "from-the-proxy"}
    )
    (line,) = lines(capsys.readouterr().err)
    assert (line["method"], line["route"], line["status"]) == ("DELETE", "/api/v1/tokens/<token_id>", 401)
    assert line["request_id"] == "from-the-proxy" and line["ms"] > 0 and line["member"] is None


def test_an_address_that_leads_nowhere_is_not_written_down(
    logging_app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    logging_app.test_client().get('/"}{"secret-in-a-typo?token=abc', method="SPOOF")
    (line,) = lines(capsys.readouterr().err)
    assert (line["route"], line["status"]) == ("unmatched", 404)
    assert "typo" not in json.dumps(line) and "SPOOF" not in json.dumps(line)


@pytest.mark.parametrize("insane", ["short", "x" * 65, "two words here", 'quo"te"quote', "émoji-😀-here"])
def test_a_request_id_that_could_spoil_a_log_is_replaced(app: Flask, insane: str) -> None:
    given = app.test_client().get("/healthz", headers={"X-Request-Id": insane}).headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f-]{36}", given)


def test_a_problem_names_the_request_it_answers(app: Flask) -> None:
    answer = Client(app).get("/me")
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]


def test_answers_forbid_sniffing_framing_and_foreign_content(app: Flask) -> None:
    for path in ("/healthz", "/api/docs", "/nowhere"):
        headers = app.test_client().get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
    policy = app.test_client().get("/api/docs").headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'") and "unsafe" not in policy
