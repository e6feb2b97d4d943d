"""What goes in and out of the feed endpoints."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from app.booking.calendar.feeds import SUBJECTS
from app.booking.models import Feed
from app.events.envelope import instant
from app.http.schemas import Strict, not_blank, one_line


class NewFeed(Strict):
    scope = fields.String(required=True, validate=validate.OneOf(list(SUBJECTS)))
    space_id = fields.UUID(load_default=None)
    resource_id = fields.UUID(load_default=None)
    name = fields.String(required=True, validate=[validate.Length(1, 100), not_blank, one_line])


class OpenedFeed(Strict):
    """The address is shown this once: it is a secret, and only its hash is kept."""

    id = fields.UUID(required=True)
    url = fields.Url(required=True)


class FeedShape(Strict):
    id = fields.UUID(required=True)
    scope = fields.String(required=True)
    name = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)


def describe_feed(feed: Feed) -> dict[str, Any]:
    return {
        "id": str(feed.uid),
        "scope": feed.scope,
        "name": feed.name,
        "created_at": instant(feed.created_at),
        "revoked_at": instant(feed.revoked_at) if feed.revoked_at else None,
    }
