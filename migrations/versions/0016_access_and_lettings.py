"""What the VAT on an office depends on: how it is let, whether the lessor chose to have that taxed, how long for.

Forwards while the previous version serves: every new column may be null, which says what was said before: a service.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

LET = ("resource", "plan_version")


def upgrade() -> None:
    for table in LET:
        op.add_column(table, sa.Column("letting_equipped", sa.Boolean(), nullable=True))
        op.add_column(table, sa.Column("option_from", sa.Date(), nullable=True))
        op.add_column(table, sa.Column("option_until", sa.Date(), nullable=True))
        op.create_check_constraint(op.f(f"ck_{table}_option"), table, _OPTION)
    op.create_check_constraint(op.f("ck_resource_letting"), "resource", "letting_equipped IS NULL OR kind = 'office'")
    op.add_column("membership", sa.Column("agreed_ends", postgresql.JSONB(), nullable=True))


_OPTION = (
    "(option_from IS NULL OR letting_equipped IS NOT DISTINCT FROM false)"
    " AND (option_until IS NULL OR option_from IS NOT NULL AND option_until > option_from)"
)
