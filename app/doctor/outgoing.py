"""What leaves the house: mails, webhooks, and questions about VAT numbers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection

from app.db import raw
from app.doctor.finding import Fault, spoken

LONGEST_UNSENT = timedelta(minutes=30)  # mails and webhooks, after the time they should have gone

LONGEST_UNHEARD = timedelta(days=3)  # a question about a VAT number without a yes or a no

_MAILS = raw(
    """
    SELECT (SELECT clock_timestamp() - min(send_after) FROM notification
            WHERE state IN ('pending', 'sending') AND send_after < clock_timestamp()) AS waiting,
        (SELECT count(*) FROM notification WHERE state IN ('pending', 'sending')) AS unsent,
        (SELECT count(*) FROM notification WHERE state IN ('failed', 'bounced') AND state = 'failed'
              AND created_at > clock_timestamp() - interval '7 days') AS failed
    """
)
_WEBHOOKS = raw(
    """
    SELECT (SELECT clock_timestamp() - min(next_attempt_at) FROM webhook_delivery
            WHERE state IN ('pending', 'failed', 'sending') AND next_attempt_at < clock_timestamp()) AS waiting,
        (SELECT count(*) FROM webhook WHERE archived_at IS NULL AND failing_since IS NOT NULL) AS failing,
        (SELECT count(*) FROM webhook WHERE archived_at IS NULL AND state = 'disabled') AS disabled
    """
)

_VAT_NUMBERS = raw(
    """
    SELECT count(*) AS unheard, clock_timestamp() - min(since.first) AS longest
    FROM party p CROSS JOIN LATERAL (
        SELECT min(c.asked_at) AS first FROM vat_number_check c
        WHERE c.party_id = p.id AND c.vat_number = p.vat_number AND c.id > coalesce(
            (SELECT max(a.id) FROM vat_number_check a WHERE a.party_id = p.id AND a.answer <> 'none'), 0)) since
    WHERE since.first IS NOT NULL
    """
)


def _mails(connection: Connection) -> str:
    mails = connection.execute(_MAILS).one()
    if mails.waiting and mails.waiting > LONGEST_UNSENT:
        remedy = "does `passerelle worker notifications` run, and does the mail server answer?"
        raise Fault(f"{mails.unsent} mails wait, the oldest for {spoken(mails.waiting)}: {remedy}")
    if mails.failed:
        raise Fault(f"{mails.failed} mails of the last week were given up: notification.last_error says why")
    return f"{mails.unsent} mails wait for their time"


def _webhooks(connection: Connection) -> str:
    webhooks = connection.execute(_WEBHOOKS).one()
    if webhooks.waiting and webhooks.waiting > LONGEST_UNSENT:
        remedy = "does `passerelle worker webhooks` run?"
        raise Fault(f"messages to webhooks should have gone {spoken(webhooks.waiting)} ago: {remedy}")
    return f"{webhooks.failing} webhooks are failing, {webhooks.disabled} disabled: their holders are told"


def _vat_numbers(connection: Connection) -> str:
    asked = connection.execute(_VAT_NUMBERS).one()
    if asked.longest and asked.longest > LONGEST_UNHEARD:
        remedy = "vat_number_check.detail says why"
        raise Fault(
            f"{asked.unheard} VAT numbers have had no answer, the longest for {spoken(asked.longest)}: {remedy}"
        )
    return f"{asked.unheard} VAT numbers wait for an answer"


OUTGOING_CHECKS: list[tuple[str, Callable[[Connection], str]]] = [
    ("mails", _mails),
    ("webhooks", _webhooks),
    ("VAT numbers", _vat_numbers),
]
