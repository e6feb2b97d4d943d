"""The OpenAPI document as a page shows it: groups of operations, each with its fields and its answers spelled out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 4  # levels of nested fields


@dataclass(frozen=True, slots=True)
class Row:
    """A parameter or a field. `name` is its path within the body: `price.amount_cents`, `alternatives[].start`."""

    name: str
    kind: str
    required: bool
    doc: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation."""

    anchor: str
    method: str
    path: str
    summary: str
    text: str
    signed_in: bool
    parameters: list[Row]
    body: list[Row]
    example: str
    answer: list[Row]
    is_list: bool
    success: tuple[str, str]
    problems: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    doc: str
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    version: str
    about: str
    groups: list[Group]


def page(document: dict[str, Any]) -> Page:
    entries: dict[str, list[Entry]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                entries[item[method]["tags"][0]].append(_entry(document, path, method, item[method]))
    info = document["info"]
    groups = [Group(tag["name"], tag["description"], entries[tag["name"]]) for tag in document["tags"]]
    return Page(info["title"], info["version"], info["description"], groups)


def _entry(document: dict[str, Any], path: str, method: str, described: dict[str, Any]) -> Entry:
    sent = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    (status, success), *problems = sorted(described["responses"].items())
    contents: list[dict[str, Any]] = list(success.get("content", {}).values())
    shape = contents[0]["schema"] if contents else {}
    is_list = shape.get("type") == "array"
    text = described["description"]
    return Entry(
        anchor=described["operationId"],
        method=method.upper(),
        path=path,
        summary=described["summary"],
        text=text if text != described["summary"] else "",
        signed_in={} not in described.get("security", []),
        parameters=[_parameter(document, given) for given in described["parameters"]],
        body=_rows(document, sent.get("schema", {})),
        example=json.dumps(sent["example"], ensure_ascii=False, indent=2) if "example" in sent else "",
        answer=_rows(document, shape["items"] if is_list else shape),
        is_list=is_list,
        success=(status, success["description"]),
        problems=[(problem, told["description"]) for problem, told in problems],
    )


def _parameter(document: dict[str, Any], given: dict[str, Any]) -> Row:
    doc = given.get("description", "") or given["schema"].get("description", "")
    name = given["name"] if given["in"] != "header" else f"{given['name']} (header)"
    return Row(name, _kind(document, given["schema"]), given.get("required", False), doc)


def _rows(document: dict[str, Any], schema: dict[str, Any], prefix: str = "", deeper: int = DEEPEST) -> list[Row]:
    schema = _resolved(document, schema)
    rows = []
    for name, field in schema.get("properties", {}).items():
        whole = _resolved(document, field)
        full = f"{prefix}{name}"
        rows.append(Row(full, _kind(document, field), name in schema.get("required", []), _doc(field, whole)))
        if deeper:
            inner, mark = (whole["items"], "[].") if "items" in whole else (whole, ".")
            rows += _rows(document, inner, f"{full}{mark}", deeper - 1)
    return rows


def _doc(field: dict[str, Any], whole: dict[str, Any]) -> str:
    """What is said of a field, and the limits its values keep."""
    limits = [
        f"{word} {whole[key]}"
        for key, word in (
            ("minimum", "from"), ("maximum", "to"), ("minLength", "at least"), ("maxLength", "at most"),
            ("default", "default"),
        )
        if whole.get(key) not in (None, "", [])
    ]  # fmt: skip
    units = " characters" if {"minLength", "maxLength"} & whole.keys() else ""
    limit_text = ", ".join(limits) + units + "." if limits else ""
    return " ".join(part for part in (field.get("description", ""), limit_text) if part)


def _kind(document: dict[str, Any], schema: dict[str, Any]) -> str:
    """The type as a person says it: `list of uuid`, `text or null`, `"fr" | "nl"`."""
    whole = _resolved(document, schema)
    if "enum" in whole:
        return " | ".join("null" if value is None else str(value) for value in whole["enum"])
    kinds = whole.get("type", "any")
    names = [_one_kind(document, whole, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    return " or ".join(names)


def _one_kind(document: dict[str, Any], whole: dict[str, Any], kind: str) -> str:
    if kind == "array":
        return f"list of {_kind(document, whole.get('items', {}))}"
    return str(whole.get("format") or {"string": "text"}.get(kind, kind)) if kind != "null" else kind


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema a reference leads to; of a nullable one (anyOf with null), the part that is not null."""
    for several in ("anyOf", "allOf", "oneOf"):
        if several in schema:
            schema = {**schema, **next(part for part in schema[several] if part.get("type") != "null")}
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return found
