"""From a stored snapshot to EN 16931, and from nothing else. Pure: the same snapshot is always the same document.

What snapshots of before lack (an electronic address, the holder of the account) follows from what they have.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.billing.einvoices import addresses, exemptions, terms, units
from app.billing.einvoices.semantic import Document, Identifier, Line, Party, Period, Preceding, Tax
from app.errors import Problem
from app.vat.territories import FISCAL_COUNTRY

FORMAT = "passerelle.document/1"
LOCALES = ("fr", "nl", "de", "en")

# UNTDID 1001, by whether it is a credit note and whether the buyer wrote it: invoice, credit note, self-billed ones.
TYPE_CODES = {(False, False): "380", (True, False): "381", (False, True): "389", (True, True): "261"}


class UnknownFormat(Problem):
    """A snapshot that this version cannot read: it was written by a newer one, or is not a snapshot."""

    code = "unknown_document_format"
    status = 500
    title = "This document's stored content has a format that is not known here."


def read(snapshot: str) -> Document:
    """The document that a snapshot says. Raises UnknownFormat."""
    try:
        content = json.loads(snapshot)
        said = content["format"]
    except (ValueError, KeyError, TypeError):
        raise UnknownFormat(format=None, known=FORMAT) from None
    if said != FORMAT:
        raise UnknownFormat(format=said, known=FORMAT)
    return document(content)


def document(content: Mapping[str, Any]) -> Document:
    """The document of a snapshot's content; its parties as `seller` and `buyer` of the supply, whoever wrote it."""
    credit, self_billed = content["kind"] == "credit_note", bool(content.get("self_billed"))
    locale = content["locale"] if content["locale"] in LOCALES else LOCALES[0]
    totals, payment = content["totals"], content["payment"]
    period = _period(content["period"], ("from", "until"))
    outside = {line["vat"]["category"] for line in content["lines"]} == {"O"}
    paid = totals.get("paid_cents", 0)
    return Document(
        number=content["number"],
        type_code=TYPE_CODES[credit, self_billed],
        is_credit_note=credit,
        is_self_billed=self_billed,
        is_supply=period is not None,
        issued_on=content["issued_on"],
        due_on=content["due_on"],
        currency=content["currency"],
        seller=_party(content["seller"], outside=outside, sells=True),
        buyer=_party(content["buyer"], outside=outside, sells=False),
        lines=tuple(_line(line, period) for line in content["lines"]),
        taxes=_taxes(content["taxes"], content["mentions"], locale),
        net_cents=totals["net_cents"],
        vat_cents=totals["vat_cents"],
        gross_cents=totals["gross_cents"],
        paid_cents=paid,
        rounding_cents=totals["due_cents"] - (totals["gross_cents"] - paid),
        due_cents=totals["due_cents"],
        notes=terms.notes(
            content["mentions"],
            seller_country=FISCAL_COUNTRY.get(content["seller"]["country"], content["seller"]["country"]),
            locale=locale,
        ),
        period=period,
        purchase_order=(content["buyer"].get("purchase_order") or "").strip() or None,
        preceding=_preceding(content["corrects"]),
        iban=payment.get("iban") or None,
        account_name=payment.get("holder") or content["seller"]["name"],
        communication=payment.get("communication") or None,
        terms=terms.payment_terms(is_credit_note=credit, due_on=content["due_on"], locale=locale),
    )


def _party(said: Mapping[str, Any], *, outside: bool, sells: bool) -> Party:
    """One of the two; on a document outside VAT none has a VAT number (EN 16931 BR-O-02)."""
    vat_number = addresses.digits(said.get("vat_number")) or None
    is_business = sells or bool(said.get("is_business"))
    state = FISCAL_COUNTRY.get(said["country"], said["country"])
    number = addresses.company_number(state, said.get("company_number"), vat_number) if is_business else ""
    given = said.get("electronic_address")
    suggested = addresses.electronic(state, number, vat_number) if is_business else None
    return Party(
        name=said["name"],
        street=said.get("street") or "",
        postcode=said.get("postcode") or "",
        town=said.get("town") or "",
        country=said["country"],
        is_business=is_business,
        legal=addresses.legal(state, number),
        establishment=addresses.establishment(state, number),
        vat_number=None if outside else vat_number,
        tax_number=number if sells and number and not vat_number and not outside else None,
        address=Identifier(given["scheme"], given["id"]) if given else suggested,
    )


def _line(said: Mapping[str, Any], period: Period | None) -> Line:
    told = units.quantified(said["quantity_milli"], said["unit"], said["net_cents"])
    about = " – ".join(name for name in (said.get("space"), said.get("person")) if name)
    return Line(
        no=said["no"],
        name=said["text"].strip() or "-",
        description=about or None,
        quantity=told.quantity,
        unit=told.unit,
        price=told.price,
        net_cents=said["net_cents"],
        category=said["vat"]["category"],
        permille=said["vat"]["permille"],
        period=_period(said, ("service_from", "service_until")) if period else None,
    )


def _taxes(taxes: Sequence[Mapping[str, Any]], mentions: Sequence[Mapping[str, Any]], locale: str) -> tuple[Tax, ...]:
    """One for each category and rate: snapshots keep the grounds apart, EN 16931 does not (BR-E-01, BR-O-01)."""
    texts = {mention["code"]: mention["text"] for mention in mentions}
    groups: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for tax in taxes:
        groups.setdefault((tax["category"], tax["permille"]), []).append(tax)
    return tuple(_tax(key, members, texts, locale) for key, members in groups.items())


def _tax(key: tuple[str, int], members: Sequence[Mapping[str, Any]], texts: Mapping[str, str], locale: str) -> Tax:
    category, permille = key
    net, vat = sum(tax["net_cents"] for tax in members), sum(tax["vat_cents"] for tax in members)
    if category in ("S", "Z"):
        return Tax(category, permille, net, vat, None, None)
    words = [texts.get(tax["mention"] or "") or _outside(category, locale) or tax["ground"] for tax in members]
    code = exemptions.code_of(category, {tax["mention"] for tax in members})
    return Tax(category, permille, net, vat, " ; ".join(dict.fromkeys(words)), code)


def _outside(category: str, locale: str) -> str | None:
    return exemptions.OUTSIDE[locale] if category == "O" else None


def _period(said: Mapping[str, Any] | None, names: tuple[str, str]) -> Period | None:
    return Period(said[names[0]], said[names[1]]) if said else None


def _preceding(said: Mapping[str, Any] | None) -> Preceding | None:
    return Preceding(said["number"], said["issued_on"]) if said else None
