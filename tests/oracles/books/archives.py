"""Whether an operator's archives hold together: what is packed, its documents' chain, the sums of its closings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.oracles.books.reading import Exported, Json, sha256

NOTHING_BEFORE = "0" * 64


def differs(what: str, expected: object, found: object) -> Iterator[str]:
    if expected != found:
        yield f"{what} should be {expected}, is {found}"


def packing(exported: Exported) -> Iterator[str]:
    for manifest, files in exported.manifests():
        for member in manifest["members"]:
            found = files[member["name"]]
            what = f"{manifest['month']} {member['name']}"
            yield from differs(f"SHA-256 of {what}", member["sha256"], sha256(found))
            yield from differs(f"octets of {what}", member["octets"], len(found))
            yield from differs(f"lines of {what}", member["lines"], found.count(b"\n"))


def chains(exported: Exported) -> Iterator[str]:
    """Numbers have no gap, and each document names the hash of the one before it in its series."""
    heads: dict[str, tuple[int, str]] = {}
    for record in exported.documents:
        number, content = record["number"], record["content"]
        last, head = heads.get(record["series"], (0, NOTHING_BEFORE))
        yield from differs(f"hash of {number}", sha256(record["snapshot"].encode()), record["hash"])
        yield from differs(f"sequence of {number}", last + 1, record["sequence"])
        yield from differs(f"end of {number}", f"{record['sequence']:06d}", number.rpartition("-")[2])
        for source in (record, content):
            yield from differs(f"previous hash of {number}", head, source["previous_hash"])
        for name in ("number", "sequence", "series"):
            yield from differs(f"{name} in the content of {number}", record[name], content[name])
        heads[record["series"]] = record["sequence"], record["hash"]
    numbers = Counter(record["number"] for record in exported.documents)
    yield from differs("numbers given twice", [], [number for number, times in numbers.items() if times > 1])


def closings(exported: Exported) -> Iterator[str]:
    """Closings follow each other without a gap; the months' sums are those of the documents recorded in them."""
    heads: dict[str, tuple[int, str | None]] = defaultdict(lambda: (0, None))
    for record in exported.closings:
        content = record["content"]
        what = f"{content['kind']} {content['number']}"
        last, head = heads[content["kind"]]
        yield from differs(f"hash of {what}", sha256(record["snapshot"].encode()), record["hash"])
        yield from differs(f"number of {what}", last + 1, content["number"])
        yield from differs(f"previous hash of {what}", head, content["previous_hash"])
        heads[content["kind"]] = content["number"], record["hash"]
        recorded = [d for d in exported.documents if content["starts_at"] <= d["recorded_at"] < content["ends_at"]]
        before = [d for d in exported.documents if d["recorded_at"] < content["ends_at"]]
        for name, begins in (("totals", content["starts_at"]), ("grand_totals", "")):
            money = [p for p in exported.payments if begins <= p["recorded_at"] < content["ends_at"]]
            stated = {row["source"]: (row["count"], row["cents"]) for row in content[name]["payments"]}
            yield from differs(f"payments of {what}, {name}", _paid(money), stated)
        for name, documents in (("totals", recorded), ("grand_totals", before)):
            yield from differs(f"documents of {what}, {name}", _sums(documents), _closed(content[name], "documents"))
            yield from differs(f"VAT of {what}, {name}", _taxes(documents), _closed(content[name], "taxes"))


def _sums(documents: list[Json]) -> dict[tuple[object, ...], tuple[int, ...]]:
    found: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0, 0])
    for record in documents:
        content = record["content"]
        nets, vats = zip(*((tax["net_cents"], tax["vat_cents"]) for tax in content["taxes"]), strict=True)
        found[(content["kind"],)][0] += sum(nets)
        found[(content["kind"],)][1] += sum(vats)
    return {key: tuple(sums) for key, sums in found.items()}


def _paid(payments: list[Json]) -> dict[str, tuple[int, int]]:
    """How many, and how much, by means; what went back apart."""
    found: dict[str, tuple[int, int]] = {}
    for payment in payments:
        means = ("refund:" if payment["of"] == "refund" else "") + payment["kind"]
        count, cents = found.get(means, (0, 0))
        found[means] = count + 1, cents + payment["cents"]
    return found


def _taxes(documents: list[Json]) -> dict[tuple[object, ...], tuple[int, ...]]:
    found: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0, 0])
    for record in documents:
        for tax in record["content"]["taxes"]:
            sums = found[(record["content"]["kind"], tax["category"], tax["permille"])]
            sums[0] += tax["net_cents"]
            sums[1] += tax["vat_cents"]
    return {key: tuple(sums) for key, sums in found.items()}


def _closed(totals: Json, name: str) -> dict[tuple[object, ...], tuple[int, ...]]:
    keys = ("kind",) if name == "documents" else ("kind", "category", "permille")
    found: Counter[tuple[object, ...]] = Counter()
    vats: Counter[tuple[object, ...]] = Counter()
    for row in totals[name]:
        key = tuple(row[part] for part in keys)
        found[key] += row["net_cents"]
        vats[key] += row["vat_cents"]
    return {key: (found[key], vats[key]) for key in found}
