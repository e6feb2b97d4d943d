"""An operator that is owed what an oracle's debts say: parties and invoices as rows, without drawing up documents."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.bank.importing import Imported, import_file
from app.billing.charges.models import BillingMonth
from app.db import raw
from app.network.models import Operator, Space
from tests.builders import a_space, an_operator, saved
from tests.oracles.bank.debts import Debt, account_of
from tests.oracles.bank.writing import Account, Entry, Sheet, Transaction, file_of

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
AT_A_TIME = 1000

_PARTIES = raw("""
    INSERT INTO party (uid, name, country)
    SELECT gen_random_uuid(), name, 'BE' FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS n(name, no) ORDER BY no
    RETURNING id, name
""")
_CHARGED = raw("""
    INSERT INTO charge (uid, operator_id, space_id, party_id, kind, source, service_from, service_until, facts,
                        quantity_milli, unit, currency, net_cents, vat_cents, gross_cents, vat_permille, vat_category,
                        vat_ground, includes_vat, month)
    SELECT gen_random_uuid(), :operator_id, NULL, id, 'manual', 'manual:' || gen_random_uuid(), '2026-11-01',
           '2026-11-01', '{}', 1000, 'piece', 'EUR', 0, 0, 0, 210, 'S', 'g', false, '2026-11-01'
    FROM party WHERE id = ANY(:ids)
""")
_INVOICES = raw("""
    INSERT INTO invoice (uid, operator_id, party_id, kind, series, sequence, number, issued_on, due_on, currency,
                         net_cents, vat_cents, gross_cents, communication, snapshot, hash, previous_hash, run_key,
                         finalised_at)
    SELECT gen_random_uuid(), :operator_id, d.party_id, 'monthly', 'I2026', d.sequence, d.number, '2026-10-31',
           '2026-11-30', 'EUR', d.cents, 0, d.cents, d.communication, '{}', repeat('0', 64), repeat('0', 64),
           'test:' || CAST(:operator_id AS text) || ':' || d.number, CAST(:now AS timestamptz)
    FROM unnest(CAST(:party_ids AS bigint[]), CAST(:sequences AS int[]), CAST(:numbers AS text[]),
                CAST(:cents AS bigint[]), CAST(:communications AS text[]))
         AS d(party_id, sequence, number, cents, communication)
    ORDER BY d.sequence
""")
_SERIES = raw("""
    INSERT INTO invoice_series (operator_id, series, prefix, last_sequence, last_hash, last_issued_on)
    VALUES (:operator_id, 'I2026', :prefix, :last, repeat('0', 64), '2026-10-31')
""")


def an_owed_operator(session: Session, debts: list[Debt], *, structured: bool = True, own: int = 7) -> Space:
    """A space whose operator has the account `own` and is owed `debts`; `structured` says what its invoices ask the
    payer to write."""
    space = a_space(session, operator=an_operator(session, iban=account_of(own)))
    saved(session, BillingMonth(operator_id=space.operator_id))
    names = list(dict.fromkeys(debt.payer.name for debt in debts))
    ids = {row.name: row.id for row in session.execute(_PARTIES, {"names": names})}
    session.execute(_CHARGED, {"operator_id": space.operator_id, "ids": list(ids.values())})
    for first in range(0, len(debts), AT_A_TIME):
        part = debts[first : first + AT_A_TIME]
        values = {
            "operator_id": space.operator_id,
            "now": NOW,
            "party_ids": [ids[debt.payer.name] for debt in part],
            "sequences": [int(debt.number.rpartition("-")[2]) for debt in part],
            "numbers": [debt.number for debt in part],
            "cents": [debt.cents for debt in part],
            "communications": [_written(debt.communication) if structured else debt.number for debt in part],
        }
        session.execute(_INVOICES, values)
        session.execute(raw("ANALYZE invoice"))  # a trigger looks for the document before, row by row
    prefix = debts[0].number.rpartition("-")[0] if debts else "TST-2026"
    session.execute(_SERIES, {"operator_id": space.operator_id, "prefix": prefix, "last": len(debts)})
    session.commit()
    return space


def _written(twelve: str) -> str:
    return f"+++{twelve[:3]}/{twelve[3:7]}/{twelve[7:]}+++"


def operator_of(session: Session, space: Space) -> Operator:
    return session.scalars(select(Operator).where(Operator.id == space.operator_id)).one()


def statement(*entries: Entry, own: int = 7, reference: str = "S1", version: str = "08", **sheet: Any) -> bytes:
    return file_of(Account(account_of(own), version), Sheet(reference, 100_000, list(entries), **sheet))


def credited(cents: int, *, day: Any = None, **said: Any) -> Entry:
    """One transaction on 10 November."""
    from datetime import date

    return Entry(day or date(2026, 11, 10), (Transaction(cents, **said),))


def imported(session: Session, space: Space, octets: bytes) -> Imported:
    done = import_file(session, operator_of(session, space), octets, now=NOW)
    session.commit()
    return done
