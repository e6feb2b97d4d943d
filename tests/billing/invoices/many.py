"""Many customers with charges at once, and processes that close their month together: for races and benchmarks.

`python -m tests.billing.invoices.many URL OPERATOR_ID MONTH NOW [CUSTOMERS]` is one such process.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from app.billing.invoices import closing
from app.db import make_engine, raw, sessions

_PARTIES = raw("""
    INSERT INTO party (uid, name, country, is_business)
    SELECT gen_random_uuid(), 'Customer ' || n, 'BE', n % 2 = 0 FROM generate_series(1, :parties) n
""")
_CHARGES = raw("""
    INSERT INTO charge (uid, operator_id, space_id, party_id, kind, source, service_from, service_until, facts,
                        quantity_milli, unit, currency, net_cents, vat_cents, gross_cents, vat_permille, vat_category,
                        vat_ground, includes_vat, month, earned_on)
    SELECT gen_random_uuid(), :operator_id, :space_id, p.id, 'booking', 'manual:' || gen_random_uuid(), day, day,
           '{"resource_kind": "room", "start": "2026-03-02T08:00:00Z", "end": "2026-03-02T10:30:00Z"}',
           2500, 'hour', 'EUR', net, round(net * 0.21), net + round(net * 0.21), 210, 'S',
           'Code de la TVA, art. 2 et 18', false, :month, day
    FROM party p, generate_series(1, :each) n,
         LATERAL (SELECT 500 + (p.id * 7919 + n * 104729) % 20000 AS net,
                         CAST(:month AS date) + CAST(n % 28 AS int) AS day) AS v
""")


def many(session: Session, space: Any, *, parties: int, each: int, month: date) -> None:
    """`parties` customers of a space's operator, each with `each` bookings of a month, earned."""
    session.execute(_PARTIES, {"parties": parties})
    place = {"operator_id": space.operator_id, "space_id": space.id}
    session.execute(_CHARGES, {**place, "each": each, "month": month})
    session.execute(raw("ANALYZE charge"))


@contextmanager
def closers(
    url: str, operator_id: int, *, processes: int, month: date, now: datetime, customers: int
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that close the month together; those that still run at the end are killed."""
    command = [
        sys.executable,
        "-m",
        __name__,
        url,
        str(operator_id),
        month.isoformat(),
        now.isoformat(),
        str(customers),
    ]
    started = [subprocess.Popen(command) for _ in range(processes)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait(10)


def main(url: str, operator_id: str, month: str, now: str, customers: str) -> None:
    closing.CUSTOMERS = int(customers)
    make_session = sessions(make_engine(url))
    closing.close_month(make_session, int(operator_id), date.fromisoformat(month), now=datetime.fromisoformat(now))


if __name__ == "__main__":
    main(*sys.argv[1:])
