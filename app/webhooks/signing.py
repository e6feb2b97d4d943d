"""Signatures of Standard Webhooks: HMAC-SHA256 over id, instant and body, one for each live secret.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"


def signed(secrets: Sequence[str], *, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of a message sent at `at`. A receiver that knows any one of the secrets can verify it.

    A secret is `whsec_` and base64. Raises ValueError for one that is not, and without any.
    """
    if not secrets:
        raise ValueError("a message is signed with at least one secret")
    instant = str(int(at.timestamp()))
    content = f"{message_id}.{instant}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": instant,
        "webhook-signature": " ".join(f"v1,{_signature(secret, content)}" for secret in secrets),
    }


def _signature(secret: str, content: bytes) -> str:
    if not secret.startswith(PREFIX):
        raise ValueError(f"a secret begins with {PREFIX}")
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()
