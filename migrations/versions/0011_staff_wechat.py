"""staff in WeChat: whose WeChat is whose, and what is sent there

Adds three tables and changes none.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
DELIVERIES = "delivery in ('queued', 'sending', 'sent', 'failed', 'not_possible')"
DUE = sa.text("delivery in ('queued', 'sending')")


def upgrade() -> None:
    op.create_table(
        "staff_wechat",
        sa.Column("staff_id", BIG, nullable=False),
        sa.Column("openid", sa.String(64), nullable=False),
        sa.Column("bound_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_wechat_staff_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_staff_wechat")),
        sa.UniqueConstraint("openid", name=op.f("uq_staff_wechat_openid")),
    )
    op.create_table(
        "staff_binding_code",
        sa.Column("staff_id", BIG, nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_binding_code_staff_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_staff_binding_code")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_staff_binding_code_code_hash")),
    )
    op.create_table(
        "staff_message",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("staff_id", BIG, nullable=False),
        sa.Column("report_id", BIG, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("params", JSON, nullable=False),
        sa.Column("about_at", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("delivery", sa.String(20), nullable=False),
        sa.Column("channel", sa.String(20), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", MOMENT, nullable=True),
        sa.Column("last_error", sa.String(200), nullable=False),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.CheckConstraint(DELIVERIES, name="delivery_known"),
        sa.CheckConstraint("(sent_at is not null) = (delivery = 'sent')", name="sent_at_when_sent"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_message_staff_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_staff_message_report_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_message")),
        sa.UniqueConstraint(
            "staff_id", "report_id", "kind", "about_at", name=op.f("uq_staff_message_staff_id")
        ),
    )  # fmt: skip
    op.create_index(op.f("ix_staff_message_report_id"), "staff_message", ["report_id"])
    op.create_index(op.f("ix_staff_message_created_at"), "staff_message", ["created_at"])
    op.create_index("ix_staff_message_due", "staff_message", ["next_try_at"], sqlite_where=DUE, postgresql_where=DUE)


def downgrade() -> None:
    for table in ("staff_message", "staff_binding_code", "staff_wechat"):
        op.drop_table(table)
