"""Archives are made by themselves after each month, by command, and signed with a key that can be changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app.billing.closings.archive import format, keys
from app.billing.closings.archive.making import MonthNotClosed, closed_month, make_archive
from app.billing.closings.archive.verifying import verify
from app.billing.closings.archive.writing import write
from app.billing.closings.models import SealedArchive
from app.config import BadSetting
from app.db import TenantSession, raw, transaction
from app.tenancy import SYSTEM
from tests.billing.closings.books import a_customer, archive_of, books, pass_time, record
from tests.billing.closings.conftest import Sealed
from tests.billing.closings.unpacked import lines, members
from tests.conftest import Clock

Sessions = sessionmaker[TenantSession]


def test_a_closed_month_is_archived_by_itself_whole_signed_and_recorded(october: Sealed) -> None:
    sealed = october.path
    report = verify(sealed)
    assert report.faults == []
    assert report.counts == {
        "documents.jsonl": 4, "postings.jsonl": 7, "charges.jsonl": 4, "payments.jsonl": 3, "closings.jsonl": 32,
        "before.jsonl": 2,
    }  # fmt: skip
    with transaction(october.make_session, SYSTEM) as session:
        rows = session.scalars(select(SealedArchive).order_by(SealedArchive.month)).all()
    assert [row.month for row in rows if row.by_itself] == [date(2026, 9, 1), date(2026, 10, 1)]
    assert rows[1].path == str(sealed) and rows[1].octets == sealed.stat().st_size
    assert sealed.stat().st_mode & 0o777 == 0o600
    assert report.public_key == rows[1].public_key == october.public_key
    assert [path.name for path in sealed.parent.iterdir() if path.name.startswith(".")] == []
    assert verify(sealed.with_name("2026-09.zip")).faults == []


def test_money_is_counted_by_its_means_and_archived_with_its_evidence(october: Sealed) -> None:
    found = members(october.path)
    [closing] = [line for line in lines(found[format.CLOSINGS]) if '"kind":"month"' in line["snapshot"]]
    counted = json.loads(closing["snapshot"])["totals"]["payments"]
    assert [(row["source"], row["count"], row["cents"]) for row in counted] == [
        ("cash", 1, 50_000), ("refund:cash", 1, 2_000), ("transfer", 1, 80_000),
    ]  # fmt: skip
    transfer, cash, back = lines(found[format.PAYMENTS])
    assert (transfer["cents"], cash["cents"], back["cents"]) == (80_000, 50_000, 2_000)
    assert (back["of"], back["payment"], back["kind"]) == ("refund", cash["id"], "cash")
    assert sum(pays["cents"] for pays in transfer["pays"]) <= 80_000 and transfer["pays"]


def test_an_archive_says_what_was_before_and_after_it(october: Sealed) -> None:
    found = members(october.path)
    manifest, documents = json.loads(found[format.MANIFEST]), lines(found[format.DOCUMENTS])
    heads = {row["series"]: row for row in manifest["heads"]["documents"]}
    assert (heads["I2026"]["first"], heads["I2026"]["last"], heads["I2026"]["count"]) == (2, 4, 3)
    assert heads["I2026"]["before"] == documents[1]["previous_hash"]
    assert manifest["heads"]["closings"]["day"]["before"]["number"] == 2
    assert manifest["heads"]["closings"]["day"]["after"]["number"] == 33
    assert manifest["heads"]["closings"]["year"] == {"before": None, "after": None}
    assert manifest["totals"]["documents"][1]["net_cents"] == 14_999
    assert manifest["format"] == "passerelle.archive/2" and manifest["software"].startswith("passerelle ")


def test_only_a_closed_month_goes_into_an_archive_wherever_it_is_wanted(october: Sealed, tmp_path: Path) -> None:
    with transaction(october.make_session, SYSTEM) as session:
        with pytest.raises(MonthNotClosed):
            closed_month(session, october.operator.id, date(2026, 11, 1))
        month = closed_month(session, october.operator.id, date(2026, 10, 1))
        output = tmp_path / "out" / "mine.zip"
        again = make_archive(session, month, home=october.home, now=october.clock.now, output=output)
    assert verify(Path(again.path)).faults == [] and not again.by_itself
    assert members(output)[format.DOCUMENTS] == members(october.path)[format.DOCUMENTS]


def test_a_disk_that_is_full_leaves_nothing_half_written(home: Path, clock: Clock) -> None:
    def until_it_is_full() -> Iterator[str]:
        yield "{}"
        raise OSError(28, "No space left on device")

    path = home / "books" / "2026-10.zip"
    write(path, {format.DOCUMENTS: ["{}"]}, dict, key=keys.signer(home), now=clock.now)
    whole = path.read_bytes()
    with pytest.raises(OSError, match="No space"):
        write(path, {format.DOCUMENTS: until_it_is_full()}, dict, key=keys.signer(home), now=clock.now)
    assert path.read_bytes() == whole
    assert list(path.parent.iterdir()) == [path]


def test_what_could_not_be_archived_is_tried_again_and_holds_nothing_up(
    make_session: Sessions, clock: Clock, home: Path
) -> None:
    with transaction(make_session, SYSTEM) as session:
        operator, customer = books(session), a_customer(session)
        record(session, operator, customer, net=100, at=clock.now)
    (home / "archive").write_text("a file where the folder should be")
    clock.now = datetime(2026, 4, 2, tzinfo=UTC)
    with pytest.raises(AssertionError, match="NotADirectoryError"):
        pass_time(make_session, clock)
    (home / "archive").unlink()
    clock.pass_by(minutes=1)
    with transaction(make_session, SYSTEM) as session:
        assert session.execute(raw("SELECT count(*) FROM closing WHERE kind = 'month'")).scalar_one() == 1
        assert session.execute(raw("SELECT count(*) FROM due WHERE kind = 'archive.month'")).scalar_one() == 1
    pass_time(make_session, clock)
    assert verify(archive_of(home, operator, "2026-03")).faults == []


def test_a_new_key_is_trusted_by_who_kept_the_old_one(october: Sealed, tmp_path: Path) -> None:
    shutil.copy(october.home / keys.FILE, tmp_path / keys.FILE)
    for _ in range(2):
        with transaction(october.make_session, SYSTEM) as session:
            draft, new = keys.prepare_rotation(session, tmp_path)
        keys.install(draft, tmp_path)
    assert keys.signer(tmp_path).public_key == new != october.public_key
    with transaction(october.make_session, SYSTEM) as session:
        month = closed_month(session, october.operator.id, date(2026, 10, 1))
        made = make_archive(session, month, home=tmp_path, now=october.clock.now)
    for key in (october.public_key, new):
        assert verify(Path(made.path), public_key=key).faults == []
    stranger = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    assert not verify(Path(made.path), public_key=stranger).good


def test_the_key_is_made_once_and_is_of_nobody_elses_to_read(home: Path) -> None:
    one, other = keys.signer(home), keys.signer(home)
    assert one.public_key == other.public_key
    file = home / keys.FILE
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(BadSetting, match="chmod 600"):
        keys.signer(home)
    file.chmod(0o600)
    file.write_text("no key")
    with pytest.raises(BadSetting, match="backup"):
        keys.signer(home)
    assert list(home.iterdir()) == [file]


def test_an_operators_archive_holds_nothing_of_another(make_session: Sessions, clock: Clock, home: Path) -> None:
    with transaction(make_session, SYSTEM) as session:
        one, other, customer = books(session), books(session), a_customer(session)
        for operator in (one, other):
            record(session, operator, customer, net=100, at=clock.now)
    clock.now = datetime(2026, 4, 1, 12, tzinfo=UTC) + timedelta(days=1)
    pass_time(make_session, clock)
    found = members(archive_of(home, one, "2026-03"))
    for member in format.MEMBERS:
        assert str(other.uid).encode() not in found[member]
    assert len(lines(found[format.POSTINGS])) == 1
