"""Passerelle: booking and membership for a network of independent coworking spaces."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING

from app.config import Config

if TYPE_CHECKING:
    from flask import Flask

LARGEST_BODY = 256 * 1024

# Every blueprint, and where it is mounted. A module named here has a `blueprint`.
BLUEPRINTS = (
    ("app.network.api", "/api/v1"),
    ("app.network.parties.api", "/api/v1"),
    ("app.network.memberships.api", "/api/v1"),
    ("app.network.memberships.offers.api", "/api/v1"),
    ("app.booking.api", "/api/v1"),
    ("app.booking.finding.api", "/api/v1"),
    ("app.booking.catalogue.api", "/api/v1"),
    ("app.booking.calendar.api", None),
    ("app.notifications.api", "/api/v1"),
    ("app.webhooks.api", "/api/v1"),
    ("app.billing.bank.api", "/api/v1"),
    ("app.billing.sepa.api", "/api/v1"),
    ("app.billing.closings.api", "/api/v1"),
    ("app.billing.vat_return.api", "/api/v1"),
    ("app.billing.invoices.api", "/api/v1"),
    ("app.billing.einvoices.api", "/api/v1"),
    ("app.billing.ledger.api", "/api/v1"),
    ("app.billing.charges.api", "/api/v1"),
    ("app.billing.payments.api", "/api/v1"),
    ("app.billing.dunning.api", "/api/v1"),
    ("app.billing.prepaid.api", "/api/v1"),
    ("app.billing.payments.webhook.api", None),
    ("app.http.operating", None),
    ("app.http.documents", None),
    ("app.web.pages", None),
)


def now_utc() -> datetime:
    return datetime.now(UTC)


def create_app(config: Config | None = None, *, clock: Callable[[], datetime] = now_utc) -> Flask:
    """The web application. `clock` is handed to every request, so that tests can stand at any instant."""
    from flask import Flask

    from app import logs
    from app.db import make_engine, sessions
    from app.http import problems, request_log
    from app.http.services import Services
    from app.secret_key import secret_key

    config = config or Config.from_env()
    if config.database_url is None:
        raise RuntimeError("DATABASE_URL is needed here; `passerelle up` sets it for the embedded database")
    logs.configure(config)
    app = Flask("app", static_folder="web/static", template_folder="web/templates")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.secret_key = secret_key(config)
    engine = make_engine(config.database_url, pool_size=config.web_threads, application_name="passerelle-web")
    app.extensions["passerelle"] = Services(config, engine, sessions(engine), clock)
    problems.register(app)
    request_log.register(app)
    for module, prefix in BLUEPRINTS:
        app.register_blueprint(import_module(module).blueprint, url_prefix=prefix)
    return app
