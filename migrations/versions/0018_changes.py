"""changes: before and after of what staff set, and tags on reports

Three new tables, empty. Reports stay as they are.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
COLOURS = "'grey', 'blue', 'teal', 'green', 'amber', 'red', 'pink', 'purple'"


def upgrade() -> None:
    op.create_table(
        "change",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("staff_id", BIG, nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("before", JSON, nullable=True),
        sa.Column("after", JSON, nullable=True),
        sa.Column("undone_by_id", BIG, nullable=True),
        sa.CheckConstraint("before is not null or after is not null", name="about_something"),
        sa.CheckConstraint("undone_by_id <> id", name="undone_by_another"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_change_staff_id")),
        sa.ForeignKeyConstraint(["undone_by_id"], ["change.id"], name=op.f("fk_change_undone_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change")),
    )
    op.create_index("ix_change_subject", "change", ["kind", "subject", "id"])
    op.create_index(op.f("ix_change_undone_by_id"), "change", ["undone_by_id"])
    op.create_table(
        "tag",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("colour", sa.String(length=20), nullable=False),
        sa.Column("roles", JSON, nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(f"colour in ({COLOURS})", name="colour_known"),
        sa.CheckConstraint("name <> ''", name="name_written"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag")),
        sa.UniqueConstraint("code", name=op.f("uq_tag_code")),
    )
    op.create_table(
        "report_tag",
        sa.Column("report_id", BIG, nullable=False),
        sa.Column("tag_id", BIG, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("staff_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_report_tag_report_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_report_tag_tag_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_report_tag_staff_id")),
        sa.PrimaryKeyConstraint("report_id", "tag_id", name=op.f("pk_report_tag")),
    )
    op.create_index(op.f("ix_report_tag_tag_id"), "report_tag", ["tag_id"])


def downgrade() -> None:
    for table in ("report_tag", "tag", "change"):
        op.drop_table(table)
