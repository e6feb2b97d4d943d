"""The verifier needs no database, and names what was changed: an octet, a line, a number, the manifest, the key."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import ZipFile

import pytest

from app.billing.closings.archive import format
from app.billing.closings.archive.verifying import verify
from tests.billing.closings.conftest import Sealed
from tests.billing.closings.forgeries import FORGED
from tests.billing.closings.unpacked import Members, resealed, rewritten

JUNK = (b"[]\n", b"{}\n", b'{"snapshot":3,"hash":null,"posting":[],"id":1}\n', b"\xff\n", b'{"snapshot":"{}"}\n')


@pytest.mark.parametrize("member", [*format.MEMBERS, format.MANIFEST, format.SIGNATURE])
def test_one_changed_octet_of_a_member_is_named(sealed: Path, member: str) -> None:
    def change(found: Members) -> None:
        octets = bytearray(found[member])
        place = octets.index(b'"', len(octets) // 2) + 1
        octets[place] ^= 1
        found[member] = bytes(octets)

    faults = verify(rewritten(sealed, change)).faults
    named = (member, format.MANIFEST) if member == format.SIGNATURE else member
    assert any(fault.startswith(named) for fault in faults), faults


@pytest.mark.parametrize("member", format.MEMBERS)
def test_one_changed_octet_of_the_file_itself_is_named(sealed: Path, member: str) -> None:
    with ZipFile(sealed) as archive:
        info = archive.getinfo(member)
        begins = info.header_offset + 30 + len(info.filename) + 20  # local header, name, sizes in 64 bits
    octets = bytearray(sealed.read_bytes())
    octets[begins + info.compress_size // 2] ^= 0xFF
    sealed.write_bytes(bytes(octets))
    assert any(fault.startswith(f"{member}: ") for fault in verify(sealed).faults)


@pytest.mark.parametrize("change", FORGED)
def test_what_was_changed_is_named_even_where_the_manifest_was_made_to_fit(
    october: Sealed, sealed: Path, change: str
) -> None:
    """Once as it is, once with a manifest that fits and a key of the forger's own."""
    forge, said = FORGED[change]
    rewritten(sealed, forge)
    assert any("is not what the manifest says" in fault for fault in verify(sealed).faults)
    sealed.write_bytes(october.path.read_bytes())
    resealed(sealed, forge)
    report = verify(sealed)
    assert any(said in fault for fault in report.faults), report.faults
    assert report.public_key != october.public_key
    assert any("was not made with the key" in fault for fault in verify(sealed, public_key=october.public_key).faults)


def _as_format_1(found: Members, *, with_payments: bool) -> None:
    """Written before payments were: without their member."""
    manifest = json.loads(found[format.MANIFEST])
    kept = [row for row in manifest["members"] if with_payments or row["name"] != format.PAYMENTS]
    found[format.MANIFEST] = json.dumps(manifest | {"format": "passerelle.archive/1", "members": kept}).encode()
    if not with_payments:
        del found[format.PAYMENTS]


def test_an_archive_from_before_payments_is_verified_by_what_its_format_has(sealed: Path, october: Sealed) -> None:
    """This month had payments, which is all that is wrong with it."""
    faults = verify(resealed(sealed, lambda found: _as_format_1(found, with_payments=False))).faults
    assert faults and all(": payments " in fault and "recomputed 0" in fault for fault in faults), faults
    sealed.write_bytes(october.path.read_bytes())
    faults = verify(resealed(sealed, lambda found: _as_format_1(found, with_payments=True))).faults
    assert "payments.jsonl: it does not belong into an archive of this format" in faults


def test_a_manifest_that_was_changed_is_not_what_was_sealed(sealed: Path) -> None:
    def change(found: Members) -> None:
        found[format.MANIFEST] = found[format.MANIFEST].replace(b'"2026-10"', b'"2026-11"')

    faults = verify(rewritten(sealed, change)).faults
    assert "manifest.json: its signature is wrong: it is not what was sealed" in faults


@pytest.mark.parametrize("junk", [b"", b"PK\x03\x04 no archive", bytes(range(256)) * 40])
def test_a_file_that_is_no_archive_says_so(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "junk.zip"
    path.write_bytes(junk)
    assert any("it is no archive" in fault for fault in verify(path).faults)


def test_an_archive_cut_short_or_with_members_too_few_or_too_many_says_so(sealed: Path) -> None:
    original = sealed.read_bytes()
    sealed.write_bytes(original[: len(original) // 2])
    assert not verify(sealed).good
    for member in (*format.MEMBERS, format.MANIFEST, format.SIGNATURE):
        sealed.write_bytes(original)
        rewritten(sealed, lambda found, member=member: found.pop(member))  # type: ignore[misc]
        assert f"{member}: it is missing" in verify(sealed).faults
    sealed.write_bytes(original)
    rewritten(sealed, lambda found: found.update({"more.txt": b""}))
    assert "more.txt: it does not belong into an archive" in verify(sealed).faults


def test_shapes_nobody_expects_are_faults_and_no_errors(sealed: Path) -> None:
    original = sealed.read_bytes()
    for junk in (
        b"[]\n",
        b"{}\n",
        b'{"snapshot":3,"hash":null,"posting":[],"id":1}\n',
        b"\xff\n",
        b'{"snapshot":"{}"}\n',
    ):
        for member in format.MEMBERS:
            sealed.write_bytes(original)
            resealed(sealed, lambda found, member=member, junk=junk: found.update({member: junk}))  # type: ignore[misc]
            assert not verify(sealed).good
        sealed.write_bytes(original)
        rewritten(sealed, lambda found, junk=junk: found.update({format.MANIFEST: junk, format.SIGNATURE: junk}))  # type: ignore[misc]
        assert not verify(sealed).good
