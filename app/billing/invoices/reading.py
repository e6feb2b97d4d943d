"""Open charges, read by the batch and locked: those of some customers of one operator, with the names to copy.

Who documents a customer's charges holds that customer's claim (an advisory lock of the transaction), then the charges,
then the invoices that credit notes will correct, then the series: everybody in this order, each kind by ascending id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from app.billing.invoices.drafting import Open
from app.billing.invoices.snapshot import Buyer, Corrected
from app.db import Statement
from app.vat.totals import Item

EVER = date(9999, 12, 1)

_PARTIES = Statement("""
    SELECT party_id, count(*) AS charges FROM charge
    WHERE operator_id = :operator_id AND invoice_id IS NULL AND settled_at IS NULL AND month <= :month
      AND party_id > :after
    GROUP BY party_id ORDER BY party_id LIMIT :limit
""")
_CLAIM = Statement("""
    SELECT party_id FROM unnest(CAST(:parties AS bigint[])) AS wanted (party_id)
    WHERE pg_try_advisory_xact_lock(hashtextextended('invoices:' || :operator_id || ':' || party_id, 0))
""")
_WAIT = Statement("""
    SELECT pg_advisory_xact_lock(hashtextextended('invoices:' || :operator_id || ':' || party_id, 0))
    FROM unnest(CAST(:parties AS bigint[])) AS wanted (party_id)
""")
# Eight that write batches of one series wait for each other, longer than a person who books would.
_PATIENT = Statement("""
    SELECT set_config('lock_timeout', '120s', true) AS lock, set_config('statement_timeout', '150s', true) AS statement
""")
_COLUMNS = """
    c.id, c.uid, c.party_id, c.kind, s.name AS space, s.timezone,
    CASE WHEN m.erased_at IS NULL THEN nullif(m.name, '') END AS person, p.name AS plan,
    c.service_from, c.service_until, c.facts, c.quantity_milli, c.unit, c.currency, c.net_cents, c.vat_cents,
    c.gross_cents, c.vat_permille, c.vat_category, c.vat_ground, c.vat_mention, c.includes_vat, c.late,
    c.earned_on IS NOT NULL AS earned, coalesce(c.corrects_id, c.id) AS root_id, coalesce(r.uid, c.uid) AS root_uid,
    CASE WHEN r.party_id = c.party_id AND r.operator_id = c.operator_id THEN r.invoice_id END AS root_invoice_id
"""
_NAMES = """
    LEFT JOIN charge r ON r.id = c.corrects_id
    LEFT JOIN space s ON s.id = c.space_id
    LEFT JOIN member m ON m.id = c.member_id
    LEFT JOIN plan_version v ON v.uid = CAST(c.facts->>'plan_version_id' AS uuid)
    LEFT JOIN plan p ON p.id = v.plan_id
"""
_OPEN = """
    c.operator_id = :operator_id AND c.party_id = ANY(:parties) AND c.invoice_id IS NULL AND c.settled_at IS NULL
"""
_LOCKED = Statement(f"""
    SELECT {_COLUMNS} FROM charge c {_NAMES}
    WHERE {_OPEN} AND c.month <= :month ORDER BY c.id FOR NO KEY UPDATE OF c
""")
_PEEKED = Statement(f"SELECT {_COLUMNS} FROM charge c {_NAMES} WHERE {_OPEN} AND c.month <= :month ORDER BY c.id")
_THESE = Statement(f"""
    SELECT {_COLUMNS} FROM charge c {_NAMES} WHERE c.id = ANY(:ids) ORDER BY c.id FOR NO KEY UPDATE OF c
""")
_LEFT = Statement("""
    SELECT root_id, CAST(sum(CASE WHEN includes_vat THEN gross_cents ELSE net_cents END) AS bigint) AS cents
    FROM (
        SELECT id AS root_id, includes_vat, gross_cents, net_cents FROM charge WHERE id = ANY(:roots)
        UNION ALL
        SELECT corrects_id, includes_vat, gross_cents, net_cents FROM charge WHERE corrects_id = ANY(:roots)
    ) AS standing GROUP BY root_id
""")
_BUYERS = Statement("""
    SELECT id, uid, name, street, postcode, town, country, is_business, company_number, vat_number, purchase_order,
           locale
    FROM party WHERE id = ANY(:parties)
""")
_CORRECTED = Statement("""
    SELECT id, uid, number, issued_on FROM invoice WHERE id = ANY(:invoices) ORDER BY id FOR NO KEY UPDATE
