"""Mails with documents: to a party's own address, about a document; sendings asked for; who wants documents mailed.

Forwards while the previous version serves: it writes a member with every mail, and knows neither of the new columns.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _notifications()
    _sendings()
    op.add_column("letterhead", sa.Column("by_mail", sa.Boolean(), nullable=False, server_default="true"))


def _notifications() -> None:
    op.alter_column("notification", "member_id", nullable=True)
    op.add_column("notification", sa.Column("party_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_notification_party_id"), "notification", "party", ["party_id"], ["id"])
    op.add_column("notification", sa.Column("document_uid", sa.Uuid(), nullable=True))
    op.create_check_constraint(op.f("ck_notification_to"), "notification", "num_nonnulls(member_id, party_id) > 0")
    told = sa.text("document_uid IS NOT NULL")
    op.create_index("ix_notification_document_uid", "notification", ["document_uid"], postgresql_where=told)
    vain = sa.text("document_uid IS NOT NULL AND state IN ('suppressed', 'bounced', 'failed')")
    op.create_index("ix_notification_undelivered", "notification", ["document_uid"], postgresql_where=vain)
    own = sa.text("party_id IS NOT NULL")
    op.create_index("ix_notification_party_id_id", "notification", ["party_id", "id"], postgresql_where=own)


def _sendings() -> None:
    op.create_table(
        "sending",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("uid", sa.Uuid(), nullable=False, unique=True),
        sa.Column("operator_id", sa.BigInteger(), sa.ForeignKey("operator.id"), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), sa.ForeignKey("invoice.id"), nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("asked_by", sa.BigInteger(), sa.ForeignKey("member.id"), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("way IN ('mail', 'paper')", name=op.f("ck_sending_way")),
    )
    op.create_index("ix_sending_invoice_id_id", "sending", ["invoice_id", "id"])
