"""Whatever is changed in the ledger by hand, past the triggers, is found: by digest, and by reading it back."""

from __future__ import annotations

import hashlib
import json

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.billing.ledger.models import Posting as Row
from app.billing.ledger.posting import post
from app.billing.ledger.verifying import postings, verify
from tests.billing.ledger.books import DAY, a_party, a_posting
from tests.builders import an_operator
from tests.conftest import Clock

# What a hand may do, and what is found to be wrong with the second of three postings.
CHANGES = {
    "a cent twice": ("UPDATE ledger_entry SET cents = cents + sign(cents) WHERE no IN (1, 2) AND {}", "changed"),
    "one cent": ("UPDATE ledger_entry SET cents = cents + 1 WHERE no = 1 AND {}", "unbalanced"),
    "the account": ("UPDATE ledger_entry SET account = 'bank' WHERE no = 1 AND {}", "changed"),
    "the party": ("UPDATE ledger_entry SET party_id = NULL WHERE {}", "changed"),
    "a line": ("DELETE FROM ledger_entry WHERE no = 3 AND {}", "unbalanced"),
    "all lines": ("DELETE FROM ledger_entry WHERE {}", "empty"),
    "the day": ("UPDATE ledger_entry SET day = day+1 WHERE {0}; UPDATE posting SET day = day+1 WHERE {0}", "changed"),
    "the day of an entry": ("UPDATE ledger_entry SET day = day + 1 WHERE no = 1 AND {}", "astray"),
    "the operator of an entry": ("UPDATE ledger_entry SET operator_id = operator_id + 1 WHERE no = 1 AND {}", "astray"),
    "the facts": ("UPDATE posting SET facts = '{{\"a\": 2}}' WHERE {}", "changed"),
    "a fraction": ("UPDATE posting SET facts = '{{\"a\": 1.5}}' WHERE {}", "changed"),
    "the document": ("UPDATE posting SET document = 'X-2' WHERE {}", "changed"),
    "the currency": ("UPDATE posting SET currency = 'CHF' WHERE {}", "changed"),
    "the header": ("DELETE FROM posting WHERE {}", "without its header"),
    "the digest": ("UPDATE posting SET digest = sha256('') WHERE {}", "changed"),
}  # fmt: skip


def test_every_change_by_hand_is_found(session: Session, clock: Clock) -> None:
    operator, party = an_operator(session), a_party(session)
    lines = (("unbilled", 1210, party.id), ("revenue_booking", -1000), ("vat_pending", -210))
    said = {"facts": {"a": 1}, "document": "X-1"}
    post(session, [a_posting(operator, *lines, key=f"k{n}", **said) for n in range(3)], now=clock.now)
    session.commit()
    session.connection().execute(text("SET session_replication_role = replica"))  # triggers sleep
    wrong, second = {}, f"number {session.scalars(select(Row.id).where(Row.key == 'k1')).one()}"
    for change, (sql, found) in CHANGES.items():
        savepoint = session.begin_nested()
        for statement in sql.split(";"):
            column = "posting_id" if "ledger_entry" in statement else "id"
            where = f"{column} = (SELECT id FROM posting WHERE key = 'k1')"
            session.connection().execute(text(statement.format(where)))
        told = [(fault.key, fault.wrong) for fault in verify(session, operator_id=operator.id)]
        known = second if found == "without its header" else "k1"
        if told != [(known, found)]:
            wrong[change] = told
        savepoint.rollback()
    assert wrong == {}
    assert list(verify(session)) == []


def test_a_posting_reads_back_as_a_text_that_anybody_can_check(session: Session, clock: Clock) -> None:
    operator, party = an_operator(session), a_party(session)
    facts = {"z": ["é", 1, None, True], "a": {"n": 10**20}}
    lines = (("receivable", 100, party.id), ("revenue_other", -100))
    post(session, [a_posting(operator, *lines, key="k", kind="manual", facts=facts)], now=clock.now)
    post(session, [a_posting(an_operator(session)), a_posting(operator, day=DAY.replace(day=3))], now=clock.now)
    (stored,) = postings(session, operator_id=operator.id, since=DAY, until=DAY)
    assert stored.said == {
        "format": "passerelle.posting/1", "operator": str(operator.uid), "day": "2026-03-02", "currency": "EUR",
        "kind": "manual", "key": "k", "document": None, "facts": facts,
        "entries": [
            {"account": "receivable", "party": str(party.uid), "cents": 100},
            {"account": "revenue_other", "party": None, "cents": -100},
        ],
    }  # fmt: skip
    written = json.dumps(stored.said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert hashlib.sha256(written).digest() == stored.digest
    assert len(list(postings(session))) == 3


@pytest.mark.parametrize("facts", [{"a": object()}, {"a": 1.0}])
def test_facts_that_are_no_whole_json_are_not_posted(session: Session, clock: Clock, facts: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        post(session, [a_posting(an_operator(session), facts=facts)], now=clock.now)
