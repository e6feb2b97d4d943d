"""Builders for the tests of the ledger: an operator's books, parties, and postings that balance."""

from __future__ import annotations

import itertools
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from app.billing.ledger.posting import Entry, Posting
from app.network.models import Operator
from app.network.parties.models import Party
from tests.builders import saved

DAY = date(2026, 3, 2)
_numbers = itertools.count(1)


def a_party(session: Session, **values: Any) -> Party:
    return saved(session, Party(**{"name": f"Customer {next(_numbers)}", "country": "BE", **values}))


def a_posting(operator: Operator, *entries: tuple[Any, ...], **values: Any) -> Posting:
    """`a_posting(operator, ("receivable", 1210, party.id), ("revenue_booking", -1210))`; EUR 12.10 in cash if empty."""
    lines = entries or (("cash", 1210), ("revenue_booking", -1000), ("vat_due", -210))
    defaults = {"day": DAY, "currency": operator.currency, "kind": "manual", "key": f"key-{next(_numbers)}"}
    return Posting(operator_id=operator.id, entries=tuple(Entry(*line) for line in lines), **{**defaults, **values})
