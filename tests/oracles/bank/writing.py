"""A camt.053.001.08, .04 or .02 file, by hand: ISO 20022, BankToCustomerStatement."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from xml.sax.saxutils import escape, quoteattr


@dataclass(frozen=True)
class Transaction:
    cents: int  # signed
    servicer: str | None = None  # AcctSvcrRef
    end_to_end: str | None = None
    structured: str | None = None
    free: tuple[str, ...] = ()
    name: str | None = None
    account: str | None = None
    returned: str | None = None


@dataclass(frozen=True)
class Entry:
    """Booked unless told otherwise; its amount is the sum of its transactions."""

    day: date
    transactions: tuple[Transaction, ...]
    domain: tuple[str, str, str] = ("PMNT", "RCDT", "ESCT")
    reversal: bool = False
    status: str = "BOOK"
    currency: str = "EUR"
    additional: str | None = None

    @property
    def cents(self) -> int:
        return sum(each.cents for each in self.transactions)


@dataclass(frozen=True)
class Account:
    iban: str
    version: str = "08"
    currency: str = "EUR"


@dataclass
class Sheet:
    """One statement: a reference, an opening balance, entries; the closing balance follows, unless told."""

    reference: str
    opening: int
    entries: list[Entry] = field(default_factory=list)
    closing: int | None = None


def file_of(account: Account, *sheets: Sheet) -> bytes:
    told = "".join(_sheet(account, sheet) for sheet in sheets)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{account.version}"><BkToCstmrStmt>'
        "<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-20T06:00:00</CreDtTm></GrpHdr>"
        f"{told}</BkToCstmrStmt></Document>"
    ).encode()


def closing_of(account: Account, sheet: Sheet) -> int:
    counted = (each for each in sheet.entries if each.status == "BOOK" and each.currency == account.currency)
    return sheet.opening + sum(each.cents for each in counted)


def _sheet(account: Account, sheet: Sheet) -> str:
    closing = closing_of(account, sheet) if sheet.closing is None else sheet.closing
    balances = _balance("OPBD", sheet.opening, account) + _balance("CLBD", closing, account)
    entries = "".join(_entry(account, each, n) for n, each in enumerate(sheet.entries, start=1))
    return (
        f"<Stmt><Id>{escape(sheet.reference)}</Id><CreDtTm>2026-11-20T06:00:00</CreDtTm>"
        f"<Acct><Id><IBAN>{account.iban}</IBAN></Id><Ccy>{account.currency}</Ccy></Acct>{balances}{entries}</Stmt>"
    )


def _balance(kind: str, cents: int, account: Account) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>{_amount(cents, account.currency)}"
        f"<Dt><Dt>2026-11-19</Dt></Dt></Bal>"
    )


def _amount(cents: int, currency: str) -> str:
    sign = "CRDT" if cents >= 0 else "DBIT"
    euros = f"{abs(cents) // 100}.{abs(cents) % 100:02d}"
    return f"<Amt Ccy={quoteattr(currency)}>{euros}</Amt><CdtDbtInd>{sign}</CdtDbtInd>"


def _entry(account: Account, entry: Entry, n: int) -> str:
    status = f"<Sts><Cd>{entry.status}</Cd></Sts>" if account.version == "08" else f"<Sts>{entry.status}</Sts>"
    reversal = "<RvslInd>true</RvslInd>" if entry.reversal else ""
    domain, family, sub = entry.domain
    code = f"<Domn><Cd>{domain}</Cd><Fmly><Cd>{family}</Cd><SubFmlyCd>{sub}</SubFmlyCd></Fmly></Domn>"
    only = entry.transactions[0].servicer if len(entry.transactions) == 1 else None
    more = f"<AddtlNtryInf>{escape(entry.additional)}</AddtlNtryInf>" if entry.additional else ""
    parts = "".join(_transaction(account, each, entry, n) for n, each in enumerate(entry.transactions))
    return (
        f"<Ntry><NtryRef>{n}</NtryRef>{_amount(entry.cents, entry.currency)}{reversal}{status}"
        f"<BookgDt><Dt>{entry.day}</Dt></BookgDt><ValDt><Dt>{entry.day}</Dt></ValDt>"
        f"{_tag('AcctSvcrRef', only)}<BkTxCd>{code}</BkTxCd><NtryDtls>{parts}</NtryDtls>{more}</Ntry>"
    )


def _transaction(account: Account, each: Transaction, entry: Entry, n: int) -> str:
    refs = _tag("AcctSvcrRef", each.servicer) + _tag("EndToEndId", each.end_to_end or "NOTPROVIDED")
    money = _amount(each.cents, entry.currency)
    if account.version == "02":
        euros = money.partition("<CdtDbtInd>")[0]
        money = f"<AmtDtls><TxAmt>{euros}</TxAmt></AmtDtls>"
    credit = (each.cents > 0) != (entry.reversal or each.returned is not None)
    told = f"<Refs>{refs}</Refs>{money}{_parties(account, each, 'Dbtr' if credit else 'Cdtr')}{_remittance(each)}"
    back = f"<RtrInf><Rsn><Cd>{each.returned}</Cd></Rsn></RtrInf>" if each.returned else ""
    return f"<TxDtls>{told}{back}</TxDtls>"


def _parties(account: Account, each: Transaction, side: str) -> str:
    if each.name is None and each.account is None:
        return ""
    name = _tag("Nm", each.name)
    inner = f"<Pty>{name}</Pty>" if account.version == "08" else name
    number = f"<{side}Acct><Id><IBAN>{each.account}</IBAN></Id></{side}Acct>" if each.account else ""
    return f"<RltdPties><{side}>{inner}</{side}>{number}</RltdPties>"


def _remittance(each: Transaction) -> str:
    free = "".join(_tag("Ustrd", text) for text in each.free)
    strd = ""
    if each.structured:
        kind = "<Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp>"
        strd = f"<Strd><CdtrRefInf>{kind}{_tag('Ref', each.structured)}</CdtrRefInf></Strd>"
    return f"<RmtInf>{free}{strd}</RmtInf>" if free or strd else ""


def _tag(name: str, text: str | None) -> str:
    return "" if text is None else f"<{name}>{escape(text)}</{name}>"
