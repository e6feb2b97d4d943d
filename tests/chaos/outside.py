"""Somebody outside the house: a receiver of webhooks that writes down what it hears, and the rows that send to it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from app.booking.models import Resource
from app.db import make_engine, sessions
from app.network.models import Operator, Space
from app.tenancy import SYSTEM
from tests.builders import a_member
from tests.chaos.people import Place
from tests.outside.receivers import HOST, Authority, Exchange, Receiver
from tests.webhooks.builders import a_webhook

TOLD = ("booking.cancelled", "booking.checked_in", "waitlist.offered")  # a third of all: each costs a handshake


class Partner(Receiver):
    """Takes everything. `times` are when it heard each message, by `webhook-id`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.times: dict[str, list[float]] = defaultdict(list)
        authority = Authority(folder)
        self.ca_file = authority.ca_file
        super().__init__(authority.server(HOST), self._take)

    @property
    def allowed(self) -> str:
        """What OUTSIDE_ALLOW must say."""
        return f"{HOST}:{self.port}"

    def subscribe(self, database_url: str, place: Place) -> None:
        """As the operator of that place, to what TOLD says."""
        engine = make_engine(database_url, pool_size=1)
        with sessions(engine)() as session:
            session.info["scope"] = SYSTEM
            space = session.query(Space).join(Resource).filter(Resource.uid == place.pool).one()
            operator = session.get_one(Operator, space.operator_id)
            a_webhook(
                session, operator=operator, created_by=a_member(session).id, url=self.url("/hook", name=HOST),
                event_types=list(TOLD),
            )  # fmt: skip
            session.commit()
        engine.dispose()

    def _take(self, exchange: Exchange) -> None:
        self.heard.clear()  # the bodies are many, and nobody reads them
        self.times[exchange.headers["webhook-id"]].append(exchange.at)
        exchange.reply(204)
