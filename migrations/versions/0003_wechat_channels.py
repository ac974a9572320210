"""WeChat's channels told apart: two kinds of grant, consents to notices, what WeChat says later about a delivery"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UNHEARD = "delivery in ('failed', 'not_possible') and read_at is null"


def upgrade() -> None:
    op.add_column("resident", sa.Column("tap_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("resident", sa.Column("tap_left", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("resident", sa.Column("has_unheard", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("resident", sa.Column("web_epoch", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("resident", sa.Column("left_digest", sa.String(length=64), nullable=True))
    op.create_index(
        "ix_resident_left", "resident", ["left_digest"], unique=False,
        sqlite_where=sa.text("left_digest is not null"), postgresql_where=sa.text("left_digest is not null"),
    )  # fmt: skip
    op.add_column("notification", sa.Column("message_id", sa.String(length=64), nullable=True))
    op.create_index(
        "ix_notification_unheard", "notification", ["resident_id", "id"], unique=False,
        sqlite_where=sa.text(UNHEARD), postgresql_where=sa.text(UNHEARD),
    )  # fmt: skip
    op.create_index(
        "ix_notification_message", "notification", ["message_id"], unique=False,
        sqlite_where=sa.text("message_id is not null"), postgresql_where=sa.text("message_id is not null"),
    )  # fmt: skip
    op.create_table(
        "subscription_grant",
        sa.Column("resident_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("template_id", sa.String(length=64), nullable=False),
        sa.Column("left_over", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("left_over >= 0", name=op.f("ck_subscription_grant_left_over_whole")),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["resident.id"], name=op.f("fk_subscription_grant_resident_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("resident_id", "template_id", name=op.f("pk_subscription_grant")),
    )
    op.create_table(
        "early_verdict",
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_early_verdict")),
    )
    # What was never delivered before this: nobody heard of it, and the newest of each is still worth saying.
    op.execute(
        f"update resident set has_unheard = true where id in (select resident_id from notification where {UNHEARD})"
    )


def downgrade() -> None:
    op.drop_table("early_verdict")
    op.drop_table("subscription_grant")
    op.drop_index("ix_notification_message", table_name="notification")
    op.drop_index("ix_notification_unheard", table_name="notification")
    op.drop_column("notification", "message_id")
    op.drop_index("ix_resident_left", table_name="resident")
    for name in ("left_digest", "web_epoch", "has_unheard", "tap_left", "tap_until"):
        op.drop_column("resident", name)
