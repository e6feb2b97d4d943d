"""Who issues: an operator as its documents name it today, and what it chose for them."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.invoices.models import Letterhead
from app.billing.invoices.snapshot import Seller
from app.billing.months import HOME_ZONE
from app.errors import NotFound
from app.network.models import Operator, Space, VatRegime

TERMS_DAYS = 30
NO_PREFIX = "DOC"


class Issuer(NamedTuple):
    """An operator on a day: what every document of a batch shares."""

    operator_id: int
    seller: Seller
    prefix: str
    terms_days: int
    today: date
    currency: str


def issuer(session: Session, operator_id: int, *, now: datetime) -> Issuer:
    """The operator as it is now; its day is that of its first space. Raises NotFound."""
    operator = session.get(Operator, operator_id)
    if operator is None:
        raise NotFound()
    first = _first_space(session, operator_id)
    today = now.astimezone(ZoneInfo(first.timezone if first else HOME_ZONE)).date()
    chosen = letterhead_of(session, operator_id)
    seller = Seller(
        id=str(operator.uid),
        name=operator.name,
        street=chosen.street,
        postcode=chosen.postcode,
        town=chosen.town,
        country=operator.country,
        company_number=operator.company_number,
        vat_number=operator.vat_number,
        iban=operator.iban,
        regime=_regime(session, operator_id, today),
    )
    return Issuer(operator_id, seller, chosen.prefix, chosen.terms_days, today, operator.currency)


def letterhead_of(session: Session, operator_id: int) -> Letterhead:
    """What the operator chose; until then what its first space suggests (a row that is not stored)."""
    chosen = session.get(Letterhead, operator_id)
    if chosen is not None:
        return chosen
    first = _first_space(session, operator_id)
    values: dict[str, Any] = {"street": "", "postcode": "", "town": ""}
    if first is not None:
        values = {"street": first.street, "postcode": first.postcode, "town": first.town}
    prefix = prefix_of(values["town"])
    return Letterhead(operator_id=operator_id, prefix=prefix, terms_days=TERMS_DAYS, by_mail=True, **values)


def choose_letterhead(session: Session, operator_id: int, **values: Any) -> Letterhead:
    """Set what documents say from now on."""
    return session.merge(Letterhead(operator_id=operator_id, **values))


def _first_space(session: Session, operator_id: int) -> Space | None:
    return session.scalars(select(Space).where(Space.operator_id == operator_id).order_by(Space.id).limit(1)).first()


def prefix_of(town: str) -> str:
    """Three letters of a town's name, as in ATH for Ath, LIE for Liège."""
    plain = unicodedata.normalize("NFKD", town).encode("ascii", "ignore").decode()
    return "".join(letter for letter in plain.upper() if letter.isalpha())[:3] or NO_PREFIX


def _regime(session: Session, operator_id: int, day: date) -> str:
    """The VAT regime in force on a day; standard where none was ever told."""
    dated = select(VatRegime.regime).where(VatRegime.operator_id == operator_id, VatRegime.valid_from <= day)
    return session.scalars(dated.order_by(VatRegime.valid_from.desc()).limit(1)).first() or "standard"
