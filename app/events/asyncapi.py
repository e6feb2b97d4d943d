"""The catalogue as an AsyncAPI 3.0 document: what integrators may subscribe to, field by field."""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

from app.events.catalogue import CATALOGUE, DomainEvent
from app.events.envelope import SOURCE

VERSION = "1.0.0"
EXCHANGE = "passerelle.events"
_PRIMITIVES: Mapping[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    Any: {},
}
# What a field's name says about its text; the names are kept across the catalogue.
_FORMATS = {"start": "date-time", "end": "date-time", "at": "date-time"}


def document() -> dict[str, Any]:
    """The document, as JSON-ready dicts in a stable order."""
    facts = [CATALOGUE[key] for key in sorted(CATALOGUE)]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Passerelle events",
            "version": VERSION,
            "description": (
                "Domain events as CloudEvents 1.0 in structured JSON, on the topic exchange "
                f"`{EXCHANGE}` with the event type as routing key. At least once, in order per aggregate: "
                "`sequence` counts from 1 without gap."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {channel_id(fact): _channel(fact) for fact in facts},
        "operations": {f"publish {channel_id(fact)}": _operation(fact) for fact in facts},
        "components": {
            "messages": {channel_id(fact): _message(fact) for fact in facts},
            "schemas": {channel_id(fact): data_schema(fact) for fact in facts},
        },
    }


def channel_id(fact: type[DomainEvent]) -> str:
    return f"{fact.type}.v{fact.version}"


def data_schema(fact: type[DomainEvent]) -> dict[str, Any]:
    """The JSON schema of an event's `data`, from its dataclass."""
    hints = get_type_hints(fact)
    fields = dataclasses.fields(fact)  # type: ignore[arg-type]
    return {
        "type": "object",
        "description": inspect.cleandoc(fact.__doc__ or ""),
        "properties": {field.name: _field_schema(field.name, hints[field.name]) for field in fields},
        "required": [field.name for field in fields if field.default is dataclasses.MISSING],
    }


def _field_schema(name: str, hint: Any) -> dict[str, Any]:
    schema = _schema(hint)
    if schema.get("type") == "string":
        if name in _FORMATS or name.endswith(("_at", "_start", "_end")):
            schema["format"] = _FORMATS.get(name, "date-time")
        elif name.endswith("_id"):
            schema["format"] = "uuid"
    if name.endswith("_cents"):
        schema["description"] = "In cents of `currency`."
    return schema


def _schema(hint: Any) -> dict[str, Any]:
    """Raises TypeError for a type that is no primitive: events carry nothing else."""
    if hint in _PRIMITIVES:
        return dict(_PRIMITIVES[hint])
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if origin in (Union, types.UnionType) and type(None) in arguments:
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return {**_schema(inner), "type": [_schema(inner)["type"], "null"]}
    raise TypeError(f"an event cannot carry {hint!r}")


def _channel(fact: type[DomainEvent]) -> dict[str, Any]:
    return {
        "address": fact.type,
        "title": channel_id(fact),
        "messages": {"event": {"$ref": f"#/components/messages/{channel_id(fact)}"}},
        "bindings": {
            "amqp": {"is": "routingKey", "exchange": {"name": EXCHANGE, "type": "topic", "durable": True}},
        },
    }


def _operation(fact: type[DomainEvent]) -> dict[str, Any]:
    channel = f"#/channels/{channel_id(fact)}"
    return {"action": "send", "channel": {"$ref": channel}, "messages": [{"$ref": f"{channel}/messages/event"}]}


def _message(fact: type[DomainEvent]) -> dict[str, Any]:
    return {
        "name": fact.type,
        "title": f"{fact.type}, version {fact.version}",
        "summary": inspect.cleandoc(fact.__doc__ or "").split("\n")[0],
        "contentType": "application/cloudevents+json",
        "payload": _envelope_schema(fact),
    }


def _envelope_schema(fact: type[DomainEvent]) -> dict[str, Any]:
    text, uuid = {"type": "string"}, {"type": "string", "format": "uuid"}
    attributes: dict[str, dict[str, Any]] = {
        "specversion": {"const": "1.0"},
        "id": uuid,
        "source": {"const": SOURCE},
        "type": {"const": fact.type},
        "subject": text,
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "dataversion": {"const": fact.version},
        "aggregatetype": {"const": fact.aggregate_type},
        "aggregateid": uuid,
        "sequence": {"type": "integer", "minimum": 1},
        "data": {"$ref": f"#/components/schemas/{channel_id(fact)}"},
    }
    return {"type": "object", "properties": attributes | {"requestid": text}, "required": list(attributes)}
