"""Whatever is charged, corrected, closed and credited, in any order: no gap, no cent lost, a chain that verifies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from app.billing.charges.models import Charge
from app.billing.invoices.at_once import NothingToInvoice, invoice_at_once
from app.billing.invoices.chain import verify_chain
from app.billing.invoices.closing import close_month
from app.billing.invoices.crediting import CreditedAlready, MoreThanLeft, Part, credit
from app.billing.invoices.models import Invoice
from app.billing.ledger.models import LedgerEntry
from app.billing.months import month_after
from app.db import TenantSession, transaction
from app.errors import Invalid, WrongState
from app.network.parties.models import Party
from app.tenancy import SYSTEM
from tests.billing.charges.builders import MARCH, a_charge, a_party
from tests.billing.invoices.house import content
from tests.builders import a_space

RATES = ((210, "S"), (200, "S"), (0, "O"))
STEPS = st.one_of(
    st.tuples(st.just("charge"), st.integers(0, 2), st.integers(1, 3000), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("take back"), st.integers(0, 9), st.integers(1, 100)),
    st.tuples(st.just("close")),
    st.tuples(st.just("at once"), st.integers(0, 2)),
    st.tuples(st.just("credit"), st.integers(0, 9), st.integers(1, 2), st.integers(1, 100)),
    st.tuples(st.just("credit all"), st.integers(0, 9)),
)


class Story:
    """One operator's months, as a sequence of steps plays them; each step is a transaction of its own."""

    def __init__(self, make_session: sessionmaker[TenantSession]) -> None:
        self.make_session = make_session
        self.month = MARCH
        with transaction(make_session, SYSTEM) as session:
            self.space = a_space(session)
            self.parties = [a_party(session) for _ in range(3)]

    @property
    def now(self) -> datetime:
        """On the 20th of the first month that is open."""
        return datetime(self.month.year, self.month.month, 20, 12, tzinfo=UTC)

    def own(self, kind: Any) -> Any:
        return kind.operator_id == self.space.operator_id

    def play(self, step: tuple[Any, ...]) -> None:
        verbs: dict[str, Callable[..., None]] = {
            "charge": self.charge, "take back": self.take_back, "close": self.close, "at once": self.at_once,
            "credit": self.credit, "credit all": self.credit_all,
        }  # fmt: skip
        verbs[step[0]](*step[1:])

    def charge(self, who: int, cents: int, rate: int, includes_vat: bool) -> None:
        permille, category = RATES[rate]
        vat = (cents * permille * 2 + 1000) // 2000
        own: dict[str, Any] = {"vat_cents": vat, "vat_permille": permille, "vat_category": category}
        with transaction(self.make_session, SYSTEM) as session:
            a_charge(
                session, operator_id=self.space.operator_id, party=self.parties[who], net=cents, month=self.month,
                includes_vat=includes_vat, **own,
            )  # fmt: skip

    def take_back(self, which: int, percent: int) -> None:
        """As an event would: some of what is left, at its own VAT."""
        with transaction(self.make_session, SYSTEM) as session:
            roots = session.scalars(
                select(Charge).where(self.own(Charge), Charge.corrects_id.is_(None)).order_by(Charge.id)
            ).all()
            if not roots:
                return
            root = roots[which % len(roots)]
            sums = select(func.sum(Charge.net_cents), func.sum(Charge.vat_cents))
            net, vat = session.execute(sums.where((Charge.id == root.id) | (Charge.corrects_id == root.id))).one()
            back = (-(net * percent // 100), -(vat * percent // 100))
            if percent == 100 or back[0]:
                self._correct(session, root, *((-net, -vat) if percent == 100 else back))

    def _correct(self, session: Session, root: Charge, net: int, vat: int) -> None:
        if (net, vat) == (0, 0):
            return
        party = session.get_one(Party, root.party_id)
        a_charge(
            session, operator_id=root.operator_id, party=party, net=net, vat_cents=vat, corrects_id=root.id,
            vat_permille=root.vat_permille, vat_category=root.vat_category, includes_vat=root.includes_vat,
            month=max(self.month, root.month),
        )  # fmt: skip

    def close(self) -> None:
        over = self.month
        self.month = month_after(over)
        close_month(self.make_session, self.space.operator_id, over, now=self.now)

    def at_once(self, who: int) -> None:
        try:
            with transaction(self.make_session, SYSTEM) as session:
                invoice_at_once(session, self.space.operator_id, self.parties[who].uid, now=self.now)
        except NothingToInvoice:
            pass

    def credit(self, which: int, line: int, percent: int) -> None:
        self._credit(which, [Part(line, percent=percent)])

    def credit_all(self, which: int) -> None:
        self._credit(which, [])

    def _credit(self, which: int, parts: list[Part]) -> None:
        try:
            with transaction(self.make_session, SYSTEM) as session:
                invoices = session.scalars(select(Invoice).where(self.own(Invoice)).order_by(Invoice.id)).all()
                if invoices:
                    credit(session, invoices[which % len(invoices)], parts, now=self.now)
        except (WrongState, Invalid, MoreThanLeft, CreditedAlready):
            pass

    def check(self) -> None:
        with transaction(self.make_session, SYSTEM) as session:
            documents = session.scalars(
                select(Invoice).where(self.own(Invoice)).order_by(Invoice.series, Invoice.sequence)
            ).all()
            self._check_numbers(session, documents)
            self._check_cents(session, documents)
            self._check_credit(documents)

    def _check_numbers(self, session: Session, documents: Any) -> None:
        assert list(verify_chain(session, self.space.operator_id)) == []
        for series in {each.series for each in documents}:
            numbers = [each.sequence for each in documents if each.series == series]
            assert numbers == list(range(1, len(numbers) + 1))

    def _check_cents(self, session: Session, documents: Any) -> None:
        """Every charge is on one document, settled, or still open; documents' nets are their charges' within rounding
        of prices with VAT, which the ledger has to the cent."""
        entries = select(LedgerEntry.account, func.sum(LedgerEntry.cents)).where(self.own(LedgerEntry))
        entries = entries.group_by(LedgerEntry.account)
        ledger: Counter[str] = Counter(dict(session.execute(entries).all()))
        assert sum(ledger.values()) == 0
        signed = [(-1 if each.kind == "credit_note" else 1, each) for each in documents]
        assert ledger["receivable"] == sum(sign * each.gross_cents for sign, each in signed)
        assert -ledger["vat_due"] == sum(sign * each.vat_cents for sign, each in signed)
        on_documents = select(func.coalesce(func.sum(Charge.net_cents), 0)).where(
            self.own(Charge), Charge.invoice_id.is_not(None)
        )
        assert -ledger["deferred"] == session.scalars(on_documents).one()
        settled = select(func.sum(Charge.gross_cents)).where(self.own(Charge), Charge.settled_at.is_not(None))
        assert session.scalars(settled).one() in (0, None)

    def _check_credit(self, documents: Any) -> None:
        """No invoice is credited beyond its total; one whose lines are all credited is at nothing."""
        credited: Counter[int] = Counter()
        for each in documents:
            if each.corrects_id:
                credited[each.corrects_id] += each.gross_cents
                assert each.gross_cents == sum(tax["net_cents"] + tax["vat_cents"] for tax in content(each)["taxes"])
        for each in documents:
            assert 0 <= credited[each.id] <= each.gross_cents


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=3, max_size=10))
def test_whatever_happens_documents_are_right(make_session: sessionmaker[TenantSession], steps: list[Any]) -> None:
    story = Story(make_session)
    for step in steps:
        story.play(step)
    story.close()
    story.check()
