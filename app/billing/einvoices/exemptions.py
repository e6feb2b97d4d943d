"""Why no VAT is charged, as a code for each mention of app.vat: VATEX codes of the CEF list. Pure.

The mention's own words always stand beside the code; without a row they stand alone.
"""

from __future__ import annotations

BY_CATEGORY = {"AE": "VATEX-EU-AE", "O": "VATEX-EU-O"}
BY_MENTION = {
    "fr_small_business_293b": "VATEX-FR-FRANCHISE",
    "fr_association_261_7": "VATEX-FR-CGI261-7",
    "fr_letting_exempt_261d": "VATEX-FR-CGI261D-2",
}
OUTSIDE = {
    "fr": "Non soumis à la TVA",
    "nl": "Niet aan btw onderworpen",
    "en": "Not subject to VAT",
    "de": "Nicht der MwSt. unterliegend",
}


def code_of(category: str, mentions: set[str | None]) -> str | None:
    """The code for lines of one category with these mentions; None where several laws exempt them, or the list has
    no code for the one that does."""
    if category in BY_CATEGORY:
        return BY_CATEGORY[category]
    codes = {BY_MENTION.get(mention or "") for mention in mentions}
    return codes.pop() if len(codes) == 1 else None


def for_peppol(code: str | None) -> str | None:
    """Peppol's list has no national codes."""
    return None if code and code.startswith("VATEX-FR") else code
