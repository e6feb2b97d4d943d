"""The loop that asks VIES about VAT numbers: one leader, one number at a time, with no transaction open meanwhile."""

from __future__ import annotations

import threading

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import sessionmaker

from app.config import Config
from app.db import TenantSession, raw, retrying, transaction
from app.network.parties.checking import Question, next_questions, record_answer
from app.network.parties.vies import DEADLINE_S, Authority, Vies
from app.outside.address import Policy
from app.outside.client import Outside
from app.pulse import beat
from app.tenancy import SYSTEM
from app.timekeeper import Clock, utc_now
from workers.leader import lead

EVERY_S = 5.0


class VatNumberAsker:
    """Any number may run; the leader asks."""

    def __init__(
        self,
        engine: Engine,
        make_session: sessionmaker[TenantSession],
        authority: Authority,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._engine = engine
        self._make_session = make_session
        self._authority = authority
        self._clock = clock

    @classmethod
    def of(cls, config: Config, engine: Engine, make_session: sessionmaker[TenantSession]) -> VatNumberAsker:
        """Asks at VIES_URL, which must be set. Raises BadSetting where OUTSIDE_ALLOW or OUTSIDE_CA_FILE is wrong."""
        outside = Outside(Policy.of(config), deadline_s=DEADLINE_S)
        return cls(engine, make_session, Vies(outside, config.vies_url or "", requester=config.vies_requester))

    def run(self, stop: threading.Event) -> None:
        lead(self._engine, "vat numbers", stop, lambda connection: self._turn(connection, stop))

    def ask_next(self, *, limit: int = 10, stop: threading.Event | None = None) -> int:
        """Ask about what is next, and write down each answer; returns how many questions there were."""
        with transaction(self._make_session, SYSTEM) as session:
            questions = next_questions(session, now=self._clock(), limit=limit)
        for question in questions:
            if stop is not None and stop.is_set():
                break
            beat()
            self._ask(question)
        return len(questions)

    def _ask(self, question: Question) -> None:
        answer = self._authority.ask(question.vat_number)

        def record() -> None:
            with transaction(self._make_session, SYSTEM) as session:
                record_answer(session, question, answer, now=self._clock())

        retrying(record)

    def _turn(self, connection: Connection, stop: threading.Event) -> float:
        connection.execute(raw("SELECT 1"))  # still leader?
        return 0.0 if self.ask_next(stop=stop) else EVERY_S
