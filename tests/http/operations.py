"""Every operation of the API, for tests that hold for all of them, and a place where each finds what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from importlib import import_module
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import BLUEPRINTS
from app.billing.bank.models import BankLine, BankStatement
from app.billing.dunning.models import DunningStop
from app.billing.invoices.models import Invoice
from app.billing.payments.drawer_models import CashDrawer
from app.billing.payments.models import MoneyTask, Payment, PaymentMethod
from app.billing.sepa.models import SepaFile, SepaItem, SepaMandate
from app.booking.models import Closure, Feed, WaitlistEntry
from app.db import Base, raw
from app.http.examples import EXAMPLES
from app.http.openapi import path_parameters, template
from app.http.operation import OPERATIONS, Operation
from app.network.memberships.models import Plan, PlanVersion, Team, TeamSeat
from app.network.models import ApiToken, Employer, Member, Operator, Space
from app.network.parties.models import Party
from app.network.people import hash_secret
from app.webhooks.models import WebhookSecret
from tests.billing.invoices.house import an_invoice
from tests.builders import a_booking, a_manager, a_membership, a_pool, a_role, a_space, a_token, a_unit, saved
from tests.conftest import Clock
from tests.webhooks.builders import a_delivery, a_secret, a_webhook

for _module, _ in BLUEPRINTS:
    import_module(_module)

ALL = sorted(OPERATIONS, key=lambda described: (described.address, described.method))
WITH_BODY = [described for described in ALL if described.body is not None]
UNKNOWN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def named(described: Operation) -> str:
    return described.name


@dataclass
class Place:
    """A space with one of everything that has a public id, its manager, and a token of the manager's."""

    space: Space
    manager: Member
    token: str
    ids: dict[str, str]

    def path(self, described: Operation, **instead: str) -> str:
        """The operation's path with this place's ids; a parameter nobody has told about fails the test."""
        values = {**self.ids, **instead}
        return template(described).format(**{name: values[name] for name in path_parameters(described)})

    def body(self, described: Operation) -> dict[str, Any] | None:
        """An example of its body about this place's resource."""
        if described.body is None:
            return None
        body = dict(EXAMPLES[described.name])
        return {**body, "resource_id": self.ids["resource_id"]} if "resource_id" in body else body


def a_place(session: Session, clock: Clock) -> Place:
    """Everything in it is the manager's own, too: booked, waited for and subscribed to by them."""
    space = a_space(session)
    manager = a_manager(session, space)
    token = a_token(session, manager)
    pool, spare = a_pool(session, space, desks=2), a_unit(session, space, "Spare")
    start = clock.now + timedelta(days=1)
    period = {"starts_at": start, "ends_at": start + timedelta(hours=2)}
    free = {"cancellation": [{"hours_before": 0, "percent": 0}]}
    booking = a_booking(session, pool, manager, start=start, end=start + timedelta(hours=2), terms=free)
    closure = saved(session, Closure(space_id=space.id, kind="maintenance", unit_ids=[spare.id], **period))
    wait = WaitlistEntry(space_id=space.id, resource_id=pool.id, member_id=manager.id, **period)
    feed = Feed(
        member_id=manager.id, scope="me", scope_id=manager.id, name="Phone", token_hash=hash_secret(token[::-1])
    )
    other_token = ApiToken(member_id=manager.id, secret_hash=hash_secret(f"other {token}"))
    ids = {
        "space_id": space.uid, "booking_id": booking.uid, "resource_id": pool.uid, "unit_id": spare.uid,
        "closure_id": closure.uid, "entry_id": saved(session, wait).uid, "feed_id": saved(session, feed).uid,
        "token_id": saved(session, other_token).uid,
        "operator_id": session.get_one(Operator, space.operator_id).uid,
        "invoice_id": an_invoice(session, space, manager, now=clock.now).uid,
        **_billed(session, manager), **_paid(session, space, clock), **_a_stop(session, space, manager, clock),
        **_a_bank_line(session, space), **_a_webhook(session, space, clock), **_a_membership(session, space, manager),
    }  # fmt: skip
    texts = {name: str(uid) for name, uid in ids.items()}
    return Place(space, manager, token, {**texts, "account": "receivable", "space": space.slug, "day": "2026-03-02"})


def _billed(session: Session, manager: Member) -> dict[str, Any]:
    """The manager's own party, and an employer that they administer."""
    employer = saved(session, Employer(name="Employer", country="BE"))
    a_role(session, manager, "employer_admin", employer)
    party = session.scalar(select(Party).where(Party.member_id == manager.id))
    party = party or saved(session, Party(member_id=manager.id, name="Manager", country="BE"))
    return {"employer_id": employer.uid, "party_id": party.uid}


