"""The documents an integrator works from are valid, complete, and readable with nothing but a browser."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.events import describing, readers
from app.events.catalogue import CATALOGUE
from app.http.examples import EXAMPLES
from app.http.openapi import template
from app.http.operation import OPERATIONS
from app.http.schemas import load
from tests.http.client import Client, DocumentationLies, check, operation_at


def test_the_openapi_document_is_valid_and_has_every_operation(app: Flask) -> None:
    document = app.test_client().get("/api/openapi.json").json
    OpenAPIV31SpecValidator(document).validate()
    documented = {
        (path, method.upper()) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    assert documented == {(template(described), described.method) for described in OPERATIONS}


def test_every_address_under_the_api_is_a_documented_operation(app: Flask) -> None:
    under_api = {rule.endpoint for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/v1")}
    assert under_api == {described.endpoint for described in OPERATIONS}


def test_operations_have_distinct_names_and_one_sentence_each(app: Flask) -> None:
    names = [described.name for described in OPERATIONS]
    assert len(names) == len(set(names))
    assert [described.name for described in OPERATIONS if not described.doc.strip()] == []


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_each_example_passes_its_own_schema(app: Flask, name: str) -> None:
    described = next(described for described in OPERATIONS if described.name == name)
    load(described.body, EXAMPLES[name])


def test_a_document_is_read_again_only_when_it_has_changed(app: Flask) -> None:
    first = app.test_client().get("/api/openapi.json")
    again = app.test_client().get("/api/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and not again.data


def test_an_answer_the_document_does_not_describe_fails_the_suite(app: Flask) -> None:
    described = operation_at(app, "GET", "/api/v1/me")
    assert described
    with app.test_request_context():
        lie = app.test_client().get("/healthz")
        with pytest.raises(DocumentationLies):
            check(described, lie)
        extra = Client(app).get("/me")
        extra.status_code = 418
        with pytest.raises(DocumentationLies):
            check(described, extra)


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        self.links += [value for name in ("href", "src") if (value := values.get(name))]
        if values.get("id"):
            self.ids.add(str(values["id"]))
        assert not any(name.startswith("on") or name == "style" for name in values)


@pytest.mark.parametrize("address", ["/api/docs", "/api/events"])
def test_a_readable_page_needs_no_script_and_nothing_from_elsewhere(app: Flask, address: str) -> None:
    client = app.test_client()
    page = client.get(address)
    found = Links()
    found.feed(page.text)
    assert "script" not in found.tags
    for link in found.links:
        if link.startswith("#"):
            assert link[1:] in found.ids
        else:
            with client.get(link) as linked:
                assert link.startswith("/") and linked.status_code == 200, link


def test_the_readable_page_shows_every_operation(app: Flask) -> None:
    page = re.sub(r"\s+", " ", app.test_client().get("/api/docs").text)
    assert [d.name for d in OPERATIONS if f"{d.method} {template(d)}" not in page] == []


def test_the_page_of_events_shows_every_field_with_its_meaning_and_who_consumes_it(app: Flask) -> None:
    client = app.test_client()
    page = html.unescape(client.get("/api/events").text)
    for fact in CATALOGUE.values():
        assert f'id="{describing.channel_id(fact)}"' in page and describing.says(fact) in page
        for field in describing.fields(fact):
            assert f"<code>{field.name}</code>" in page and field.text in page and field.meaning.unit in page
    assert readers.shipped()["booking.made"]["calendar"] in page
    assert 'href="/api/events"' in client.get("/api/docs").text


def test_the_event_catalogue_is_served_as_asyncapi(app: Flask) -> None:
    document = app.test_client().get("/api/asyncapi.json").json
    assert document["asyncapi"].startswith("3.")
