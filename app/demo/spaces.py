"""Networks, operators and spaces out of spaces.json, with plausible hours and generated legal numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.booking.models import HoursException, OpeningHours
from app.demo.numbers import legal_numbers
from app.network.models import Network, Operator, Space, VatRegime

SHEET = Path(__file__).with_name("spaces.json")
LONG_AGO = date(2020, 1, 1)

Row = tuple[int, str, str]


def _days(weekdays: str, opens: str, closes: str) -> tuple[Row, ...]:
    return tuple((int(weekday), opens, closes) for weekday in weekdays)


# Weekdays from 0, Monday. Villages open fewer days; one space never closes.
HOURS: dict[str, tuple[Row, ...]] = {
    "long": _days("012345", "08:00", "20:00"),
    "city": _days("01234", "08:00", "20:00") + _days("5", "09:00", "13:00"),
    "town": _days("01234", "08:00", "18:30"),
    "village": _days("0134", "08:30", "17:30"),
    "lunch": _days("0134", "08:30", "12:30") + _days("0134", "13:00", "17:30"),
    "always": _days("0123456", "00:00", "00:00"),
}
HOURS_OF = {"ath": "long", "la-cantine": "long", "nextdoor-stlazare": "always", "marchin": "lunch", "cofla": "lunch"}
OPEN_ON_HOLIDAYS = {"ath", "la-cantine", "nextdoor-stlazare"}

# Everybody else is under the standard regime since LONG_AGO. Regimes change on a day.
REGIMES: dict[str, tuple[tuple[date, str], ...]] = {
    "marchin": ((LONG_AGO, "small_business"),),
    "cofla": ((LONG_AGO, "small_business"),),
    "vacouva": ((LONG_AGO, "small_business"), (date(2027, 1, 1), "standard")),
    "fernelmont": ((LONG_AGO, "small_business"), (date(2026, 1, 1), "standard")),
    "la-ferme": ((LONG_AGO, "association"),),
    "beauraing": ((LONG_AGO, "association"),),
    "caq-lormont": ((LONG_AGO, "association"),),
}
# (space, month, day, opens, closes, reason): every year around the loading.
EXCEPTIONS = (
    ("louvain", 12, 24, "08:00", "12:00", "Veille de Noël"),
    ("louvain", 12, 31, None, None, "Fermeture de fin d'année"),
    ("mons", 12, 24, None, None, "Fermeture de fin d'année"),
)


@dataclass(frozen=True, slots=True)
class Site:
    """A space of the demonstration, and how big the sheet says it is."""

    space: Space
    desks: int
    rooms: int
    pattern: str

    @property
    def dear_percent(self) -> int:
        """Prices against those of a Walloon town."""
        return {"Paris": 170, "Lyon": 130, "Nantes": 115}.get(self.space.town, 85 if self.desks < 15 else 100)


def add_sites(session: Session, *, today: date) -> dict[str, Site]:
    """The spaces by slug, in the sheet's order."""
    sheet = json.loads(SHEET.read_text())
    networks = {row["slug"]: row for row in sheet["networks"]}
    rows = {slug: Network(slug=slug, name=row["name"], country=row["country"]) for slug, row in networks.items()}
    session.add_all(rows.values())
    session.flush()
    operators = _add_operators(session, sheet["spaces"], networks, rows)
    sites = {row["slug"]: _site(row, rows[row["network"]], operators[row["slug"]]) for row in sheet["spaces"]}
    session.add_all(site.space for site in sites.values())
    session.flush()
    session.add_all(hours for site in sites.values() for hours in _opening_hours(site))
    session.add_all(_exceptions(sites, today.year))
    return sites


def _add_operators(
    session: Session, spaces: list[dict[str, Any]], networks: dict[str, Any], rows: dict[str, Network]
) -> dict[str, Operator]:
    """One per space, or one for a whole network where the sheet says so."""
    operators: dict[str, Operator] = {}
    of_network: dict[str, Operator] = {}
    for space in spaces:
        network = networks[space["network"]]
        shared = network["operators"].startswith("one operator for all")
        operator = of_network.get(network["slug"])
        if operator is None or not shared:
            name = network["name"] if shared else space["name"]
            operator = _operator(f"{name} (exploitant)", len(operators) + 1, space, rows[network["slug"]])
            of_network[network["slug"]] = operator
        operators[space["slug"]] = operator
    session.add_all(dict.fromkeys(operators.values()))
    session.flush()
    regimes = {operator.id: _regimes(slug) for slug, operator in operators.items()}
    session.add_all(
        VatRegime(operator_id=operator_id, valid_from=day, regime=regime)
        for operator_id, steps in regimes.items()
        for day, regime in steps
    )
    return operators


def _operator(name: str, n: int, space: dict[str, Any], network: Network) -> Operator:
    """A non-taxable association has no VAT number."""
    country = space["country"]
    numbers = legal_numbers(country, n)
    taxable = _regimes(space["slug"])[-1][1] != "association"
    return Operator(
        network_id=network.id,
        name=name,
        country=country,
        company_number=numbers.company_number,
        vat_number=numbers.vat_number if taxable else None,
        iban=numbers.iban,
    )


def _regimes(slug: str) -> tuple[tuple[date, str], ...]:
    return REGIMES.get(slug, ((LONG_AGO, "standard"),))


def _site(row: dict[str, Any], network: Network, operator: Operator) -> Site:
    fields = ("slug", "name", "postcode", "town", "country", "timezone", "latitude", "longitude")
    space = Space(
        network_id=network.id,
        operator_id=operator.id,
        street=f"Place du Marché {len(row['name'])}"
        if row["country"] == "BE"
        else f"{len(row['name'])} rue de la Gare",
        closed_on_holidays=row["slug"] not in OPEN_ON_HOLIDAYS,
        **{name: row[name] for name in fields},
    )
    by_size = "village" if row["desks"] < 15 else "town" if row["desks"] < 40 else "city"
    return Site(space, row["desks"], row["rooms"], HOURS_OF.get(row["slug"], by_size))


def _opening_hours(site: Site) -> list[OpeningHours]:
    return [
        OpeningHours(
            space_id=site.space.id, weekday=day, opens=time.fromisoformat(opens), closes=time.fromisoformat(closes)
        )
        for day, opens, closes in HOURS[site.pattern]
    ]


def _exceptions(sites: dict[str, Site], year: int) -> list[HoursException]:
    return [
        HoursException(
            space_id=sites[slug].space.id,
            day=date(year + later, month, day),
            opens=time.fromisoformat(opens) if opens else None,
            closes=time.fromisoformat(closes) if closes else None,
            reason=reason,
        )
        for slug, month, day, opens, closes, reason in EXCEPTIONS
        for later in (0, 1)
    ]
