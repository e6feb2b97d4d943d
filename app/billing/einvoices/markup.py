"""XML written without a library: elements by prefixed names, in order, the same octets for the same content."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree

# XML 1.0, production 2: what may stand in a document at all.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Element = ElementTree.Element


def root(name: str, namespaces: Mapping[str, str]) -> Element:
    """A root; `namespaces` by prefix, the default one under an empty prefix."""
    return Element(name, {f"xmlns:{prefix}" if prefix else "xmlns": uri for prefix, uri in namespaces.items()})


def put(parent: Element, path: str, text: str | None = None, **attributes: str | None) -> Element | None:
    """Add an element with a text under `parent`; `a/b` adds b within an a of its own. Without a text nothing is added:
    empty elements are against the rules (PEPPOL-EN16931-R008). Attributes that are None are left out."""
    told = clean(text)
    if not told:
        return None
    *outer, last = path.split("/")
    for name in outer:
        parent = ElementTree.SubElement(parent, name)
    given = {name: value for name, value in attributes.items() if value is not None}
    element = ElementTree.SubElement(parent, last, given)
    element.text = told
    return element


def group(parent: Element, path: str) -> Element:
    """Add an element to hold others; `a/b` adds b within an a of its own."""
    for name in path.split("/"):
        parent = ElementTree.SubElement(parent, name)
    return parent


def clean(text: str | None) -> str:
    """A text as XML may hold it: without control characters, and without blanks at its ends."""
    return _FORBIDDEN.sub("", text or "").strip()


def octets(element: Element) -> bytes:
    """UTF-8, with a declaration, indented by two: people read it when something is wrong."""
    ElementTree.indent(element)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(element, encoding="utf-8") + b"\n"
