"""Events of a space as they are recorded, made of ids alone."""

from __future__ import annotations

from typing import Any

from app.events.catalogue import BookingCancelled, BookingMade, SpaceClosed, WaitlistOffered
from app.ids import new_id
from app.network.models import Space

START, END = "2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z"


def _ids(*names: str) -> dict[str, str]:
    return {name: str(new_id()) for name in names}


def made(space: Space, **values: Any) -> BookingMade:
    facts = {
        **_ids("booking_id", "resource_id", "member_id", "series_id"),
        "space_id": str(space.uid), "status": "confirmed", "start": START, "end": END, "gross_cents": 3025,
        "net_cents": 2500, "vat_cents": 525, "currency": "EUR", "cover": [],
    }  # fmt: skip
    return BookingMade(**{**facts, **values})


def cancelled(space: Space) -> BookingCancelled:
    facts: dict[str, Any] = {**_ids("booking_id", "resource_id", "member_id"), "space_id": str(space.uid)}
    return BookingCancelled(**facts, reason="member", fee_cents=500, currency="EUR", returned=[])


def closed(space: Space) -> SpaceClosed:
    facts: dict[str, Any] = {**_ids("closure_id"), "space_id": str(space.uid)}
    return SpaceClosed(**facts, kind="closure", start=START, end=END, unit_ids=[], displaced=[str(new_id())])


def offered(space: Space) -> WaitlistOffered:
    ids: dict[str, Any] = _ids("waitlist_entry_id", "booking_id", "resource_id", "member_id")
    return WaitlistOffered(**ids, space_id=str(space.uid), expires_at=END)
