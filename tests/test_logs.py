"""Log lines: one pipeline, the request's context on each, and no secret in any."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from app import logs
from app.config import BadSetting, Config


@pytest.fixture
def lines(capsys, monkeypatch):
    """Configure logging as JSON; the result reads the lines written so far. Everything is put back afterwards."""
    root = logging.getLogger()
    level, before = root.level, structlog.get_config()
    logs.configure(Config(home=None))
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    structlog.contextvars.clear_contextvars()
    structlog.configure(**before)
    root.setLevel(level)
    for handler in [held for held in root.handlers if held.get_name() == logs.HANDLER]:
        root.removeHandler(handler)


def test_a_line_is_json_with_its_time_level_origin_and_facts(lines):
    structlog.get_logger("app.booking").info("booking made", units=2)
    (line,) = lines()
    assert line["event"] == "booking made" and line["units"] == 2
    assert line["level"] == "info" and line["logger"] == "app.booking"
    assert line["timestamp"].endswith("Z")


def test_the_request_id_is_on_lines_of_ours_and_of_libraries(lines):
    structlog.contextvars.bind_contextvars(request_id="r-1")
    structlog.get_logger("app").warning("ours")
    logging.getLogger("some.library").warning("theirs: %s", 7)
    assert [(line["event"], line["request_id"]) for line in lines()] == [("ours", "r-1"), ("theirs: 7", "r-1")]


def test_configuring_twice_writes_each_line_once(lines):
    logs.configure(Config(home=None))
    logging.getLogger("x").error("once")
    assert len(lines()) == 1


def test_libraries_that_quote_values_are_heard_from_warning_on(lines):
    logging.getLogger("sqlalchemy.engine.Engine").info("INSERT INTO member VALUES ('ada@example.org')")
    assert lines() == []


@pytest.mark.parametrize(
    ("fact", "secret"),
    [
        ({"event": "GET /f/aB3_x-9Zk.ics?x=1"}, "aB3_x-9Zk"),
        ({"header": "Authorization: Bearer abc.DEF-123_~+/="}, "abc.DEF"),
        ({"Authorization": "anything at all"}, "anything"),
        ({"headers": {"Cookie": "session=s3cret"}}, "s3cret"),
        ({"bodies": [{"email": "a@b.c", "password": "hunter2!"}]}, "hunter2"),
        ({"raw": '{"email": "a@b.c", "password": "hunter 2!"}'}, "hunter"),
        ({"form": "email=a%40b.c&password=hunter2&x=1"}, "hunter2"),
        ({"url": "postgresql://ann:pa55@db/passerelle"}, "pa55"),
        ({"url": "amqp://bus:pa55@localhost:5672//"}, "pa55"),
        ({"stripe_api_key": "whatever"}, "whatever"),
        ({"error": "No such key: sk_live_51Habc"}, "51Habc"),
        ({"raw": b"token=abcdef123"}, "abcdef123"),
        ({"error": ValueError("bad token: 'qwertz99'")}, "qwertz99"),
    ],
    ids=str,
)
def test_no_secret_reaches_a_line(lines, fact, secret):
    structlog.get_logger("app").info(fact.pop("event", "x"), **fact)
    (line,) = lines()
    assert secret not in json.dumps(line)
    assert "scrubbed" in json.dumps(line)


def test_no_secret_reaches_a_line_through_a_traceback(lines):
    try:
        raise RuntimeError("refused /f/s3cretfeed.ics for Bearer s3crettoken")
    except RuntimeError:
        structlog.get_logger("app").exception("failed")
        logging.getLogger("library").exception("failed")
    for line in lines():
        assert "RuntimeError: refused /f/[scrubbed].ics" in line["exception"]
        assert "s3cret" not in json.dumps(line)


def test_harmless_facts_stay_as_they_are(lines):
    facts = {"path": "/api/v1/bookings", "token_id": 12, "none": None, "amount": 1.5, "names": ["Ath", "Liège"]}
    structlog.get_logger("app").info("ok", **facts)
    (line,) = lines()
    assert {name: line[name] for name in facts} == facts


def test_text_lines_are_for_people(lines, capsys):
    logs.configure(Config(home=None, log_format="text"))
    try:
        raise KeyError("password='hunter2'")
    except KeyError:
        structlog.get_logger("app").exception("it broke", space="ath")
    written = capsys.readouterr().err
    assert "it broke" in written and "space=ath" in written and "KeyError" in written
    assert "hunter2" not in written


@pytest.mark.parametrize("wrong", [{"log_level": "LOUD"}, {"log_format": "xml"}])
def test_an_unknown_level_or_format_is_refused_by_name(lines, wrong):
    with pytest.raises(BadSetting) as caught:
        logs.configure(Config(home=None, **wrong))
    assert caught.value.facts["setting"] == next(iter(wrong)).upper()
