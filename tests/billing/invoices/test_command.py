"""`passerelle close-month`: what it says, what it refuses, and that a dry run writes nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from app.cli import passerelle
from app.network.models import Operator, Space
from tests.billing.charges.builders import MARCH
from tests.billing.invoices.house import a_house
from tests.http.operations import fingerprint


@pytest.fixture
def space(session: Session) -> Space:
    """Two customers with charges of March 2026, which is long over."""
    return a_house(session, charges=[[10000, 2550], [333]])


def run(database_url: str, *arguments: str) -> Result:
    return CliRunner().invoke(passerelle, ["close-month", *arguments], env={"DATABASE_URL": database_url})


def test_it_closes_every_operators_month_and_says_what_it_did(
    session: Session, space: Space, database_url: str
) -> None:
    name = session.get_one(Operator, space.operator_id).name
    before = fingerprint(session)
    foreseen = run(database_url, "2026-03", "--dry-run")
    assert foreseen.output == f"{name}: would close 2026-03: 2 invoices of 155.89\n"
    assert fingerprint(session) == before
    assert run(database_url, "2026-03").output == f"{name}: closed 2026-03: 2 invoices of 155.89\n"
    again = run(database_url, "2026-03")
    assert (again.exit_code, again.output) == (
        0, f"{name}: 2026-03 was closed before, and nothing was left to do\n",
    )  # fmt: skip


def test_what_cannot_be_closed_is_said_with_a_remedy(session: Session, space: Space, database_url: str) -> None:
    month = datetime.now(UTC)
    refused = run(database_url, f"{month:%Y-%m}")
    assert refused.exit_code == 1
    assert "month_not_over" in refused.output and "close it after" in refused.output
    assert run(database_url, "2026-14").exit_code == 2
    assert run(database_url, f"{MARCH:%Y-%m}", "--operator", "01890a5d-ac96-774b-bcce-b302099a8057").exit_code == 2


def test_only_the_operator_that_was_named(session: Session, space: Space, database_url: str) -> None:
    other = a_house(session, charges=[[100]])
    uid = session.get_one(Operator, other.operator_id).uid
    assert run(database_url, "2026-03", "--operator", str(uid)).output.count("closed 2026-03") == 1
