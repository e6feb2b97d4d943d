"""The catalogue as an AsyncAPI 3.0 document: what integrators may subscribe to, field by field."""

from __future__ import annotations

from typing import Any

from app.events.catalogue import CATALOGUE, DomainEvent
from app.events.describing import channel_id, data_schema, example, says
from app.events.envelope import SOURCE
from app.events.readers import shipped

VERSION = "1.0.0"
EXCHANGE = "passerelle.events"


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
        "summary": says(fact),
        "contentType": "application/cloudevents+json",
        "payload": _envelope_schema(fact),
        "x-published-by": f"app.{fact.publisher}",
        "x-consumed-by": dict(shipped().get(fact.type, {})),
        "examples": [{"name": fact.type, "payload": example(fact)}],
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
    optional = {
        "requestid": text | {"description": "The HTTP request that caused it."},
        "supersededby": uuid | {"description": "On an echo in an older version: the id of the same in the newest."},
    }
    return {"type": "object", "properties": attributes | optional, "required": list(attributes)}