""")
_STANDING = Statement("""
    SELECT coalesce(i.corrects_id, i.id) AS invoice_id, c.net_cents, c.gross_cents, c.includes_vat, c.vat_permille,
           c.vat_category, c.vat_ground, c.vat_mention
    FROM charge c JOIN invoice i ON i.id = c.invoice_id
    WHERE i.id = ANY(:invoices) OR i.corrects_id = ANY(:invoices) ORDER BY c.id
""")


class Customer(NamedTuple):
    """A party as documents name it, and the language it reads."""

    id: int
    uid: UUID
    buyer: Buyer
    locale: str


def parties(session: Session, operator_id: int, *, month: date, after: int, limit: int) -> list[tuple[int, int]]:
    """Customers with open charges of `month` or before, `(party id, charges)` by ascending id, those above `after`."""
    given = {"operator_id": operator_id, "month": month, "after": after, "limit": limit}
    return [(row.party_id, row.charges) for row in _PARTIES.run(session, given).fetchall()]


def claim(session: Session, operator_id: int, wanted: Sequence[int], *, wait: bool = False) -> list[int]:
    """Those of the wanted customers whose charges nobody else documents now; all of them after a `wait`."""
    given = {"operator_id": str(operator_id), "parties": sorted(wanted)}
    if wait:
        _WAIT.run(session, given)
        return sorted(wanted)
    return sorted(row.party_id for row in _CLAIM.run(session, given).fetchall())


def be_patient(session: Session) -> None:
    """Wait for others' batches in this transaction, and read as long as it takes."""
    _PATIENT.run(session, {})


def open_charges(
    session: Session, operator_id: int, wanted: Sequence[int], *, month: date = EVER, lock: bool = True
) -> list[Open]:
    """The open charges of customers up to a month, locked until commit (a dry run only looks)."""
    given = {"operator_id": operator_id, "parties": list(wanted), "month": month}
    return _with_left(session, [Open(*row) for row in (_LOCKED if lock else _PEEKED).run(session, given).fetchall()])


def charges(session: Session, ids: Sequence[int]) -> list[Open]:
    """These very charges, locked."""
    return _with_left(session, [Open(*row) for row in _THESE.run(session, {"ids": list(ids)}).fetchall()])


def _with_left(session: Session, found: list[Open]) -> list[Open]:
    """What is left of the charges on documents that some of these correct."""
    roots = sorted({charge.root_id for charge in found if charge.root_invoice_id is not None})
    left = left_of(session, roots)
    return [charge._replace(left_cents=left[charge.root_id]) if charge.root_id in left else charge for charge in found]


def left_of(session: Session, roots: Sequence[int]) -> dict[int, int]:
    """What is left of charges after all that corrects them, documented or not, in the cents they were priced in."""
    if not roots:
        return {}
    return {row.root_id: row.cents for row in _LEFT.run(session, {"roots": list(roots)}).fetchall()}


def customers(session: Session, wanted: Iterable[int]) -> dict[int, Customer]:
    """Parties by internal id."""
    rows = _BUYERS.run(session, {"parties": sorted(set(wanted))}).fetchall()
    return {
        row.id: Customer(
            row.id,
            row.uid,
            Buyer(
                str(row.uid), row.name, row.street, row.postcode, row.town, row.country, row.is_business,
                row.company_number, row.vat_number, row.purchase_order,
            ),
            row.locale,
        )
        for row in rows
    }  # fmt: skip


def corrected(session: Session, invoices: Iterable[int]) -> dict[int, Corrected]:
    """The invoices that will be corrected, locked: two credit notes of one invoice are written one after the other."""
    wanted = sorted(set(invoices))
    rows = _CORRECTED.run(session, {"invoices": wanted}).fetchall() if wanted else []
    return {row.id: Corrected(str(row.uid), row.number, row.issued_on.isoformat()) for row in rows}


def standing(session: Session, invoices: Iterable[int]) -> dict[int, list[Item]]:
    """What stands of invoices: their lines, and those of their credit notes as they lower them, signed."""
    found: dict[int, list[Item]] = defaultdict(list)
    wanted = sorted(set(invoices))
    for row in _STANDING.run(session, {"invoices": wanted}).fetchall() if wanted else []:
        cents = row.gross_cents if row.includes_vat else row.net_cents
        found[row.invoice_id].append(
            Item(cents, row.includes_vat, row.vat_permille, row.vat_category, row.vat_ground, row.vat_mention)
        )
    return found
