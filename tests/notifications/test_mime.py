"""A mail is well formed whatever people call themselves, says the same twice, and is the same octets each time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.notifications.letters import Letter, Words
from app.notifications.mime import BadAddress, Cover, address_of, mail, mailable
from tests.notifications.mailbox import Told, read

UID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
STOP = ("No more of these", "https://passerelle.example/u/abc")
FILE = ("PUBLISH", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")


def a_cover(**values: Any) -> Cover:
    return Cover(
        **{
            "uid": UID,
            "sender": "Passerelle <bookings@passerelle.example>",
            "recipient": "ana@members.example",
            "created_at": datetime(2026, 3, 2, 8, 0, tzinfo=UTC),
            "greeting": "Hello Ana,",
            "foot": "You receive this mail because of a test.",
            **values,
        }
    )


def a_letter(**values: Any) -> Letter:
    return Letter(
        **{
            "subject": "Booked: Salle Dendre",
            "lead": "It is booked.",
            "rows": [("What", "Salle Dendre"), ("When", "Tuesday")],
            "paragraphs": ["There is nothing to pay."],
            "lists": [("Dates", ["Monday", "Tuesday"])],
            "action": ("See it", "https://passerelle.example/bookings"),
            **values,
        }
    )


def made(letter: Letter | None = None, *, language: str = "en", **cover: Any) -> Told:
    return read(mail(letter or a_letter(), a_cover(**cover), Words(language)))


class Seen(HTMLParser):
    """What a reader sees of a page, and what the page would fetch."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_headers_say_whose_it_is_and_that_nobody_need_answer() -> None:
    message = made().message
    assert message["From"] == "Passerelle <bookings@passerelle.example>"
    assert message["To"] == "ana@members.example"
    assert message["Message-ID"] == f"<{UID}@passerelle.example>"
    assert message["Date"] == "Mon, 02 Mar 2026 08:00:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "en"
    assert "List-Unsubscribe" not in message


@pytest.mark.parametrize(("scheme", "one_click"), [("https", "List-Unsubscribe=One-Click"), ("http", None)])
def test_what_may_be_stopped_is_stopped_by_one_click_where_that_is_safe(scheme: str, one_click: str | None) -> None:
    told = made(unsubscribe=("Stop", f"{scheme}://passerelle.example/u/abc"))
    assert told.message["List-Unsubscribe"] == f"<{scheme}://passerelle.example/u/abc>"
    assert told.message["List-Unsubscribe-Post"] == one_click
    assert f"{scheme}://passerelle.example/u/abc" in told.text and "Stop" in told.html


LONG = f"https://passerelle.example/u/{'aB_-' * 20}"


def test_an_address_to_stop_at_is_on_one_line_as_it_is_however_long() -> None:
    """RFC 2369 knows no encoded words: programs that look for the address would find none."""
    octets = mail(a_letter(), a_cover(unsubscribe=("Stop", LONG), calendar=FILE), Words("en"))
    assert f"\r\nList-Unsubscribe: <{LONG}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n".encode() in octets
    assert read(octets).message["List-Unsubscribe"] == f"<{LONG}>"
    assert b'\r\nContent-Type: text/calendar; method="PUBLISH"; charset="utf-8"\r\n' in octets
    assert b'\r\nContent-Disposition: attachment; filename="booking.ics"\r\n' in octets


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://müller.example/u/a", b"<https://m%C3%BCller.example/u/a>"),
        ("https://x.example/=?utf-8?q?=0D=0ABcc:_a@b.example?=/u/a",
         b"<https://x.example/=?utf-8?q?=0D=0ABcc:_a@b.example?=/u/a>"),
    ],
)  # fmt: skip
def test_an_address_to_stop_at_is_in_ascii_and_never_decoded(address: str, said: bytes) -> None:
    octets = mail(a_letter(), a_cover(unsubscribe=("Stop", address)), Words("en"))
    assert b"\r\nList-Unsubscribe: " + said + b"\r\nList-Unsubscribe-Post: " in octets


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n", "\x0b", "\x85", "\u2028"])
def test_an_address_to_stop_at_begins_no_other_header(end: str) -> None:
    """Line breaks are refused; what some programs take for one is written in ASCII."""
    cover = a_cover(unsubscribe=("Stop", f"https://passerelle.example/u/a{end}Bcc: all@members.example"))
    if end in "\r\n\x0b":
        with pytest.raises(ValueError, match="linefeed"):
            mail(a_letter(), cover, Words("en"))
    else:
        head = mail(a_letter(), cover, Words("en")).partition(b"\r\n\r\n")[0].decode("ascii")
        assert not any(line.startswith("Bcc") for line in head.splitlines())


