"""Loading the demonstration, once, into a database that holds nothing else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import Progress
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.config import Config
from app.db import make_engine, raw, sessions, transaction
from app.demo.bookings import add_bookings
from app.demo.books import close_books
from app.demo.models import Demonstration
from app.demo.password import demo_password
from app.demo.people import ACCOUNTS, add_people
from app.demo.resources import add_resources
from app.demo.spaces import add_sites
from app.demo.told import tell_workers
from app.errors import Problem
from app.network.models import Member, Network
from app.network.passwords import hash_password, verify
from app.tenancy import SYSTEM

HOME_ZONE = ZoneInfo("Europe/Brussels")
# The planner would otherwise take the full tables for the empty ones they were a moment ago.
_ANALYZE = raw("ANALYZE")
Step = Callable[[str], None]


class NotADemonstration(Problem):
    """The database belongs to real people: nothing made up goes into it."""

    code = "not_a_demonstration"
    status = 409
    title = "This database holds networks of its own; the demonstration is not loaded into it."


def now_utc() -> datetime:
    return datetime.now(UTC)


def ensure_demo(config: Config, url: str, *, clock: Callable[[], datetime] = now_utc) -> list[str]:
    """Load the demonstration into the database at `url` unless it is there, and have its accounts take the password.

    One transaction: all of it or nothing; of two at once the second waits and finds it loaded. Returns the lines to
    show at start. Raises NotADemonstration.
    """
    password = demo_password(config)
    engine = make_engine(url, pool_size=1, application_name="passerelle-demo")
    try:
        with transaction(sessions(engine), SYSTEM) as session:
            if _is_first(session, now=clock()):
                _load(session, password, public_url=config.public_url, now=clock())
            else:
                _set_password(session, password)
    finally:
        engine.dispose()
    return _lines(password)


def _is_first(session: Session, *, now: datetime) -> bool:
    """Whether this transaction is the one that loads. Raises NotADemonstration where others' networks are."""
    marked = session.execute(
        insert(Demonstration).values(id=1, loaded_at=now).on_conflict_do_nothing().returning(Demonstration.id)
    ).one_or_none()
    if marked and session.scalar(select(func.count(Network.id))):
        raise NotADemonstration(remedy="start without --demo, or give an empty database")
    return marked is not None


def _load(session: Session, password: str, *, public_url: str, now: datetime) -> None:
    today = now.astimezone(HOME_ZONE).date()
    with _progress() as step:
        step("spaces")
        sites = add_sites(session, today=today)
        step("resources")
        offers = add_resources(session, sites)
        step("people")
        people = add_people(session, sites, password_hash=hash_password(password), today=today)
        step("bookings")
        add_bookings(session, {slug: site.space for slug, site in sites.items()}, offers, people, now=now)
        session.flush()
        session.execute(_ANALYZE)
        step("books")
        close_books(session, sites, people, now=now)
        step("calendars")
        tell_workers(session, public_url=public_url, now=now)


def _progress() -> Any:
    """A bar on a terminal; silence elsewhere."""
    console = Console(stderr=True)
    return _Bar(console) if console.is_terminal else nullcontext(lambda _name: None)


class _Bar:
    """Six steps of about equal length."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(console=console, transient=True)

    def __enter__(self) -> Step:
        self._progress.start()
        task = self._progress.add_task("Demonstration", total=6)

        def step(name: str) -> None:
            self._progress.update(task, advance=1, description=f"Demonstration: {name}")

        return step

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def _set_password(session: Session, password: str) -> None:
    """The setting may have changed, or the file been lost: what is shown at start is what signs in."""
    emails = [account.email for account in ACCOUNTS]
    kept = session.scalar(select(Member.password_hash).where(Member.email == emails[0]))
    if not verify(kept, password):
        session.execute(update(Member).where(Member.email.in_(emails)).values(password_hash=hash_password(password)))


def _lines(password: str) -> list[str]:
    width = max(len(account.email) for account in ACCOUNTS)
    return [
        f"Demonstration accounts, password {password}",
        *(f"  {account.email:{width}}  {account.about}" for account in ACCOUNTS),
    ]
