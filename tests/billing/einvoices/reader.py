"""Reads an electronic invoice back, knowing the standards and nothing of what wrote it: an oracle for amounts."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_UN = "urn:un:unece:uncefact:data:standard:"
NAMES = {
    "a": f"{_UBL}CommonAggregateComponents-2", "b": f"{_UBL}CommonBasicComponents-2",
    "r": f"{_UN}ReusableAggregateBusinessInformationEntity:100", "x": f"{_UN}CrossIndustryInvoice:100",
    "u": f"{_UN}UnqualifiedDataType:100", "q": f"{_UN}QualifiedDataType:100",
}  # fmt: skip


class Node:
    """An element, asked by paths of prefixed names."""

    def __init__(self, element: ElementTree.Element) -> None:
        self.element = element

    def text(self, path: str) -> str | None:
        return self.element.findtext(path, namespaces=NAMES)

    def cents(self, path: str) -> int:
        return exact(Decimal(self.text(path) or "0") * 100)

    def each(self, path: str) -> Iterator[Node]:
        return (Node(found) for found in self.element.findall(path, NAMES))


def exact(number: Decimal) -> int:
    assert number == number.to_integral_value(), f"a fraction of a cent: {number}"
    return int(number)


def read(xml: bytes) -> dict[str, Any]:
    """What it says: number, days, lines, taxes, totals; cents and permille."""
    root = ElementTree.fromstring(xml)
    return _cii(Node(root)) if root.tag.endswith("CrossIndustryInvoice") else _ubl(Node(root))


def _ubl(root: Node) -> dict[str, Any]:
    kind = "CreditNote" if root.element.tag.endswith("CreditNote") else "Invoice"
    quantity = "CreditedQuantity" if kind == "CreditNote" else "InvoicedQuantity"
    total = "a:LegalMonetaryTotal/b:"
    return {
        "number": root.text("b:ID"),
        "type": root.text(f"b:{kind}TypeCode"),
        "issued_on": root.text("b:IssueDate"),
        "due_on": root.text("b:DueDate"),
        "period": _pair(root.text("a:InvoicePeriod/b:StartDate"), root.text("a:InvoicePeriod/b:EndDate")),
        "corrects": root.text("a:BillingReference/a:InvoiceDocumentReference/b:ID"),
        "order": root.text("a:OrderReference/b:ID"),
        "seller": root.text("a:AccountingSupplierParty/a:Party/a:PartyLegalEntity/b:RegistrationName"),
        "buyer": root.text("a:AccountingCustomerParty/a:Party/a:PartyLegalEntity/b:RegistrationName"),
        "iban": root.text("a:PaymentMeans/a:PayeeFinancialAccount/b:ID"),
        "communication": root.text("a:PaymentMeans/b:PaymentID"),
        "lines": [
            {
                "no": line.text("b:ID"),
                "net_cents": line.cents("b:LineExtensionAmount"),
                "product": _times(line.text(f"b:{quantity}"), line.text("a:Price/b:PriceAmount")),
                "category": line.text("a:Item/a:ClassifiedTaxCategory/b:ID"),
                "permille": _permille(line.text("a:Item/a:ClassifiedTaxCategory/b:Percent")),
            }
            for line in root.each(f"a:{kind}Line")
        ],
        "taxes": {
            (tax.text("a:TaxCategory/b:ID"), _permille(tax.text("a:TaxCategory/b:Percent"))): (
                tax.cents("b:TaxableAmount"),
                tax.cents("b:TaxAmount"),
            )
            for tax in root.each("a:TaxTotal/a:TaxSubtotal")
        },
        "lines_cents": root.cents(f"{total}LineExtensionAmount"),
        "net_cents": root.cents(f"{total}TaxExclusiveAmount"),
        "vat_cents": root.cents("a:TaxTotal/b:TaxAmount"),
        "gross_cents": root.cents(f"{total}TaxInclusiveAmount"),
        "paid_cents": root.cents(f"{total}PrepaidAmount"),
        "rounding_cents": root.cents(f"{total}PayableRoundingAmount"),
        "due_cents": root.cents(f"{total}PayableAmount"),
    }


def _cii(root: Node) -> dict[str, Any]:
    trade = "x:SupplyChainTradeTransaction/r:"
    agreed, settled = f"{trade}ApplicableHeaderTradeAgreement/r:", f"{trade}ApplicableHeaderTradeSettlement/r:"
    total = f"{settled}SpecifiedTradeSettlementHeaderMonetarySummation/r:"
    period = f"{settled}BillingSpecifiedPeriod/r:"
    line_settled = "r:SpecifiedLineTradeSettlement/r:"
    return {
        "number": root.text("x:ExchangedDocument/r:ID"),
        "type": root.text("x:ExchangedDocument/r:TypeCode"),
        "issued_on": _day(root.text("x:ExchangedDocument/r:IssueDateTime/u:DateTimeString")),
        "due_on": _day(root.text(f"{settled}SpecifiedTradePaymentTerms/r:DueDateDateTime/u:DateTimeString")),
        "period": _pair(
            _day(root.text(f"{period}StartDateTime/u:DateTimeString")),
            _day(root.text(f"{period}EndDateTime/u:DateTimeString")),
        ),
        "corrects": root.text(f"{settled}InvoiceReferencedDocument/r:IssuerAssignedID"),
        "order": root.text(f"{agreed}BuyerOrderReferencedDocument/r:IssuerAssignedID"),
        "seller": root.text(f"{agreed}SellerTradeParty/r:Name"),
        "buyer": root.text(f"{agreed}BuyerTradeParty/r:Name"),
        "iban": root.text(
            f"{settled}SpecifiedTradeSettlementPaymentMeans/r:PayeePartyCreditorFinancialAccount/r:IBANID"
        ),
        "communication": root.text(f"{settled}PaymentReference"),
        "lines": [
            {
                "no": line.text("r:AssociatedDocumentLineDocument/r:LineID"),
                "net_cents": line.cents(
                    f"{line_settled}SpecifiedTradeSettlementLineMonetarySummation/r:LineTotalAmount"
                ),
                "product": _times(
                    line.text("r:SpecifiedLineTradeDelivery/r:BilledQuantity"),
                    line.text("r:SpecifiedLineTradeAgreement/r:NetPriceProductTradePrice/r:ChargeAmount"),
                ),
                "category": line.text(f"{line_settled}ApplicableTradeTax/r:CategoryCode"),
                "permille": _permille(line.text(f"{line_settled}ApplicableTradeTax/r:RateApplicablePercent")),
            }
            for line in root.each(f"{trade}IncludedSupplyChainTradeLineItem")
        ],
        "taxes": {
            (tax.text("r:CategoryCode"), _permille(tax.text("r:RateApplicablePercent"))): (
                tax.cents("r:BasisAmount"),
                tax.cents("r:CalculatedAmount"),
            )
            for tax in root.each(f"{settled}ApplicableTradeTax")
        },
        "lines_cents": root.cents(f"{total}LineTotalAmount"),
        "net_cents": root.cents(f"{total}TaxBasisTotalAmount"),
        "vat_cents": root.cents(f"{total}TaxTotalAmount"),
        "gross_cents": root.cents(f"{total}GrandTotalAmount"),
        "paid_cents": root.cents(f"{total}TotalPrepaidAmount"),
        "rounding_cents": root.cents(f"{total}RoundingAmount"),
        "due_cents": root.cents(f"{total}DuePayableAmount"),
    }


def _times(quantity: str | None, price: str | None) -> Decimal:
    """In cents."""
    return Decimal(quantity or "") * Decimal(price or "") * 100


def _permille(percent: str | None) -> int:
    return exact(Decimal(percent or "0") * 10)


def _day(text: str | None) -> str | None:
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if text else None


def _pair(first: str | None, last: str | None) -> tuple[str, str] | None:
    return (first, last) if first and last else None
