"""The notifications worker: what happened to a booking is told to its member, what ended to who manages it; a document
that is final is mailed to its customer."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.billing.dunning import telling as dunning
from app.billing.invoices import enclosing, sending
from app.billing.invoices.delivery import undelivered_numbers
from app.billing.invoices.standing import mark_sent
from app.billing.prepaid import telling as prepaid
from app.events.envelope import Envelope
from app.notifications.deciding import tell_member, tell_staff
from app.notifications.documents import Document, tell_party
from app.notifications.models import Notification
from app.notifications.sending import sender
from app.notifications.sources import Asked, File, Found, NotYet, Source, enter
from app.notifications.survey import ask_for_undelivered
from workers.registry import Consumer, register


def mail_document(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Write down the mail that brings a document to its customer."""
    asked_for: str | None = envelope.data.get("sending_id")
    found = sending.to_send(session, envelope.aggregate_id, asked_for=asked_for is not None)
    if found is None:
        return
    about = f"{found.uid}-{asked_for}" if asked_for else str(found.uid)
    document = Document(found.uid, found.party_id, about)
    tell_party(session, kind=found.kind, document=document, event_id=envelope.event_id, now=now)


def read_document(session: Session, asked: Asked) -> Found:
    """What a mail says of its document, and the PDF. Raises NotYet while that is not drawn."""
    invoice = enclosing.document(session, _document_of(asked.notification))
    octets = enclosing.pdf(session, invoice, home=asked.home, now=asked.now)
    if octets is None:
        raise NotYet
    told = enclosing.told(session, invoice, language=asked.notification.locale)
    return Found(told, [File(f"{invoice.number}.pdf", "application/pdf", octets)])


def note_sent(session: Session, notification: Notification, *, now: datetime) -> None:
    """The customer has been sent the document."""
    mark_sent(session, _document_of(notification), now=now)


def _document_of(notification: Notification) -> UUID:
    assert notification.document_uid is not None
    return notification.document_uid


def mail_reminder(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Write down the mail about a step of dunning; it comes with the invoice."""
    invoice = enclosing.document(session, envelope.aggregate_id)
    said = dunning.facts(session, invoice, envelope.data, reminded_on=envelope.occurred_at.date())
    document = Document(invoice.uid, invoice.party_id, f"{invoice.uid}-{envelope.data['step']}")
    kind = dunning.KINDS[envelope.data["action"]]
    tell_party(session, kind=kind, document=document, event_id=envelope.event_id, facts=said, now=now)


def read_overdue(session: Session, asked: Asked) -> Found | None:
    """As a document; nothing once it is paid."""
    told = dunning.told(session, _document_of(asked.notification), language=asked.notification.locale)
    return None if told is None else Found(told, read_document(session, asked).files)


def mail_refund(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Write down the mail that says that money went back."""
    paid = prepaid.paid_by(session, envelope.aggregate_id)
    document = Document(paid.payment_uid, paid.party_id, envelope.data["refund_id"])
    said = {name: envelope.data[name] for name in ("refund_id", "amount_cents", "currency")}
    tell_party(
        session, kind="payment_refunded", document=document, event_id=envelope.event_id, facts=said, now=now
    )  # fmt: skip


def read_refund(session: Session, asked: Asked) -> Found:
    """Whose money it was, and why it went back."""
    return Found(prepaid.read(session, UUID(asked.notification.facts["refund_id"])))


enter("payment_refunded", Source(read_refund))
for _kind in ("invoice", "credit_note"):
    enter(_kind, Source(read_document, note_sent))
ask_for_undelivered(undelivered_numbers)
for _kind in dunning.KINDS.values():
    enter(_kind, Source(read_overdue))

# A mail stands alone: its row is keyed by its event and says what that event said, so one that fails holds up none of
# the others; and a reminder, which does depend on the order, asks the booking itself once its time has come. From now
# on: documents that were final before mails brought them are mailed when somebody asks.
NOTIFICATIONS = register(
    Consumer(
        name="notifications",
        aggregate_types=("booking", "waitlist_entry", "webhook", "invoice", "payment"),
        from_="now",
        blocking=False,
        sender=sender,
        handlers={
            "booking.made": tell_member,
            "booking.approved": tell_member,
            "booking.accepted": tell_member,
            "booking.moved": tell_member,
            "booking.cancelled": tell_member,
            "booking.refused": tell_member,
            "waitlist.offered": tell_member,
            "webhook.disabled": tell_staff,
            "invoice.finalised": mail_document,
            "credit_note.finalised": mail_document,
            "invoice.sending_requested": mail_document,
            "invoice.reminded": mail_reminder,
            "payment.refunded": mail_refund,
        },
    )
)
