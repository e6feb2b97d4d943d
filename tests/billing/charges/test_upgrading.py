"""An installation that is there already: billing begins with the running month for its operators."""

from __future__ import annotations

from sqlalchemy import create_engine, make_url, text

from app.db import migrate

NETWORK = "INSERT INTO network (uid, slug, name, country) VALUES (gen_random_uuid(), 'n', 'N', 'BE') RETURNING id"
OPERATOR = """
    INSERT INTO operator (uid, network_id, name, country, company_number, iban)
    VALUES (gen_random_uuid(), :network_id, 'O', 'BE', '0200000043', 'BE00') RETURNING id
"""
BEGINS = (
    "SELECT operator_id, begins = date_trunc('month', now() AT TIME ZONE 'Europe/Brussels')::date FROM billing_month"
)


def test_what_began_before_the_month_of_the_upgrade_is_not_billed(server: str, database_url: str) -> None:
    name = make_url(database_url).database
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    admin.dispose()
    migrate(database_url, "0007")
    engine = create_engine(database_url)
    with engine.begin() as connection:
        network_id = connection.execute(text(NETWORK)).scalar_one()
        operator_id = connection.execute(text(OPERATOR), {"network_id": network_id}).scalar_one()
    migrate(database_url)
    with engine.begin() as connection:
        assert connection.execute(text(BEGINS)).all() == [(operator_id, True)]
    engine.dispose()
