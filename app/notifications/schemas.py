"""The shapes of what a person wants to be told, and how rows become answers."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from app.http.schemas import Strict
from app.notifications.kinds import ROWS
from app.notifications.preferences import Preference


class NotificationPreferenceShape(Strict):
    kind = fields.String(required=True, metadata={"example": "reminder"})
    description = fields.String(required=True, metadata={"description": "What is told, in English."})
    wanted = fields.Boolean(required=True)
    can_change = fields.Boolean(
        required=True, metadata={"description": "False: it tells what became of a booking, and is always sent."}
    )


NotificationChoices = Strict.from_dict(
    {kind.name: fields.Boolean(truthy={True}, falsy={False}, metadata={"description": kind.about}) for kind in ROWS},
    name="NotificationChoices",
)
"""A body with one field for each kind of mail: true to be told, false not to be; those left out stay as they are."""


def describe_preference(preference: Preference) -> dict[str, Any]:
    return {
        "kind": preference.kind.name,
        "description": preference.kind.about,
        "wanted": preference.wanted,
        "can_change": preference.can_change,
    }
