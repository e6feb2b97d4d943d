"""`passerelle einvoices` and `passerelle e-reporting`: what they print and refuse; the official rules run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.billing.einvoices.models import EInvoice
from app.billing.einvoices.wanting import want_first
from app.billing.invoices.models import Invoice
from app.cli import passerelle
from app.network.models import Operator
from tests.billing.einvoices.house import NOW, a_business, a_document, a_seller


@pytest.fixture
def invoice(session: Session) -> Invoice:
    invoice = a_document(session, a_seller(session), a_business(session))
    want_first(session, invoice.uid, now=NOW)
    session.commit()
    return invoice


def run(database_url: str, home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        passerelle, list(arguments), env={"DATABASE_URL": database_url, "PASSERELLE_HOME": str(home)}
    )


def test_it_counts_lists_and_sends_again_what_was_rejected(
    session: Session, invoice: Invoice, database_url: str, tmp_path: Path
) -> None:
    operator = session.get_one(Operator, invoice.operator_id)
    counted = run(database_url, tmp_path, "einvoices", "status").output
    assert counted == f"{operator.name}\tpeppol\twanted\t1\n"
    values = {"state": "rejected", "reason": "Unknown", "sha256": "0" * 64, "size": 1, "made_by": "x", "made_at": NOW}
    session.execute(update(EInvoice).values(**values))
    session.commit()
    company = str(operator.company_number)
    listed = run(database_url, tmp_path, "einvoices", "status", "--state", "rejected", "--operator", company)
    assert listed.output == f"{operator.name}\t{invoice.number}\tpeppol\t\tUnknown\n"
    sent = run(database_url, tmp_path, "einvoices", "send", invoice.number, "--operator", company)
    assert sent.exit_code == 0 and f"{invoice.number} is made, round 2" in sent.output
    nothing = run(database_url, tmp_path, "einvoices", "send", "ATH-1", "--operator", company)
    assert nothing.exit_code == 2 and "has no document ATH-1" in nothing.output
    french = run(
        database_url, tmp_path, "einvoices", "send", invoice.number, "--operator", company, "--format", "ubl-fr"
    )
    assert french.exit_code == 1 and "no SIREN" in str(french.exception)


def test_a_document_is_judged_by_every_family_that_it_can_be_written_for(
    session: Session, invoice: Invoice, database_url: str, tmp_path: Path
) -> None:
    company = str(session.get_one(Operator, invoice.operator_id).company_number)
    judged = run(database_url, tmp_path, "einvoices", "check", invoice.number, "--operator", company)
    assert judged.exit_code == 0, judged.output
    said = judged.stderr.splitlines()
    assert said[-1] == f"{invoice.number}: 0 errors"
    assert "peppol: peppol: 0 errors" in said and "cii: factur-x: 0 errors" in said
    assert any(line.startswith("ubl-fr: cannot be written: the seller has no SIREN") for line in said)


def test_e_reporting_is_one_json_document(
    session: Session, invoice: Invoice, database_url: str, tmp_path: Path
) -> None:
    company = str(session.get_one(Operator, invoice.operator_id).company_number)
    days = ("--from", "2026-10-01", "--to", "2026-10-31")
    told = json.loads(run(database_url, tmp_path, "e-reporting", "--operator", company, *days).output)
    assert (told["owed"], told["totals"], told["not_reported"][0]["net_cents"]) == (False, [], 10000)