def _a_stop(session: Session, space: Space, manager: Member, clock: Clock) -> dict[str, Any]:
    stopped = {"reason": "Agreed", "stopped_by_id": manager.id, "stopped_at": clock.now}
    return {"stop_id": saved(session, DunningStop(operator_id=space.operator_id, **stopped)).uid}


def _paid(session: Session, space: Space, clock: Clock) -> dict[str, Any]:
    """Money that came for the invoice above, with a means, a task and a drawer."""
    invoice = session.scalars(select(Invoice).where(Invoice.operator_id == space.operator_id)).one()
    whose = {"operator_id": invoice.operator_id, "party_id": invoice.party_id}
    asked = {"source": f"place:{space.uid}", "provider": "bank", "kind": "transfer", "amount_cents": 1000}
    came = {"currency": "EUR", "state": "settled", "settled_at": clock.now, "settled_cents": 1000}
    payment = saved(session, Payment(**whose, **asked, **came))
    method = saved(session, PaymentMethod(**whose, provider="stripe", kind="card"))
    task = saved(session, MoneyTask(**whose, kind="overpaid", key=f"place:{space.uid}", cents=1000, currency="EUR"))
    of_space = {"operator_id": space.operator_id, "space_id": space.id, "day": clock.now.date()}
    drawer = saved(session, CashDrawer(**of_space, currency="EUR", opening_cents=0))
    return {"payment_id": payment.uid, "method_id": method.uid, "task_id": task.uid, "drawer_id": drawer.uid}


def _a_membership(session: Session, space: Space, manager: Member) -> dict[str, Any]:
    membership = a_membership(session, manager, space)
    version = session.get_one(PlanVersion, membership.plan_version_id)
    team = saved(session, Team(operator_id=space.operator_id, member_id=manager.id, name="Team"))
    saved(session, TeamSeat(team_id=team.id, member_id=manager.id, from_day=membership.starts_on))
    plan = session.get_one(Plan, version.plan_id)
    ids = {"membership_id": membership.uid, "version_id": version.uid, "plan_id": plan.uid}
    return {**ids, "team_id": team.uid, "member_id": manager.uid}


def _a_bank_line(session: Session, space: Space) -> dict[str, Any]:
    owned = {"operator_id": space.operator_id, "currency": "EUR"}
    read = {"format": "camt.053.001.08", "reference": "1", "opening_cents": 0, "closing_cents": 100, "lines": 1}
    statement = saved(session, BankStatement(**owned, **read, sha256="", position=1))
    line = BankLine(**owned, statement_id=statement.id, key="k", position=1, booked_on=date(2026, 3, 1), cents=100)
    ids = {"statement_id": statement.uid, "line_id": saved(session, line).uid}
    file = SepaFile(**owned, kind="transfer", format="pain.001.001.09", sha256="", size=1, items=1, cents=1,
                    execution_on=date(2026, 3, 1), made_at=statement.imported_at)  # fmt: skip
    party = saved(session, Party(name="Debtor", country="BE"))
    mandate = SepaMandate(operator_id=space.operator_id, party_id=party.id, reference="M1", scheme="CORE",
                          signed_on=date(2026, 3, 1), debtor_name="Debtor", iban="BE")  # fmt: skip
    ids |= {"file_id": saved(session, file).uid, "mandate_id": saved(session, mandate).uid}
    item = SepaItem(**owned, kind="transfer", source=f"place:{space.uid}", end_to_end_id=space.uid.hex, name="Debtor",
                    iban="BE", remittance="-", cents=1, file_id=file.id, state="in_file")  # fmt: skip
    return {**ids, "item_id": saved(session, item).uid}


def _a_webhook(session: Session, space: Space, clock: Clock) -> dict[str, Any]:
    webhook = a_webhook(session, operator=session.get_one(Operator, space.operator_id))
    delivery = a_delivery(session, webhook, at=clock.now, event_type="webhook.test")  # tells of nobody
    secret = WebhookSecret(webhook_id=webhook.id, secret=a_secret(), expires_at=clock.now + timedelta(hours=1))
    return {"webhook_id": webhook.uid, "delivery_id": delivery.uid, "secret_id": saved(session, secret).uid}


def fingerprint(session: Session, *, but: tuple[str, ...] = ()) -> str:
    """Of every row of every table (`but` some): equal before and after means that nothing was written."""
    tables = sorted(set(Base.metadata.tables) - set(but))
    parts = " UNION ALL ".join(
        f"SELECT '{name}' AS name, md5(string_agg(t::text, '|' ORDER BY t::text)) AS digest FROM \"{name}\" t"
        for name in tables
    )
    session.rollback()
    rows = session.execute(raw(f"SELECT string_agg(name || coalesce(digest, '-'), ' ' ORDER BY name) FROM ({parts}) x"))
    found = str(rows.scalar_one())
    session.rollback()
    return found
