"""What a person wants to be told by mail, over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from app.http.operation import Call, Reply, operation
from app.network.accounts import own_member
from app.notifications import personal, schemas
from app.notifications.preferences import change_preferences, list_preferences, version

__all__ = ["blueprint", "personal"]  # what it knows of a person is declared when it is imported
blueprint = Blueprint("notifications", __name__)
ADDRESS = "/me/notification-preferences"


@operation(blueprint, "GET", ADDRESS, returns=schemas.NotificationPreferenceShape, many=True, etag=True)
def show_notification_preferences(call: Call) -> Reply:
    """What I am told by mail, kind by kind, and which kinds I may switch off."""
    return _shown(call)


@operation(
    blueprint, "PATCH", ADDRESS, body=schemas.NotificationChoices, returns=schemas.NotificationPreferenceShape,
    many=True, if_match=True, etag=True,
)  # fmt: skip
def change_notification_preferences(call: Call, body: dict[str, Any]) -> Reply:
    """Say which kinds of mail I want. Kinds left out stay as they are; one that cannot be switched off is 422."""
    own_member(call.session, call.person.member_id, lock=True)
    call.check_match(version(list_preferences(call.session, call.person)))
    change_preferences(call.session, member_id=call.person.member_id, choices=body, now=call.now)
    return _shown(call)


def _shown(call: Call) -> Reply:
    preferences = list_preferences(call.session, call.person)
    return Reply([schemas.describe_preference(each) for each in preferences], etag=version(preferences))
