"""The rows of charges looked at by the check that 0015 put back, while others write."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE charge VALIDATE CONSTRAINT ck_charge_kind")
