"""UBL 2.1, in three profiles: Peppol BIS Billing 3.0, the same for self-billing, and EN 16931 with France's demands.

Elements stand in the order of the schema (OASIS UBL 2.1, maindoc); BT-… are the terms of EN 16931.
"""

from __future__ import annotations

from typing import NamedTuple

from app.billing.einvoices import addresses, exemptions
from app.billing.einvoices.french import framework, treatment
from app.billing.einvoices.markup import Element, group, octets, put, root
from app.billing.einvoices.semantic import Document, Identifier, Line, Note, Party, Period, Tax
from app.billing.einvoices.units import cents, percent

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_COMMON = {"cac": f"{_UBL}CommonAggregateComponents-2", "cbc": f"{_UBL}CommonBasicComponents-2"}
CREDIT_TRANSFER = "30"  # UNTDID 4461


class Profile(NamedTuple):
    """What a document says that it conforms to (BT-24), and in which process (BT-23)."""

    customization: str
    process: str | None


EN16931 = "urn:cen.eu:en16931:2017"
PEPPOL = Profile(
    f"{EN16931}#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0", "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
)
PEPPOL_SELF_BILLING = Profile(
    f"{EN16931}#conformant#urn:fdc:peppol.eu:2017:poacc:selfbilling:3.0",
    "urn:fdc:peppol.eu:2017:poacc:selfbilling:01:1.0",
)


def peppol(document: Document) -> bytes:
    """Peppol BIS Billing 3.0, or Self-Billing 3.0 where the buyer wrote it."""
    one_note = " – ".join(note.text for note in document.notes)
    taxes = tuple(tax._replace(reason_code=exemptions.for_peppol(tax.reason_code)) for tax in document.taxes)
    document = document._replace(notes=(Note(None, one_note),) if one_note else (), taxes=taxes)
    return _written(document, PEPPOL_SELF_BILLING if document.is_self_billed else PEPPOL)


def french(document: Document) -> bytes:
    """EN 16931 with what a French approved platform refuses to be without (XP Z12-012): subjects of notes, the
    framework of billing, the treatment."""
    told = tuple(
        Note(None, f"#{note.subject}#{note.text}") if note.subject else note
        for note in (*document.notes, Note("BAR", treatment(document)))
    )
    return _written(document._replace(notes=told), Profile(EN16931, framework(document)))


def plain(document: Document) -> bytes:
    """EN 16931 and no more: for who reads it without a network between."""
    return _written(document, Profile(EN16931, None))


def _written(document: Document, profile: Profile) -> bytes:
    name = "CreditNote" if document.is_credit_note else "Invoice"
    whole = root(name, {"": f"{_UBL}{name}-2", **_COMMON})
    _head(whole, document, profile)
    _references(whole, document)
    _party(group(whole, "cac:AccountingSupplierParty/cac:Party"), document.seller)
    _party(group(whole, "cac:AccountingCustomerParty/cac:Party"), document.buyer)
    _payment(whole, document)
    _taxes(whole, document)
    _totals(whole, document)
    for line in document.lines:
        _line(group(whole, f"cac:{name}Line"), line, document)
    return octets(whole)


def _head(whole: Element, document: Document, profile: Profile) -> None:
    put(whole, "cbc:CustomizationID", profile.customization)
    put(whole, "cbc:ProfileID", profile.process)
    put(whole, "cbc:ID", document.number)
    put(whole, "cbc:IssueDate", document.issued_on)
    if not document.is_credit_note:
        put(whole, "cbc:DueDate", document.due_on)
    put(whole, f"cbc:{'CreditNote' if document.is_credit_note else 'Invoice'}TypeCode", document.type_code)
    for note in document.notes:
        put(whole, "cbc:Note", note.text)
    put(whole, "cbc:DocumentCurrencyCode", document.currency)
    # Peppol wants one of the two (R003): without the buyer's own order the number, which nobody takes for another's.
    put(whole, "cbc:BuyerReference", None if document.purchase_order else document.number)
    _period(whole, document.period)


def _references(whole: Element, document: Document) -> None:
    put(whole, "cac:OrderReference/cbc:ID", document.purchase_order)
    if document.preceding:
        corrected = group(whole, "cac:BillingReference/cac:InvoiceDocumentReference")
        put(corrected, "cbc:ID", document.preceding.number)
        put(corrected, "cbc:IssueDate", document.preceding.issued_on)


