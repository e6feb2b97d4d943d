"""What each role may do. A role is granted in one scope; what it may do there is a row of this table."""

from __future__ import annotations

# Permissions on a space. `see_bookings` opens other people's bookings of that space, and nothing of any other.
MANAGE = "manage"
FRONT_DESK = "front_desk"
SEE_BOOKINGS = "see_bookings"
SEE_PRICES = "see_prices"
BOOKS = "books"  # of an operator: charges, documents, ledger, closings; on a space, where it is the operator's only one
# Permissions elsewhere.
COORDINATE = "coordinate"
ADMINISTER_EMPLOYER = "administer_employer"
FUND = "fund"
ADMINISTER = "administer"

ROLES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    # role: (scopes it can be granted in, what it may do there)
    "manager": (frozenset({"space", "operator"}), frozenset({MANAGE, FRONT_DESK, SEE_BOOKINGS, SEE_PRICES, BOOKS})),
    "front_desk": (frozenset({"space", "operator"}), frozenset({FRONT_DESK, SEE_BOOKINGS})),
    "accountant": (frozenset({"space", "operator"}), frozenset({SEE_BOOKINGS, SEE_PRICES, BOOKS})),
    "coordinator": (frozenset({"network"}), frozenset({COORDINATE})),
    "employer_admin": (frozenset({"employer"}), frozenset({ADMINISTER_EMPLOYER})),
    "funder_officer": (frozenset({"funder"}), frozenset({FUND})),
    "admin": (frozenset({"platform"}), frozenset({ADMINISTER, MANAGE, FRONT_DESK, SEE_BOOKINGS, SEE_PRICES, BOOKS})),
}
