"""Sending what was decided: claim, compose, take out of the house with no transaction open, record.

A claim is a lease. Whoever holds it alone may record what became of the mail; when it dies, the lease runs out and
another process sends. Between the server's yes and our commit there is no way to know: a mail is sent at least once,
and what is sent again has the same Message-ID and the same octets. Nothing here is ever sent because an event came
again: that has been settled by the row's key.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from app import pulse
from app.config import BadSetting, Config
from app.db import TenantSession, connection_lost, retrying, sqlstate, transaction
from app.notifications.bounces import record_refusal, without_address
from app.notifications.composing import Mail, Stationery, Suppressed, compose
from app.notifications.mime import BadAddress, address_of
from app.notifications.models import Notification
from app.notifications.outbox_folder import OutboxFolder
from app.notifications.smtp import Server, SmtpTransport
from app.notifications.sources import NotYet, tell_sent
from app.notifications.transport import Refused, Rejected, Transport, Trouble, Unreachable
from app.tenancy import SYSTEM
from app.timekeeper import Clock, utc_now

log = structlog.get_logger(__name__)

BATCH = 20
LEASE = timedelta(seconds=30)  # renewed before each mail, which takes half of it at most
EVERY_S = 0.5
# After a failed attempt; a fifth more or less, so that what failed together does not come back together. After the
# last one the mail has failed: a day and a half, longer than a mail server is away unnoticed.
BACKOFF = tuple(
    timedelta(seconds=seconds)
    for seconds in (10, 30, 120, 600, 1800, 3600, 7200, 14400, 21600, 28800, 43200)
)  # fmt: skip
JITTER = 0.2
LONGEST_PAUSE_S = 60.0  # when nobody takes any mail
SHORTEST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=5)  # for what is to come with a mail
IN_VAIN = {"55P03", "57014"}  # lock timeout, statement timeout
PATIENCE = 5  # times that long for what a mail that was sent changes

Jitter = Callable[[], float]  # from 0 to 1


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that is ours until `until`, and which attempt this is, from 1."""

    id: int
    attempt: int
    until: datetime


