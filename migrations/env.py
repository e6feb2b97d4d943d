"""Alembic's entry: run by app.db.migrate, or by `alembic` with DATABASE_URL set."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool, text

from app.billing.bank import models as bank_models
from app.billing.charges import models as charge_models
from app.billing.closings import models as closing_models
from app.billing.dunning import models as dunning_models
from app.billing.einvoices import models as einvoice_models
from app.billing.invoices import models as invoice_models
from app.billing.ledger import models as ledger_models
from app.billing.papers import models as paper_models
from app.billing.payments import drawer_models
from app.billing.payments import models as payment_models
from app.billing.sepa import models as sepa_models
from app.booking import models as booking_models
from app.config import Config
from app.db import Base
from app.demo import models as demo_models
from app.events import models as event_models
from app.network import models as network_models
from app.network.memberships import models as membership_models
from app.network.parties import models as party_models
from app.notifications import models as notification_models
from app.webhooks import models as webhook_models

MODELS = (
    network_models,
    membership_models,
    party_models,
    booking_models,
    event_models,
    demo_models,
    notification_models,
    webhook_models,
    ledger_models,
    charge_models,
    invoice_models,
    closing_models,
    paper_models,
    payment_models,
    bank_models,
    sepa_models,
    drawer_models,
    dunning_models,
    einvoice_models,
)
MIGRATION_LOCK = 7_200_001


def run() -> None:
    url = context.config.attributes.get("url") or Config.from_env().database_url
    if url is None:
        raise SystemExit("DATABASE_URL is needed to run alembic by hand; `passerelle db-url` prints it")
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        # Two processes starting at once: the second waits, then finds nothing left to do.
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
        connection.commit()
        try:
            context.configure(connection=connection, target_metadata=Base.metadata, transaction_per_migration=True)
            with context.begin_transaction():
                context.run_migrations()
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": MIGRATION_LOCK})
            connection.commit()
    engine.dispose()


run()
