"""Every setting of Passerelle, read once from the environment into a frozen object.

Each field documents itself: `metadata["doc"]` is what `passerelle settings` and docs/settings.md show.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from app.errors import Problem


class BadSetting(Problem):
    code = "bad_setting"
    status = 500
    title = "A setting is wrong."


def setting(env: str, default: Any, doc: str) -> Any:
    return field(default=default, metadata={"env": env, "doc": doc})


def data_folder() -> Path:
    return Path.cwd() / ".passerelle"


@dataclass(frozen=True, slots=True)
class Config:
    home: Path = setting(
        "PASSERELLE_HOME",
        None,
        "Data folder: embedded database, files, logs, secret key. Default: .passerelle in the current folder.",
    )
    database_url: str | None = setting(
        "DATABASE_URL",
        None,
        "PostgreSQL 15 or newer, as postgresql://user@host/database. Unset: the embedded server under PASSERELLE_HOME.",
    )
    broker_url: str = setting(
        "BROKER_URL",
        "memory://",
        "The bus: amqp://user:password@host:5672// for RabbitMQ; memory:// runs relay and consumers in one process.",
    )
    port: int = setting("PORT", 8000, "Port of the web server on 127.0.0.1.")
    web_workers: int = setting("WEB_WORKERS", 2, "Number of web processes.")
    web_threads: int = setting("WEB_THREADS", 4, "Threads, and database connections, of each web process.")
    public_url: str = setting(
        "PUBLIC_URL",
        "",
        "Address people reach, without a trailing slash, for links and feeds. Default: of the request.",
    )
    secret_key: str | None = setting(
        "SECRET_KEY", None, "Signs form tokens. Default: made once and kept in PASSERELLE_HOME/secret_key (mode 0600)."
    )
    smtp_url: str | None = setting(
        "SMTP_URL",
        None,
        "Takes mails out: smtp://user:password@host:587 (STARTTLS is required, but on this machine), "
        "smtps://user:password@host:465, or smtp+plain://host:25 for a network you trust. "
        "Unset: mails are files in PASSERELLE_HOME/outbox.",
    )
    mail_from: str = setting(
        "MAIL_FROM", "", "Whom mails are from: Passerelle <bookings@network.example>. Needed with SMTP_URL."
    )
    log_format: str = setting("LOG_FORMAT", "json", "Log lines as json, or as text for a terminal.")
    log_level: str = setting("LOG_LEVEL", "INFO", "Least level of a log line: DEBUG, INFO, WARNING or ERROR.")
    events_keep_days: int = setting(
        "EVENTS_KEEP_DAYS",
        90,
        "Days that an event stays in the database once every consumer has it; then it is in a file under "
        "PASSERELLE_HOME/archive.",
    )
    stripe_api_key: str | None = setting("STRIPE_API_KEY", None, "Secret key of the payment provider. Unset: no cards.")
    stripe_webhook_secret: str | None = setting(
        "STRIPE_WEBHOOK_SECRET",
        None,
        "Signing secret of the payment provider's notifications; two, by a comma, while one takes the other's place.",
    )
    stripe_api_url: str | None = setting(
        "STRIPE_API_URL",
        None,
        "Where the payment provider's interface is, for a stand-in on this machine: http://127.0.0.1:8420. "
        "Default: the provider's own.",
    )
    outside_allow: str = setting(
        "OUTSIDE_ALLOW",
        "",
        "Dangerous: what webhooks may reach besides the public internet, by commas: networks (10.1.0.0/16) at "
        "ports 443 and 8443, or single places (hooks.intranet:9443). Whoever may add a webhook can then have this "
        "server call them. Default: nothing.",
    )
    outside_ca_file: str | None = setting(
        "OUTSIDE_CA_FILE",
        None,
        "Dangerous: a PEM file of certificate authorities trusted, beside the system's, for calls to the outside. "
        "Default: the system's alone.",
    )
    vies_url: str | None = setting(
        "VIES_URL",
        None,
        "Where to ask whether customers' VAT numbers are in use: "
        "https://ec.europa.eu/taxation_customs/vies/rest-api/check-vat-number. Unset: nobody is asked, and a business "
        "pays VAT like a private person until somebody who keeps the books has confirmed its number by hand.",
    )
    vies_requester: str | None = setting(
        "VIES_REQUESTER",
        None,
        "The VAT number, with its letters, on whose behalf VIES is asked: each answer then brings a consultation "
        "number, which is the evidence.",
    )
    demo_password: str | None = setting(
        "PASSERELLE_DEMO_PASSWORD", None, "Password of the demonstration's accounts. Default: made up once and printed."
    )

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Config:
        """Read the settings from `env` (the process environment by default).

        Raises BadSetting naming the variable when a value cannot be read.
        """
        env = os.environ if env is None else env
        values: dict[str, Any] = {}
        for spec in fields(cls):
            name = spec.metadata["env"]
            if raw := env.get(name, "").strip():
                values[spec.name] = _read(name, raw, spec.type)
        values.setdefault("home", data_folder())
        return cls(**values)


def _read(name: str, raw: str, kind: Any) -> Any:
    if kind == "int":
        if not raw.isascii() or not raw.isdigit() or int(raw) > 65535:
            raise BadSetting(setting=name, value=raw, remedy="a whole number from 0 to 65535")
        return int(raw)
    if kind == "Path":
        return Path(raw).expanduser().resolve()
    return raw


def settings_page() -> str:
    """docs/settings.md: every setting with its default and meaning, from the fields themselves."""
    rows = [
        f"| `{spec.metadata['env']}` | {_shown(spec.default)} | {spec.metadata['doc']} |" for spec in fields(Config)
    ]
    head = [
        "# Settings",
        "",
        "Read once from the environment when a command starts; an empty value counts as unset.",
        "This page is generated: `python -c 'from app.config import settings_page; print(settings_page(), end=\"\")'`.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def _shown(default: Any) -> str:
    return "–" if default in (None, "") else f"`{default}`"
