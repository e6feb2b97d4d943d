"""UN/CEFACT Cross Industry Invoice (D22B) as Factur-X wants it, level EN 16931; of French sellers as France demands.

Elements stand in the order of the schema; BT-… are the terms of EN 16931.
"""

from __future__ import annotations

from app.billing.einvoices import addresses
from app.billing.einvoices.french import framework, treatment
from app.billing.einvoices.markup import Element, group, octets, put, root
from app.billing.einvoices.semantic import Document, Line, Note, Party, Period, Tax
from app.billing.einvoices.ubl import CREDIT_TRANSFER, EN16931
from app.billing.einvoices.units import cents, percent

_UN = "urn:un:unece:uncefact:data"
_NAMES = {
    "rsm": f"{_UN}:standard:CrossIndustryInvoice:100",
    "ram": f"{_UN}:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": f"{_UN}:standard:UnqualifiedDataType:100",
    "qdt": f"{_UN}:standard:QualifiedDataType:100",
}
DAY = "102"  # UNTDID 2379: CCYYMMDD


def written(document: Document) -> bytes:
    """The CII of a document."""
    whole = root("rsm:CrossIndustryInvoice", _NAMES)
    is_french = document.seller.state == "FR"
    context = group(whole, "rsm:ExchangedDocumentContext")
    process = framework(document) if is_french else None
    put(context, "ram:BusinessProcessSpecifiedDocumentContextParameter/ram:ID", process)
    put(context, "ram:GuidelineSpecifiedDocumentContextParameter/ram:ID", EN16931)
    head = group(whole, "rsm:ExchangedDocument")
    put(head, "ram:ID", document.number)
    put(head, "ram:TypeCode", document.type_code)
    _day(group(head, "ram:IssueDateTime"), document.issued_on)
    for note in (*document.notes, *((Note("BAR", treatment(document)),) if is_french else ())):
        told = group(head, "ram:IncludedNote")
        put(told, "ram:Content", note.text)
        put(told, "ram:SubjectCode", note.subject)
    trade = group(whole, "rsm:SupplyChainTradeTransaction")
    for line in document.lines:
        _line(group(trade, "ram:IncludedSupplyChainTradeLineItem"), line)
    _agreement(group(trade, "ram:ApplicableHeaderTradeAgreement"), document)
    delivered = group(trade, "ram:ApplicableHeaderTradeDelivery")
    if document.period:
        _day(group(delivered, "ram:ActualDeliverySupplyChainEvent/ram:OccurrenceDateTime"), document.period.last)
    _settlement(group(trade, "ram:ApplicableHeaderTradeSettlement"), document)
    return octets(whole)


def _line(place: Element, line: Line) -> None:
    put(place, "ram:AssociatedDocumentLineDocument/ram:LineID", str(line.no))
    product = group(place, "ram:SpecifiedTradeProduct")
    put(product, "ram:Name", line.name)
    put(product, "ram:Description", line.description)
    put(place, "ram:SpecifiedLineTradeAgreement/ram:NetPriceProductTradePrice/ram:ChargeAmount", line.price)
    put(place, "ram:SpecifiedLineTradeDelivery/ram:BilledQuantity", line.quantity, unitCode=line.unit)
    settled = group(place, "ram:SpecifiedLineTradeSettlement")
    tax = group(settled, "ram:ApplicableTradeTax")
    put(tax, "ram:TypeCode", "VAT")
    _category(tax, line)
    _period(settled, line.period)
    put(settled, "ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount", cents(line.net_cents))


def _category(place: Element, taxed: Line | Tax) -> None:
    put(place, "ram:CategoryCode", taxed.category)
    if isinstance(taxed, Tax):
        put(place, "ram:ExemptionReasonCode", taxed.reason_code)
    put(place, "ram:RateApplicablePercent", None if taxed.category == "O" else percent(taxed.permille))


