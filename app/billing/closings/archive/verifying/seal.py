"""The manifest and its signature: who sealed the archive, and whether nothing was changed since."""

from __future__ import annotations

import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.billing.closings.archive.format import ALGORITHM, ENDORSEMENT, FORMATS, MANIFEST, SIGNATURE
from app.billing.closings.archive.verifying.reader import Reader
from app.billing.closings.archive.verifying.report import Report

Json = dict[str, Any]


def check_seal(reader: Reader, report: Report, expected: str | None) -> Json:
    """The manifest, believed or not; an empty one when it cannot be read. What is wrong with the seal is said."""
    octets, seal = reader.whole(MANIFEST), reader.whole(SIGNATURE)
    manifest, signature = _object(report, MANIFEST, octets), _object(report, SIGNATURE, seal)
    if octets is not None and signature:
        _check_signature(report, octets, signature)
    if expected and signature and not _trusted(manifest, str(signature.get("public_key")), expected.lower()):
        report.fault(SIGNATURE, f"it was not made with the key {expected}, nor with one that key signed")
    if manifest and manifest.get("format") not in FORMATS:
        report.fault(MANIFEST, f"its format is {manifest.get('format')}, not {' or '.join(FORMATS)}")
    return manifest


def _object(report: Report, name: str, octets: bytes | None) -> Json:
    if octets is None:
        return {}
    try:
        found = json.loads(octets)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        report.fault(name, "it is no JSON object")
        return {}
    return found


def _check_signature(report: Report, octets: bytes, signature: Json) -> None:
    key = str(signature.get("public_key"))
    if signature.get("algorithm") != ALGORITHM:
        report.fault(SIGNATURE, f"its algorithm is not {ALGORITHM}")
    elif not _signed(key, octets, signature.get("signature")):
        report.fault(MANIFEST, "its signature is wrong: it is not what was sealed")
    else:
        report.public_key = key


def _signed(key: str, octets: bytes, signature: Any) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(str(signature)), octets)
    except (ValueError, InvalidSignature):
        return False
    return True


def _trusted(manifest: Json, key: str, expected: str) -> bool:
    """Whether `key` is the expected one, or comes from it by signatures of each old key for the next."""
    lineage = manifest.get("keys")
    for step in lineage if isinstance(lineage, list) else ():
        if key == expected:
            return True
        if not isinstance(step, dict) or step.get("endorses") != key:
            return False
        older = str(step.get("public_key"))
        if not _signed(older, (ENDORSEMENT + key).encode(), step.get("signature")):
            return False
        key = older
    return key == expected
