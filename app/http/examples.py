"""Bodies of requests as they are really sent, by operation: in /api/openapi.json and on /api/docs.

A test loads each through its schema, so that none is wrong.
"""

from __future__ import annotations

from typing import Any

_DESK = {
    "resource_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "start": "2027-03-01T09:00:00+01:00",
    "end": "2027-03-01T12:30:00+01:00",
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "create_token": {"email": "member@passerelle.example", "password": "correct horse battery"},
    "create_member": {
        "email": "ana@example.org",
        "password": "correct horse battery",
        "name": "Ana Dupont",
        "locale": "fr",
    },
    "change_me": {"name": "Ana Dupont-Maes"},
    "quote": _DESK,
    "make_booking": {**_DESK, "title": "Atelier"},
    "create_feed": {"scope": "me", "name": "Phone"},
}
