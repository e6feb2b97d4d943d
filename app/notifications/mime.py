"""From a letter to the octets of a mail: text and HTML that say the same, headers, and the files that come with it.

The same letter about the same notification is the same mail, octet for octet: Message-ID, Date and boundaries come from
the notification. So what is sent twice, because nobody heard what became of it, is known again by who gets it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import parseaddr
from html import escape
from string import printable
from typing import Any
from urllib.parse import quote
from uuid import UUID

from app.booking.calendar.content_lines import clean, one_line
from app.notifications.letters import Letter, Words
from app.notifications.sources import File

LONGEST_SUBJECT = 200  # characters
SIGNATURE = "-- "  # RFC 3676, section 4.3: what follows is no part of the message

_BODY = (
    "margin:0;padding:24px 12px;background:#f4f5f7;color:#1d2733;"
    "font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
)
_CARD = "max-width:34rem;margin:0 auto;padding:24px;background:#ffffff;border-radius:8px"
_TITLE = "margin:0 0 16px;font-size:20px;line-height:1.3"
_LABEL = "padding:4px 16px 4px 0;text-align:left;vertical-align:top;font-weight:normal;color:#52606d;white-space:nowrap"
_BUTTON = (
    "display:inline-block;padding:10px 18px;border-radius:6px;background:#0b5fa5;color:#ffffff;text-decoration:none"
)
_FOOT = "max-width:34rem;margin:16px auto 0;font-size:13px;color:#52606d"


class BadAddress(ValueError):
    """No address that mail can be sent to by every server: without a domain, or with other letters than ASCII's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What stands around a letter. `unsubscribe` stops mails of its kind; without one they cannot be stopped."""

    uid: UUID
    sender: str
    recipient: str
    created_at: datetime
    greeting: str
    foot: str
    unsubscribe: tuple[str, str] | None = None  # what the link says, and its address
    calendar: tuple[str, bytes] | None = None  # METHOD and the document
    files: Sequence[File] = ()


class Addresses(UnstructuredHeader, BaseHeader):
    """Addresses in angle brackets (RFC 2369), on one line and as they are. The email package takes such a header for
    text: it would decode what looks like an encoded word, and write as encoded words what is longer than a line."""

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        super().parse(value, kwds)
        kwds["decoded"] = value

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", Addresses)
POLICY = SMTP.clone(header_factory=_HEADERS)


def mail(letter: Letter, cover: Cover, words: Words) -> bytes:
    """The whole mail. Raises BadAddress."""
    message = EmailMessage(policy=POLICY)
    message["From"] = cover.sender
    message["To"] = Address(addr_spec=mailable(cover.recipient))
    message["Subject"] = header_text(letter.subject)[:LONGEST_SUBJECT]
    message["Date"] = cover.created_at
    message["Message-ID"] = message_id(cover.uid, cover.sender)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notice shall answer it
    for name, value in _unsubscribing(cover):
        message[name] = value
    message.set_content(_text(letter, cover), cte="quoted-printable")
    message.add_alternative(_html(letter, cover, words), subtype="html", cte="quoted-printable")
    if cover.calendar:
        _attach(message, *cover.calendar)
    for file in cover.files:
        _enclose(message, file)
    message["Content-Language"] = words.language  # last: what begins with Content- moves into a part that is wrapped
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"{cover.uid.hex}-{number}")
    return message.as_bytes()


def header_text(text: str) -> str:
    """What may stand in a header. The email package reads what it is given: an encoded word (RFC 2047) in somebody's
    title would be decoded, and the line breaks in it written out."""
    return one_line(text).replace("=?", "= ?")


def message_id(uid: UUID, sender: str) -> str:
    return f"<{uid}@{address_of(sender).domain}>"


def address_of(sender: str) -> Address:
    """The address in MAIL_FROM, with or without a name before it. Raises BadAddress."""
    if sender != one_line(sender):
        raise BadAddress("it has line breaks")
    name, address = parseaddr(sender)
    return Address(display_name=name, addr_spec=mailable(address))