def _agreement(place: Element, document: Document) -> None:
    put(place, "ram:BuyerReference", None if document.purchase_order else document.number)
    _party(group(place, "ram:SellerTradeParty"), document.seller)
    _party(group(place, "ram:BuyerTradeParty"), document.buyer)
    put(place, "ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID", document.purchase_order)


def _party(place: Element, party: Party) -> None:
    if party.establishment:
        put(place, "ram:GlobalID", party.establishment.value, schemeID=party.establishment.scheme)
    put(place, "ram:Name", party.name)
    if party.legal:
        put(place, "ram:SpecifiedLegalOrganization/ram:ID", party.legal.value, schemeID=party.legal.scheme)
    address = group(place, "ram:PostalTradeAddress")
    put(address, "ram:PostcodeCode", party.postcode)
    put(address, "ram:LineOne", party.street)
    put(address, "ram:CityName", party.town)
    put(address, "ram:CountryID", party.country)
    if party.address:
        put(place, "ram:URIUniversalCommunication/ram:URIID", party.address.value, schemeID=party.address.scheme)
    for number, scheme in ((party.vat_number, "VA"), (party.tax_number, "FC")):
        put(place, "ram:SpecifiedTaxRegistration/ram:ID", number, schemeID=scheme)


def _settlement(place: Element, document: Document) -> None:
    put(place, "ram:PaymentReference", None if document.is_credit_note else document.communication)
    put(place, "ram:InvoiceCurrencyCode", document.currency)
    if not document.is_credit_note and document.iban:
        means = group(place, "ram:SpecifiedTradeSettlementPaymentMeans")
        put(means, "ram:TypeCode", CREDIT_TRANSFER)
        account = group(means, "ram:PayeePartyCreditorFinancialAccount")
        put(account, "ram:IBANID", addresses.digits(document.iban))
        put(account, "ram:AccountName", document.account_name)
    for tax in document.taxes:
        _tax(group(place, "ram:ApplicableTradeTax"), tax)
    _period(place, document.period)
    payable = group(place, "ram:SpecifiedTradePaymentTerms")
    put(payable, "ram:Description", document.terms)
    if not document.is_credit_note:
        _day(group(payable, "ram:DueDateDateTime"), document.due_on)
    _sums(group(place, "ram:SpecifiedTradeSettlementHeaderMonetarySummation"), document)
    if document.preceding:
        corrected = group(place, "ram:InvoiceReferencedDocument")
        put(corrected, "ram:IssuerAssignedID", document.preceding.number)
        _day(group(corrected, "ram:FormattedIssueDateTime"), document.preceding.issued_on, "qdt")


def _tax(place: Element, tax: Tax) -> None:
    put(place, "ram:CalculatedAmount", cents(tax.vat_cents))
    put(place, "ram:TypeCode", "VAT")
    put(place, "ram:ExemptionReason", tax.reason)
    put(place, "ram:BasisAmount", cents(tax.net_cents))
    _category(place, tax)


def _sums(place: Element, document: Document) -> None:
    put(place, "ram:LineTotalAmount", cents(sum(line.net_cents for line in document.lines)))
    put(place, "ram:TaxBasisTotalAmount", cents(document.net_cents))
    put(place, "ram:TaxTotalAmount", cents(document.vat_cents), currencyID=document.currency)
    put(place, "ram:RoundingAmount", cents(document.rounding_cents) if document.rounding_cents else None)
    put(place, "ram:GrandTotalAmount", cents(document.gross_cents))
    put(place, "ram:TotalPrepaidAmount", cents(document.paid_cents) if document.paid_cents else None)
    put(place, "ram:DuePayableAmount", cents(document.due_cents))


def _period(place: Element, period: Period | None) -> None:
    if period:
        told = group(place, "ram:BillingSpecifiedPeriod")
        _day(group(told, "ram:StartDateTime"), period.first)
        _day(group(told, "ram:EndDateTime"), period.last)


def _day(place: Element, day: str, kind: str = "udt") -> None:
    put(place, f"{kind}:DateTimeString", day.replace("-", ""), format=DAY)
