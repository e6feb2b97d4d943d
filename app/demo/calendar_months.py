"""Which month the demonstration closes."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from app.billing.invoices.closing import A_CLOCK_MAY_BE_WRONG

HOME_ZONE = ZoneInfo("Europe/Brussels")


def last_month(now: datetime) -> date:
    """The first day of the latest month that may be closed."""
    day = (now - A_CLOCK_MAY_BE_WRONG).astimezone(HOME_ZONE).date()
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)