def mailable(email: str) -> str:
    """The address as every server takes it, an international domain in its ASCII form. Raises BadAddress."""
    local, at, domain = email.rpartition("@")
    try:
        plain = f"{local}@{domain.encode('idna').decode()}"
        if not (at and local and domain and plain.isascii() and plain.isprintable()) or "=?" in plain:
            raise BadAddress("no address of the form name@domain in ASCII")
        return Address(addr_spec=plain).addr_spec
    except BadAddress:
        raise
    except (ValueError, IndexError) as error:  # what the codec and the parser of addresses say
        raise BadAddress(type(error).__name__) from error
    except Exception as error:  # the parser's own, a subclass of none of ours: HeaderParseError
        raise BadAddress(type(error).__name__) from error


def _unsubscribing(cover: Cover) -> Iterator[tuple[str, str]]:
    """RFC 2369; and RFC 8058, whose one click needs https."""
    if cover.unsubscribe is None:
        return
    _, address = cover.unsubscribe
    yield "List-Unsubscribe", f"<{quote(address, safe=printable)}>"  # in ASCII; line breaks stay, and are refused
    if address.startswith("https:"):
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"


def _attach(message: EmailMessage, method: str, document: bytes) -> None:
    message.add_attachment(
        document,
        maintype="text",
        subtype="calendar",
        filename="booking.ics",
        params={"method": method, "charset": "utf-8"},
    )


def _enclose(message: EmailMessage, file: File) -> None:
    maintype, _, subtype = file.media.partition("/")
    message.add_attachment(file.octets, maintype=maintype, subtype=subtype, filename=one_line(file.name))


def _text(letter: Letter, cover: Cover) -> str:
    return clean("\n\n".join(_blocks(letter, cover))) + "\n"


def _blocks(letter: Letter, cover: Cover) -> Iterator[str]:
    yield one_line(cover.greeting)
    yield one_line(letter.lead)
    if letter.rows:
        yield "\n".join(f"{label}: {one_line(value)}" for label, value in letter.rows)
    yield from map(one_line, letter.paragraphs)
    for title, items in letter.lists:
        yield "\n".join([f"{title}:", *(f"- {one_line(item)}" for item in items)])
    if letter.action:
        yield f"{letter.action[0]}:\n{letter.action[1]}"
    yield "\n".join([SIGNATURE, one_line(cover.foot), *(f"{said}: {address}" for said, address in _links(cover))])


def _links(cover: Cover) -> list[tuple[str, str]]:
    return [cover.unsubscribe] if cover.unsubscribe else []


def _html(letter: Letter, cover: Cover, words: Words) -> str:
    """A page that reads well without styles, images or scripts, from top to bottom; everything in it is escaped."""
    body = "\n".join(_elements(letter, cover))
    foot = "".join(
        f'<p style="margin:0 0 4px">{line}</p>'
        for line in [_e(cover.foot), *(f'<a href="{_e(address)}">{_e(said)}</a>' for said, address in _links(cover))]
    )
    return (
        f'<!DOCTYPE html>\n<html lang="{words.language}">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<title>{_e(letter.subject)}</title></head>\n<body style="{_BODY}">\n'
        f'<main style="{_CARD}">\n{body}\n</main>\n<footer style="{_FOOT}">{foot}</footer>\n</body>\n</html>\n'
    )


def _elements(letter: Letter, cover: Cover) -> Iterator[str]:
    yield f'<h1 style="{_TITLE}">{_e(letter.subject)}</h1>'
    yield f"<p>{_e(cover.greeting)}</p>"
    yield f"<p>{_e(letter.lead)}</p>"
    if letter.rows:
        rows = "\n".join(
            f'<tr><th scope="row" style="{_LABEL}">{_e(label)}</th><td style="padding:4px 0">{_e(value)}</td></tr>'
            for label, value in letter.rows
        )
        yield f'<table style="border-collapse:collapse;margin:0 0 16px">\n{rows}\n</table>'
    yield from (f"<p>{_e(paragraph)}</p>" for paragraph in letter.paragraphs)
    for title, items in letter.lists:
        yield f'<h2 style="margin:0 0 8px;font-size:16px">{_e(title)}</h2>'
        yield '<ul style="margin:0 0 16px;padding-left:20px">' + "".join(f"<li>{_e(i)}</li>" for i in items) + "</ul>"
    if letter.action:
        said, address = letter.action
        yield f'<p><a href="{_e(address)}" style="{_BUTTON}">{_e(said)}</a></p>'


def _e(text: str) -> str:
    return escape(clean(text))
