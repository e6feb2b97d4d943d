"""Lines of statements are found by the bank's reference when their money goes back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_bank_line_bank_ref", "bank_line", ["operator_id", "bank_ref"],
        postgresql_where=sa.text("bank_ref IS NOT NULL"),
    )  # fmt: skip
