"""`passerelle ledger`: what an operator's accountant asks for, typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.billing.ledger.checkpoints import roll_up
from app.billing.ledger.posting import post
from app.cli import passerelle
from app.doctor.billing import BILLING_CHECKS
from app.doctor.finding import Fault
from app.errors import Invalid
from tests.billing.ledger.books import a_posting
from tests.billing.ledger.fec_reader import read_fec
from tests.builders import an_operator
from tests.conftest import Clock

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("PASSERELLE_HOME", str(tmp_path / "home"))
    return lambda *words: CliRunner().invoke(passerelle, ["ledger", *words], catch_exceptions=False)


def test_the_books_are_written_to_a_file_and_verified(run: Run, session: Session, clock: Clock, tmp_path: Path) -> None:
    operator = an_operator(session, country="FR")
    post(session, [a_posting(operator)], now=clock.now)
    session.commit()
    period = ("--from", "2026-01-01", "--to", "2026-12-31")
    done = run("export", "--operator", operator.company_number, *period, "--format", "fec", "--output", str(tmp_path))
    target = tmp_path / f"{operator.company_number}FEC20261231.txt"
    assert done.output == f"{target}: 3 lines\n"
    assert len(read_fec(target.name, target.read_bytes()).records) == 3
    named = tmp_path / "books.csv"
    named.write_text("what was there before")
    as_csv = ("--format", "csv", "--locale", "en", "--output", str(named))
    done = run("export", "--operator", str(operator.uid), *period, *as_csv)
    assert done.exit_code == 0 and named.read_bytes().count(b"\r\n") == 4
    assert {path.name for path in tmp_path.iterdir()} == {target.name, named.name}
    assert run("verify").exit_code == 0 == run("verify", "--operator", operator.company_number).exit_code
    session.connection().execute(text("SET session_replication_role = replica"))
    session.connection().execute(text("UPDATE ledger_entry SET cents = cents + 1 WHERE no = 1"))
    session.commit()
    found = run("verify")
    assert found.exit_code == 1 and found.stdout.startswith("unbalanced: posting ")


def test_a_sum_that_was_changed_is_found_by_verify_and_the_doctor_and_made_anew(
    run: Run, session: Session, clock: Clock
) -> None:
    operator = an_operator(session)
    post(session, [a_posting(operator)], now=clock.now)
    roll_up(session)
    session.commit()
    examine_ledger = dict(BILLING_CHECKS)["ledger"]
    assert "balance" in examine_ledger(session.connection())
    session.connection().execute(text("UPDATE ledger_checkpoint SET debit_cents = debit_cents + 1"))
    session.commit()
    found = run("verify")
    assert found.exit_code == 1 and found.stdout.startswith("checkpoint: ")
    with pytest.raises(Fault, match="sums of the ledger"):
        examine_ledger(session.connection())
    session.rollback()
    assert run("remake", "--operator", operator.company_number).exit_code == 0
    assert run("verify").exit_code == 0
    roll_up(session)
    session.commit()
    assert run("verify").exit_code == 0


def test_what_cannot_be_written_leaves_nothing_behind(run: Run, session: Session, tmp_path: Path) -> None:
    operator = an_operator(session)
    session.commit()
    target = tmp_path / "books.txt"
    words = ("--from", "2026-01-01", "--to", "2026-12-31", "--format", "fec", "--output", str(target))
    with pytest.raises(Invalid, match="use csv"):
        run("export", "--operator", str(operator.uid), *words)
    unknown = run("export", "--operator", "nobody", *words)
    assert unknown.exit_code == 2 and "there is no operator nobody" in unknown.output
    assert not list(tmp_path.glob("*.txt")) and not list(tmp_path.glob(".books*"))
