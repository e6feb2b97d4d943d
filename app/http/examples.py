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
_CLOSURE = {
    "start": "2027-07-21T00:00:00+02:00",
    "end": "2027-07-22T00:00:00+02:00",
    "kind": "closure",
    "reason": "Fête nationale",
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
    "create_quote": _DESK,
    "create_booking": {**_DESK, "title": "Atelier"},
    "change_booking": {"start": "2027-03-01T10:00:00+01:00"},
    "join_waitlist": _DESK,
    "preview_closure": _CLOSURE,
    "publish_closure": _CLOSURE,
    "create_resource": {"kind": "desk_pool", "name": "Open space", "units": 12, "amenities": ["wifi"]},
    "change_resource": {"description": "Under the roof."},
    "replace_rules": {
        "min_minutes": 60,
        "step_minutes": 30,
        "cancellation": [{"hours_before": 24, "percent": 0}, {"hours_before": 0, "percent": 50}],
    },
    "add_price": {
        "valid_from": "2027-01-01",
        "includes_vat": False,
        "hour_tiers": [{"up_to_minutes": 120, "cents_per_hour": 600}, {"up_to_minutes": None, "cents_per_hour": 400}],
        "day_cents": 2500,
    },
    "create_units": {"names": ["Desk 13", "Desk 14"]},
    "rename_unit": {"name": "Window desk"},
    "replace_opening_hours": {
        "openings": [{"weekday": 0, "opens": "08:30", "closes": "18:00"}],
        "closed_on_holidays": True,
    },
    "create_hours_exception": {"day": "2027-12-24", "openings": [{"opens": "08:30", "closes": "12:00"}]},
    "create_feed": {"scope": "me", "name": "Phone"},
    "create_webhook": {
        "url": "https://erp.example/hooks/passerelle",
        "event_types": ["booking.*", "space.closed"],
        "operator_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    },
    "change_webhook": {"event_types": ["*"], "state": "active"},
    "rotate_secret": {"old_expires_in_hours": 48},
    "redeliver_missed": {"days": 3},
    "change_notification_preferences": {"reminder": False, "digest_weekly": True},
}
