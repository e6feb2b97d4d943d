"""What people receive: read back by other programs, it says what the snapshot says, whatever is in it."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.billing.papers.document import Document, UnknownFormat
from app.billing.papers.drawing import draw
from app.billing.papers.look import DEFAULT_ACCENT, INK, Look, contrast_on_white
from app.billing.papers.sums import payload_of
from tests.billing.papers.reading import pages, picture, reader, scanned, text
from tests.billing.papers.samples import BE, BUYER, FR, SELLER, content, line, snapshot

CREDIT = {
    "kind": "credit_note", "purpose": "correction", "number": "ATH-C-2026-000001",
    "corrects": {"id": "x", "number": "ATH-2026-000001", "issued_on": "2026-03-01"},
}  # fmt: skip


def test_an_invoice_says_who_what_how_much_and_how_to_pay() -> None:
    said = text(draw(snapshot(), Look()))
    for told in (
        "Facture", "ATH-2026-000123", "1 avril 2026", "1 mai 2026", "1/03/2026 – 31/03/2026", "Coopérative d’Ath",
        f"N° d’entreprise {BE.company_number}", f"TVA {BE.vat_number}", "Żółć & Straße Ñandú", "BE-7800 Ath",
        "La Place", "Ann Example", "Salle bleue, 2 mars 2026, 09:00–12:30", "3,5 heures", "25,00", "21 %", "87,50",
        "18,38", "Total TVA comprise 105,88 €", "À payer 105,88 €", "+++090/9337/55493+++", "page 1 de 1",
        "Tout retard de paiement porte intérêt.", "Scannez ce code",
    ):  # fmt: skip
        assert told in said, told


@pytest.mark.parametrize(
    ("language", "country", "told"),
    [
        ("fr", "BE", ("Facture", "1 avril 2026", "1 234,50", "3,5 heures", "À payer 1 493,75 €")),
        ("fr", "FR", ("Facture", "1 avril 2026", "1 234,50", "01/03/2026 – 31/03/2026", "À payer 1 493,75 €")),
        ("nl", "BE", ("Factuur", "1 april 2026", "1.234,50", "3,5 uur", "Te betalen € 1.493,75", "pagina 1 van 1")),
        ("de", "BE", ("Rechnung", "1. April 2026", "1.234,50", "3,5 Stunden", "Zu zahlen 1.493,75 €")),
        ("en", "BE", ("Invoice", "1 April 2026", "1.234,50", "3,5 hours", "To pay 1.493,75 €", "page 1 of 1")),
        ("en", "US", ("Invoice", "April 1, 2026", "1,234.50", "3.5 hours", "To pay €1,493.75")),
        ("en", "XX", ("Invoice", "April 1, 2026", "1,234.50")),
    ],
)
def test_words_amounts_and_days_are_those_of_the_readers_country(
    language: str, country: str, told: tuple[str, ...]
) -> None:
    buyer = {**BUYER, "country": country}
    pdf = draw(snapshot(locale=language, buyer=buyer, lines=[line(net_cents=123450)]), Look())
    said = text(pdf)
    assert [word for word in told if word not in said] == []
    assert reader(pdf).trailer["/Root"]["/Lang"].startswith(language)


@pytest.mark.parametrize(
    ("country", "title", "number"), [("BE", "Note de crédit", "N° d’entreprise"), ("FR", "Avoir", "SIREN")]
)
def test_a_credit_note_says_so_and_asks_for_nothing(country: str, title: str, number: str) -> None:
    numbers = BE if country == "BE" else FR
    seller = {**SELLER, "country": country, "company_number": numbers.company_number}
    pdf = draw(snapshot(**CREDIT, seller=seller), Look())
    said = text(pdf)
    assert title in said and f"{number} {numbers.company_number}" in said
    assert "Corrige la facture ATH-2026-000001 du 1/03/2026" in said
    assert "Rien à payer : ce montant vous revient." in said
    assert "En votre faveur 105,88 €" in said
    assert "À payer" not in said and scanned(pdf) == []


def test_a_phone_reads_from_the_square_what_is_to_be_paid() -> None:
    (read,) = scanned(draw(snapshot(), Look()))
    assert read == f"BCD\n002\n1\nSCT\n\nCoopérative d’Ath\n{BE.iban}\nEUR105.88\n\n\n+++090/9337/55493+++"
    assert read == payload_of(Document.of(snapshot()))


@pytest.mark.parametrize(
    "said",
    [
        {"currency": "CHF"},
        {"payment": {"iban": "BE00999000000000", "communication": "x", "terms_days": 30}},
        {"payment": {"iban": None, "communication": None, "terms_days": 30}},
        {"totals": {"net_cents": 0, "vat_cents": 0, "gross_cents": 0, "due_cents": 0}},
    ],
    ids=["another currency", "no valid account", "no account", "nothing to pay"],
)
def test_where_a_square_would_be_wrong_there_is_none_and_the_invoice_is_drawn(said: dict[str, object]) -> None:
    pdf = draw(snapshot(**said), Look())
    assert scanned(pdf) == []
    assert "ATH-2026-000123" in text(pdf)


def test_two_hundred_lines_take_several_pages_each_with_its_head_and_nothing_lost() -> None:
    def one(n: int) -> dict[str, object]:
        space = "La Place" if n <= 120 else "Le Quai"
        return line(n, text=f"Bureau nomade n{n:03d}", space=space, person=f"Personne {n // 25}")

    lines = [one(n) for n in range(1, 201)]
    read = pages(draw(snapshot(lines=lines), Look()))
    assert len(read) > 5
    for number, said in enumerate(read, start=1):
        assert f"page {number} de {len(read)}" in said
        assert number == 1 or "Coopérative d’Ath · Facture ATH-2026-000123 · Żółć" in said
    whole = " ".join(read)
    assert [n for n in range(1, 201) if whole.count(f"Bureau nomade n{n:03d}") != 1] == []
    assert "Sous-total La Place 10 500,00" in whole and "Sous-total Le Quai 7 000,00" in whole
    assert whole.count("Description") >= len(read) - 1


def test_rates_that_are_none_are_words_and_each_rate_has_its_row() -> None:
    lines = [line(1), line(2, vat={"category": "AE", "permille": 0}), line(3, vat={"category": "S", "permille": 55})]
    taxes = [
        {"category": "S", "permille": 210, "net_cents": 8750, "vat_cents": 1838, "ground": "", "mention": None},
        {"category": "AE", "permille": 0, "net_cents": 8750, "vat_cents": 0, "ground": "", "mention": "reverse_charge"},
        {"category": "S", "permille": 55, "net_cents": 8750, "vat_cents": 481, "ground": "", "mention": None},
    ]
    said = text(draw(snapshot(lines=lines, taxes=taxes), Look()))
    for row in ("21 % 87,50 18,38", "autoliquidation 87,50 0,00", "5,5 % 87,50 4,81"):
        assert row in said


def test_the_same_snapshot_makes_the_same_octets_on_any_day_in_any_process() -> None:
    code = (
        "import hashlib, sys; from app.billing.papers.drawing import draw; from app.billing.papers.look import Look;"
        "print(hashlib.sha256(draw(sys.stdin.read(), Look())).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], input=snapshot(), capture_output=True, text=True, check=True,
            env={"TZ": zone, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        ).stdout
        for zone, seed in (("UTC", "1"), ("Pacific/Auckland", "2"))
    }  # fmt: skip
    assert len(said) == 1


def test_it_is_an_archives_pdf_with_a_language_a_title_and_its_own_date() -> None:
    pdf = reader(draw(snapshot(**CREDIT), Look()))
    root = pdf.trailer["/Root"]
    assert root["/Lang"] == "fr-BE"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert pdf.xmp_metadata is not None
    assert pdf.xmp_metadata.dc_title == {"x-default": "Note de crédit ATH-C-2026-000001"}
    assert pdf.xmp_metadata.dc_creator == ["Coopérative d’Ath"]
    assert str(pdf.xmp_metadata.xmp_create_date).startswith("2026-04-01")
    xmp = root["/Metadata"].get_data().decode()
    assert "<pdfaid:part>3</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>" in xmp
    assert root["/OutputIntents"]
    fonts = pdf.pages[0]["/Resources"]["/Font"].values()
    assert all("/FontFile2" in font.get_object()["/DescendantFonts"][0]["/FontDescriptor"] for font in fonts)


HOSTILE = [
    "שלום עולם", "\u202egnp.exe\u202c Ltd", "\U0001f469\u200d\U0001f469\u200d\U0001f467 & \U0001f9fe", "a" * 5000,
    "Ł" * 300 + " " + "ß" * 300, "\x00NUL\x07", "\ud800", "", " ", "line\nbreak\r\nand\ttab",
    "e\u0301\u0323\u0307" * 40,
    "{nb} %(page)s **bold** __u__", "</rdf:li>&<x>", "漢字仮名", "\U0001d56c\U0001d599\U0001d58d \ufb01ne",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_names_of_any_kind_never_break_a_document(name: str) -> None:
    said = content(
        seller={**SELLER, "name": name, "street": name, "town": name},
        buyer={**BUYER, "name": name, "street": name, "postcode": name, "purchase_order": name},
        lines=[line(1, text=name, space=name, person=name), line(2, space="B", unit=name)],
        mentions=[{"code": "x", "text": name}],
        payment={"iban": BE.iban, "communication": name, "terms_days": 30},
    )
    pdf = draw(json.dumps(said), Look(text=name))
    assert "À payer 211,75 €" in text(pdf)
    for page in range(len(reader(pdf).pages)):
        picture(pdf, page, scale=1.0)


@settings(max_examples=15, deadline=None)
@given(name=st.text(max_size=80), cents=st.integers(-(10**12), 10**12), milli=st.integers(-(10**9), 10**9))
def test_nothing_that_can_be_stored_breaks_a_document(name: str, cents: int, milli: int) -> None:
    lines = [line(1, text=name, person=name, net_cents=cents, quantity_milli=milli)]
    assert text(draw(json.dumps(content(lines=lines, buyer={**BUYER, "name": name})), Look()))


def test_a_name_is_shown_in_its_own_letters_as_far_as_the_font_has_them() -> None:
    buyer = {**BUYER, "name": "Łódź œuvre Ελλάδα Київ ŵ ő №"}
    assert "Łódź œuvre Ελλάδα Київ ŵ ő №" in text(draw(snapshot(buyer=buyer), Look()))


def test_the_operators_logo_and_words_are_on_it() -> None:
    octets = BytesIO()
    Image.new("RGBA", (300, 120), (200, 30, 60, 255)).save(octets, "PNG")
    pdf = draw(snapshot(), Look(accent="#aa2244", text="Merci de votre visite."), octets.getvalue())
    assert len(reader(pdf).pages[0].images) == 1
    assert "Merci de votre visite." in text(pdf)


def test_a_colour_too_pale_to_read_is_for_lines_only() -> None:
    assert Look(accent="#ffd27f").heading == INK
    assert Look().heading == DEFAULT_ACCENT
    assert contrast_on_white("#000000") == pytest.approx(21)
    assert contrast_on_white("#ffffff") == pytest.approx(1)


@pytest.mark.parametrize("stored", ["", "{}", "[]", "null", '{"format":"passerelle.document/2"}'])
def test_what_this_version_cannot_draw_is_refused(stored: str) -> None:
    with pytest.raises(UnknownFormat):
        draw(stored, Look())
