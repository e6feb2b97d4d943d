"""A booking moved to another cycle and made smaller too late draws from both cycles of one pool.

Forwards while the previous version serves: what the old key allowed, the new one allows.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

DRAW = ("booking_uid", "draw_no", "reason")
PLACE = ("membership_id", "pool", "cycle", "resource_kind", sa.text("(cents <> 0)"))


def upgrade() -> None:
    op.create_index("uq_credit_entry_once", "credit_entry", [*DRAW, *PLACE], unique=True)
    op.drop_constraint(
        op.f("uq_credit_entry_booking_uid_draw_no_reason_membership_id_pool"), "credit_entry", type_="unique"
    )
