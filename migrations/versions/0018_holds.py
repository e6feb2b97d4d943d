"""Bookings that are paid first: a rule of their resource."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("booking_rule", sa.Column("pay_first", sa.Boolean(), server_default="false", nullable=False))