def _party(place: Element, party: Party) -> None:
    _identified(place, "cbc:EndpointID", party.address)
    if party.establishment:
        _identified(group(place, "cac:PartyIdentification"), "cbc:ID", party.establishment)
    put(place, "cac:PartyName/cbc:Name", party.name)
    address = group(place, "cac:PostalAddress")
    put(address, "cbc:StreetName", party.street)
    put(address, "cbc:CityName", party.town)
    put(address, "cbc:PostalZone", party.postcode)
    put(address, "cac:Country/cbc:IdentificationCode", party.country)
    for number, scheme in ((party.vat_number, "VAT"), (party.tax_number, "TAX")):
        if number:
            taxed = group(place, "cac:PartyTaxScheme")
            put(taxed, "cbc:CompanyID", number)
            put(taxed, "cac:TaxScheme/cbc:ID", scheme)
    entity = group(place, "cac:PartyLegalEntity")
    put(entity, "cbc:RegistrationName", party.name)
    _identified(entity, "cbc:CompanyID", party.legal)


def _identified(place: Element, name: str, identifier: Identifier | None) -> None:
    if identifier:
        put(place, name, identifier.value, schemeID=identifier.scheme)


def _payment(whole: Element, document: Document) -> None:
    if not document.is_credit_note and document.iban:
        means = group(whole, "cac:PaymentMeans")
        put(means, "cbc:PaymentMeansCode", CREDIT_TRANSFER)
        put(means, "cbc:PaymentID", document.communication)
        account = group(means, "cac:PayeeFinancialAccount")
        put(account, "cbc:ID", addresses.digits(document.iban))
        put(account, "cbc:Name", document.account_name)
    put(whole, "cac:PaymentTerms/cbc:Note", document.terms)


def _taxes(whole: Element, document: Document) -> None:
    total = group(whole, "cac:TaxTotal")
    _amount(total, "cbc:TaxAmount", document.vat_cents, document)
    for tax in document.taxes:
        part = group(total, "cac:TaxSubtotal")
        _amount(part, "cbc:TaxableAmount", tax.net_cents, document)
        _amount(part, "cbc:TaxAmount", tax.vat_cents, document)
        category = group(part, "cac:TaxCategory")
        _category(category, tax)
        put(category, "cbc:TaxExemptionReasonCode", tax.reason_code)
        put(category, "cbc:TaxExemptionReason", tax.reason)
        put(category, "cac:TaxScheme/cbc:ID", "VAT")


def _category(place: Element, taxed: Tax | Line) -> None:
    """The category and its rate; what is outside VAT has none (EN 16931 BR-O-05)."""
    put(place, "cbc:ID", taxed.category)
    put(place, "cbc:Percent", None if taxed.category == "O" else percent(taxed.permille))


def _totals(whole: Element, document: Document) -> None:
    totals = group(whole, "cac:LegalMonetaryTotal")
    _amount(totals, "cbc:LineExtensionAmount", sum(line.net_cents for line in document.lines), document)
    _amount(totals, "cbc:TaxExclusiveAmount", document.net_cents, document)
    _amount(totals, "cbc:TaxInclusiveAmount", document.gross_cents, document)
    if document.paid_cents:
        _amount(totals, "cbc:PrepaidAmount", document.paid_cents, document)
    if document.rounding_cents:
        _amount(totals, "cbc:PayableRoundingAmount", document.rounding_cents, document)
    _amount(totals, "cbc:PayableAmount", document.due_cents, document)


def _line(place: Element, line: Line, document: Document) -> None:
    put(place, "cbc:ID", str(line.no))
    quantity = "cbc:CreditedQuantity" if document.is_credit_note else "cbc:InvoicedQuantity"
    put(place, quantity, line.quantity, unitCode=line.unit)
    _amount(place, "cbc:LineExtensionAmount", line.net_cents, document)
    _period(place, line.period)
    item = group(place, "cac:Item")
    put(item, "cbc:Description", line.description)
    put(item, "cbc:Name", line.name)
    category = group(item, "cac:ClassifiedTaxCategory")
    _category(category, line)
    put(category, "cac:TaxScheme/cbc:ID", "VAT")
    put(place, "cac:Price/cbc:PriceAmount", line.price, currencyID=document.currency)


def _period(place: Element, period: Period | None) -> None:
    if period:
        told = group(place, "cac:InvoicePeriod")
        put(told, "cbc:StartDate", period.first)
        put(told, "cbc:EndDate", period.last)


def _amount(place: Element, name: str, amount: int, document: Document) -> None:
    put(place, name, cents(amount), currencyID=document.currency)