class Sender:
    """Sends what is due. Any number of them may run."""

    def __init__(
        self,
        make_session: sessionmaker[TenantSession],
        transport: Transport,
        stationery: Stationery,
        *,
        clock: Clock = utc_now,
        jitter: Jitter = random.random,
    ) -> None:
        self._make_session = make_session
        self._transport = transport
        self._stationery = stationery
        self._clock = clock
        self._jitter = jitter
        self._pause_s = EVERY_S

    def run(self, stop: threading.Event) -> None:
        """Until `stop`: the mail in hand is finished, those claimed with it go back."""
        try:
            while not stop.is_set():
                self._rest(stop, self._turn(stop))
        finally:
            self._transport.close()

    def send_due(self, *, limit: int = BATCH, stopping: Callable[[], bool] = lambda: False) -> int:
        """Send up to `limit` mails whose time has come; returns how many rows were claimed.

        Raises Unreachable when nobody takes mails, after the first attempt has been recorded and the rest gone back.
        """
        claims = self._claim(limit)
        for position, claim in enumerate(claims):
            pulse.beat()
            if stopping():
                self._give_back(claims[position:])
                break
            try:
                self._send(claim)
            except Unreachable:
                self._give_back(claims[position + 1 :])
                raise
        return len(claims)

    def _turn(self, stop: threading.Event) -> float:
        """One batch; how long to rest after it."""
        try:
            claimed = self.send_due(stopping=stop.is_set)
            self._pause_s = EVERY_S
        except Unreachable as error:
            self._transport.close()
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
            log.warning("mail_unreachable", error=str(error), pause_s=self._pause_s)
            return self._pause_s
        except Exception as error:
            if not connection_lost(error):
                raise
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S / 10)
            log.warning("database_lost", error=str(error)[:300])
            return self._pause_s
        if claimed:
            return 0.0
        self._transport.close()
        return EVERY_S

    def _rest(self, stop: threading.Event, seconds: float) -> None:
        while seconds > 0 and not stop.is_set():
            pulse.beat()
            stop.wait(min(seconds, EVERY_S))
            seconds -= EVERY_S

    def _claim(self, limit: int) -> list[Claim]:
        """Documents last: a month's thousands keep nobody waiting for word of a booking."""
        now = self._clock()
        ripe = (
            select(Notification.id)
            .where(
                Notification.state.in_(("pending", "sending")),
                Notification.send_after <= now,
                or_(Notification.claimed_until.is_(None), Notification.claimed_until <= now),
            )
            .order_by(Notification.document_uid.is_not(None), Notification.send_after, Notification.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        claiming = (
            update(Notification)
            .where(Notification.id.in_(ripe.scalar_subquery()))
            .values(state="sending", claimed_until=now + LEASE, attempts=Notification.attempts + 1)
            .returning(Notification.id, Notification.attempts)
            .execution_options(synchronize_session=False)
        )
        with transaction(self._make_session, SYSTEM) as session:
            claimed = [Claim(id, attempt, now + LEASE) for id, attempt in session.execute(claiming)]
        return sorted(claimed, key=lambda claim: claim.id)

    def _send(self, claim: Claim) -> None:
        renewed, mail = self._compose(claim)
        if renewed is None or mail is None:
            return
        try:
            self._transport.send(mail)
        except Refused as refusal:
            self._record_refusal(renewed, mail, refusal)
        except Trouble as trouble:
            self._try_later(renewed, trouble)
            if isinstance(trouble, Unreachable):
                raise
        else:
            self._record_sent(renewed)

    def _compose(self, claim: Claim) -> tuple[Claim | None, Mail | None]:
        """The mail, and the lease begun anew; no claim where it was lost meanwhile, no mail where none is to go."""
        try:
            with transaction(self._make_session, SYSTEM) as session:
                renewed = self._renew(session, claim)
                if renewed is None:
                    return None, None
                notification = session.get_one(Notification, claim.id, populate_existing=True)
                if notification.useless_after is not None and self._clock() >= notification.useless_after:
                    raise Suppressed("too_late")
                try:
                    return renewed, compose(session, notification, self._stationery, now=self._clock())
                except NotYet:  # what was asked for meanwhile is asked for by this transaction
                    self._let_wait(session, renewed, notification)
                    return None, None
        except Suppressed as suppressed:
            self._record(claim, state="suppressed", reason=suppressed.reason)
        except Exception as error:
            if connection_lost(error):
                raise
            log.exception("mail_not_composed", notification_id=claim.id)
            self._try_later(claim, error)
        return None, None

    def _let_wait(self, session: Session, claim: Claim, notification: Notification) -> None:
        """No attempt was made; looked at again after as long as it has waited."""
        now = self._clock()
        wait = min(max(now - notification.created_at, SHORTEST_WAIT), LONGEST_WAIT)
        _changed(session, claim, claimed_until=None, state="pending", attempts=claim.attempt - 1, send_after=now + wait)

    def _renew(self, session: Session, claim: Claim) -> Claim | None:
        until = self._clock() + LEASE
        if not _changed(session, claim, state="sending", claimed_until=until):
            return None
        return Claim(claim.id, claim.attempt, until)

    def _record_refusal(self, claim: Claim, mail: Mail, refusal: Refused) -> None:
        with transaction(self._make_session, SYSTEM) as session:
            said = {"state": "bounced", "reason": refusal.status, "last_error": without_address(refusal.text)}
            if not _changed(session, claim, claimed_until=None, **said):
                return
            row = session.get_one(Notification, claim.id)
            record_refusal(
                session,
                member_id=row.member_id,
                party_id=row.party_id,
                email=mail.recipient,
                status=refusal.status,
                error=refusal.text,
                sent_at=self._clock(),
            )
        log.warning("mail_bounced", notification_id=claim.id, status=refusal.status)

    def _try_later(self, claim: Claim, error: Exception) -> None:
        said = without_address(f"{type(error).__name__}: {error}")
        if claim.attempt > len(BACKOFF):
            self._record(claim, state="failed", reason="not_delivered", last_error=said)
            log.error("mail_failed", notification_id=claim.id, attempts=claim.attempt, error=said)
            return
        wait = BACKOFF[claim.attempt - 1] * (1 + JITTER * (2 * self._jitter() - 1))
        self._record(claim, state="pending", send_after=self._clock() + wait, last_error=said)
        if isinstance(error, Rejected):
            log.warning("mail_rejected", notification_id=claim.id, attempts=claim.attempt, error=said)

    def _record_sent(self, claim: Claim) -> None:
        """That it was handed over, and whatever follows from that, in one. What that changes may be held by somebody
        else for a while; a mail is not sent again for that."""
        for last in (False,) * PATIENCE + (True,):
            try:
                retrying(lambda: self._say_sent(claim))
                return
            except Exception as error:
                if last or sqlstate(error) not in IN_VAIN:
                    raise
                pulse.beat()
                log.warning("took_too_long", notification_id=claim.id, error=str(error)[:300])

    def _say_sent(self, claim: Claim) -> None:
        now = self._clock()
        with transaction(self._make_session, SYSTEM) as session:
            if _changed(session, claim, claimed_until=None, state="sent", sent_at=now, last_error=None):
                tell_sent(session, session.get_one(Notification, claim.id, populate_existing=True), now=now)

    def _record(self, claim: Claim, **values: Any) -> None:
        with transaction(self._make_session, SYSTEM) as session:
            _changed(session, claim, claimed_until=None, **values)

    def _give_back(self, claims: Sequence[Claim]) -> None:
        """Untried: no attempt has been made."""
        for claim in claims:
            self._record(claim, state="pending", attempts=claim.attempt - 1)


def _changed(session: Session, claim: Claim, **values: Any) -> bool:
    """Change the row that is ours; False when the lease ran out and another process has it, or had it."""
    ours = update(Notification).where(
        Notification.id == claim.id, Notification.state == "sending", Notification.claimed_until == claim.until
    )
    changed = ours.values(**values).returning(Notification.id).execution_options(synchronize_session=False)
    return session.scalar(changed) is not None


def transport_of(config: Config) -> Transport:
    """By SMTP where a server is set, else into files. Raises BadSetting."""
    if config.smtp_url is None:
        return OutboxFolder(config.home)
    try:
        address_of(config.mail_from)
    except BadAddress:
        remedy = "whom mails are from, e.g. Passerelle <bookings@network.example>"
        raise BadSetting(setting="MAIL_FROM", value=config.mail_from, remedy=remedy) from None
    return SmtpTransport(Server.of(config.smtp_url))


def sender(config: Config, make_session: sessionmaker[TenantSession]) -> Callable[[threading.Event], None]:
    """The loop that runs beside the notifications consumer. Raises BadSetting."""
    return Sender(make_session, transport_of(config), Stationery.of(config)).run
