"""What an integrator reads: /api/openapi.json, /api/asyncapi.json, and the pages /api/docs and /api/events."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, current_app, render_template, request

from app.events import asyncapi
from app.http import docs_page, events_page, openapi

blueprint = Blueprint("documents", __name__)

EXTENSION = "passerelle.documents"


@blueprint.get("/api/openapi.json")
def show_openapi() -> Response:
    """The HTTP API as OpenAPI 3.1."""
    return _kept("openapi", "application/json", lambda: _as_json(openapi.document()))


@blueprint.get("/api/asyncapi.json")
def show_asyncapi() -> Response:
    """The domain events on the bus as AsyncAPI 3."""
    return _kept("asyncapi", "application/json", lambda: _as_json(asyncapi.document()))


@blueprint.get("/api/docs")
def show_docs() -> Response:
    """The HTTP API for people."""
    return _kept("docs", "text/html", lambda: render_template("docs.html", page=docs_page.page(openapi.document())))


@blueprint.get("/api/events")
def show_events() -> Response:
    """The catalogue of events for people."""
    return _kept("events", "text/html", lambda: render_template("events.html", page=events_page.page()))


def _as_json(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False)


def _kept(name: str, media: str, write: Callable[[], str]) -> Response:
    """Written once per process: what it tells cannot change while the process lives."""
    kept: dict[str, tuple[bytes, str]] = current_app.extensions.setdefault(EXTENSION, {})
    if name not in kept:
        content = write().encode()
        kept[name] = content, hashlib.sha256(content).hexdigest()[:32]
    content, digest = kept[name]
    response = Response(content, mimetype=media)
    response.set_etag(digest)
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response
