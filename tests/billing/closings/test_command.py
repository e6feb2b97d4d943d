"""`passerelle archive`: made, printed with its key, verified where there is no database, and its key changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.billing.closings.archive import keys
from app.cli import passerelle
from tests.billing.closings.books import archive_of
from tests.billing.closings.conftest import Sealed
from tests.billing.closings.forgeries import FORGED
from tests.billing.closings.unpacked import rewritten


@pytest.fixture
def run(october: Sealed, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("DATABASE_URL", october.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("PASSERELLE_HOME", str(october.home))

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(passerelle, ["archive", *arguments])

    return call


def test_a_month_is_made_for_an_operator_by_its_number_and_verified(run, october: Sealed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    output = tmp_path / "october.zip"
    made = run("make", "--operator", october.operator.company_number, "--month", "2026-10", "--output", str(output))
    assert made.exit_code == 0, made.output
    assert str(output) in made.output and october.public_key in made.output
    verified = run("verify", str(output), "--public-key", october.public_key)
    assert (verified.exit_code, "Whole and unchanged" in verified.output) == (0, True)
    assert "4 documents, 7 postings" in verified.output
    assert "Compare that with the key you kept" in run("verify", str(output)).output


def test_what_is_wrong_is_said_and_the_command_fails(run, october: Sealed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "changed.zip"
    path.write_bytes(october.path.read_bytes())
    rewritten(path, FORGED["a cent of a posting"][0])
    found = run("verify", str(path))
    assert found.exit_code == 1
    assert "out of balance by 1 cents" in found.output and "is not as it was sealed" in found.output


def test_verifying_asks_for_no_database(october: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("PASSERELLE_HOME", "/nowhere")
    assert CliRunner().invoke(passerelle, ["archive", "verify", str(october.path)]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--operator", "nobody", "--month", "2026-10"), "there is no operator nobody"),
        (("--operator", "{uid}", "--month", "October"), "a month is written 2026-10"),
        (("--operator", "{uid}", "--month", "2026-11"), "month_not_closed"),
    ],
)
def test_what_cannot_be_made_is_said(run, october: Sealed, arguments: tuple[str, ...], said: str) -> None:  # type: ignore[no-untyped-def]
    result = run("make", *(word.format(uid=october.operator.uid) for word in arguments))
    assert result.exit_code != 0
    assert said in result.output or said in str(result.exception)


def test_a_key_is_changed_and_the_new_one_printed(run, october: Sealed, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    shutil.copy(october.home / keys.FILE, tmp_path / keys.FILE)
    monkeypatch.setenv("PASSERELLE_HOME", str(tmp_path))
    changed = run("rotate-key")
    new = keys.signer(tmp_path).public_key
    assert changed.exit_code == 0 and new in changed.output and new != october.public_key
    assert run("make", "--operator", str(october.operator.uid), "--month", "2026-10").exit_code == 0
    made = archive_of(tmp_path, october.operator, "2026-10")
    assert run("verify", str(made), "--public-key", october.public_key).exit_code == 0