def test_long_names_of_mails_and_people_are_not_encoded_either() -> None:
    domain = f"{'m' * 50}.{'n' * 50}.example"
    person = f"{'a' * 60}@{domain}"
    octets = mail(a_letter(), a_cover(sender=f"Passerelle <bookings@{domain}>", recipient=person), Words("en"))
    unfolded = octets.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").split(b"\r\n")
    said = {f"Message-ID: <{UID}@{domain}>", f"From: Passerelle <bookings@{domain}>", f"To: {person}"}
    assert said <= {line.decode() for line in unfolded}


def test_text_and_html_say_the_same_and_the_html_fetches_nothing() -> None:
    told = made(unsubscribe=STOP, calendar=FILE)
    page = Seen(told.html)
    said = ["Hello Ana,", "It is booked.", "Salle Dendre", "Tuesday", "There is nothing to pay.", "Monday", "a test."]
    for words in said:
        assert words in told.text and words in page.text, words
    assert set(page.links) == {"https://passerelle.example/bookings", STOP[1]}
    assert all(link in told.text for link in page.links)
    assert not {"img", "script", "link", "iframe", "style"} & set(page.tags)
    assert told.html.count('scope="row"') == 2 and page.tags.count("h1") == 1
    assert "url(" not in told.html


def test_the_parts_are_in_the_order_that_mail_programs_expect() -> None:
    told = made(calendar=FILE)
    kinds = [part.get_content_type() for part in told.message.walk()]
    assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/calendar"]
    (part,) = told.message.iter_attachments()
    assert part.get_filename() == "booking.ics"
    assert (part.get_param("method"), part.get_param("charset")) == ("PUBLISH", "utf-8")
    assert part.get_payload(decode=True) == FILE[1]
    assert made().message.get_content_type() == "multipart/alternative"


def test_the_same_mail_is_the_same_octets() -> None:
    first, second = (mail(a_letter(), a_cover(calendar=FILE, unsubscribe=STOP), Words("nl")) for _ in range(2))
    assert first == second
    other = mail(a_letter(), a_cover(uid=UUID(int=1)), Words("nl"))
    assert other != first


def test_lines_keep_to_what_mail_servers_take() -> None:
    octets = mail(a_letter(lead="é" * 3000, subject="ü" * 300), a_cover(calendar=FILE), Words("fr"))
    assert all(len(line) <= 998 for line in octets.split(b"\r\n"))
    assert octets.isascii() and b"\n" not in octets.replace(b"\r\n", b"")
    assert len(read(octets).subject) == 200


HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from([
        "x\r\nBcc: all@members.example", "x\nBcc: all@members.example", "x\u2028Bcc: a@b.example", "\x00", "\x85",
        "=?utf-8?q?x=0ABcc:?=", "<script>alert(1)</script>", '"><img src=x>', "\ud800", "-- \n", "a" * 500, "é" * 200,
        "\u202egnp.exe",
    ]),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(words=HOSTILE)
def test_nothing_that_people_write_becomes_a_header_a_part_or_markup(words: str) -> None:
    letter = a_letter(
        subject=f"Booked: {words}", lead=words, rows=[("What", words)], paragraphs=[words], lists=[("Dates", [words])]
    )
    told = made(letter, greeting=f"Hello {words},", foot=words)
    usual = made()
    assert [name for name, _ in told.message.items()] == [name for name, _ in usual.message.items()]
    assert [part.get_content_type() for part in told.message.walk()] == [
        part.get_content_type() for part in usual.message.walk()
    ]
    assert told.to == "ana@members.example"
    assert set(Seen(told.html).tags) == set(Seen(usual.html).tags)
    assert not re.search(r"(?m)^(Bcc|bcc):", told.message.as_string().partition("\n\n")[0])


@pytest.mark.parametrize(
    "address",
    ["", "ana", "@members.example", "ana@", "añá@members.example", "a b@members.example", "ana@members.example\r\n",
     "ana@members.example>", "a@b@members.example", "=?utf-8?q?x=0ABcc:?=@members.example",
     "ana@" + "x" * 70 + ".example", "\x00@members.example", "ana@.."],
)  # fmt: skip
def test_what_is_no_address_for_every_server_is_refused(address: str) -> None:
    with pytest.raises(BadAddress):
        mailable(address)


def test_an_international_domain_is_written_as_servers_know_it() -> None:
    assert mailable("ana@müller.example") == "ana@xn--mller-kva.example"
    assert mailable("ana+mail.o'neil@members.example") == "ana+mail.o'neil@members.example"


@pytest.mark.parametrize("sender", ["bookings@network.example", "Passerelle <bookings@network.example>"])
def test_a_sender_may_have_a_name(sender: str) -> None:
    assert address_of(sender).addr_spec == "bookings@network.example"
